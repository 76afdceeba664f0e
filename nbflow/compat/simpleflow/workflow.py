"""Workflows as classes that submit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from nbflow.compat.simpleflow.base import Submittable, SubmittableContainer
from nbflow.compat.simpleflow.canvas import Group
from nbflow.compat.simpleflow.signal import WaitForSignal
from nbflow.compat.simpleflow.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewTask,
    MarkerTask,
    SignalTask,
    TaskFailureContext,
    TimerTask,
)
from nbflow.core.definition import definition
from nbflow.core.launching import Place, Placed, begin, changed

if TYPE_CHECKING:
    from nbflow.compat.simpleflow.executor import Executor
    from nbflow.compat.simpleflow.futures import Future
    from nbflow.compat.simpleflow.history import History
    from nbflow.compat.simpleflow.marker import Marker
    from nbflow.core.definition import Definition
    from nbflow.running.run import Run


class Workflow(Submittable):
    """Base of workflows: write ``run``, and submit activities in it.

    Attributes of a class are its name, version and task list, and ``tag_list``, ``retry``,
    ``raises_on_failure``, ``idempotent``, ``task_priority``, ``child_policy``,
    ``max_open_activity_count`` and ``propagate_signals_to_parent``. Class methods
    ``get_tag_list``, ``get_workflow_id`` and ``get_task_list`` get the arguments of a run.

    Example:
        >>> Basic.start(1, t=0).result()
        4
    """

    INHERIT_TAG_LIST: ClassVar[str] = "INHERIT_TAG_LIST"
    name: Any = None
    version: Any = None
    task_list: Any = None
    task_priority: Any = None
    retry: Any = 0
    raises_on_failure: Any = True

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def executor(self) -> Executor:
        """What it submits to."""
        return self._executor

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Hold the workflow's code; to be written by the subclass."""
        raise NotImplementedError

    # ------------------------------------------------------------ runs

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Run[Any]:
        """Start a run of nbflow, and give its handle at once."""
        return begin(cls, Place(), args, kwargs)  # type: ignore[arg-type, no-any-return]

    @classmethod
    def on(cls, place: Any, **options: Any) -> Placed[..., Any]:
        """Say where its activities run: ``Basic.on("processes").start(1)``."""
        return Placed(cls, Place(place, options))  # type: ignore[arg-type]

    @classmethod
    def options(cls, **changes: Any) -> Placed[..., Any]:
        """Give it with other options of nbflow's own: ``Basic.options(tags=("nightly",))``."""
        changed(cls.__definition__(), changes)
        return Placed(cls, Place(), changes)  # type: ignore[arg-type]

    @classmethod
    def __definition__(cls) -> Definition:
        """Give what a run of nbflow needs to know of it."""
        from nbflow.compat.simpleflow.flows import flow_of  # noqa: PLC0415 - which knows this class

        return definition(flow_of(cls))

    # ------------------------------------------------------------ what it submits

    def submit(self, submittable: Any, *args: Any, **kwargs: Any) -> Any:
        """Submit an activity, a workflow, a task or a group, and give its future."""
        if isinstance(submittable, SubmittableContainer):
            return submittable.submit(self._executor)
        return self._executor.submit(submittable, *args, **kwargs)

    def map(self, activity: Any, iterable: Iterable[Any]) -> list[Future]:
        """Submit an activity once for each value, and give the futures."""
        return self.starmap(activity, ((value,) for value in iterable))

    def starmap(self, activity: Any, iterable: Iterable[Iterable[Any]]) -> list[Future]:
        """Submit an activity once for each tuple of arguments, and give the futures."""
        tasks = [ActivityTask(activity, *values) for values in iterable]
        return self.submit(Group(*tasks)).futures  # type: ignore[no-any-return]

    def fail(self, reason: str, details: str | None = None) -> None:
        """Fail the run."""
        self._executor.fail(reason, details)

    def signal(
        self,
        name: str,
        *args: Any,
        workflow_id: str | None = None,
        run_id: str | None = None,
        propagate: bool = True,
        **kwargs: Any,
    ) -> SignalTask:
        """Make a signal, to be submitted; to this run unless another is named."""
        to = {"workflow_id": workflow_id, "run_id": run_id}
        return SignalTask(name, *args, propagate=propagate, **to, **kwargs)

    def wait_signal(self, name: str) -> WaitForSignal:
        """Make what is finished once there is a signal of that name, to be submitted."""
        return WaitForSignal(name)

    def record_marker(self, name: str, details: Any = None) -> MarkerTask:
        """Make a marker, to be submitted."""
        return MarkerTask(name, details)

    def list_markers(self, all: bool = False) -> list[Marker]:  # noqa: A002, FBT001, FBT002 - as known
        """Give what was noted: of each name the latest, or all of them."""
        return self._executor.list_markers(all=all)

    def get_event_details(self, event_type: str, event_name: str) -> dict[str, Any] | None:
        """Give what is known of a ``signal``, a ``marker`` or a ``timer``, or None."""
        return self._executor.get_event_details(event_type, event_name)

    def start_timer(self, timer_id: str, timeout: float | str, control: Any = None) -> TimerTask:
        """Make a timer, to be submitted."""
        return TimerTask(timer_id, timeout, control)

    def cancel_timer(self, timer_id: str) -> CancelTimerTask:
        """Make what stops a timer, to be submitted."""
        return CancelTimerTask(timer_id)

    def continue_as_new(self, *args: Any, **kwargs: Any) -> ContinueAsNewTask:
        """Make what ends this run and goes on in a new one, to be submitted."""
        return ContinueAsNewTask(*args, **kwargs)

    def get_run_context(self) -> dict[str, Any]:
        """Tell which run this is."""
        return self._executor.get_run_context()

    get_execution_context = get_run_context

    # ------------------------------------------------------------ what it may be told

    def before_replay(self, history: History) -> None:
        """Hear that its code begins to be executed."""

    def after_replay(self, history: History) -> None:
        """Hear that its code has got as far as it could."""

    def on_completed(self, history: History) -> None:
        """Hear that it has ended."""

    def on_failure(self, history: History, reason: str, details: str | None = None) -> None:
        """Hear that it has failed."""

    def on_canceled(self, history: History) -> None:
        """Hear that it was cancelled."""

    def after_closed(self, history: History) -> None:
        """Hear that its run is closed."""

    def should_cancel(self, history: History) -> bool:  # noqa: ARG002 - of subclasses
        """Say whether it may be cancelled."""
        return True

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        """Decide what becomes of something that failed."""
