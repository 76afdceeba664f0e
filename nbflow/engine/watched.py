"""What is seen to now and then, or for calls with options that few have: turn, limits, pulse."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from nbflow.core.child import CHILD
from nbflow.core.errors import ActivityTimeout, NbflowError
from nbflow.core.failure import Failure
from nbflow.core.options import PRIORITY_NOT_SET, Options
from nbflow.engine.clock import clock
from nbflow.engine.limits import WORDS, Limits, Pulse
from nbflow.engine.line import Line
from nbflow.engine.owner import Owner
from nbflow.engine.timekeeper import timekeeper

if TYPE_CHECKING:
    from nbflow.core.activity import Activity
    from nbflow.core.call import CallState
    from nbflow.core.events import CallWrote, Report
    from nbflow.core.history import History
    from nbflow.engine.attempts import Attempts
    from nbflow.engine.context import Beat
    from nbflow.engine.job import Job
    from nbflow.engine.output import Scribe

TICK = 0.05
"""Seconds after which what nobody was in a hurry to say is written at the latest."""
_SELDOM = 2.0
"""Seconds between two looks at workers that are slow to begin, at most."""


class Watched(Owner):
    """The part of `Keeper` that most calls never come to."""

    if TYPE_CHECKING:
        history: History
        _attempts: Attempts
        _scribe: Scribe
        _launch: Callable[..., object]
        _next: Callable[[], int]
        _emit: Callable[[Any], None]

        @staticmethod
        def _activity(state: CallState) -> Activity[..., Any]: ...
        def _looks(self, state: CallState) -> bool: ...
        def _unborn(self, state: CallState) -> bool: ...
        def _expired(self, job: Job) -> None: ...
        def _still_running(self) -> bool: ...
        def _write(self, events: Iterable[CallWrote]) -> None: ...
        def _failed(
            self,
            state: CallState,
            attempt: int,
            error: Failure,
            report: Report | None,
            *,
            abandoned: bool = False,
            final: bool = False,
            timeout: str = "",
        ) -> None: ...

    __slots__ = ("_begun", "_limits", "_line", "_patience", "_pulse", "_restless", "_ticking")

    def __init__(self) -> None:
        super().__init__()
        self._begun: deque[tuple[Job, str, float]] = deque()
        self._patience = TICK
        self._ticking = self._restless = False
        self._line: Line | None = None
        self._limits: Limits | None = None
        self._pulse = Pulse()

    def _stir(self) -> None:
        """Look at what runs before long, since that has changed. No need to while restless."""
        self._restless = True
        self._tick_after(TICK)

    def _tick_after(self, seconds: float) -> None:
        if not self._ticking:
            self._ticking = True
            timekeeper.after(seconds, self._tick)

    def _tick(self) -> None:
        # First: who stirs from here on has another tick come. Done later, it could be forgotten.
        self._ticking = False
        restless, self._restless = self._restless, False
        if restless:
            self._patience = TICK
            if len(self._attempts.open):
                self._tick_after(TICK)  # if nothing happens until then, that is the last one
        self.post(self._look)

    def _look(self) -> None:
        """Write which attempts run; look again, ever less often, while a worker is yet to begin."""
        if not self._still_running():
            self._patience = min(2 * self._patience, _SELDOM)
            self._tick_after(self._patience)

    def beat(self, job: Job, beat: Beat) -> None:
        """Take a sign of life: the latest of a second is written."""
        if self._limits is not None:
            self._limits.heard(job.call)
        wait = self._pulse.take(job, beat)
        if wait is not None:
            timekeeper.after(max(TICK, wait), partial(self.post, self._write_beats))

    def _not_launched(self, state: CallState, error: NbflowError) -> None:
        # The caller is past writing this turn: what went wrong is news for the next one.
        failure = Failure.of(error)
        self._inbox.append(partial(self._failed, state, state.attempt + 1, failure, None))

    def _begin(self, state: CallState) -> bool:
        """Launch a call whose turn has come; give whether that could be."""
        try:
            self._attempts.launch(state, self)  # type: ignore[arg-type]
        except NbflowError as error:
            self._not_launched(state, error)
            return False
        self._stir()
        return True

    def _special(self, state: CallState, settings: Options) -> bool:
        """See to what is said of few activities; give whether the call does not start now."""
        if settings.executor == CHILD and self._unborn(state):
            return True
        if settings.cache and self._looks(state):
            return True
        if state.retry_at is not None:
            return False
        if settings.timed:
            self._limits = self._limits or Limits(self._late)
            self._limits.ready(state, settings)
        ranked = settings.task_priority is not PRIORITY_NOT_SET
        if self._line is None and (ranked or settings.max_running is not None):
            wake = partial(self.post, _nothing)
            self._line = Line(self._attempts, self._begin, wake)
            self._launch = self._line.launch
        return False

    def _late(self, state: CallState, attempt: int, kind: str, seconds: float) -> None:
        self.post(partial(self._timed_out, state, attempt, kind, seconds))

    def _timed_out(self, state: CallState, attempt: int, kind: str, seconds: float) -> None:
        """Fail an attempt that took too long, if it did."""
        if self._limits is not None and not self._limits.passed(state, attempt, kind, seconds):
            return
        self._write(self._scribe.last(state.id))
        if self._line is not None:
            self._line.drop(state.id)
        stopped = self._attempts.give_up(state.id)
        text = WORDS[kind].format(call=state.id, seconds=seconds)
        what = "" if stopped else " It cannot be stopped where it runs: it is abandoned."
        failure = Failure.of(ActivityTimeout(text + what, kind))
        self._failed(state, attempt, failure, None, abandoned=not stopped, timeout=kind)

    def _write_beats(self) -> None:
        for event in self._pulse.due(self._attempts.wants):
            self._emit(event._replace(seq=self._next()))

    def _limit(self, job: Job, at: float) -> None:
        """Have an attempt that has begun end in time."""
        state = self.history.calls[job.call]
        if job.timeout is not None and job.timeout < math.inf:
            left = job.timeout - (clock.time() - at)
            clock.after(max(0.0, left), partial(self.post, partial(self._expired, job)))
        if self._limits is not None:
            hears = getattr(self._attempts.place_of(job.call), "hears", True)
            self._limits.began(state, job, self._activity(state).settings, hears=hears)


def _nothing() -> None:
    """Be posted so that a turn ends."""
