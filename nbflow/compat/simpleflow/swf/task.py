"""The tasks, by the names that programs for SWF import."""

from nbflow.compat.simpleflow.task import (
    ActivityTask,
    CancelTimerTask,
    MarkerTask,
    SignalTask,
    TimerTask,
    WorkflowTask,
)

__all__ = [
    "ActivityTask",
    "CancelTimerTask",
    "MarkerTask",
    "SignalTask",
    "TimerTask",
    "WorkflowTask",
]
