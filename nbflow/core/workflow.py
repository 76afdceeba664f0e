"""Workflows: code that calls activities."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from nbflow.core.activity import Activity
from nbflow.core.byname import stands_before
from nbflow.core.canvas import Group, submit
from nbflow.core.child import CLEAN_UP_TIMEOUT, ParentClose, WorkflowOptions
from nbflow.core.definition import Definition, definition, of_class
from nbflow.core.errors import DefinitionError
from nbflow.core.future import Future, current
from nbflow.core.hooks import Hook
from nbflow.core.launching import Launcher, Place, Placed, begin, changed, launcher, the_launcher
from nbflow.core.lint import report
from nbflow.core.naming import one_form
from nbflow.core.options import PRIORITY_NOT_SET, Priority
from nbflow.core.retry import Retry
from nbflow.core.telling import Telling

if TYPE_CHECKING:
    from nbflow.running.run import Run
    from nbflow.viz.form import Form

P = ParamSpec("P")
T = TypeVar("T")

__all__ = [
    "Definition",
    "Launcher",
    "Place",
    "Placed",
    "Target",
    "Workflow",
    "WorkflowFunction",
    "definition",
    "launcher",
    "workflow",
]


@dataclass(slots=True, eq=False)
class WorkflowFunction(Generic[P, T]):
    """A workflow made of a function. Make one with `workflow`.

    Called outside a run it starts one and gives its `Run` at once, as ``start`` does. Called in
    another workflow it asks for a child run and gives its `Future`.
    """

    name: str
    fn: Callable[P, T]
    version: str = "1"
    task_list: str = "default"
    settings: WorkflowOptions = field(default_factory=WorkflowOptions)
    signature: inspect.Signature = field(init=False, repr=False)
    __doc__: str | None = field(init=False, repr=False, default=None)
    __wrapped__: Callable[P, T] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the signature once."""
        self.signature = inspect.signature(self.fn)
        self.__doc__ = self.fn.__doc__
        self.__wrapped__ = self.fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run and give its `Run` at once."""
        return begin(self, Place(), args, kwargs)  # type: ignore[no-any-return]

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run and give its `Run` at once."""
        return begin(self, Place(), args, kwargs)  # type: ignore[no-any-return]

    def on(self, place: Any, **options: Any) -> Placed[P, T]:
        """Say where to run: ``revenue.on("processes", max_workers=4).start(["eu"])``."""
        return Placed(self, Place(place, options))

    def options(self, **changes: Any) -> Placed[P, T]:
        """Give it with other options: those of `workflow`, but for name, version and lint.

        Example:
            >>> revenue.options(retry=2, task_list="night", parent_close="abandon")(["eu"])
        """
        changed(definition(self), changes)
        return Placed(self, Place(), changes)

    def form(self) -> Form:
        """Make input fields of the parameters, with a button that starts a run.

        Example:
            >>> form = revenue.form()
            >>> form  # at the end of a cell: shows it
            >>> form.run.result()
        """
        return the_launcher().form(self, Place())

    def __definition__(self) -> Definition:
        """Give what a run needs to know of it."""
        return Definition(
            name=self.name,
            version=self.version,
            task_list=self.task_list,
            fn=self.fn,
            signature=self.signature,
            doc=self.__doc__ or "",
            settings=self.settings,
        )

    def __repr__(self) -> str:
        """Give the name and the signature."""
        return f"<workflow {self.name}{self.signature}>"


class Workflow(Telling):
    """Base of workflows written as classes.

    A subclass sets `name`, `version` and `task_list` and writes ``run``, plain or ``async def``. In
    it, ``self.submit(activity, *args)`` asks for a call, as calling the activity does. It may have
    methods that are told of its runs, ``on_completed(self, ended)`` and the others of
    `nbflow.core.hooks.Hooks`, and ``on_task_failure(self, failure)``. With
    ``class Basic(Workflow, lint=False)`` its code is not looked through as `workflow` does.

    Example:
        >>> class Basic(Workflow):
        ...     name, version, task_list = "basic", "example", "example"
        ...     def run(self, x, t=30):
        ...         y = self.submit(increment, x)
        ...         yy = self.submit(delay, t, y)
        ...         z = self.submit(double, y)
        ...         nbflow.wait([yy, z])
        ...         return z.result()
        >>> run = Basic.start(1, t=5)
    """

    name: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    task_list: ClassVar[str] = "default"
    tag_list: ClassVar[Iterable[str]] = ()
    task_priority: ClassVar[Priority] = PRIORITY_NOT_SET
    retry: ClassVar[Any] = 0
    raises_on_failure: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    parent_close: ClassVar[ParentClose] = "terminate"
    max_open_activity_count: ClassVar[int | None] = None
    max_events: ClassVar[int | None] = None
    clean_up_timeout: ClassVar[float] = CLEAN_UP_TIMEOUT
    propagate_signals_to_parent: ClassVar[bool] = True
    on_task_failure: ClassVar[Callable[..., Any] | None] = None

    def __init_subclass__(cls, *, lint: bool = True, **kwargs: Any) -> None:
        """Look through the code of a subclass."""
        super().__init_subclass__(**kwargs)
        if lint and "run" in vars(cls):
            report(cls.name or cls.__name__, cls)

    def run(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the subclass's signature
        """Hold the workflow's code; to be written by the subclass."""
        message = f"{type(self).__name__} has no run method: write def run(self, ...)"
        raise DefinitionError(message)

    @overload
    def submit(self, activity: Activity[..., T], *args: Any, **kwargs: Any) -> Future[T]: ...
    @overload
    def submit(
        self, activity: WorkflowFunction[..., T], *args: Any, **kwargs: Any
    ) -> Future[T]: ...
    @overload
    def submit(self, activity: Any, *args: Any, **kwargs: Any) -> Future[Any]: ...
    def submit(self, activity: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        """Ask for a call of an activity or a workflow, or for a group, and give its Future.

        Raises:
            DefinitionError: It is none of these, or this is not workflow code.
        """
        if current.get() is None:
            name = type(self).__name__
            message = f"submit is for the run method of a workflow: begin with {name}.start(...)"
            raise DefinitionError(message)
        return submit(activity, *args, **kwargs)

    def map(self, activity: Activity[..., T], items: Iterable[Any]) -> list[Future[T]]:
        """Ask for one call an item, all of them one group in pictures."""
        return self._mapped("map", activity, ((item,) for item in items))

    def starmap(
        self, activity: Activity[..., T], items: Iterable[Iterable[Any]]
    ) -> list[Future[T]]:
        """Ask for one call an item, each item holding all arguments, as `map` does."""
        return self._mapped("starmap", activity, items)

    def _mapped(self, kind: str, target: Any, items: Iterable[Iterable[Any]]) -> list[Future[T]]:
        interpreter = current.get()
        number = interpreter.number(f"canvas:{kind}") if interpreter is not None else 0
        group = Group(name=f"{kind}-{number}")
        for item in items:
            group.append(target, *item)
        return group.submit().members

    @classmethod
    def __definition__(cls) -> Definition:
        """Give what a run needs to know of it."""
        return of_class(cls)

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Run[Any]:
        """Start a run and give its `Run` at once."""
        return begin(cls, Place(), args, kwargs)  # type: ignore[no-any-return]

    @classmethod
    def on(cls, place: Any, **options: Any) -> Placed[..., Any]:
        """Say where to run: ``Basic.on("processes").start(1)``."""
        return Placed(cls, Place(place, options))

    @classmethod
    def options(cls, **changes: Any) -> Placed[..., Any]:
        """Give it with other options, see `WorkflowFunction.options`."""
        changed(definition(cls), changes)
        return Placed(cls, Place(), changes)

    @classmethod
    def form(cls) -> Form:
        """Make input fields of the parameters of ``run``, with a button that starts a run."""
        return the_launcher().form(cls, Place())


Target = WorkflowFunction[..., Any] | type[Workflow]
"""A workflow, whichever way it was written."""


class Decorator(Protocol):
    """What `workflow` with options gives: it makes a workflow of a function."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, T]], /) -> WorkflowFunction[P, T]: ...
    @overload
    def __call__(self, fn: Callable[P, Future[T]], /) -> WorkflowFunction[P, T]: ...
    @overload
    def __call__(self, fn: Callable[P, T], /) -> WorkflowFunction[P, T]: ...


stands_before(WorkflowFunction)


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, T]], /) -> WorkflowFunction[P, T]: ...
@overload
def workflow(fn: Callable[P, Future[T]], /) -> WorkflowFunction[P, T]: ...
@overload
def workflow(fn: Callable[P, T], /) -> WorkflowFunction[P, T]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    version: str = "1",
    task_list: str = "default",
    lint: bool = True,
    tags: Iterable[str] = (),
    task_priority: Priority = PRIORITY_NOT_SET,
    retry: Retry | int = 0,
    raises_on_failure: bool = True,
    idempotent: bool = False,
    parent_close: ParentClose = "terminate",
    max_open_activity_count: int | None = None,
    max_events: int | None = None,
    clean_up_timeout: float = CLEAN_UP_TIMEOUT,
    propagate_signals_to_parent: bool = True,
    on_task_failure: Callable[..., Any] | None = None,
    before_replay: Hook | None = None,
    after_replay: Hook | None = None,
    on_completed: Hook | None = None,
    on_failure: Hook | None = None,
    on_canceled: Hook | None = None,
    after_closed: Hook | None = None,
    should_cancel: Hook | None = None,
) -> Decorator: ...
def workflow(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "1",
    task_list: str = "default",
    lint: bool = True,
    **options: Any,
) -> Any:
    """Make a workflow of a function, plain or ``async def``.

    Args:
        fn: The function, when used as bare ``@workflow``.
        name: Its name; the function's own by default.
        version: Told apart from other versions of the same name on a service.
        task_list: Where a service's deciders look for its runs.
        lint: Whether to look for what may differ when a run is resumed, such as clocks, chance and
            files, and to warn of each by a `DeterminismWarning`. ``# nbflow: ok`` silences a line.
        options: ``tags``, words that its runs are found by; ``task_priority``, of its calls that
            have none of their own; ``max_open_activity_count``, how many calls of a run may be
            under way at once; ``max_events``, how many events a run may have, see
            `continue_as_new`; ``clean_up_timeout``, how many seconds its code may go on after a
            cancel; ``propagate_signals_to_parent``, whether signals that are to be passed on go
            to the run that called it, too; ``on_task_failure``, a function of a `FailureContext`
            that decides what becomes of a call that failed; functions of a `HookContext` that
            are told of its runs, see `nbflow.core.hooks.Hooks`: ``before_replay``,
            ``after_replay``, ``on_completed``, ``on_failure``, ``on_canceled``,
            ``after_closed``, ``should_cancel``; and for its runs as children of others
            ``retry``, ``raises_on_failure``, ``idempotent``, and ``parent_close``: what becomes
            of a child when its parent ends, ``"terminate"``, ``"cancel"`` or ``"abandon"``.

    Raises:
        DefinitionError: It cannot be a workflow, or an option makes no sense.

    Example:
        >>> @workflow
        ... def revenue(regions: list[str], rate: float = 1.08) -> dict:
        ...     return {r: convert(fetch(r), rate) for r in regions}
        >>> run = revenue(["eu", "us"])
        >>> run.result()
    """

    def make(function: Callable[..., Any]) -> WorkflowFunction[..., Any]:
        if not inspect.isroutine(function) or inspect.isgeneratorfunction(function):
            message = f"a workflow is a function, not {type(function).__name__}: {function!r:.60}"
            raise DefinitionError(message)
        settings = WorkflowOptions().changed(options)
        called = one_form(name or function.__name__)
        made = WorkflowFunction(called, function, version, task_list, settings)
        if lint:
            report(made.name, function)
        return made

    return make if fn is None else make(fn)
