"""What a workflow submits to: it asks nbflow for what is submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import nbflow
from nbflow.compat.simpleflow.activity import Activity
from nbflow.compat.simpleflow.base import Submittable
from nbflow.compat.simpleflow.futures import Asked, Future, finished, plain, raw
from nbflow.compat.simpleflow.history import History
from nbflow.compat.simpleflow.marker import Marker
from nbflow.compat.simpleflow.signal import WaitForSignal
from nbflow.compat.simpleflow.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewTask,
    MarkerTask,
    NativeTask,
    SignalTask,
    TimerTask,
    WorkflowTask,
)
from nbflow.core.errors import DefinitionError
from nbflow.core.future import current
from nbflow.core.options import PRIORITY_NOT_SET

if TYPE_CHECKING:
    from nbflow.compat.simpleflow.workflow import Workflow

_ANY_LIST: Final = "default"


class Executor:
    """Asks for what one execution of a workflow's code submits.

    Attributes:
        workflow_class: The workflow.
        workflow: The instance whose code is executed.
        children: The futures of the child runs that it has asked for.

    Args:
        workflow_class: The workflow.
        alone: Whether the run has processes of its own, so that task lists mean nothing: all of
            its tasks go to these, as in simpleflow's ``standalone``.
    """

    def __init__(self, workflow_class: type[Workflow], *, alone: bool = False) -> None:
        self.workflow_class, self._alone = workflow_class, alone
        self.children: list[Asked] = []
        self.workflow: Any = workflow_class(self)

    @property
    def history(self) -> History:
        """A look at the run's log."""
        interpreter = current.get()
        return History(interpreter.history if interpreter is not None else None)

    def submit(  # noqa: C901, PLR0911 - one case a kind of task
        self, submittable: Any, *args: Any, **kwargs: Any
    ) -> Future:
        """Ask for something, and give its future.

        Raises:
            TypeError: It cannot be submitted.
        """
        if isinstance(submittable, Activity):
            submittable = ActivityTask(submittable, *args, **kwargs)
        elif isinstance(submittable, type) and issubclass(submittable, Submittable):
            submittable = WorkflowTask(self, submittable, *args, **kwargs)
        elif args or kwargs:
            message = f"{submittable!r:.60} has its arguments: it takes no others"
            raise TypeError(message)
        match submittable:
            case ActivityTask():
                return self._activity(submittable)
            case WorkflowTask():
                return self._child(submittable)
            case WaitForSignal(signal_name=name):
                return Asked(nbflow.wait_signal(name), name, raises=True)
            case SignalTask():
                return self._signal(submittable)
            case MarkerTask():
                nbflow.record_marker(submittable.name, submittable.details)
                return finished()
            case TimerTask():
                timer = nbflow.start_timer(float(submittable.timeout), submittable.timer_id)
                return Asked(timer, submittable.timer_id, raises=True)
            case CancelTimerTask():
                return self._cancel_timer(submittable)
            case NativeTask():
                return Asked(submittable.ask(), submittable.name, raises=True)
            case ContinueAsNewTask(args=given, kwargs=named):
                nbflow.continue_as_new(*map(raw, given), **raw(named))
                return finished()
        message = f"what is submitted is an activity, a workflow or a task: {submittable!r:.60}"
        raise TypeError(message)

    def _activity(self, task: ActivityTask) -> Future:
        kwargs = dict(task.kwargs)
        priority = kwargs.pop("__priority", PRIORITY_NOT_SET)
        if priority is PRIORITY_NOT_SET and task.activity.task_priority is PRIORITY_NOT_SET:
            own = self.workflow.task_priority
            priority = PRIORITY_NOT_SET if own is None else own
        native = task.activity.native(task.raises_on_failure)
        if priority is not PRIORITY_NOT_SET:
            native = native.options(task_priority=priority)
        if self._alone:
            native = native.options(task_list=_ANY_LIST)
        future = native(*map(raw, task.args), **raw(kwargs))
        return Asked(future, task.name, raises=task.raises_on_failure)

    def _child(self, task: WorkflowTask) -> Future:
        changes: dict[str, Any] = {"raises_on_failure": task.raises_on_failure}
        if self._alone or task.task_list is not None:
            changes["task_list"] = _ANY_LIST if self._alone else task.task_list
        child: Any = task.workflow.options(**changes)
        future = child(*map(raw, task.args), **raw(task.kwargs))
        self.children.append(Asked(future, task.name, raises=task.raises_on_failure))
        return self.children[-1]

    def end(self, wanted: set[int]) -> None:
        """Give up the child runs that are under way still: they end with the run, as on SWF.

        Args:
            wanted: The identities of the futures that are waited for all the same.
        """
        for child in self.children:
            if not child.done and id(child.future) not in wanted:
                child.future.abandon()

    def _signal(self, task: SignalTask) -> Future:
        value = {"args": plain(task.args), "kwargs": plain(task.kwargs)}
        told = nbflow.signal(
            task.name, value, to=task.workflow_id or None, propagate=bool(task.propagate)
        )
        return Asked(told, task.name, raises=True)

    def _cancel_timer(self, task: CancelTimerTask) -> Future:
        try:
            nbflow.cancel_timer(task.timer_id)
        except DefinitionError:  # it was never started, which is as good
            return finished()
        return finished()

    def fail(self, reason: str, details: str | None = None) -> None:
        """Fail the run."""
        nbflow.fail(reason, details or "")

    def list_markers(self, *, all: bool = False) -> list[Marker]:  # noqa: A002 - as known
        """Give what was noted: of each name the latest, or all of them."""
        return [Marker(name, details) for name, details in nbflow.list_markers(all=all)]

    def get_event_details(self, event_type: str, event_name: str) -> dict[str, Any] | None:
        """Give what is known of a ``signal``, a ``marker`` or a ``timer``, or None."""
        kind: Any = event_type
        found = nbflow.get_event_details(kind, event_name)
        if found is None:
            return None
        words = {"signal": "input", "marker": "details"}
        value = {words[kind]: found["value"]} if kind in words and "value" in found else {}
        return {"type": kind, "name": event_name, "timestamp": found["at"], **value, **found}

    def get_run_context(self) -> dict[str, Any]:
        """Tell which run this is."""
        found = nbflow.run_context()
        return {
            "name": found.workflow,
            "version": self.workflow_class.version or "default",
            "domain_name": "",
            "workflow_id": found.run,
            "run_id": found.run,
            "tag_list": list(found.tags),
            "continued_execution_run_id": found.continues or None,
            "parent_workflow_id": found.parent or None,
            "parent_run_id": found.parent or None,
        }
