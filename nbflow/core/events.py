"""The log: one immutable class for each kind of thing that can happen in a run.

Events are facts. They are appended in order, never edited, and everything that anyone shows or
decides about a run is a fold over them. Every event begins with `seq`, its place in the log from
1, and `at`, when it happened in seconds since the epoch. The order is that of `seq`: some things
are written a moment after they happened, and a clock may be set back. Fields are only ever added,
at the end and with defaults, so that old logs stay readable; events of a kind that this version
does not know are passed over.

They are named tuples because a run of many small calls makes three for each: a frozen dataclass
takes four times as long to make, and the JSON encoder writes tuples without any help from Python.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, get_args

from nbflow.core.callevents import (
    CallCancelled,
    CallFailed,
    CallHeartbeat,
    CallMissed,
    CallRepeated,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CallWrote,
    Report,
)
from nbflow.core.failure import Failure
from nbflow.core.payload import Stored
from nbflow.core.runevents import (
    RULES,
    CancelRefused,
    CancelRequested,
    RunClosed,
    RunContinued,
    RunResumed,
    RunStarted,
)

__all__ = [
    "KINDS",
    "RULES",
    "CallCancelled",
    "CallFailed",
    "CallHeartbeat",
    "CallMissed",
    "CallRepeated",
    "CallReused",
    "CallScheduled",
    "CallStarted",
    "CallSucceeded",
    "CallWrote",
    "CancelRefused",
    "CancelRequested",
    "ChildStarted",
    "Event",
    "MarkerFailed",
    "MarkerRecorded",
    "Report",
    "RunClosed",
    "RunContinued",
    "RunResumed",
    "RunStarted",
    "SignalReceived",
    "SignalSent",
    "TimerCancelled",
    "TimerFired",
    "TimerStarted",
]


class TimerStarted(NamedTuple):
    """The workflow asked to be woken at `due` (seconds, epoch).

    `turn` and `after` are as in `MarkerRecorded`.
    """

    seq: int
    at: float
    timer: str
    due: float
    turn: int = 0
    after: tuple[str, ...] = ()


class TimerFired(NamedTuple):
    """A timer came due."""

    seq: int
    at: float
    timer: str

    @property
    def result(self) -> None:
        """What comes of it: nothing."""
        return


class TimerCancelled(NamedTuple):
    """A timer is no longer needed: `reason` is "" if the workflow's own code said so."""

    seq: int
    at: float
    timer: str
    reason: str = ""

    @property
    def result(self) -> None:
        """What comes of it: nothing."""
        return


class MarkerRecorded(NamedTuple):
    """A helper gave workflow code a value from outside. A replay gives it the same one.

    Attributes:
        name: Which one: ``side_effect-N`` in the order of asking, or ``patched:ID``.
        value: The value, stored.
        of: Name of the function that made it, where one did.
        turn: How many times the workflow had stopped to read results before it asked.
        after: The calls that it had read since it last asked for a call.
    """

    seq: int
    at: float
    name: str
    value: Stored = None
    of: str = ""
    turn: int = 0
    after: tuple[str, ...] = ()


class MarkerFailed(NamedTuple):
    """The function of a side effect raised; the other fields are as in `MarkerRecorded`."""

    seq: int
    at: float
    name: str
    error: Failure
    of: str = ""
    turn: int = 0
    after: tuple[str, ...] = ()


class ChildStarted(NamedTuple):
    """A call is a run of its own, which is created next. How that ends, ends the call.

    Attributes:
        call: The call's id.
        run: Id of the child run.
    """

    seq: int
    at: float
    call: str
    run: str


class SignalReceived(NamedTuple):
    """Somebody told the run something.

    Attributes:
        name: Of the signal.
        number: The how-manieth of that name it is, from 1.
        result: What was told, stored.
        id: Which signal it is, if the sender said: one of the same id is taken once.
        sender: The run that sent it, "" if none did.
        propagate: Whether it is passed on to the child runs that are under way.
    """

    seq: int
    at: float
    name: str
    number: int
    result: Stored = None
    id: str = ""
    sender: str = ""
    propagate: bool = False

    @property
    def attempt(self) -> int:
        """Which attempt it was: none."""
        return 0


class SignalSent(NamedTuple):
    """The workflow told something to a run.

    Attributes:
        name: Which sending of the run it is, ``signal-N``.
        signal: Name of the signal.
        to: The run that was told.
        turn: How many times the workflow had stopped to read results before it asked.
        after: The calls that it had read since it last asked for a call.
    """

    seq: int
    at: float
    name: str
    signal: str
    to: str
    turn: int = 0
    after: tuple[str, ...] = ()

    @property
    def result(self) -> None:
        """What comes of it: nothing."""
        return


Event = (
    RunStarted
    | RunResumed
    | CallScheduled
    | CallStarted
    | CallSucceeded
    | CallReused
    | CallMissed
    | CallRepeated
    | CallFailed
    | CallCancelled
    | CallHeartbeat
    | CallWrote
    | TimerStarted
    | TimerFired
    | TimerCancelled
    | MarkerRecorded
    | MarkerFailed
    | ChildStarted
    | SignalReceived
    | SignalSent
    | RunContinued
    | CancelRequested
    | CancelRefused
    | RunClosed
)
"""Something that happened. Every kind begins with `seq` and `at`."""

KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Event)}
