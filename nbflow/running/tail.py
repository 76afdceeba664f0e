"""The log of a run that this process drives, its latest events straight from memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from nbflow.core.events import Event
from nbflow.store.base import Log

BATCHES: Final = 20_000
"""So many appends are kept for a reader that is late; it reads the store if it comes later."""


class Tail:
    """A log for one reader, who need not read from the store what was just written there.

    To decode an event costs as much as to fold it, and whoever follows a live run would do that
    while the run's own threads wait for the interpreter. Events come here after they are in the
    log, so nobody sees more by it than the log has.

    Args:
        log: The whole log.
        run: The run whose events are taken from memory.
    """

    def __init__(self, log: Log, run: str) -> None:
        self._log = log
        self._run = run
        self._batches: deque[list[Event]] = deque(maxlen=BATCHES)

    def take(self, batch: list[Event]) -> None:
        """Learn that these events were appended. Called by the thread that did it."""
        self._batches.append(batch)

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Log.events`."""
        if run != self._run:
            return self._log.events(run, after)
        batches = self._batches
        while batches and batches[0][-1].seq <= after:
            batches.popleft()
        if not batches or batches[0][0].seq > after + 1:
            return self._log.events(run, after)
        return self._remembered(after)

    def _remembered(self, after: int) -> Iterator[Event]:
        while self._batches and self._batches[0][0].seq <= after + 1:
            batch = self._batches.popleft()
            yield from (event for event in batch if event.seq > after)
            after = max(after, batch[-1].seq)
