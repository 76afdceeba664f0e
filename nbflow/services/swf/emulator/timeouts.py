"""What an event brings with it: a task in a list, a time limit, a timer, a Lambda function.

Nothing that was set is ever taken back. When its time has come, it looks whether there is still a
reason: the activity is open, the decision task is the same, the heartbeat did not come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nbflow.services.swf.emulator.execution import Activity, Event, Execution
from nbflow.services.swf.emulator.journal import NONE, expire, present, tell
from nbflow.services.swf.emulator.world import Answer, World
from nbflow.services.swf.shapes import Data

_FUNCTION_SECONDS: Final = "300"


def follow(world: World, execution: Execution, event: Event) -> None:
    """Do what an event brings with it."""
    do = _FOLLOW.get(event.kind)
    if do is not None:
        do(world, execution, event)


def _after(world: World, seconds: str | None, do: Callable[[], object]) -> None:
    if seconds and seconds != NONE:
        world.at(world.now + int(seconds), do)


def _priority(given: Data) -> int:
    return int(given.get("taskPriority") or 0)


def _execution(world: World, execution: Execution, event: Event) -> None:
    def out() -> None:
        if execution.open:
            expire(world, execution)

    _after(world, event.attributes.get("executionStartToCloseTimeout"), out)


def _decision(world: World, execution: Execution, event: Event) -> None:
    given = event.attributes
    queue = "decision", execution.domain, given["taskList"]["name"]
    world.put(queue, _priority(given), execution, event.id)

    def out() -> None:
        task = execution.decision
        if execution.open and task and task.scheduled == event.id and not task.started:
            _decision_out(world, execution, "SCHEDULE_TO_START", event.id, 0)

    _after(world, given.get("scheduleToStartTimeout"), out)


def _decision_started(world: World, execution: Execution, event: Event) -> None:
    scheduled = event.attributes["scheduledEventId"]

    def out() -> None:
        task = execution.decision
        if execution.open and task and task.started == event.id:
            _decision_out(world, execution, "START_TO_CLOSE", scheduled, event.id)

    _after(world, execution.history[scheduled - 1].attributes.get("startToCloseTimeout"), out)


def _decision_out(
    world: World, execution: Execution, kind: str, scheduled: int, started: int
) -> None:
    tell(
        world,
        execution,
        "DecisionTaskTimedOut",
        timeoutType=kind,
        scheduledEventId=scheduled,
        startedEventId=started,
    )


def _activity(world: World, execution: Execution, event: Event) -> None:
    given, activity = event.attributes, execution.activities[event.id]
    queue = "activity", execution.domain, given["taskList"]["name"]
    world.put(queue, _priority(given), execution, event.id)

    def not_started() -> None:
        if not activity.started:
            _activity_out(world, execution, activity, "SCHEDULE_TO_START")

    _after(world, given.get("scheduleToStartTimeout"), not_started)
    _after(
        world,
        given.get("scheduleToCloseTimeout"),
        lambda: _activity_out(world, execution, activity, "SCHEDULE_TO_CLOSE"),
    )


def _activity_started(world: World, execution: Execution, event: Event) -> None:
    activity = execution.activities[event.attributes["scheduledEventId"]]
    _after(
        world,
        activity.given.get("startToCloseTimeout"),
        lambda: _activity_out(world, execution, activity, "START_TO_CLOSE"),
    )
    _heartbeat(world, execution, activity)


def _heartbeat(world: World, execution: Execution, activity: Activity) -> None:
    given = activity.given.get("heartbeatTimeout")
    if not given or given == NONE:
        return

    def silent() -> None:
        if world.now >= activity.beat_at + int(given):
            _activity_out(world, execution, activity, "HEARTBEAT")
        elif _is_open(execution, activity):
            _heartbeat(world, execution, activity)

    world.at(activity.beat_at + int(given), silent)


def _is_open(execution: Execution, activity: Activity) -> bool:
    return execution.open and execution.activities.get(activity.scheduled) is activity


def _activity_out(world: World, execution: Execution, activity: Activity, kind: str) -> None:
    if _is_open(execution, activity):
        tell(
            world,
            execution,
            "ActivityTaskTimedOut",
            timeoutType=kind,
            scheduledEventId=activity.scheduled,
            startedEventId=activity.started,
            **present(details=activity.details),
        )


def _timer(world: World, execution: Execution, event: Event) -> None:
    timer = event.attributes["timerId"]

    def fire() -> None:
        if execution.open and execution.timers.get(timer) == event.id:
            tell(world, execution, "TimerFired", timerId=timer, startedEventId=event.id)

    _after(world, event.attributes["startToFireTimeout"], fire)


def _function(world: World, execution: Execution, event: Event) -> None:
    def start() -> None:
        if not execution.open:
            return
        if execution.config.get("lambdaRole"):
            tell(world, execution, "LambdaFunctionStarted", scheduledEventId=event.id)
        else:
            tell(
                world,
                execution,
                "StartLambdaFunctionFailed",
                scheduledEventId=event.id,
                cause="ASSUME_ROLE_FAILED",
                message="The execution was started without a lambdaRole",
            )

    world.at(world.now, start)


def _function_started(world: World, execution: Execution, event: Event) -> None:
    scheduled = event.attributes["scheduledEventId"]
    given = execution.functions[scheduled].given
    ids = {"scheduledEventId": scheduled, "startedEventId": event.id}
    answer = world.functions.get(given["name"])

    def end() -> None:
        if execution.open:
            kind, more = _outcome(answer, given)
            tell(world, execution, kind, **ids, **more)

    if answer is not None and answer.hangs:
        _after(world, given.get("startToCloseTimeout") or _FUNCTION_SECONDS, end)
    else:
        world.at(world.now, end)


def _outcome(answer: Answer | None, given: Data) -> tuple[str, Data]:
    """Give the event that a Lambda function ends with."""
    if answer is None:
        details = f"Function not found: {given['name']}"
        return "LambdaFunctionFailed", {"reason": "ResourceNotFoundException", "details": details}
    if answer.hangs:
        return "LambdaFunctionTimedOut", {"timeoutType": "START_TO_CLOSE"}
    if answer.reason is not None:
        return "LambdaFunctionFailed", present(reason=answer.reason, details=answer.details)
    result = given.get("input") if answer.echo else answer.result
    return "LambdaFunctionCompleted", present(result=result)


_FOLLOW: Final[dict[str, Callable[[World, Execution, Event], None]]] = {
    "WorkflowExecutionStarted": _execution,
    "DecisionTaskScheduled": _decision,
    "DecisionTaskStarted": _decision_started,
    "ActivityTaskScheduled": _activity,
    "ActivityTaskStarted": _activity_started,
    "TimerStarted": _timer,
    "LambdaFunctionScheduled": _function,
    "LambdaFunctionStarted": _function_started,
}
