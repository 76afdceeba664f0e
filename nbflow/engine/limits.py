"""Time limits of attempts besides the one from start to close, and their signs of life."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from nbflow.core.call import CallState
from nbflow.core.events import CallHeartbeat
from nbflow.core.options import Options
from nbflow.engine.clock import clock
from nbflow.engine.context import Beat
from nbflow.engine.job import Job

EVERY: Final = 1.0
"""Seconds between two heartbeats of one attempt in the log, at the least."""
_SLACK: Final = 0.001

START_TO_CLOSE: Final = "START_TO_CLOSE"
SCHEDULE_TO_START: Final = "SCHEDULE_TO_START"
SCHEDULE_TO_CLOSE: Final = "SCHEDULE_TO_CLOSE"
HEARTBEAT: Final = "HEARTBEAT"

WORDS: Final = {
    START_TO_CLOSE: "{call} took longer than its {seconds:g} s.",
    SCHEDULE_TO_START: "{call} could start, but did not within its {seconds:g} s.",
    SCHEDULE_TO_CLOSE: "{call} was not over within {seconds:g} s of when it could start.",
    HEARTBEAT: "{call} gave no heartbeat for {seconds:g} s.",
}
"""What is said of each limit."""

Late = Callable[[CallState, int, str, float], object]
"""Is told of a call, its attempt, the limit that was passed, and its seconds. From any thread."""


def number(state: CallState) -> int:
    """Give which attempt a call that is not settled is at, begun or not."""
    return state.attempt + (state.started is None)


class Limits:
    """The limits of one run. For the run's owner alone, but for `heard`.

    Args:
        late: Told of what took too long, by the timekeeper's thread.
    """

    def __init__(self, late: Late) -> None:
        self._late = late
        self._armed: dict[str, int] = {}
        self._began: dict[str, int] = {}
        self._beats: dict[str, float] = {}

    def ready(self, state: CallState, settings: Options) -> None:
        """Begin to count for an attempt that could start now."""
        attempt = number(state)
        if self._armed.get(state.id) == attempt:
            return
        self._armed[state.id] = attempt
        for kind, seconds in (
            (SCHEDULE_TO_START, settings.schedule_to_start_timeout),
            (SCHEDULE_TO_CLOSE, settings.schedule_to_close_timeout),
        ):
            if seconds is not None:
                clock.after(seconds, partial(self._late, state, attempt, kind, seconds))

    def began(self, state: CallState, job: Job, settings: Options, *, hears: bool) -> None:
        """Take note that an attempt runs; with `hears`, wait for its heartbeats."""
        if self._began.get(state.id) == job.attempt:
            return
        self._began[state.id] = job.attempt
        seconds = settings.heartbeat_timeout
        if seconds is not None and hears:
            self._beats[state.id] = clock.monotonic()
            clock.after(seconds, partial(self._late, state, job.attempt, HEARTBEAT, seconds))

    def heard(self, call: str) -> None:
        """Take note of a heartbeat. From any thread."""
        if call in self._beats:
            self._beats[call] = clock.monotonic()

    def passed(self, state: CallState, attempt: int, kind: str, seconds: float) -> bool:
        """Whether a limit is passed indeed; where it may be later, look again then."""
        if state.outcome is not None or state.retry_at is not None or number(state) != attempt:
            return False
        if kind == SCHEDULE_TO_START:
            return self._began.get(state.id) != attempt
        if kind == HEARTBEAT:
            left = self._beats.get(state.id, 0.0) + seconds - clock.monotonic()
            if left > 0:
                clock.after(left, partial(self._late, state, attempt, kind, seconds))
                return False
        return True


class _Sign(NamedTuple):
    """The latest heartbeat of an attempt that is not in the log yet."""

    job: Job
    beat: Beat
    at: float


class Pulse:
    """Keeps the latest heartbeat of each attempt until it is written."""

    def __init__(self) -> None:
        self._latest: dict[str, _Sign] = {}
        self._written: dict[str, float] = {}

    def take(self, job: Job, beat: Beat) -> float | None:
        """Take a heartbeat. From any thread.

        Returns:
            Seconds until it is to be written; None if one that it takes the place of will be.
        """
        known = job.call in self._latest
        self._latest[job.call] = _Sign(job, beat, clock.time())
        if known:
            return None
        return max(0.0, self._written.get(job.call, -EVERY) + EVERY - time.monotonic())

    def due(self, wants: Callable[[Job], bool]) -> Iterator[CallHeartbeat]:
        """Give what is to be written now; the event's number is to be set."""
        now = time.monotonic()
        for call, sign in list(self._latest.items()):
            if wants(sign.job) and now - self._written.get(call, -EVERY) < EVERY - _SLACK:
                continue
            # One that comes at this very moment is kept for the next time.
            if self._latest.get(call) is sign:
                del self._latest[call]
            if wants(sign.job):
                self._written[call] = now
                yield CallHeartbeat(0, sign.at, call, sign.job.attempt, *sign.beat)
