"""Reads a log for a panel: a little at a time, and out of the way of those who write it."""

from __future__ import annotations

import logging
import time
from typing import Final

from nbflow.core.errors import NbflowError, RunNotFound
from nbflow.store.base import Log
from nbflow.viz.board import Board

_log = logging.getLogger("nbflow")

_FIRST: Final = 0.1
"""Seconds of reading before something of a long log is shown at all..."""
_LOOK: Final = 0.4
"""...and before more of it is."""
_GULP: Final = 48
"""So many events are folded before other threads get a turn..."""
_MOST: Final = 3072
"""...and so many at most where no other thread wants one."""
_BREATH: Final = 1e-4
_CROWD: Final = 0.25
"""Other threads are at work if they take more than this part of the processor time of reading."""


class Reader:
    """Brings a board up to date with a log.

    A log of 100,000 calls takes seconds to fold, so that is done in pieces: between them what is
    known already can be shown. A thread that computes keeps the interpreter for 5 ms from all
    others, which may be those that do the run's work; so it lets go of it every few dozen events,
    and less often where nobody else wants it.

    Args:
        log: Where the run's events are read.
        board: What is to learn them.

    Attributes:
        crowded: Whether other threads of this process were at work meanwhile.
        behind: Whether there is more to be read than there was time for.
        troubled: Whether the log could not be read.
    """

    def __init__(self, log: Log, board: Board) -> None:
        self._log = log
        self._board = board
        self._gulp = _GULP
        self._look = _FIRST
        self._began = 0.0, 0.0
        self.crowded = False
        self.behind = False
        self.troubled = False

    def read(self) -> bool:
        """Read what is new, or as much as there is time for; give whether there was anything.

        Raises:
            RunNotFound: There is no such run.
        """
        history = self._board.graph.history
        before = history.last
        self.behind = False
        self.crowded = False
        self._began = time.thread_time(), time.process_time()
        try:
            self.behind = self._fold(before, time.monotonic() + self._look)
        except RunNotFound:
            raise
        except NbflowError:
            if not self.troubled:
                _log.warning("run %s cannot be watched now", self._board.run, exc_info=True)
            self.troubled = True
        else:
            self.troubled = False
        if history.last > before:
            self._look = _LOOK
        return history.last > before

    def _fold(self, after: int, end: float) -> bool:
        """Fold events until there are no more, or the time is over; give whether it was that."""
        left = self._gulp
        for event in self._log.events(self._board.run, after):
            self._board.apply(event)
            left -= 1
            if left:
                continue
            if time.monotonic() > end:
                return True
            time.sleep(_BREATH)
            self._pace()
            left = self._gulp
        return False

    def _pace(self) -> None:
        """Take more at once where nobody waits for it, and little where somebody does.

        How long one had to wait would not tell: the machine may be busy with other things.
        """
        mine, all_ = time.thread_time() - self._began[0], time.process_time() - self._began[1]
        self.crowded = all_ - mine > mine * _CROWD
        self._gulp = _GULP if self.crowded else min(_MOST, self._gulp * 2)
