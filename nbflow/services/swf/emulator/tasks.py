"""Operations on tasks: to take one, and to say what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nbflow.services.swf.emulator import decisions
from nbflow.services.swf.emulator.execution import Activity, Execution
from nbflow.services.swf.emulator.faults import Fault, invalid, unknown
from nbflow.services.swf.emulator.journal import Full, chosen, record, tell
from nbflow.services.swf.emulator.paging import history_page
from nbflow.services.swf.emulator.tokens import seal, unseal
from nbflow.services.swf.emulator.world import World
from nbflow.services.swf.shapes import Data

NOTHING: Final[dict[str, Data]] = {
    "PollForDecisionTask": {"taskToken": "", "startedEventId": 0, "previousStartedEventId": 0},
    "PollForActivityTask": {"taskToken": "", "startedEventId": 0},
}
"""What a poll is answered when its time is over."""


def _poll_decision(world: World, given: Data) -> Data | None:
    name = given["taskList"]["name"]
    world.domain(given["domain"])
    if given.get("nextPageToken"):
        return _next_page(world, given)
    taken = world.take(("decision", given["domain"], name))
    if taken is None:
        return None
    execution, scheduled = taken
    more = chosen(given, "identity")
    try:
        started = record(
            world, execution, "DecisionTaskStarted", scheduledEventId=scheduled, **more
        )
    except Full:
        return None
    return _decision_task(world, execution, given, started.id)


def _decision_task(world: World, execution: Execution, given: Data, started: int) -> Data:
    first = execution.processed if given.get("startAtPreviousStartedEvent") else 1
    kind = f"decision/{given['domain']}/{given['taskList']['name']}"
    events = history_page(world, execution, given, kind=kind, first=max(1, first), last=started)
    task = execution.decision
    if task is None or task.started != started:
        raise unknown("Unknown decision task")
    token = seal(world.secret, "decision", execution.run_id, task.scheduled, started)
    answer = {
        "taskToken": token,
        "startedEventId": started,
        "previousStartedEventId": execution.processed,
        "workflowExecution": execution.name,
        "workflowType": execution.config["workflowType"],
        "events": list(events.entries),
    }
    if events.token:
        answer["nextPageToken"] = seal(
            world.secret, "poll", execution.run_id, started, events.token
        )
    return answer


def _next_page(world: World, given: Data) -> Data:
    run_id, started, token = unseal(world.secret, "poll", given["nextPageToken"])
    execution = world.runs.get(run_id)
    if execution is None or not execution.open:
        raise unknown("Unknown decision task")
    return _decision_task(world, execution, {**given, "nextPageToken": token}, started)


def _respond_decision(world: World, given: Data) -> Data:
    run_id, scheduled, started = unseal(world.secret, "decision", given["taskToken"])
    execution = world.runs.get(run_id)
    task = execution and execution.decision
    if execution is None or not execution.open or not task or task.started != started:
        raise unknown(f"Unknown decision task, scheduledEventId = {scheduled}")
    given_decisions = given.get("decisions") or []
    if len(given_decisions) > world.limits.decisions:
        raise invalid(f"A response has at most {world.limits.decisions} decisions")
    decisions.check(given_decisions)
    names = ("executionContext", "taskList", "taskListScheduleToStartTimeout")
    try:
        completed = record(
            world,
            execution,
            "DecisionTaskCompleted",
            scheduledEventId=scheduled,
            startedEventId=started,
            **chosen(given, *names),
        )
        decisions.carry_out(world, execution, given_decisions, completed.id)
    except Full:
        return {}
    return {}


def _poll_activity(world: World, given: Data) -> Data | None:
    world.domain(given["domain"])
    taken = world.take(("activity", given["domain"], given["taskList"]["name"]))
    if taken is None:
        return None
    execution, scheduled = taken
    more = chosen(given, "identity")
    try:
        started = record(
            world, execution, "ActivityTaskStarted", scheduledEventId=scheduled, **more
        )
    except Full:
        return None
    activity = execution.activities[scheduled]
    return {
        "taskToken": seal(world.secret, "activity", execution.run_id, scheduled, started.id),
        "startedEventId": started.id,
        "workflowExecution": execution.name,
        **chosen(activity.given, "activityId", "activityType", "input"),
    }


def _task(world: World, given: Data) -> tuple[Execution, Activity]:
    """Give the activity task that a token is for, if it is still open."""
    run_id, scheduled, _ = unseal(world.secret, "activity", given["taskToken"])
    execution = world.runs.get(run_id)
    activity = execution.activities.get(scheduled) if execution and execution.open else None
    if execution is None or activity is None:
        raise unknown(f"Unknown activity, scheduledEventId = {scheduled}")
    return execution, activity


def _beat(world: World, given: Data) -> Data:
    _, activity = _task(world, given)
    activity.beat_at = world.now
    if given.get("details") is not None:
        activity.details = given["details"]
    return {"cancelRequested": bool(activity.cancel_requested)}


def _respond(kind: str, *names: str) -> Callable[[World, Data], Data]:
    def operation(world: World, given: Data) -> Data:
        execution, activity = _task(world, given)
        more = chosen(given, *names)
        if kind == "ActivityTaskCanceled" and activity.cancel_requested:
            more["latestCancelRequestedEventId"] = activity.cancel_requested
        tell(
            world,
            execution,
            kind,
            scheduledEventId=activity.scheduled,
            startedEventId=activity.started,
            **more,
        )
        return {}

    return operation


def _pending(kind: str) -> Callable[[World, Data], Data]:
    def operation(world: World, given: Data) -> Data:
        world.domain(given["domain"])
        count = world.waiting((kind, given["domain"], given["taskList"]["name"]))
        return {"count": count, "truncated": False}

    return operation


def refused(kind: str) -> Fault:
    """Make the fault of a poll that finds too many others at the same task list."""
    return Fault("LimitExceededFault", f"Too many polls of this task list for {kind} tasks")


OPERATIONS: Final[dict[str, Callable[[World, Data], Data | None]]] = {
    "PollForDecisionTask": _poll_decision,
    "RespondDecisionTaskCompleted": _respond_decision,
    "PollForActivityTask": _poll_activity,
    "RecordActivityTaskHeartbeat": _beat,
    "RespondActivityTaskCompleted": _respond("ActivityTaskCompleted", "result"),
    "RespondActivityTaskFailed": _respond("ActivityTaskFailed", "reason", "details"),
    "RespondActivityTaskCanceled": _respond("ActivityTaskCanceled", "details"),
    "CountPendingActivityTasks": _pending("activity"),
    "CountPendingDecisionTasks": _pending("decision"),
}
