"""From a workflow to a run of it: where it goes, and who starts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from nbflow.core.child import Child, WorkflowOptions, ask
from nbflow.core.definition import Definition, definition
from nbflow.core.errors import DefinitionError
from nbflow.core.future import current

if TYPE_CHECKING:
    from nbflow.core.workflow import Target
    from nbflow.running.run import Run
    from nbflow.viz.form import Form

P = ParamSpec("P")
T = TypeVar("T")


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
        return begin(self.target, self.place, args, kwargs, self.changes)  # type: ignore[no-any-return]

    __call__ = start

    def on(self, place: Any, **options: Any) -> Placed[P, T]:
        """Say where to run."""
        return Placed(self.target, Place(place, options), self.changes)

    def options(self, **changes: Any) -> Placed[P, T]:
        """Say how to run, see `WorkflowFunction.options`."""
        changed(definition(self.target), changes)
        return Placed(self.target, self.place, {**self.changes, **changes})

    def form(self) -> Form:
        """Make a form that starts runs there; see `WorkflowFunction.form`."""
        return the_launcher().form(self.target, self.place)


def begin(
    target: Target,
    place: Place,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    changes: dict[str, Any] | None = None,
) -> Any:
    """Start a run, or, in workflow code, ask for a child run."""
    interpreter = current.get()
    if interpreter is None:
        return the_launcher().start(target, place, args, kwargs, changes or {})
    found = definition(target)
    settings, task_list = changed(found, changes or {})
    own = place if place.on is not None or place.options else None
    if changes is None or "task_list" not in changes:
        task_list = found.task_list_of(args, kwargs)
    given = {name: value for name, value in (changes or {}).items() if name != "task_list"}
    child = Child(target, own, settings, _Alone(target, place), found.signature, given)
    return ask(
        interpreter, child, found.name, settings.of_child(task_list, found.version), args, kwargs
    )


@dataclass(frozen=True, slots=True)
class _Alone:
    """Starts a run of a workflow that was called as a child."""

    target: Target
    place: Place

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return begin(self.target, self.place, args, kwargs)


def changed(found: Definition, changes: dict[str, Any]) -> tuple[WorkflowOptions, str]:
    """Give the options and the task list of a workflow with some of them changed."""
    rest = dict(changes)
    task_list = rest.pop("task_list", found.task_list)
    return found.settings.changed(rest), task_list


def the_launcher() -> Launcher:
    """Give what starts runs.

    Raises:
        DefinitionError: Only the core was imported.
    """
    if not launcher:
        message = "runs can be started once nbflow itself is imported: import nbflow"
        raise DefinitionError(message)
    return launcher[0]
