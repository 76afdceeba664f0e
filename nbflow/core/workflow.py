"""Workflows: code that calls activities."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from nbflow.core.activity import Activity, check_arguments
from nbflow.core.errors import DefinitionError
from nbflow.core.future import Future, current

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
    """

    name: str
    version: str
    task_list: str
    fn: Callable[..., Any]
    signature: inspect.Signature
    doc: str = ""

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError unless the arguments fit the signature."""
        check_arguments(self.name, self.signature, args, kwargs)


class Launcher(Protocol):
    """Starts runs. The layer that knows executors and stores puts one into `launcher`."""

    def start(
        self, target: Target, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Run[Any]:
        """Start a run and give its handle."""

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
    """A workflow with a place: ``revenue.on("processes").start(["eu"])``."""

    target: Target
    place: Place

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run there and give its `Run` at once."""
        return _start(self.target, self.place, args, kwargs)

    __call__ = start

    def form(self) -> Form:
        """Make a form that starts runs there; see `WorkflowFunction.form`."""
        return _launcher().form(self.target, self.place)


@dataclass(slots=True, eq=False)
class WorkflowFunction(Generic[P, T]):
    """A workflow made of a function. Make one with `workflow`.

    Called outside a run it starts one and gives its `Run` at once, as ``start`` does.
    """

    name: str
    fn: Callable[P, T]
    version: str = "1"
    task_list: str = "default"
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
        return _start(self, Place(), args, kwargs)

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run and give its `Run` at once."""
        return _start(self, Place(), args, kwargs)

    def on(self, place: Any, **options: Any) -> Placed[P, T]:
        """Say where to run: ``revenue.on("processes", max_workers=4).start(["eu"])``."""
        return Placed(self, Place(place, options))

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


class Workflow:
    """Base of workflows written as classes.

    A subclass sets `name`, `version` and `task_list` and writes ``run``. In it,
    ``self.submit(activity, *args)`` asks for a call, as calling the activity does.

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

    def run(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the subclass's signature
        """Hold the workflow's code; to be written by the subclass."""
        message = f"{type(self).__name__} has no run method: write def run(self, ...)"
        raise DefinitionError(message)

    def submit(self, activity: Activity[..., T], *args: Any, **kwargs: Any) -> Future[T]:
        """Ask for a call of `activity` and give its Future."""
        given: object = activity
        if not isinstance(given, Activity):
            message = f"submit takes an activity, not {given!r:.60}: decorate it with @activity"
            raise DefinitionError(message)
        if current.get() is None:
            name = type(self).__name__
            message = f"submit is for the run method of a workflow: begin with {name}.start(...)"
            raise DefinitionError(message)
        return activity(*args, **kwargs)

    def map(self, activity: Activity[..., T], items: Iterable[Any]) -> list[Future[T]]:
        """Ask for one call an item."""
        return [self.submit(activity, item) for item in items]

    def starmap(
        self, activity: Activity[..., T], items: Iterable[Iterable[Any]]
    ) -> list[Future[T]]:
        """Ask for one call an item, each item holding all arguments."""
        return [self.submit(activity, *item) for item in items]

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Run[Any]:
        """Start a run and give its `Run` at once."""
        return _start(cls, Place(), args, kwargs)

    @classmethod
    def on(cls, place: Any, **options: Any) -> Placed[..., Any]:
        """Say where to run: ``Basic.on("processes").start(1)``."""
        return Placed(cls, Place(place, options))

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
        )
    message = f"{target!r:.60} is no workflow: decorate it with @workflow, or subclass Workflow"
    raise DefinitionError(message)


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
    *, name: str | None = None, version: str = "1", task_list: str = "default"
) -> Callable[[Callable[P, T]], WorkflowFunction[P, T]]: ...
def workflow(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "1",
    task_list: str = "default",
) -> Any:
    """Make a workflow of a function, plain or ``async def``.

    Args:
        fn: The function, when used as bare ``@workflow``.
        name: Its name; the function's own by default.
        version: Told apart from other versions of the same name on a service.
        task_list: Where a service's deciders look for its runs.

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
        return WorkflowFunction(name or function.__name__, function, version, task_list)

    return make if fn is None else make(fn)


def _start(target: Target, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run[Any]:
    if current.get() is not None:
        message = (
            "a workflow cannot call a workflow yet: call its activities here, or put the code "
            "that both need into a plain function"
        )
        raise DefinitionError(message)
    return _launcher().start(target, place, args, kwargs)


def _launcher() -> Launcher:
    if not launcher:
        message = "runs can be started once nbflow itself is imported: import nbflow"
        raise DefinitionError(message)
    return launcher[0]
