"""Everything nbflow raises on purpose.

::

    NbflowError
    ├── DefinitionError          an activity or a workflow cannot be defined like that
    ├── FutureMisuse             a Future was used as if it were its value
    ├── ActivityError            an activity did not give a result, for a reason outside its code
    │   ├── RemoteError          it raised something that cannot be rebuilt here
    │   ├── ActivityTimeout      it took longer than it may
    │   ├── WorkerDied           its process ended under it
    │   ├── ExecutionError       a program that it runs came to a bad end
    │   │   └── ExecutionTimeout     it took longer than it may
    │   ├── MiddlewareError      a function before or after each attempt failed
    │   ├── Unserialisable       its arguments or its result cannot be stored
    │   └── ActivityCancelled    it was cancelled
    ├── AggregateException       several errors of one group or chain (an ExceptionGroup)
    ├── RunError                 a run as a whole
    │   ├── RunCancelled         it was cancelled
    │   ├── WorkflowFailed       its code said so
    │   ├── RunNotFound          no store knows that id
    │   └── NondeterminismError  its code asked for something other than its history says
    ├── StoreError               the log
    │   ├── StoreConflict        somebody else appended to this run
    │   ├── StoreUnusable        the file is not a store, or one that is too new
    │   └── PickleRefused        a stored pickle is not this user's own, so it is not loaded
    ├── SecretMissing            the value of a Secret is not known in this process
    └── InternalError            a fault of nbflow's own: please report it

An error raised by an activity's own code is raised again as itself, not as one of these.
`Suspended` and `Cancelled` stop workflow code from inside. They are `BaseException`, so that
``except Exception`` in a cell does not swallow them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any


class NbflowError(Exception):
    """Base of every error that nbflow raises on purpose."""


class DefinitionError(NbflowError, TypeError):
    """An activity or a workflow cannot be defined like that."""


class FutureMisuse(NbflowError, TypeError):
    """A Future was used as if it were its value."""


class ActivityError(NbflowError):
    """An activity gave no result, for a reason that is not an exception of its own code."""


class RemoteError(ActivityError):
    """An activity raised something that cannot be rebuilt in this process.

    Attributes:
        type: Qualified name of the exception's class.
        message: What ``str()`` of it gave.
    """

    def __init__(self, type: str, message: str) -> None:  # noqa: A002 - the field's natural name
        super().__init__(f"{type}: {message}" if message else type)
        self.type, self.message = type, message

    def __reduce__(self) -> tuple[type[RemoteError], tuple[str, str]]:
        """Survive a trip to another process."""
        return RemoteError, (self.type, self.message)


class ActivityTimeout(ActivityError, TimeoutError):
    """An attempt took longer than the activity's options allow.

    Attributes:
        kind: Which limit it was: ``START_TO_CLOSE``, which is the option `timeout`,
            ``SCHEDULE_TO_START``, ``SCHEDULE_TO_CLOSE`` or ``HEARTBEAT``.
    """

    def __init__(self, message: str = "", kind: str = "START_TO_CLOSE") -> None:
        super().__init__(message)
        self.kind = kind


class MiddlewareError(ActivityError):
    """A function that was to be called before or after each attempt has failed.

    Its ``__cause__`` is what that function raised.
    """


class ExecutionError(ActivityError):
    """A program or another interpreter that an activity runs came to a bad end.

    Attributes:
        code: Its exit code; the number of the signal, negative, that killed it; None: it raised.
        output: The end of what it wrote to its error output.
        type: Name of the exception's class, of a function in another interpreter.
        traceback: Its traceback as text, of a function in another interpreter.
    """

    def __init__(
        self,
        message: str = "",
        code: int | None = None,
        output: str = "",
        type: str = "",  # noqa: A002 - the field's natural name
        traceback: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.output, self.type, self.traceback = code, output, type, traceback


class ExecutionTimeout(ExecutionError, TimeoutError):
    """A program or another interpreter took longer than it may. It and its children were ended."""


class WorkerDied(ActivityError):
    """The process that ran an attempt ended before it answered."""


class ActivityInterrupted(ActivityError):
    """A ``once=True`` call had begun when its process was lost: nobody knows how far it came."""


class PoisonActivity(ActivityError):
    """A call was running each of the three times that the process of its run died."""


class Unserialisable(ActivityError, TypeError):
    """A value cannot be stored, so it cannot be handed on or survive a restart."""


class ActivityCancelled(ActivityError):
    """The call was cancelled before it gave a result."""


class AggregateException(ExceptionGroup[Exception], NbflowError):
    """Several errors of one group or chain.

    It is an `ExceptionGroup`, so ``except*`` takes it apart.

    Attributes:
        errors: What each item failed with, None for those that did not, in the order of the
            items.
    """

    errors: list[BaseException | None]

    @classmethod
    def of(cls, message: str, errors: Iterable[BaseException | None]) -> AggregateException:
        """Make one of what each item failed with; at least one of them has to be an error."""
        given = list(errors)
        real = [e if isinstance(e, Exception) else _wrapped(e) for e in given if e is not None]
        made = cls(message, real)
        made.errors = given
        return made

    def derive(self, excs: Sequence[Exception], /) -> AggregateException:  # type: ignore[override]
        """Make one of some of its errors, for ``except*``."""
        return AggregateException.of(self.message, excs)

    def handle(self, handler: Callable[[BaseException], object]) -> None:
        """Call `handler` with each error, and raise those for which it gives nothing true.

        Raises:
            AggregateException: Of the errors that were not handled.
        """
        left = [error if error is None or not handler(error) else None for error in self.errors]
        if any(left):
            raise AggregateException.of(self.message, left) from self

    def flatten(self) -> AggregateException:
        """Give one of all errors in it that are none of their own kind, in order."""
        return AggregateException.of(self.message, _flat(self.errors))

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive a trip to another process."""
        return AggregateException.of, (self.message, self.errors)


def _wrapped(error: BaseException) -> Exception:
    return ActivityError(f"{type(error).__name__}: {error}")


def _flat(errors: Iterable[BaseException | None]) -> Iterator[BaseException | None]:
    for error in errors:
        if isinstance(error, AggregateException):
            yield from (inner for inner in _flat(error.errors) if inner is not None)
        elif error is not None:
            yield error


class RunError(NbflowError):
    """Something about a run as a whole."""


class WorkflowFailed(RunError):
    """Workflow code said that its run has failed.

    Attributes:
        reason: Why.
        details: More of it.
    """

    def __init__(self, reason: str = "", details: str = "") -> None:
        super().__init__(f"{reason}: {details}" if details else reason)
        self.reason, self.details = reason, details

    def __reduce__(self) -> tuple[type[WorkflowFailed], tuple[str, str]]:
        """Survive a trip to another process."""
        return WorkflowFailed, (self.reason, self.details)


class RunCancelled(RunError):
    """The run was cancelled, so it has no result."""


class RunNotFound(RunError, KeyError):
    """No run of that id is in the store."""

    def __str__(self) -> str:
        """Give the message itself: `KeyError` alone shows its repr."""
        return str(self.args[0]) if self.args else ""


class NondeterminismError(RunError):
    """Workflow code asked for something other than what the run's history says it asked.

    The run stays as it is and can be resumed by the code it was started with.

    Attributes:
        difference: What was recorded and what was asked, as a
            `nbflow.core.difference.Difference`.
    """

    difference: Any = None


class StoreError(NbflowError):
    """The log could not be read or written."""


class StoreConflict(StoreError):
    """Another writer appended to this run first: one run has one owner."""


class StoreUnusable(StoreError):
    """The file is not an nbflow store, is damaged, or was written by a newer nbflow."""


class PickleRefused(StoreError):
    """A stored value is a pickle, and nothing shows that this user's own nbflow wrote it.

    To load it would be to run whatever it says. Everything else of the store can be read.
    """


class SecretMissing(NbflowError, KeyError):
    """The value of a `Secret` is not known in this process."""

    def __str__(self) -> str:
        """Give the message itself: `KeyError` alone shows its repr."""
        return str(self.args[0]) if self.args else ""


class InternalError(NbflowError):
    """A fault of nbflow's own. Please report it with the traceback."""


class Suspended(BaseException):
    """Stops workflow code that needs a value which the history does not have yet."""


class ValueGone(Suspended):
    """Stops workflow code that reads a result which was in memory only, and is gone.

    Attributes:
        call: The call whose result it was.
    """

    def __init__(self, call: str) -> None:
        super().__init__(f"the result of {call} was in memory only (persist=False)")
        self.call = call


class Continued(BaseException):
    """Stops workflow code that goes on in a new run.

    Attributes:
        given: The arguments of the new run.
        named: Its keyword arguments.
        unread: Ids of the signals that were not taken.
    """

    def __init__(
        self, given: tuple[Any, ...], named: dict[str, Any], unread: tuple[str, ...]
    ) -> None:
        super().__init__("the workflow continues as new")
        self.given, self.named, self.unread = given, named, unread


class Cancelled(BaseException):
    """Stops workflow code whose run was cancelled."""
