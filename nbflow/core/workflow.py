"""Workflows: code that calls activities."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from nbflow.core.activity import Activity, check_arguments
from nbflow.core.canvas import Group, submit
from nbflow.core.child import Child, ParentClose, WorkflowOptions, ask
from nbflow.core.errors import DefinitionError
from nbflow.core.future import Future, current
from nbflow.core.lint import report
from nbflow.core.options import PRIORITY_NOT_SET, Priority
from nbflow.core.retry import Retry
from nbflow.core.telling import Telling

if TYPE_CHECKING:
    from nbflow.running.run import Run
    from nbflow.viz.form import Form

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a run needs to know of a workflow, whichever way it was written.

    Attributes:
        name: Its name, and the first part of its runs' ids.
        version: Told apart from other versions of the same name on a service.
        task_list: Where a service's deciders look for its runs.
        fn: The code, as a function of the workflow's own arguments.
        signature: Of those arguments.
        doc: Its docstring.
        settings: Its options.
    """

    name: str
    version: str
    task_list: str
    fn: Callable[..., Any]
    signature: inspect.Signature
    doc: str = ""
    settings: WorkflowOptions = field(default_factory=WorkflowOptions)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError unless the arguments fit the signature."""
        check_arguments(self.name, self.signature, args, kwargs)


class Launcher(Protocol):
    """Starts runs. The layer that knows executors and stores puts one into `launcher`."""

    def start(
        self,
        target: Target,
        place: Place,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        changes: dict[str, Any],
    ) -> Run[Any]:
        """Start a run and give its handle; `changes` are options in the place of its own."""

    def form(self, target: Target, place: Place) -> Form:
        """Make a form that starts runs."""


launcher: list[Launcher] = []
"""The one launcher; empty until the package is imported as a whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs of a workflow go: None is the configured place; then its options."""

    on: Any = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed(Generic[P, T]):
    """A workflow with a place or options: ``revenue.on("processes").start(["eu"])``.

    Attributes:
        target: The workflow.
        place: Where its runs go.
        changes: Options in the place of the workflow's own, see `WorkflowFunction.options`.
    """

    target: Target
    place: Place
    changes: dict[str, Any] = field(default_factory=dict)

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run there and give its `Run` at once; in a workflow, ask for a child run."""
        return _start(self.target, self.place, args, kwargs, self.changes)  # type: ignore[no-any-return]

    __call__ = start

    def on(self, place: Any, **options: Any) -> Placed[P, T]:
        """Say where to run."""
        return Placed(self.target, Place(place, options), self.changes)

    def options(self, **changes: Any) -> Placed[P, T]:
        """Say how to run, see `WorkflowFunction.options`."""
        _changed(definition(self.target), changes)
        return Placed(self.target, self.place, {**self.changes, **changes})

    def form(self) -> Form:
        """Make a form that starts runs there; see `WorkflowFunction.form`."""
        return _launcher().form(self.target, self.place)


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
        return _start(self, Place(), args, kwargs)  # type: ignore[no-any-return]

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run and give its `Run` at once."""
        return _start(self, Place(), args, kwargs)  # type: ignore[no-any-return]

    def on(self, place: Any, **options: Any) -> Placed[P, T]:
        """Say where to run: ``revenue.on("processes", max_workers=4).start(["eu"])``."""
        return Placed(self, Place(place, options))

    def options(self, **changes: Any) -> Placed[P, T]:
        """Give it with other options: those of `workflow`, but for name, version and lint.

        Example:
            >>> revenue.options(retry=2, task_list="night", parent_close="abandon")(["eu"])
        """
        _changed(definition(self), changes)
        return Placed(self, Place(), changes)

    def form(self) -> Form:
        """Make input fields of the parameters, with a button that starts a run.

        Example:
            >>> form = revenue.form()
            >>> form  # at the end of a cell: shows it
            >>> form.run.result()
        """
        return _launcher().form(self, Place())

    def __repr__(self) -> str:
        """Give the name and the signature."""
        return f"<workflow {self.name}{self.signature}>"


class Workflow(Telling):
    """Base of workflows written as classes.

    A subclass sets `name`, `version` and `task_list` and writes ``run``. In it,
    ``self.submit(activity, *args)`` asks for a call, as calling the activity does. With
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
    def start(cls, *args: Any, **kwargs: Any) -> Run[Any]:
        """Start a run and give its `Run` at once."""
        return _start(cls, Place(), args, kwargs)  # type: ignore[no-any-return]

    @classmethod
    def on(cls, place: Any, **options: Any) -> Placed[..., Any]:
        """Say where to run: ``Basic.on("processes").start(1)``."""
        return Placed(cls, Place(place, options))

    @classmethod
    def options(cls, **changes: Any) -> Placed[..., Any]:
        """Give it with other options, see `WorkflowFunction.options`."""
        _changed(definition(cls), changes)
        return Placed(cls, Place(), changes)

    @classmethod
    def form(cls) -> Form:
        """Make input fields of the parameters of ``run``, with a button that starts a run."""
        return _launcher().form(cls, Place())


Target = WorkflowFunction[..., Any] | type[Workflow]
"""A workflow, whichever way it was written."""


def definition(target: object) -> Definition:
    """Give what a run needs to know of a workflow.

    Raises:
        DefinitionError: It is no workflow.
    """
    if isinstance(target, WorkflowFunction):
        t = target
        return Definition(
            name=t.name,
            version=t.version,
            task_list=t.task_list,
            fn=t.fn,
            signature=t.signature,
            doc=t.__doc__ or "",
            settings=t.settings,
        )
    if isinstance(target, type) and issubclass(target, Workflow):
        signature = inspect.signature(target.run)
        own = list(signature.parameters.values())[1:]
        return Definition(
            name=target.name or target.__name__,
            version=target.version,
            task_list=target.task_list,
            fn=_ClassBody(target),
            signature=signature.replace(parameters=own),
            doc=target.__doc__ or "",
            settings=_class_options(target),
        )
    message = f"{target!r:.60} is no workflow: decorate it with @workflow, or subclass Workflow"
    raise DefinitionError(message)


def _class_options(cls: type[Workflow]) -> WorkflowOptions:
    """Read what a class says of its runs in attributes."""
    return WorkflowOptions().changed(
        {
            "tags": cls.tag_list,
            "task_priority": cls.task_priority,
            "retry": cls.retry,
            "raises_on_failure": cls.raises_on_failure,
            "idempotent": cls.idempotent,
            "parent_close": cls.parent_close,
            "max_open_activity_count": cls.max_open_activity_count,
            "on_failure": _Asked(cls) if cls.on_task_failure is not None else None,
        }
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The ``on_task_failure`` of a class workflow as a function."""

    cls: type[Workflow]

    def __call__(self, failure: Any) -> Any:
        return self.cls().on_task_failure(failure)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class _ClassBody:
    """The code of a class workflow as a function: a new instance for each execution."""

    cls: type[Workflow]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.cls().run(*args, **kwargs)


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
    on_failure: Callable[..., Any] | None = None,
) -> Callable[[Callable[P, T]], WorkflowFunction[P, T]]: ...
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
            under way at once; ``on_failure``, a function of a `FailureContext` that decides what
            becomes of a call that failed; and for its runs as children of others ``retry``,
            ``raises_on_failure``, ``idempotent``, and ``parent_close``: what becomes of a child
            when its parent ends, ``"terminate"``, ``"cancel"`` or ``"abandon"``.

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
        made = WorkflowFunction(name or function.__name__, function, version, task_list, settings)
        if lint:
            report(made.name, function)
        return made

    return make if fn is None else make(fn)


def _start(
    target: Target,
    place: Place,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    changes: dict[str, Any] | None = None,
) -> Any:
    """Start a run, or, in workflow code, ask for a child run."""
    interpreter = current.get()
    if interpreter is None:
        return _launcher().start(target, place, args, kwargs, changes or {})
    found = definition(target)
    settings, task_list = _changed(found, changes or {})
    own = place if place.on is not None or place.options else None
    child = Child(target, own, settings, _Alone(target, place), found.signature)
    return ask(
        interpreter, child, found.name, settings.of_child(task_list, found.version), args, kwargs
    )


@dataclass(frozen=True, slots=True)
class _Alone:
    """Starts a run of a workflow that was called as a child."""

    target: Target
    place: Place

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _start(self.target, self.place, args, kwargs)


def _changed(found: Definition, changes: dict[str, Any]) -> tuple[WorkflowOptions, str]:
    """Give the options and the task list of a workflow with some of them changed."""
    rest = dict(changes)
    task_list = rest.pop("task_list", found.task_list)
    return found.settings.changed(rest), task_list


def _launcher() -> Launcher:
    if not launcher:
        message = "runs can be started once nbflow itself is imported: import nbflow"
        raise DefinitionError(message)
    return launcher[0]
