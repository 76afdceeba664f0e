"""What can go wrong, by the names that programs know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nbflow.core.errors import ActivityCancelled, ActivityTimeout, RunCancelled


class ExecutionBlocked(Exception):
    """Raised by workflow code that cannot go on before something else has happened.

    Its code is then executed again, from its first line, once something has.
    """


class TaskException(Exception):
    """What a task raised."""

    def __init__(self, task: Any, exception: Exception) -> None:
        super().__init__(task, exception)
        self.task, self.exception = task, exception

    @property
    def payload(self) -> Any:
        """The task."""
        return self.task


class WorkflowException(Exception):
    """What a workflow raised."""

    def __init__(self, workflow: Any, exception: Exception) -> None:
        super().__init__(workflow, exception)
        self.workflow, self.exception = workflow, exception

    @property
    def payload(self) -> Any:
        """The workflow."""
        return self.workflow


class TaskFailed(Exception):
    """A task failed.

    Attributes:
        name: Of the task.
        reason: The exception's class and message.
        details: The same in parts, as JSON: ``error``, ``error_type``, ``message``, ``traceback``.
    """

    def __init__(self, name: str, reason: str | None, details: str | None = None) -> None:
        super().__init__(name, reason, details)
        self.name, self.reason, self.details = name, reason, details

    def __repr__(self) -> str:
        """Give the name and the reason."""
        return f'{type(self).__name__} ({self.name}, "{self.reason}")'


class TimeoutError(Exception):  # noqa: A001 - as above
    """A task passed a time limit.

    Attributes:
        timeout_type: Which, such as ``START_TO_CLOSE``.
        timeout_value: Its seconds, where they are known.
    """

    def __init__(
        self, timeout_type: str = "unknown timeout", timeout_value: float | None = None
    ) -> None:
        super().__init__(timeout_type, timeout_value)
        self.timeout_type, self.timeout_value = timeout_type, timeout_value

    def __repr__(self) -> str:
        """Give the kind."""
        return f"{type(self).__name__}({self.timeout_type})"


class TaskCanceled(Exception):
    """A task was cancelled."""

    def __init__(self, details: str | None = None) -> None:
        super().__init__(details)
        self.details = details


class TaskTerminated(Exception):
    """A child run was ended."""


class AggregateException(Exception):
    """The errors of several tasks, None for those that have none."""

    def __init__(self, exceptions: list[Any]) -> None:
        super().__init__(exceptions)
        self.exceptions = exceptions

    def append(self, ex: Exception) -> None:
        """Add an error."""
        self.exceptions.append(ex)

    def handle(self, handler: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Give each error to a function.

        Raises:
            AggregateException: Those for which it did not give a true value.
        """
        left = [ex for ex in self.exceptions if ex and not handler(ex, *args, **kwargs)]
        if left:
            raise AggregateException(left)

    def flatten(self) -> AggregateException:
        """Give one without others in it."""
        return AggregateException(list(_flat(self)))

    def __eq__(self, other: object) -> bool:
        """Whether the other has the same errors."""
        return isinstance(other, AggregateException) and self.exceptions == other.exceptions

    __hash__ = None  # type: ignore[assignment] # it can be added to

    def __str__(self) -> str:
        """Give all errors."""
        return f"{type(self).__name__}({[str(ex) for ex in self.exceptions]})"


def _flat(error: AggregateException) -> Any:
    for one in error.exceptions:
        if isinstance(one, AggregateException):
            yield from _flat(one)
        elif one:
            yield one


class ExecutionError(Exception):
    """An external program failed."""


class ExecutionTimeoutError(Exception):
    """An external program took too long."""

    def __init__(self, command: str, timeout_value: float | None) -> None:
        super().__init__(command, timeout_value)
        self.timeout_command, self.timeout_value = command, timeout_value


def of_task(name: str, error: BaseException) -> Exception:
    """Give the error of a task as programs know it.

    Args:
        name: Of the task.
        error: What nbflow has.
    """
    match error:
        case TaskFailed() | TimeoutError() | TaskCanceled() | AggregateException():
            return error
        case ActivityTimeout():
            return TimeoutError(error.kind)
        case ActivityCancelled() | RunCancelled():
            return TaskCanceled(str(error))
    kind = type(error)
    long = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    message = str(error)
    details = {"error": kind.__name__, "error_type": long, "message": message}
    details["traceback"] = "\n".join(getattr(error, "__notes__", ()))
    reason = f"{kind.__name__}: {message}" if message else kind.__name__
    return TaskFailed(name, reason, json.dumps(details))
