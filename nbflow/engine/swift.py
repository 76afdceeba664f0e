"""The short way of most calls through a run: those that nothing has to be seen to for.

It is the long way with less on it: the same events, in the same order, at the same moments. What
is done for each call here is what a run of many small calls costs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from nbflow.core.call import CallState
from nbflow.core.events import CallReused, CallSucceeded, CallWrote
from nbflow.core.history import History
from nbflow.engine.clock import clock
from nbflow.engine.job import Job
from nbflow.engine.owner import Owner

if TYPE_CHECKING:
    from nbflow.engine.attempts import Attempts
    from nbflow.engine.brief import Gain
    from nbflow.engine.journal import Journal
    from nbflow.engine.line import Line
    from nbflow.engine.lookup import Found
    from nbflow.engine.output import Scribe
    from nbflow.engine.reuse import Reuse

_COMPANY = 256
"""So many items in the inbox are enough for a turn, though more come at once."""
_TURN_NS = 1_000_000
"""Nanoseconds: the answer to a call that took longer is worth a turn of its own."""
_RAN = 3
"""Where a gain says how long the call took."""
_new = tuple.__new__


class Swift(Owner):
    """The part of `Keeper` that most calls come to."""

    __slots__ = ()

    if TYPE_CHECKING:
        history: History
        _attempts: Attempts
        _gone: set[str]
        _held: deque[CallState]
        _journal: Journal
        _keys: dict[str, Found]
        _line: Line | None
        _reuse: Reuse
        _scribe: Scribe
        _stop: BaseException | None
        _texts: dict[str, Any]
        _window: int

        _next: Callable[[], int]
        _emit: Callable[[Any], None]

        def _write(self, events: Iterable[CallWrote]) -> None: ...

    def gave(self, job: Job, gain: Gain, more: bool) -> None:  # noqa: FBT001 - said below
        """Take what an attempt gave that was small, and nothing more: `ended` for most of them.

        `more` is not keyword-only, since Python calls such functions in a slower way.
        """
        inbox = self._inbox
        inbox.append((job, gain))
        if not more or gain[_RAN] > _TURN_NS or len(inbox) >= _COMPANY:
            self._drain()
        elif not self._flushing:
            self._soon(hurry=False)

    def _asked(self, asked: CallState, now: float) -> None:
        journal = self._journal
        seq = journal.seq + 1
        event = self.history.enter(asked, seq, now)
        if event is not None:
            journal.seq = seq
            journal.batch.append(event)

    def _gained(self, job: Job, gain: Gain, now: float) -> None:
        """Settle a call by what `gave` was told, as `_ended` does."""
        call, attempts = job.call, self._attempts
        opened = attempts.open
        if attempts.elsewhere:
            if not attempts.take(job):
                return  # given up: nobody waits for it any more
        elif opened.get(call) is job:
            del opened[call]  # as `take` does
        else:
            return
        if self._texts:
            self._write(self._scribe.last(call))
        if clock.local is not None:
            gain = (*gain[:2], clock.local(gain[2]), *gain[3:])
        journal, history = self._journal, self.history
        journal.seq = seq = journal.seq + 1
        event = _new(CallSucceeded, (seq, now, call, job.attempt) + gain)  # noqa: RUF005 - a list less
        journal.batch.append(event)
        history.succeed(history.calls[call], event)
        if self._keys:
            self._reuse.ended(event)

    def _told(self, found: list[tuple[CallState, Found]]) -> None:
        self._inbox.append(partial(self._looked_up, found))
        self._drain()

    def _looked_up(self, each: list[tuple[CallState, Found]]) -> None:
        """Settle calls by the results that were found for them, or let them run."""
        journal, history, now = self._journal, self.history, clock.time()
        for state, found in each:
            if state.outcome is not None or self._stop is not None:
                continue
            event = found.event(self._next(), now, state.id)
            if type(event) is CallReused:
                journal.batch.append(event)
                history.succeed(state, event)
                continue
            self._emit(event)
            if found.key is not None:
                self._keys[state.id] = found
            history.ready.append(state)

    def _start_common(self, ready: deque[CallState], held: deque[CallState] | None) -> None:
        """Start the calls at the head of `ready`, as far as the run itself sees to nothing."""
        history, attempts = self.history, self._attempts
        if (
            self._line is None
            and self._stop is None
            and not (self._gone or history.cut_off or history.suspects)
        ):
            attempts.launch_common(ready, self, self._window, held)  # type: ignore[arg-type] # `Keeper` is one
