"""What each of the thirteen decisions does to an execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from nbflow.services.swf.emulator import external
from nbflow.services.swf.emulator.execution import Execution
from nbflow.services.swf.emulator.faults import invalid
from nbflow.services.swf.emulator.journal import chosen, close, present, record
from nbflow.services.swf.emulator.starting import Refused, settings, start, too_long, usable
from nbflow.services.swf.emulator.world import World
from nbflow.services.swf.shapes import Data, Problem, attributes_member, message

Handler: TypeAlias = Callable[[World, Execution, Data, int], object]
"""Carries a decision out: of an execution, with its attributes, for a completed decision task."""

CLOSING: Final = {
    "CompleteWorkflowExecution",
    "FailWorkflowExecution",
    "CancelWorkflowExecution",
    "ContinueAsNewWorkflowExecution",
}
_ACTIVITY_DEFAULTS: Final = {
    "taskList": "defaultTaskList",
    "scheduleToStartTimeout": "defaultTaskScheduleToStartTimeout",
    "scheduleToCloseTimeout": "defaultTaskScheduleToCloseTimeout",
    "startToCloseTimeout": "defaultTaskStartToCloseTimeout",
    "heartbeatTimeout": "defaultTaskHeartbeatTimeout",
}
_UNDEFINED: Final = {
    "taskList": "DEFAULT_TASK_LIST_UNDEFINED",
    "scheduleToStartTimeout": "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED",
    "scheduleToCloseTimeout": "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
    "startToCloseTimeout": "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED",
    "heartbeatTimeout": "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED",
}
_FAILED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ScheduleActivityTask": ("ScheduleActivityTaskFailed", ("activityType", "activityId")),
    "RequestCancelActivityTask": ("RequestCancelActivityTaskFailed", ("activityId",)),
    "RecordMarker": ("RecordMarkerFailed", ("markerName",)),
    "StartTimer": ("StartTimerFailed", ("timerId",)),
    "CancelTimer": ("CancelTimerFailed", ("timerId",)),
    "CompleteWorkflowExecution": ("CompleteWorkflowExecutionFailed", ()),
    "FailWorkflowExecution": ("FailWorkflowExecutionFailed", ()),
    "CancelWorkflowExecution": ("CancelWorkflowExecutionFailed", ()),
    "ContinueAsNewWorkflowExecution": ("ContinueAsNewWorkflowExecutionFailed", ()),
    "ScheduleLambdaFunction": ("ScheduleLambdaFunctionFailed", ("id", "name")),
    "StartChildWorkflowExecution": (
        "StartChildWorkflowExecutionFailed",
        ("workflowType", "workflowId", "control"),
    ),
    "SignalExternalWorkflowExecution": (
        "SignalExternalWorkflowExecutionFailed",
        ("workflowId", "runId", "control"),
    ),
    "RequestCancelExternalWorkflowExecution": (
        "RequestCancelExternalWorkflowExecutionFailed",
        ("workflowId", "runId", "control"),
    ),
}
_INITIATED: Final = {
    "StartChildWorkflowExecution",
    "SignalExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecution",
}


def check(decisions: list[Data]) -> None:
    """See to it that decisions have their attributes, and that a closing one is the last.

    Raises:
        Fault: They are not as they should be. Nothing of them was done.
    """
    found = []
    for number, decision in enumerate(decisions, 1):
        member = attributes_member(decision["decisionType"], "Decision")
        path = f"decisions.{number}.member"
        if decision.get(member) is None and decision["decisionType"] not in CLOSING:
            found.append(Problem(f"{path}.{member}", None, "Member must not be null"))
        found += [
            Problem(f"{path}.{other}", None, f"Member is not for {decision['decisionType']}")
            for other, value in decision.items()
            if other not in {"decisionType", member} and value is not None
        ]
        seconds = (decision.get(member) or {}).get("startToFireTimeout")
        if seconds == "NONE":
            found.append(
                Problem(f"{path}.{member}.startToFireTimeout", seconds, "Must be a number")
            )
    if found:
        raise invalid(message(found))
    if any(d["decisionType"] in CLOSING for d in decisions[:-1]):
        raise invalid("Close must be last decision in list")


def carry_out(world: World, execution: Execution, decisions: list[Data], completed: int) -> None:
    """Carry decisions out, in order; `completed` is the event of the task that they answer."""
    unhandled = execution.unseen
    for decision in decisions:
        kind = decision["decisionType"]
        given = decision.get(attributes_member(kind, "Decision")) or {}
        causes = world.causes.get(kind)
        if causes:
            fail(world, execution, kind, given, causes.pop(0), completed)
        elif kind in CLOSING and unhandled:
            fail(world, execution, kind, given, "UNHANDLED_DECISION", completed)
        else:
            _HANDLERS[kind](world, execution, given, completed)


def fail(
    world: World, execution: Execution, kind: str, given: Data, cause: str, completed: int
) -> None:
    """Record that a decision could not be carried out."""
    event, names = _FAILED[kind]
    more = {"initiatedEventId": 0} if kind in _INITIATED else {}
    record(
        world,
        execution,
        event,
        cause=cause,
        decisionTaskCompletedEventId=completed,
        **more,
        **chosen(given, *names),
    )


def _schedule(world: World, execution: Execution, given: Data, completed: int) -> None:
    attributes = _scheduled(world, execution, given)
    if isinstance(attributes, str):
        fail(world, execution, "ScheduleActivityTask", given, attributes, completed)
        return
    attributes["decisionTaskCompletedEventId"] = completed
    record(world, execution, "ActivityTaskScheduled", **attributes)


def _scheduled(world: World, execution: Execution, given: Data) -> Data | str:
    """Give the attributes of the scheduled event, or why there can be none."""
    kind = given["activityType"]
    types = world.domains[execution.domain].types["Activity"]
    registered = types.get((kind["name"], kind["version"]))
    if registered is None:
        return "ACTIVITY_TYPE_DOES_NOT_EXIST"
    if registered.deprecated is not None:
        return "ACTIVITY_TYPE_DEPRECATED"
    if given["activityId"] in execution.activity_ids:
        return "ACTIVITY_ID_ALREADY_IN_USE"
    if len(execution.activities) >= world.limits.activities:
        return "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    attributes = chosen(given, "activityType", "activityId", "input", "control")
    for name, default in _ACTIVITY_DEFAULTS.items():
        value = given.get(name) or registered.given.get(default)
        if value is None:
            return _UNDEFINED[name]
        attributes[name] = value
    priority = given.get("taskPriority") or registered.given.get("defaultTaskPriority")
    return attributes | present(taskPriority=priority)


def _cancel_activity(world: World, execution: Execution, given: Data, completed: int) -> None:
    scheduled = execution.activity_ids.get(given["activityId"])
    if scheduled is None:
        cause = "ACTIVITY_ID_UNKNOWN"
        fail(world, execution, "RequestCancelActivityTask", given, cause, completed)
        return
    asked = record(
        world,
        execution,
        "ActivityTaskCancelRequested",
        decisionTaskCompletedEventId=completed,
        activityId=given["activityId"],
    )
    if not execution.activities[scheduled].started:
        record(
            world,
            execution,
            "ActivityTaskCanceled",
            scheduledEventId=scheduled,
            startedEventId=0,
            latestCancelRequestedEventId=asked.id,
        )


def _close(kind: str, *names: str) -> Handler:
    def handle(world: World, execution: Execution, given: Data, completed: int) -> None:
        more = chosen(given, *names)
        close(world, execution, kind, decisionTaskCompletedEventId=completed, **more)

    return handle


def _continue(world: World, execution: Execution, given: Data, completed: int) -> None:
    name, old = "ContinueAsNewWorkflowExecution", execution.config
    kind = old["workflowType"]
    kind = {**kind, "version": given.get("workflowTypeVersion") or kind["version"]}
    domain = world.domains[execution.domain]
    registered = usable(world, domain, kind)
    inherited = chosen(
        old, "executionStartToCloseTimeout", "taskList", "taskPriority", "lambdaRole"
    )
    inherited |= chosen(old, "taskStartToCloseTimeout", "childPolicy")
    wanted = {"tagList": old.get("tagList"), **inherited, **given}
    found = registered if isinstance(registered, Refused) else settings(registered, wanted)
    if isinstance(found, Refused):
        fail(world, execution, name, given, found.cause, completed)
        return
    if too_long(world, found):
        fail(world, execution, name, given, "OPERATION_NOT_PERMITTED", completed)
        return
    _succeed(world, execution, {**wanted, "workflowType": kind}, found, completed)


def _succeed(world: World, execution: Execution, given: Data, found: Data, completed: int) -> None:
    """Close an execution and begin the one that goes on from it."""
    domain = world.domains[execution.domain]
    new_run = world.new_run_id()
    more = {"workflowType": given["workflowType"], **chosen(given, "input", "tagList"), **found}
    close(
        world,
        execution,
        "WorkflowExecutionContinuedAsNew",
        decisionTaskCompletedEventId=completed,
        newExecutionRunId=new_run,
        **more,
    )
    origin = chosen(execution.config, "parentWorkflowExecution", "parentInitiatedEventId")
    given = {**given, "workflowId": execution.workflow_id}
    origin["continuedExecutionRunId"] = execution.run_id
    start(world, domain, given, found, new_run, **origin)


def _marker(world: World, execution: Execution, given: Data, completed: int) -> None:
    more = chosen(given, "markerName", "details")
    record(world, execution, "MarkerRecorded", decisionTaskCompletedEventId=completed, **more)


def _start_timer(world: World, execution: Execution, given: Data, completed: int) -> None:
    cause = ""
    if given["timerId"] in execution.timers:
        cause = "TIMER_ID_ALREADY_IN_USE"
    elif len(execution.timers) >= world.limits.timers:
        cause = "OPEN_TIMERS_LIMIT_EXCEEDED"
    if cause:
        fail(world, execution, "StartTimer", given, cause, completed)
        return
    more = chosen(given, "timerId", "startToFireTimeout", "control")
    record(world, execution, "TimerStarted", decisionTaskCompletedEventId=completed, **more)


def _cancel_timer(world: World, execution: Execution, given: Data, completed: int) -> None:
    started = execution.timers.get(given["timerId"])
    if started is None:
        fail(world, execution, "CancelTimer", given, "TIMER_ID_UNKNOWN", completed)
        return
    record(
        world,
        execution,
        "TimerCanceled",
        timerId=given["timerId"],
        startedEventId=started,
        decisionTaskCompletedEventId=completed,
    )


def _function(world: World, execution: Execution, given: Data, completed: int) -> None:
    cause = ""
    if any(f.given["id"] == given["id"] for f in execution.functions.values()):
        cause = "ID_ALREADY_IN_USE"
    elif len(execution.functions) >= world.limits.functions:
        cause = "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED"
    if cause:
        fail(world, execution, "ScheduleLambdaFunction", given, cause, completed)
        return
    more = chosen(given, "id", "name", "control", "input", "startToCloseTimeout")
    record(
        world, execution, "LambdaFunctionScheduled", decisionTaskCompletedEventId=completed, **more
    )


_HANDLERS: Final[dict[str, Handler]] = {
    "ScheduleActivityTask": _schedule,
    "RequestCancelActivityTask": _cancel_activity,
    "CompleteWorkflowExecution": _close("WorkflowExecutionCompleted", "result"),
    "FailWorkflowExecution": _close("WorkflowExecutionFailed", "reason", "details"),
    "CancelWorkflowExecution": _close("WorkflowExecutionCanceled", "details"),
    "ContinueAsNewWorkflowExecution": _continue,
    "RecordMarker": _marker,
    "StartTimer": _start_timer,
    "CancelTimer": _cancel_timer,
    "SignalExternalWorkflowExecution": external.signal,
    "RequestCancelExternalWorkflowExecution": external.cancel,
    "StartChildWorkflowExecution": external.start_child,
    "ScheduleLambdaFunction": _function,
}
