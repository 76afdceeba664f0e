"""Follows the log of a run and tells what changed, from one thread, ten times a second at most.

Watching never hurts a run: the follower only reads, and whoever listens to it and raises is
logged once and dropped.
"""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from nbflow.core.errors import NbflowError, RunNotFound
from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.store.base import Log
from nbflow.viz.board import Board, State, difference

_log = logging.getLogger("nbflow")

PACE: Final = 0.1
"""Seconds between two looks at the log, at least."""
HEARTBEAT: Final = 4.0
"""Seconds after which a running run is reported on though nothing has changed."""
PICTURE: Final = 10.0
"""Seconds between two pictures for the saved notebook."""
_KEYFRAMES: Final = (0.0, 1.0, 4.0, 10.0)
"""Ages at which a whole state is sent; after the last, again each time so long has passed."""
_SHARE: Final = 9.0
"""Pauses are so many times as long as the work: a tenth of a core goes to watching."""
_TROUBLE: Final = 2.0

_PARTING: Final = 3.0

_followers: weakref.WeakSet[Follower] = weakref.WeakSet()


def _part() -> None:
    """Let the followers end what they are at before the process does: drawing is not to be cut."""
    for follower in list(_followers):
        follower.stop()
    end = time.monotonic() + _PARTING
    for follower in list(_followers):
        follower.finished.wait(max(0.0, end - time.monotonic()))


atexit.register(_part)

Picture = Callable[[Graph, Profile], object]
"""Makes and puts out the still picture of a run."""


class Sink(Protocol):
    """Who is told of a run."""

    def full(self, state: State, /) -> None:
        """Take a whole state; its ``seq`` numbers the messages."""

    def delta(self, delta: State, /) -> None:
        """Take a difference to the state or difference of number ``base``."""


class Follower:
    """Follows one run until it is closed.

    Args:
        log: Where the run's events are read.
        run: Its id.
        sink: Is told of every change.
        picture: Is called every ten seconds, and at the end.
        halted: Says why nobody drives the run any more, "" while somebody does or may.

    Attributes:
        finished: Set when there will be nothing more to tell.
    """

    def __init__(
        self,
        log: Log,
        run: str,
        *,
        sink: Sink | None = None,
        picture: Picture | None = None,
        halted: Callable[[], str] = str,
    ) -> None:
        self.board = Board(run)
        self.finished = threading.Event()
        self._log = log
        self._sink = sink
        self._picture = picture
        self._halted = halted
        self._state: State | None = None
        self._seq = 0
        self._first: float | None = None
        self._told = self._keyed = self._pictured = 0.0
        self._changed = False
        self._unpictured = True
        self._asked = False
        self._stop = False
        self._troubled = False
        self._wake = threading.Event()
        self._cost = 0.0
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ from any thread

    def start(self) -> None:
        """Follow from a thread of its own.

        It carries the context it was started in: with some kernels, what a plain thread sends
        belongs to no cell.
        """
        _followers.add(self)
        name = f"nbflow panel {self.board.run}"
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._follow,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Follow no longer."""
        self._stop = True
        self._wake.set()

    def ask(self) -> None:
        """Have the whole state sent soon, or at once if all has been told."""
        with self._lock:
            self._asked = True
            if self.finished.is_set() and self._state is not None:
                self._full(self._state)
        self._wake.set()

    # ------------------------------------------------------------------ its own thread

    def _follow(self) -> None:
        try:
            pause = 0.0
            while not self._stop and not self.step(time.time()):
                pause = _TROUBLE if self._troubled else max(PACE, self._cost * _SHARE)
                self._wake.wait(pause)
                self._wake.clear()
        except Exception:  # noqa: BLE001 - a panel that breaks leaves the run alone
            _log.exception("the panel of run %s has stopped", self.board.run)
        finally:
            _followers.discard(self)
            self.finished.set()

    def step(self, now: float) -> bool:
        """Read what is new and tell it; give whether that was the last."""
        began = time.perf_counter()
        halted = self._halted()
        news = self._read()
        self.board.halted = halted
        closed = self.board.closed
        self._unpictured = self._unpictured or news
        self._tell(now, self.board.state(now, settle=closed), closed=closed)
        self._cost = time.perf_counter() - began
        self._paint(now, closed=closed)
        return closed or (self._sink is None and self._picture is None)

    def _read(self) -> bool:
        history = self.board.graph.history
        before = history.last
        try:
            for event in self._log.events(self.board.run, before):
                self.board.apply(event)
        except RunNotFound:
            raise
        except NbflowError:
            if not self._troubled:
                _log.warning("run %s cannot be watched now", self.board.run, exc_info=True)
            self._troubled = True
        else:
            self._troubled = False
        return history.last > before

    def _tell(self, now: float, state: State, *, closed: bool) -> None:
        with self._lock:
            old, self._state = self._state, state
            if self._first is None:
                self._first = now
            if old is None or closed or self._asked or self._key_due(now):
                self._keyed = self._told = now
                self._full(state)
                return
            delta = difference(old, state)
            if not delta and now - self._told < HEARTBEAT:
                return
            self._changed = self._changed or bool(delta)
            self._told = now
            self._seq += 1
            message = {"seq": self._seq, "base": self._seq - 1, "now": state["now"], **delta}
            if self._sink is not None:
                self._guarded(self._sink.delta, message)

    def _full(self, state: State) -> None:
        self._asked = self._changed = False
        self._seq += 1
        if self._sink is not None:
            self._guarded(self._sink.full, {"seq": self._seq, **state})

    def _key_due(self, now: float) -> bool:
        """Whether to send a whole state unasked: views that cannot ask get right by it."""
        if not self._changed or self._first is None:
            return False
        age, keyed = now - self._first, self._keyed - self._first
        due = next((at for at in _KEYFRAMES if at > keyed), keyed + _KEYFRAMES[-1])
        return age >= due

    def _guarded(self, tell: Callable[[State], None], message: State) -> None:
        try:
            tell(message)
        except Exception:  # noqa: BLE001 - whoever watches may fail in any way
            _log.exception("a view of run %s failed and is dropped", self.board.run)
            self._sink = None

    def _paint(self, now: float, *, closed: bool) -> None:
        if self._picture is None:
            return
        self._pictured = self._pictured or now
        if closed or (self._unpictured and now - self._pictured >= PICTURE):
            self._pictured, self._unpictured = now, False
            try:
                self._picture(self.board.graph, self.board.profile)
            except Exception:  # noqa: BLE001 - as above
                _log.exception("the picture of run %s failed and is dropped", self.board.run)
                self._picture = None
