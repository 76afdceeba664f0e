"""What a reader of histories keeps of an execution, and the words that say what its texts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeGuard

from nbflow.core.events import Event
from nbflow.core.history import History
from nbflow.services.swf.codec.texts import Note

JUDGED: Final = "judged"
"""Says of a call that the decider is asked what becomes of its failures."""
KNOWN: Final = "known"
"""Says of a call that the log had it before this execution of it began."""
AT: Final = "at="
"""Says which attempt of a call the first one here is."""
CANCEL: Final = "nbflow-cancel"
"""The signal that says why the run is going to be asked to cancel itself."""
SETTLE: Final = "settle"
"""Says of a text that it settles a call by hand."""
BY_HAND: Final = "nbflow-settle"
"""The signal that has it."""
CLOSE: Final = "close="
"""Says of a child what becomes of it when its parent ends."""
WATCHED: Final = "watched"
"""Says of a call that its heartbeat time-out is the decider's, and so means a lost worker."""
LIVELY: Final = "heartbeat="
"""Says of an attempt how many seconds may pass without a sign of life, where its activity does."""
LOST: Final = 20
"""A call that has lost so many workers is not given to another one unasked."""


class Attempt(NamedTuple):
    """An attempt of a call.

    Attributes:
        call: The call's id.
        number: Which attempt, from 1.
        task: The activity id that it has.
        begun: Whether a worker took it.
    """

    call: str
    number: int
    task: str
    begun: bool = False


class Next(NamedTuple):
    """The next attempt of a call: which one, and when it is due (seconds, epoch)."""

    number: int
    at: float


class News(NamedTuple):
    """Something that happened outside, not seen by a decision yet."""

    id: int
    event: Event


class Open(NamedTuple):
    """What of a log that was carried over is not settled, and is to be begun here.

    Attributes:
        calls: The calls.
        timers: When each timer is due.
    """

    calls: set[str]
    timers: dict[str, float]

    @classmethod
    def of(cls, log: list[Event]) -> Open:
        """Find it."""
        states = [s for s in History.of(log).calls.values() if s.outcome is None]
        timers = {s.id: s.retry_at for s in states if not s.name and s.retry_at is not None}
        return cls({s.id for s in states if s.name and s.recorded}, timers)


def flag(flags: frozenset[str], head: str) -> str:
    """Give what stands behind the head of a flag; "" if there is none.

    Example:
        >>> flag(frozenset({"watched", "close=cancel"}), "close=")
        'cancel'
    """
    found: Iterator[str] = (f.removeprefix(head) for f in flags if f.startswith(head))
    return next(found, "")


def is_of(note: Note | None, attempt: Attempt) -> TypeGuard[Note]:
    """Whether a text is ours, and was written for that very attempt."""
    return note is not None and bool(note.events) and note.words[-1] == attempt.task
