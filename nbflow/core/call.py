"""Where one call of a run stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    MarkerFailed,
    MarkerRecorded,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
)
from nbflow.core.payload import Stored

if TYPE_CHECKING:
    from nbflow.core.activity import Activity

Outcome = (
    CallSucceeded
    | CallReused
    | CallFailed
    | CallCancelled
    | TimerFired
    | TimerCancelled
    | MarkerRecorded
    | MarkerFailed
    | SignalReceived
    | SignalSent
)
"""The event that settled a call, a timer or a marker."""

SUCCESSES = frozenset({CallSucceeded, CallReused})
"""The kinds of outcome that have a result."""
_FAILURES = frozenset({CallFailed, CallCancelled, MarkerFailed})
_new = tuple.__new__


class CallState:
    """Where one call, timer or marker stands.

    Attributes:
        id: Its id, ``name-N`` in call order.
        name: The activity's name; "" for a timer or a marker.
        args: Positional arguments, stored.
        kwargs: Keyword arguments, stored, or None.
        deps: Ids of the calls whose results it takes.
        turn: See `CallScheduled.turn`.
        after: See `CallScheduled.after`.
        code: Digest of the activity's source.
        activity: What to run. None until workflow code has asked for it in this process.
        recorded: Whether an event says that it was asked for.
        missing: How many of `deps` have not succeeded yet.
        dependents: The calls that wait for it.
        attempt: The latest attempt, 0 before the first.
        started: The event that began the latest attempt.
        retry_at: When the next attempt is due, while it waits for one.
        outcome: What settled it; for a call whose dependency failed, that failure.
        because: The call whose failure settled it, where that was another one.
        index: Its place in the order of settling, -1 until then.
        seen: Whether workflow code has looked at how it ended.
        live: The value itself, where it is handed on without a copy.
        group: See `CallScheduled.group`.
    """

    __slots__ = (
        "activity",
        "after",
        "args",
        "attempt",
        "because",
        "code",
        "dependents",
        "deps",
        "group",
        "id",
        "index",
        "kwargs",
        "live",
        "missing",
        "name",
        "outcome",
        "recorded",
        "retry_at",
        "seen",
        "started",
        "turn",
    )

    def __init__(  # noqa: PLR0913 - one argument a field of the event
        self,
        id: str,  # noqa: A002 - the field's natural name
        name: str,
        args: tuple[Stored, ...] = (),
        kwargs: dict[str, Stored] | None = None,
        deps: tuple[str, ...] = (),
        turn: int = 0,
        after: tuple[str, ...] = (),
        code: str = "",
        activity: Activity[..., Any] | None = None,
        group: str = "",
    ) -> None:
        self.id = id
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.deps = deps
        self.turn = turn
        self.after = after
        self.code = code
        self.activity = activity
        self.group = group
        self.recorded = False
        self.missing = 0
        self.dependents: list[CallState] | None = None
        self.attempt = 0
        self.started: CallStarted | None = None
        self.retry_at: float | None = None
        self.outcome: Outcome | None = None
        self.because: CallState | None = None
        self.index = -1
        self.seen = False
        self.live: Any = None

    @classmethod
    def of(cls, event: CallScheduled) -> Self:
        """Make the state that a recorded call begins with."""
        e = event
        return cls(
            e.call, e.activity, e.args, e.kwargs, e.deps, e.turn, e.after, e.code, group=e.group
        )

    def event(self, seq: int, at: float) -> CallScheduled:
        """Give the event that records it."""
        fields = (
            seq,
            at,
            self.id,
            self.name,
            self.args,
            self.kwargs,
            self.deps,
            self.turn,
            self.after,
            self.code,
            self.group,
        )
        return _new(CallScheduled, fields)  # one call of Python less than the class itself

    def __repr__(self) -> str:
        """Give the id and the status."""
        return f"<{self.id} {self.status}>"

    @property
    def failed(self) -> bool:
        """Whether it is settled and has no result."""
        return type(self.outcome) in _FAILURES

    @property
    def ignored(self) -> bool:
        """Whether it failed and its result is None all the same."""
        return type(self.outcome) is CallFailed and self.outcome.ignored and self.because is None

    @property
    def cached(self) -> bool:
        """Whether an earlier run's result answered it."""
        return type(self.outcome) is CallReused

    @property
    def status(self) -> str:
        """One of ``waiting queued running retrying done failed cancelled skipped``."""
        match self.outcome:
            case None:
                return self._open_status()
            case CallSucceeded() | CallReused() | TimerFired() | MarkerRecorded():
                return "done"
            case SignalReceived() | SignalSent():
                return "done"
            case _ if self.because is not None:
                return "skipped"
            case CallFailed() | MarkerFailed():
                return "failed"
        return "cancelled"

    def _open_status(self) -> str:
        if self.retry_at is not None:
            return "retrying"
        if self.started is not None:
            return "running"
        return "waiting" if self.missing else "queued"
