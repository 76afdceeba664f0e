"""One thread that calls functions when they are due: timeouts, back-offs, timers, ticks."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("nbflow")


class Timekeeper:
    """Calls functions later, in a daemon thread that is started when it is first needed.

    The functions must be quick: they post to a run's inbox.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, fn: Callable[[], object]) -> None:
        """Call `fn` once, so many seconds from now, by the monotonic clock."""
        entry = (time.monotonic() + seconds, next(self._count), fn)
        with self._change:
            first = not self._due or entry < self._due[0]
            heapq.heappush(self._due, entry)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="nbflow-timekeeper", daemon=True
                )
                self._thread.start()
            elif first:
                self._change.notify()

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._due or self._due[0][0] > time.monotonic():
                    # Wake at least every hour, so that a due time far away cannot overflow.
                    wait = min(3600.0, self._due[0][0] - time.monotonic()) if self._due else None
                    self._change.wait(wait)
                _, _, fn = heapq.heappop(self._due)
            try:
                fn()
            except Exception:  # noqa: BLE001 - one bad action must not stop the others
                _log.exception("nbflow: a timed action failed")
            del fn


timekeeper = Timekeeper()
"""The one of this process."""
