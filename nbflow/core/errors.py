"""Everything nbflow raises on purpose.

::

    NbflowError
    ├── DefinitionError          an activity or a workflow cannot be defined like that
    ├── FutureMisuse             a Future was used as if it were its value
    ├── ActivityError            an activity did not give a result, for a reason outside its code
    │   ├── RemoteError          it raised something that cannot be rebuilt here
    │   ├── ActivityTimeout      it took longer than it may
    │   ├── WorkerDied           its process ended under it
    │   ├── Unserialisable       its arguments or its result cannot be stored
    │   └── ActivityCancelled    it was cancelled
    ├── RunError                 a run as a whole
    │   ├── RunCancelled         it was cancelled
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
    """An attempt took longer than the activity's ``timeout``."""


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


class RunError(NbflowError):
    """Something about a run as a whole."""


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
    """


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


class Cancelled(BaseException):
    """Stops workflow code whose run was cancelled."""
