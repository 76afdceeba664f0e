"""Reads a log for a panel: a little at a time, and out of the way of those who write it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

from nbflow.core.errors import NbflowError, RunNotFound
from nbflow.core.events import Event
from nbflow.store.base import Log
from nbflow.store.collector import easing
from nbflow.viz.board import Board
from nbflow.viz.outline import Outline

_log = logging.getLogger("nbflow")

_FIRST: Final = 0.1
"""Seconds of reading before something of a long log is shown at all..."""
_LOOK: Final = 0.4
"""...and before more of it is..."""
_SKIM: Final = 1.0
"""...or before more of its outline is: what that has counted by then is of little use."""
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
    known already can be shown. One that is long when it is opened is gone through in outline
    first, so that what is shown meanwhile has all of its calls counted. A thread that computes
    keeps the interpreter for 5 ms from all others, which may be those that do the run's work; so
    it lets go of it every few dozen events, and less often where nobody else wants it.

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
        self._opened = False
        self.crowded = False
        self.behind = False
        self.troubled = False

    def read(self) -> bool:
        """Read what is new, or as much as there is time for; give whether there was anything.

        Raises:
            RunNotFound: There is no such run.
        """
        before = self._known()
        self.behind = False
        self.crowded = False
        self._began = time.thread_time(), time.process_time()
        try:
            self.behind = self._catch_up(time.monotonic() + self._look)
        except RunNotFound:
            raise
        except NbflowError:
            if not self.troubled:
                _log.warning("run %s cannot be watched now", self._board.run, exc_info=True)
            self.troubled = True
        else:
            self.troubled = False
        news = self._known() != before
        if news:
            self._look = _LOOK
        return news

    def _known(self) -> tuple[int, int]:
        outline = self._board.outline
        return self._board.graph.history.last, outline.last if outline is not None else 0

    def _catch_up(self, end: float) -> bool:
        """Go on with the outline, if there is one, then the fold; give whether there is more."""
        board = self._board
        outline = board.outline
        if outline is not None and outline.sure:
            first = not outline.whole
            more = max(0.0, _SKIM - _LOOK) if first else 0.0
            if self._fold(outline.last, end + more, outline.apply):
                return True
            outline.whole = True
            if first and outline.sure:
                return True  # so that it is shown before anything else is done
        behind = self._fold(board.graph.history.last, end, board.apply)
        if not behind or (outline is not None and not outline.sure):
            board.outline = None
        elif not self._opened:
            board.outline = Outline()
        self._opened = True
        return behind

    def _fold(self, after: int, end: float, apply: Callable[[Event], None]) -> bool:
        """Fold events until there are no more, or the time is over; give whether it was that."""
        events = self._log.events(self._board.run, after)
        while True:
            count = 0
            with easing.held(self):
                for event in islice(events, self._gulp):
                    apply(event)
                    count += 1
            if count < self._gulp:
                return False
            if time.monotonic() > end:
                return True
            time.sleep(_BREATH)
            self._pace()

    def _pace(self) -> None:
        """Take more at once where nobody waits for it, and little where somebody does.

        How long one had to wait would not tell: the machine may be busy with other things.
        """
        mine, all_ = time.thread_time() - self._began[0], time.process_time() - self._began[1]
        self.crowded = all_ - mine > mine * _CROWD
        self._gulp = _GULP if self.crowded else min(_MOST, self._gulp * 2)
