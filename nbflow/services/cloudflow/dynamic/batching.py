"""Which attempts share an execution: the service takes two reports a second, and no more.

An attempt that is not known to be short has an execution of its own, since whoever takes a batch
does one after the other. Short ones wait while no report may be made, and go together.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from nbflow.engine.job import Job

BURST: Final = 10
"""Reports that may be made at once."""
SHORT: Final = 0.5
"""Seconds up to which an attempt is short."""
SECONDS: Final = 1.0
"""Seconds that a batch may take, as far as is known."""
MOST: Final = 100
"""Attempts in a batch."""


class Batches:
    """Puts attempts that wait into batches. For one thread.

    Args:
        rate: Reports a second that may be made; 0: as many as anyone likes.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level, self._at = float(BURST), time.monotonic()
        self._seconds: dict[str, float] = {}
        self.waiting: deque[Job] = deque()

    def learn(self, activity: str, seconds: float) -> None:
        """Take note of how long an attempt took."""
        known = self._seconds.get(activity, seconds)
        self._seconds[activity] = 0.7 * known + 0.3 * seconds

    def take(self, now: float) -> list[Job]:
        """Give attempts to begin now, as one execution; none if there is nothing or no room."""
        while self.waiting and self.waiting[0].dropped:
            self.waiting.popleft()
        if not self.waiting or not self._may(now):
            return []
        first = self.waiting.popleft()
        if not self._rate:
            return [first]
        return [first, *self._company(first)]

    def _may(self, now: float) -> bool:
        if not self._rate:
            return True
        self._level = min(BURST, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def _company(self, first: Job) -> list[Job]:
        left = SECONDS - self._seconds.get(first.code.name, SECONDS)
        if self._seconds.get(first.code.name, SECONDS) > SHORT or self._level >= BURST / 2:
            return []  # it takes a while, or there is room for each to have its own
        found: list[Job] = []
        others: deque[Job] = deque()
        while self.waiting and len(found) < MOST - 1:
            job = self.waiting.popleft()
            takes = self._seconds.get(job.code.name, SECONDS)
            if job.dropped:
                continue
            if takes > SHORT or takes > left:
                others.append(job)
                continue
            left -= takes
            found.append(job)
        self.waiting.extendleft(reversed(others))
        return found

    def due(self, now: float) -> float | None:
        """Give in how many seconds there is something to take; None if nothing waits."""
        if not self.waiting:
            return None
        if not self._rate:
            return 0.0
        level = min(BURST, self._level + (now - self._at) * self._rate)
        return max(0.0, (1 - level) / self._rate)
