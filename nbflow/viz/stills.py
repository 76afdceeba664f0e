"""When the still picture of a run is drawn: now and then while it goes on, and once it is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.board import Board

_log = logging.getLogger("nbflow")

PICTURE: Final = 10.0
"""Seconds between two pictures for the saved notebook, at least."""
CALM: Final = 0.5
"""Seconds for which nobody has waited for an answer, before a picture is drawn beside..."""
_LATEST: Final = 5.0
"""...but for this: it is put off no longer."""
_SHARE: Final = 60.0
"""What was costly to draw is not drawn again before so many times as long have passed."""

Picture = Callable[[Graph, Profile], object]
"""Makes and puts out the still picture of a run."""
Beside = Callable[[Callable[[], None]], bool]
"""Carries something out in a thread of its own, or does nothing and says so."""


def never(_: Callable[[], None]) -> bool:
    """Carry nothing out."""
    return False


class Stills:
    """Has the picture of a run drawn, seldom enough not to be felt.

    To draw takes a second or two. Where somebody may ask for something meanwhile it is done
    beside the following, which answers and tells, but learns nothing new until the picture is
    there: what is drawn must not change. Whoever opens a run often clicks at once, and two that
    compute share one interpreter: so it is begun only when nobody has asked for a moment.

    Args:
        board: The run.
        picture: Makes and puts out the picture; None where there is to be none.
        beside: Carries the drawing out where somebody may ask for something meanwhile.
        done: Is called when a picture is there.

    Attributes:
        stale: Whether something has changed that the latest picture does not have.
    """

    def __init__(
        self,
        board: Board,
        picture: Picture | None,
        beside: Beside = never,
        done: Callable[[], object] = bool,
    ) -> None:
        self.stale = True
        self._board = board
        self._picture = picture
        self._beside = beside
        self._done = done
        self._idle = threading.Event()
        self._idle.set()
        self._drawn = self._cost = self._asked = 0.0
        self._due: float | None = None

    def __bool__(self) -> bool:
        """Whether there is anything that draws."""
        return self._picture is not None

    @property
    def busy(self) -> bool:
        """Whether a picture is being drawn."""
        return not self._idle.is_set()

    @property
    def owed(self) -> bool:
        """Whether a picture is being drawn, or the latest one is not of what is known now."""
        return self.busy or (self.stale and self._picture is not None)

    def put_off(self, until: float) -> None:
        """Note that somebody was still waiting for an answer at that time of day."""
        self._asked = until

    def look(self, now: float, *, closed: bool, watched: bool = False) -> None:
        """Have a picture drawn if it is time for one.

        Args:
            now: Time of day, seconds since the epoch.
            closed: Whether the run is over: then the next picture is the last.
            watched: Whether somebody is there who may ask.
        """
        if self._picture is None or not self.stale or self.busy:
            return
        if self._board.outline is not None:  # a long log is being opened: soon there is more
            return
        self._drawn = self._drawn or now
        if not closed and now - self._drawn < max(PICTURE, self._cost * _SHARE):
            return
        if self._due is None:
            self._due = now
        calm = max(self._due, self._asked) + CALM
        if watched and now < min(calm, self._due + _LATEST):
            return
        self._begin(now)

    def finish(self, *, closed: bool) -> None:
        """Have the last picture drawn, if there is to be one, and wait for it: it is not cut."""
        self._idle.wait()
        if closed and self.stale and self._picture is not None:
            self.stale = False
            self._draw()

    def _begin(self, now: float) -> None:
        self._drawn, self._due, self.stale = now, None, False
        self._idle.clear()
        try:
            beside = self._beside(self._draw)
        except RuntimeError:  # no more threads: the process is about to end
            beside = False
        if not beside:
            self._draw()

    def _draw(self) -> None:
        began = time.perf_counter()
        try:
            if self._picture is not None:
                self._picture(self._board.graph, self._board.profile)
        except Exception:  # noqa: BLE001 - a picture that fails leaves the panel alone
            _log.exception("the picture of run %s failed and is dropped", self._board.run)
            self._picture = None
        finally:
            self._cost = time.perf_counter() - began
            self._idle.set()
            self._done()
