"""What can be said next of one thing in a history that is written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.decide import Record
from nbflow.core.errors import ActivityTimeout
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallStarted,
    CallSucceeded,
    Event,
    MarkerFailed,
    MarkerRecorded,
    TimerCancelled,
    TimerFired,
)
from nbflow.core.failure import Failure
from nbflow.core.payload import Stored

if TYPE_CHECKING:
    from nbflow.testing.history import HistoryBuilder

WORKER: Final = "by hand"


class _Line:
    """What can be said next of one thing in a history; anything else goes on with the history."""

    def __init__(self, history: HistoryBuilder, name: str) -> None:
        self._history = history
        self._name = name

    def _add(self, kind: Callable[..., Event], *fields: Any, **named: Any) -> HistoryBuilder:
        self._history._open(self._name)  # noqa: SLF001 - the other half of HistoryBuilder
        return self._history._add(kind, self._name, *fields, **named)  # noqa: SLF001

    def _stored(self, value: object) -> Stored:
        return self._history._stored(value, f"the result of {self._name}")  # noqa: SLF001


class CallLine(_Line):
    """What becomes of a call. Each method gives the history, to go on with."""

    @property
    def _attempt(self) -> int:
        state = self._history._history.calls[self._name]  # noqa: SLF001
        return state.attempt + (state.started is None)

    def started(self, worker: str = WORKER) -> CallLine:
        """Have an attempt begin."""
        self._add(CallStarted, self._attempt, worker)
        return self

    def succeeded(self, result: Any = None) -> HistoryBuilder:
        """Have the attempt give a result."""
        now = self._history.now
        return self._add(CallSucceeded, self._attempt, self._stored(result), WORKER, now)

    def failed(
        self, error: BaseException, *, retry_in: float | None = None, ignored: bool = False
    ) -> HistoryBuilder:
        """Have the attempt fail: for good, or with another one due in so many seconds.

        Args:
            error: What it raised.
            retry_in: Seconds until the next attempt; None: the call is settled.
            ignored: Its result is None, and nobody is to be stopped by it.
        """
        again = None if retry_in is None else self._history.now + retry_in
        failure = Failure.of(error)
        return self._add(CallFailed, self._attempt, failure, again, ignored=ignored)

    def timed_out(self, kind: str = "START_TO_CLOSE") -> HistoryBuilder:
        """Have a time limit be passed: a kind as `ActivityTimeout` has them."""
        error = Failure.of(ActivityTimeout(f"{self._name} took too long", kind))
        return self._add(CallFailed, self._attempt, error, timeout=kind)

    def cancelled(self, reason: str = "by hand") -> HistoryBuilder:
        """Have it be given up."""
        return self._add(CallCancelled, reason)


class TimerLine(_Line):
    """What becomes of a timer. Each method gives the history, to go on with."""

    def fired(self) -> HistoryBuilder:
        """Have it come due: time passes until then."""
        history = self._history
        due = history._history.calls[self._name].retry_at  # noqa: SLF001
        history.now = max(history.now, due or 0.0)
        return self._add(TimerFired)

    def cancelled(self) -> HistoryBuilder:
        """Have it be no longer needed, because the run ends."""
        return self._add(TimerCancelled, "by hand")


class MarkerLine:
    """What comes of a marker. Each method gives the history, to go on with."""

    def __init__(self, history: HistoryBuilder, command: Record) -> None:
        self._history = history
        self._marker = command.marker

    def gave(self, value: Any = True) -> HistoryBuilder:  # noqa: FBT002 - of a patch
        """Have its function have given a value; it is not called."""
        m = self._marker
        stored = self._history._stored(value, f"the value of {m.name}")  # noqa: SLF001
        return self._history._add(MarkerRecorded, m.name, stored, m.of, m.turn, m.after)  # noqa: SLF001

    def raised(self, error: Exception) -> HistoryBuilder:
        """Have its function have raised an error."""
        m = self._marker
        fields = (m.name, Failure.of(error), m.of, m.turn, m.after)
        return self._history._add(MarkerFailed, *fields)  # noqa: SLF001
