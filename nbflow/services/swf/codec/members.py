"""What decisions about activities, functions and timers are made of."""

from __future__ import annotations

import math
from typing import Any, Final

from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.events import CallSucceeded
from nbflow.services.swf.decisions import StartTimer
from nbflow.services.swf.wire import TypeName


def type_of(activity: Activity[..., Any]) -> TypeName:
    """Give the activity type that the calls of an activity have."""
    return TypeName(activity.name, activity.settings.version)


def given_to(state: CallState) -> CallSucceeded:
    """Give the result of a call as those get it that take it."""
    outcome: Any = state.outcome
    return CallSucceeded(0, 0.0, state.id, state.attempt, outcome.result, "", 0.0)


def timer_of(name: str, wait: float, control: str | None) -> StartTimer:
    """Give the decision to start a timer, of whole seconds."""
    return StartTimer(timer_id=name, start_to_fire_timeout=max(0, math.ceil(wait)), control=control)


LIMITS: Final = {
    "START_TO_CLOSE": "timeout",
    "SCHEDULE_TO_START": "schedule_to_start_timeout",
    "SCHEDULE_TO_CLOSE": "schedule_to_close_timeout",
    "HEARTBEAT": "heartbeat_timeout",
}
FUNCTION: Final = {
    "name": "name",
    "input": "input",
    "start_to_close_timeout": "startToCloseTimeout",
}
KEPT: Final = {
    "activity_type": "activityType",
    "task_list": "taskList",
    "task_priority": "taskPriority",
    "schedule_to_start_timeout": "scheduleToStartTimeout",
    "schedule_to_close_timeout": "scheduleToCloseTimeout",
    "start_to_close_timeout": "startToCloseTimeout",
    "heartbeat_timeout": "heartbeatTimeout",
}
