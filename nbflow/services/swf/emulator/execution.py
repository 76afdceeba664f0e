"""One execution: its history, and the fold of it. Nothing here knows a clock or another execution.

Everything that the emulator knows of an execution follows from its events, but for what the
service itself keeps out of the history: the latest heartbeat of an activity.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from nbflow.services.swf.shapes import Data, attributes_member

WAKING: Final = frozenset(
    {
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
        "WorkflowExecutionCancelRequested",
        "CompleteWorkflowExecutionFailed",
        "FailWorkflowExecutionFailed",
        "CancelWorkflowExecutionFailed",
        "ContinueAsNewWorkflowExecutionFailed",
        "DecisionTaskTimedOut",
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskTimedOut",
        "ActivityTaskCanceled",
        "ScheduleActivityTaskFailed",
        "RequestCancelActivityTaskFailed",
        "RecordMarkerFailed",
        "TimerFired",
        "StartTimerFailed",
        "CancelTimerFailed",
        "StartChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionStarted",
        "ChildWorkflowExecutionCompleted",
        "ChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionTimedOut",
        "ChildWorkflowExecutionCanceled",
        "ChildWorkflowExecutionTerminated",
        "SignalExternalWorkflowExecutionFailed",
        "ExternalWorkflowExecutionSignaled",
        "RequestCancelExternalWorkflowExecutionFailed",
        "ExternalWorkflowExecutionCancelRequested",
        "LambdaFunctionCompleted",
        "LambdaFunctionFailed",
        "LambdaFunctionTimedOut",
        "ScheduleLambdaFunctionFailed",
        "StartLambdaFunctionFailed",
    }
)
"""Kinds of events after which there has to be a decision."""

CLOSING: Final = {
    "WorkflowExecutionCompleted": "COMPLETED",
    "WorkflowExecutionFailed": "FAILED",
    "WorkflowExecutionTimedOut": "TIMED_OUT",
    "WorkflowExecutionCanceled": "CANCELED",
    "WorkflowExecutionTerminated": "TERMINATED",
    "WorkflowExecutionContinuedAsNew": "CONTINUED_AS_NEW",
}
"""Kinds of events that close an execution, with the status it has then."""


class Event(NamedTuple):
    """One event of a history; `text` is what goes over the wire, made once."""

    id: int
    at: float
    kind: str
    attributes: Data
    text: str

    @classmethod
    def of(cls, number: int, at: float, kind: str, attributes: Data) -> Event:
        """Make one. `at` is in seconds since the epoch, kept to the millisecond."""
        at = round(at, 3)
        wire = {
            "eventTimestamp": at,
            "eventType": kind,
            "eventId": number,
            attributes_member(kind, "Event"): attributes,
        }
        return cls(number, at, kind, attributes, json.dumps(wire, separators=(",", ":")))


@dataclass(slots=True)
class Activity:
    """An open activity task."""

    scheduled: int
    given: Data
    scheduled_at: float
    started: int = 0
    started_at: float = 0.0
    cancel_requested: int = 0
    beat_at: float = 0.0
    details: str | None = None


@dataclass(slots=True)
class Child:
    """An open child execution."""

    initiated: int
    workflow_id: str
    kind: Data
    run_id: str = ""
    started: int = 0


@dataclass(slots=True)
class Function:
    """An open Lambda function."""

    scheduled: int
    given: Data
    started: int = 0


@dataclass(slots=True)
class DecisionTask:
    """The one decision task that an execution can have."""

    scheduled: int
    task_list: str
    started: int = 0


@dataclass(slots=True)
class Execution:
    """One execution of a workflow.

    Attributes:
        domain: Name of its domain.
        workflow_id: Its workflow id.
        run_id: Its run id.
        history: Its events, the one with id N at place N - 1.
        config: What it was started with: the attributes of its first event.
        decision: Its decision task, if there is one.
        unseen: Whether something happened since the latest decision task was handed out.
        processed: The started event of the latest decision task that was answered, 0 if none was.
        override: A task list that stands in for its own, and for how many seconds.
    """

    domain: str
    workflow_id: str
    run_id: str
    history: list[Event] = field(default_factory=list)
    config: Data = field(default_factory=dict)
    decision: DecisionTask | None = None
    unseen: bool = False
    processed: int = 0
    override: tuple[str, str | None] | None = None
    context: str | None = None
    status: str = ""
    closed_at: float = 0.0
    cancel_requested: bool = False
    latest_activity_at: float = 0.0
    activities: dict[int, Activity] = field(default_factory=dict)
    activity_ids: dict[str, int] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    children: dict[int, Child] = field(default_factory=dict)
    functions: dict[int, Function] = field(default_factory=dict)

    @classmethod
    def rebuilt(
        cls, domain: str, workflow_id: str, run_id: str, events: Iterable[Event]
    ) -> Execution:
        """Make one of its history alone."""
        made = cls(domain, workflow_id, run_id)
        for event in events:
            made.apply(event)
        return made

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return not self.status

    @property
    def started_at(self) -> float:
        """When it began, in seconds since the epoch."""
        return self.history[0].at

    @property
    def name(self) -> Data:
        """What the service calls it by."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        self.history.append(event)
        if event.kind in WAKING:
            self.unseen = True
        if event.kind in CLOSING:
            self.status, self.closed_at = CLOSING[event.kind], event.at
        fold = _FOLDS.get(event.kind)
        if fold is not None:
            fold(self, event)


def _began(execution: Execution, event: Event) -> None:
    execution.config = event.attributes


def _asked_to_cancel(execution: Execution, event: Event) -> None:  # noqa: ARG001 - one signature
    execution.cancel_requested = True


def _decision_scheduled(execution: Execution, event: Event) -> None:
    execution.decision = DecisionTask(event.id, event.attributes["taskList"]["name"])


def _decision_started(execution: Execution, event: Event) -> None:
    assert execution.decision is not None  # noqa: S101 - an event of ours never comes without it
    execution.decision.started = event.id
    execution.unseen = False


def _decision_completed(execution: Execution, event: Event) -> None:
    given = event.attributes
    execution.decision, execution.processed = None, given["startedEventId"]
    execution.context = given.get("executionContext", execution.context)
    if "taskList" in given:
        execution.override = given["taskList"]["name"], given.get("taskListScheduleToStartTimeout")


def _decision_lost(execution: Execution, event: Event) -> None:  # noqa: ARG001 - one signature
    execution.decision = execution.override = None


def _activity_scheduled(execution: Execution, event: Event) -> None:
    given = event.attributes
    execution.activities[event.id] = Activity(event.id, given, event.at)
    execution.activity_ids[given["activityId"]] = event.id
    execution.latest_activity_at = event.at


def _activity_started(execution: Execution, event: Event) -> None:
    activity = execution.activities[event.attributes["scheduledEventId"]]
    activity.started, activity.started_at, activity.beat_at = event.id, event.at, event.at


def _activity_closed(execution: Execution, event: Event) -> None:
    activity = execution.activities.pop(event.attributes["scheduledEventId"])
    del execution.activity_ids[activity.given["activityId"]]


def _activity_cancelling(execution: Execution, event: Event) -> None:
    scheduled = execution.activity_ids[event.attributes["activityId"]]
    execution.activities[scheduled].cancel_requested = event.id


def _timer_started(execution: Execution, event: Event) -> None:
    execution.timers[event.attributes["timerId"]] = event.id


def _timer_closed(execution: Execution, event: Event) -> None:
    del execution.timers[event.attributes["timerId"]]


def _child_initiated(execution: Execution, event: Event) -> None:
    given = event.attributes
    child = Child(event.id, given["workflowId"], given["workflowType"])
    execution.children[event.id] = child


def _child_started(execution: Execution, event: Event) -> None:
    child = execution.children[event.attributes["initiatedEventId"]]
    child.run_id, child.started = event.attributes["workflowExecution"]["runId"], event.id


def _child_closed(execution: Execution, event: Event) -> None:
    execution.children.pop(event.attributes["initiatedEventId"], None)


def _function_scheduled(execution: Execution, event: Event) -> None:
    execution.functions[event.id] = Function(event.id, event.attributes)


def _function_started(execution: Execution, event: Event) -> None:
    execution.functions[event.attributes["scheduledEventId"]].started = event.id


def _function_closed(execution: Execution, event: Event) -> None:
    del execution.functions[event.attributes["scheduledEventId"]]


_FOLDS: Final[dict[str, Callable[[Execution, Event], Any]]] = {
    "WorkflowExecutionStarted": _began,
    "WorkflowExecutionCancelRequested": _asked_to_cancel,
    "DecisionTaskScheduled": _decision_scheduled,
    "DecisionTaskStarted": _decision_started,
    "DecisionTaskCompleted": _decision_completed,
    "DecisionTaskTimedOut": _decision_lost,
    "ActivityTaskScheduled": _activity_scheduled,
    "ActivityTaskStarted": _activity_started,
    "ActivityTaskCompleted": _activity_closed,
    "ActivityTaskFailed": _activity_closed,
    "ActivityTaskTimedOut": _activity_closed,
    "ActivityTaskCanceled": _activity_closed,
    "ActivityTaskCancelRequested": _activity_cancelling,
    "TimerStarted": _timer_started,
    "TimerFired": _timer_closed,
    "TimerCanceled": _timer_closed,
    "StartChildWorkflowExecutionInitiated": _child_initiated,
    "StartChildWorkflowExecutionFailed": _child_closed,
    "ChildWorkflowExecutionStarted": _child_started,
    "ChildWorkflowExecutionCompleted": _child_closed,
    "ChildWorkflowExecutionFailed": _child_closed,
    "ChildWorkflowExecutionTimedOut": _child_closed,
    "ChildWorkflowExecutionCanceled": _child_closed,
    "ChildWorkflowExecutionTerminated": _child_closed,
    "LambdaFunctionScheduled": _function_scheduled,
    "LambdaFunctionStarted": _function_started,
    "LambdaFunctionCompleted": _function_closed,
    "LambdaFunctionFailed": _function_closed,
    "LambdaFunctionTimedOut": _function_closed,
    "StartLambdaFunctionFailed": _function_closed,
}
