"""Tasks: what is submitted, with its arguments."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

from nbflow.compat.simpleflow.activity import Activity
from nbflow.compat.simpleflow.base import Submittable
from nbflow.compat.simpleflow.exceptions import TaskFailed
from nbflow.compat.simpleflow.futures import Future

if TYPE_CHECKING:
    from collections.abc import Callable

    import nbflow
    from nbflow.compat.simpleflow.executor import Executor
    from nbflow.compat.simpleflow.history import History


def get_actual_value(value: Any) -> Any:
    """Give the result of a future, waiting for it; anything else as it is."""
    return value.result if isinstance(value, Future) else value


class Task(Submittable):
    """Something that can be submitted."""

    id: str | None = None
    args: Any = ()
    kwargs: dict[str, Any]

    @property
    def name(self) -> str:
        """What errors call it."""
        raise NotImplementedError


class ActivityTask(Task):
    """An activity with its arguments, which may be futures."""

    def __init__(self, activity: Activity, *args: Any, **kwargs: Any) -> None:
        given: Any = activity
        if not isinstance(given, Activity):
            message = f"an ActivityTask is of an activity, not of {activity!r:.60}"
            raise TypeError(message)
        self.activity = activity
        self.args, self.kwargs = list(args), kwargs
        self.idempotent = activity.idempotent
        self.raises_on_failure = activity.raises_on_failure

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"activity-{self.activity.name}"

    @property
    def payload(self) -> Activity:
        """The activity."""
        return self.activity

    def execute(self) -> Any:
        """Call the activity here and now."""
        args = [get_actual_value(value) for value in self.args]
        kwargs = {name: get_actual_value(value) for name, value in self.kwargs.items()}
        return self.activity(*args, **kwargs)

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it, and leave the activity as it is."""
        setattr(self, attr, val)

    def __repr__(self) -> str:
        """Give activity and arguments."""
        return f"{type(self).__name__}({self.activity}, args={self.args}, kwargs={self.kwargs})"


class WorkflowTask(Task):
    """A workflow with its arguments: a child run."""

    def __init__(
        self,
        executor: Executor | None,
        workflow: Any,
        *args: Any,
        workflow_task_list: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.executor, self.workflow = executor, workflow
        self.args, self.kwargs = list(args), kwargs
        self.task_list = workflow_task_list
        self.idempotent = getattr(workflow, "idempotent", False)
        self.raises_on_failure = workflow.raises_on_failure

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"workflow-{self.workflow.name}"

    @property
    def payload(self) -> Any:
        """The workflow."""
        return self.workflow

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it, and leave the workflow as it is."""
        setattr(self, attr, val)

    def __repr__(self) -> str:
        """Give workflow and arguments."""
        name = self.workflow.__name__
        return f"{type(self).__name__}({name}, args={self.args}, kwargs={self.kwargs})"


class ChildWorkflowTask(WorkflowTask):
    """The same, made without an executor."""

    def __init__(
        self, workflow: Any, *args: Any, workflow_task_list: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(None, workflow, *args, workflow_task_list=workflow_task_list, **kwargs)


class SignalTask(Task):
    """A signal to be sent."""

    def __init__(
        self,
        name: str,
        *args: Any,
        workflow_id: str | None = None,
        run_id: str | None = None,
        propagate: bool = True,
        **kwargs: Any,
    ) -> None:
        self._name = name
        self.args, self.kwargs = list(args), kwargs
        self.workflow_id, self.run_id, self.propagate = workflow_id, run_id, propagate

    @property
    def name(self) -> str:
        """Of the signal."""
        return self._name


class MarkerTask(Task):
    """Something to be noted."""

    def __init__(self, name: str, details: Any) -> None:
        self._name, self._details = name, details
        self.kwargs = {}

    @property
    def name(self) -> str:
        """Of the marker."""
        return self._name

    @property
    def details(self) -> Any:
        """The value that belongs to it."""
        return get_actual_value(self._details)


class TimerTask(Task):
    """A timer to be started; `timeout` is in seconds."""

    def __init__(self, timer_id: str, timeout: float | str, control: Any = None) -> None:
        self.timer_id, self.timeout, self.control = timer_id, timeout, control
        self.id, self.kwargs = timer_id, {}

    @property
    def name(self) -> str:
        """The timer's id."""
        return self.timer_id


class CancelTimerTask(Task):
    """A timer to be stopped."""

    def __init__(self, timer_id: str) -> None:
        self.timer_id = self.id = timer_id
        self.kwargs = {}

    @property
    def name(self) -> str:
        """The timer's id."""
        return self.timer_id


class ContinueAsNewTask(Task):
    """The run is to go on in a new one, with these arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = list(args), kwargs

    @property
    def name(self) -> str:
        """What errors call it."""
        return "continue_as_new"


class NativeTask(Task):
    """Something that nbflow itself is asked for, by a function that gives its own future."""

    def __init__(self, name: str, ask: Callable[[], nbflow.Future[Any]]) -> None:
        self._name, self.ask = name, ask
        self.kwargs = {}

    @property
    def name(self) -> str:
        """What errors call it."""
        return self._name


class TaskFailureContext:
    """What ``on_task_failure`` of a workflow is told, and decides by."""

    class Decision(Enum):
        """What is to be done."""

        none = 0
        abort = 1
        ignore = 2
        retry_now = 3
        retry_later = 4
        cancel = 5
        handled = 6

    def __init__(
        self,
        a_task: Any,
        event: dict[str, Any],
        future: Future | None,
        exception_class: type[BaseException],
        history: History | None = None,
    ) -> None:
        self.a_task, self.event, self.future = a_task, event, future
        self.exception_class, self.history = exception_class, history
        self.decision = self.Decision.none
        self.retry_wait_timeout: float | None = None
        self.reason: str | None = None
        self.details: Any = None
        self.task_error: str | None = None
        self.task_message: str | None = None
        self.task_error_type: type[BaseException] | None = None
        self._read(self.exception)

    def _read(self, error: BaseException | None) -> None:
        if not isinstance(error, TaskFailed):
            self.reason = str(error)
            return
        self.reason = error.reason
        if error.details:
            self.details = json.loads(error.details)
            self.task_error, self.task_message = self.details["error"], self.details["message"]
            self.task_error_type = self.exception_class

    @property
    def retry_count(self) -> int:
        """How often it was tried again so far."""
        return int(self.event.get("retry", 0))

    @property
    def attempt_number(self) -> int:
        """Which attempt failed, from 1."""
        return self.retry_count + 1

    @property
    def payload(self) -> Any:
        """The activity or the workflow."""
        return getattr(self.a_task, "payload", None)

    @property
    def task_name(self) -> str | None:
        """Name of the activity or the workflow."""
        return getattr(self.payload, "name", None) or getattr(self.a_task, "name", None)

    @property
    def exception(self) -> BaseException | None:
        """What it failed with."""
        return self.future.exception if self.future is not None and self.future.done else None

    @property
    def id(self) -> int | None:
        """Number of the event."""
        return self.event.get("id")

    def decide_abort(self) -> TaskFailureContext:
        """Fail the run."""
        return self._decide(self.Decision.abort)

    def decide_ignore(self) -> TaskFailureContext:
        """Have None for its result."""
        return self._decide(self.Decision.ignore)

    def decide_cancel(self) -> TaskFailureContext:
        """Have it cancelled."""
        return self._decide(self.Decision.cancel)

    def decide_retry(self, retry_wait_timeout: float | None = 0) -> TaskFailureContext:
        """Try again, after so many seconds."""
        self.retry_wait_timeout = retry_wait_timeout
        later = self.Decision.retry_later if retry_wait_timeout else self.Decision.retry_now
        return self._decide(later)

    def decide_handled(self, a_task: Any, future: Future | None = None) -> TaskFailureContext:
        """Have the result of a future for its own."""
        self.a_task, self.future = a_task, future
        return self._decide(self.Decision.handled)

    def _decide(self, decision: Decision) -> TaskFailureContext:
        self.decision = decision
        return self
