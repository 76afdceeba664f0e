"""Follows the log of a run and tells what changed, from one thread, ten times a second at most.

Watching never hurts a run: the follower only reads, takes a small part of a core, and whoever
listens to it and raises is logged once and dropped. When the run is over the thread ends; a
question from the browser, or a resumption, begins another one.
"""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from nbflow.core.errors import RunNotFound
from nbflow.store.base import Log
from nbflow.viz.actions import Actions, Deeds, Nothing
from nbflow.viz.board import Board, State
from nbflow.viz.details import AboutCall, nothing
from nbflow.viz.kin import Kin
from nbflow.viz.messages import ACTIONS, Request, read
from nbflow.viz.outbox import Outbox, Sink
from nbflow.viz.reading import Reader
from nbflow.viz.stills import Picture, Stills

__all__ = ["Follower", "Sink", "resumed"]

_log = logging.getLogger("nbflow")

PACE: Final = 0.1
"""Seconds between two looks at the log, and between two messages, at least."""
HEARTBEAT: Final = 4.0
"""Seconds after which a running run is reported on though nothing has changed."""
_KEYFRAMES: Final = (0.0, 1.0, 4.0, 10.0)
"""Ages at which a whole state is sent; after the last, again each time so long has passed."""
_SHARE: Final = 24.0
"""Pauses are so many times as long as the work: a twenty-fifth of a core goes to watching..."""
_LONGEST: Final = 1.0
"""...but for this: no pause is longer."""
_TROUBLE: Final = 2.0
_PARTING: Final = 3.0
_QUEUE: Final = 200
"""So many questions may wait to be answered."""

_followers: weakref.WeakSet[Follower] = weakref.WeakSet()


def _part() -> None:
    """Let the followers end what they are at before the process does: drawing is not to be cut."""
    for follower in list(_followers):
        follower.stop()
    end = time.monotonic() + _PARTING
    for follower in list(_followers):
        follower.finished.wait(max(0.0, end - time.monotonic()))


atexit.register(_part)


def resumed(run: str) -> None:
    """Let those who followed a run know that it goes on."""
    for follower in list(_followers):
        if follower.board.run == run:
            follower.wake()


class Follower:
    """Follows one run, and answers what is asked about it.

    Args:
        log: Where the run's events are read.
        run: Its id.
        sink: Is told of every change.
        picture: Is called every ten seconds, and at the end.
        halted: Says why nobody drives the run any more, "" while somebody does or may.
        actions: What can be done to the run.
        about: Tells what is known here of a call's code.
        pace: Says how many seconds there are between two messages, at least; by default
            `PACE` for each run that its panel shows.

    Attributes:
        board: The state of the run as it is told.
        finished: Set while there is nothing more to tell, because the run is over.
        spent: Seconds of processor time that following has taken, pictures left out.
    """

    def __init__(
        self,
        log: Log,
        run: str,
        *,
        sink: Sink | None = None,
        picture: Picture | None = None,
        halted: Callable[[], str] = str,
        actions: Actions | None = None,
        about: AboutCall = nothing,
        pace: Callable[[], float] | None = None,
    ) -> None:
        self.board = Board(run, about)
        self.finished = threading.Event()
        self.spent = 0.0
        self._wake = threading.Event()
        self._reader = Reader(log, self.board)
        self._sink = sink
        self._stills = Stills(self.board, picture, self._beside, self._wake.set)
        self._halted = halted
        self._actions: Actions = actions or Nothing()
        self._outbox = Outbox(self.board)
        self._log = log
        self._pace = pace or self._shared
        self._kin = Kin(self._child, self._tell_on)
        self._deeds = Deeds(run, self._actions, self._told)
        self._allowed: list[str] = []
        self._requests: list[Request] = []
        self._seq = 0
        self._first: float | None = None
        self._sent = self._keyed = self._cost = self._next = 0.0
        self._changed = self._asked = False
        self._replied = True
        self._final: tuple[int, str] | None = None
        self._context: contextvars.Context | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ from any thread

    def start(self) -> None:
        """Follow from a thread of its own.

        It carries the context that this was called in: with some kernels, what a plain thread
        sends belongs to no cell.
        """
        self._context = self._context or contextvars.copy_context()
        _followers.add(self)
        self.wake()

    def stop(self) -> None:
        """Follow no longer."""
        self._stop.set()
        self._kin.close()
        self.wake()

    def wake(self) -> None:
        """Look at the log soon; the thread is begun again if it has ended."""
        with self._lock:
            self._wake.set()
            if self._thread is not None or self._context is None or self._stop.is_set():
                return
            self.finished.clear()
            run = self._context.copy().run
            name = f"nbflow panel {self.board.run}"
            self._thread = threading.Thread(
                target=run, args=(self._follow,), name=name, daemon=True
            )
            self._thread.start()

    def hear(self, content: object) -> None:
        """Take a message from the browser; what makes no sense is logged and passed over."""
        try:
            request = read(content)
            call = self.board.rows.id(request.call)
            if request.call >= 0 and call is None:
                message = f"there is no call in row {request.call}"
                raise ValueError(message)  # noqa: TRY301 - as those of `read`
        except ValueError as error:
            self._pass_over(str(error))
            return
        if request.kind == "child" and call is not None:
            self._to_child(request.call, call, request.inner)
        elif request.kind in ACTIONS:
            self._deeds.do(request.kind, *([call] if call is not None else []))
        elif len(self._requests) >= _QUEUE:
            self._pass_over("too many questions at once")
        else:
            self._requests.append(request)
            self.wake()

    def _to_child(self, row: int, call: str, content: object) -> None:
        try:
            self._kin.hear(row, call, content)
        except ValueError as error:
            self._told({"kind": "note", "text": str(error)})

    def _child(self, call: str, sink: Sink) -> Follower | None:
        """Make the follower of the child run that a call is."""
        run = self.board.graph.history.children.get(call)
        if run is None or self._context is None or not self._begun(run):
            return None
        made = Follower(self._log, run, sink=sink, pace=self._pace)
        made._context = self._context  # the cell that the panel is in
        return made

    def _begun(self, run: str) -> bool:
        """Whether a child has a log: its parent's tells of it before it is there."""
        try:
            return next(iter(self._log.events(run)), None) is not None
        except RunNotFound:
            return False

    def _tell_on(self, message: State, buffers: list[bytes]) -> None:
        """Send what a child has to tell. Called by its thread."""
        self._guarded(lambda sink: sink.tell(message, buffers))

    def _shared(self) -> float:
        return PACE * self.company()

    def company(self) -> int:
        """Count the runs that share the line: this one, and the children that are open."""
        return 1 + self._kin.company()

    def _pass_over(self, why: str) -> None:
        _log.warning("run %s: a message from its panel is passed over: %s", self.board.run, why)

    def ask(self) -> None:
        """Have the whole state sent soon."""
        self.hear({"kind": "ask"})

    def _told(self, message: State) -> None:
        """Have a message sent soon; what was done may also have made the run go on."""
        self._outbox.message(message)
        self.wake()

    # ------------------------------------------------------------------ its own thread

    def _follow(self) -> None:
        try:
            self._stop.wait(max(0.0, self._next - time.monotonic()))
            while True:
                self._wake.clear()
                if self._step_on():
                    return
                self._rest()
        except Exception:  # noqa: BLE001 - a panel that breaks leaves the run alone
            _log.exception("the panel of run %s has stopped", self.board.run)
            self._stop.set()
            self._stills.finish(closed=False)
            with self._lock:
                self._end()

    def _step_on(self) -> bool:
        """Take a step; give whether the thread is to end."""
        over = self._stop.is_set() or self.step(time.time())
        self._next = time.monotonic() + self._pace()
        stopped = self._stop.is_set()
        if stopped:
            self._stills.finish(closed=self.board.closed)
        with self._lock:
            over = stopped or (over and not self._wake.is_set())
            if over:
                self._end()
        return over

    @property
    def _watched(self) -> bool:
        return self._context is not None and self._sink is not None

    def _beside(self, work: Callable[[], None]) -> bool:
        """Draw in a thread of its own, where somebody may ask for something meanwhile."""
        if self._context is None or not self._watched:
            return False
        run, name = self._context.copy().run, f"nbflow picture {self.board.run}"
        threading.Thread(target=run, args=(work,), name=name, daemon=True).start()
        return True

    def _end(self) -> None:
        self._thread = None
        self.finished.set()

    def _rest(self) -> None:
        """Wait until it is worth looking again, or somebody asks; never less than the pace."""
        if self._reader.behind and not (self._reader.crowded or self._stills.busy):
            return  # nobody is disturbed by it, and somebody waits to see all of it
        pause = _TROUBLE if self._reader.troubled else min(_LONGEST, self._cost * _SHARE)
        self._stop.wait(self._pace())
        if not (self._outbox or self._asked):  # else somebody waits for an answer
            self._wake.wait(max(0.0, pause - PACE))

    def step(self, now: float) -> bool:
        """Read what is new and send one message at most; give whether there is no more to tell."""
        began, clock = time.thread_time(), time.monotonic()
        news = not self._stills.busy and self._look()
        self.board.behind = self._reader.behind
        self._stills.stale = self._stills.stale or news
        closed, asked = self.board.closed, bool(self._requests)
        self._serve()
        self.board.advance(now, settle=closed or self._asked)
        self._outbox.scene()
        self._allow()
        quiet = self._tell(now, closed=closed)
        self._cost = time.thread_time() - began
        self.spent += self._cost
        if asked or self._asked or self._outbox:
            self._stills.put_off(now + time.monotonic() - clock)
        self._stills.look(now, closed=closed, watched=self._watched)
        over = closed and quiet and not self._stills.owed
        return over or (self._sink is None and not self._stills)

    def _look(self) -> bool:
        """Read what is new, and whether the run goes on; give whether there was anything."""
        board = self.board
        # Asked before the log is read: who ends a run lets go of it afterwards.
        halted = "" if board.graph.history.closed is not None else self._halted()
        news = self._reader.read()
        if self._reader.behind or board.graph.history.closed is not None:
            halted = ""
        before, board.halted = board.halted, halted
        return news or halted != before

    def _serve(self) -> None:
        """Take what was asked."""
        while self._requests:
            request = self._requests.pop(0)
            match request.kind:
                case "ask":
                    self._asked = True
                    self._outbox.scene(again=True)
                case "view":
                    self.board.stage.choose(request.mode, request.open)
                    self._asked = True
                case _:
                    self._outbox.answer(request)

    def _allow(self) -> None:
        allowed = list(self._actions.possible(self.board.status))
        if self.board.behind:  # it may have ended since: only who drives it can know more
            allowed = [action for action in allowed if action.startswith("cancel")]
        if allowed != self._allowed:
            self._allowed = allowed
            self._outbox.put(lambda sink: sink.allow(allowed))

    # ------------------------------------------------------------------ telling

    def _tell(self, now: float, *, closed: bool) -> bool:
        """Send one message at most; give whether nothing is left to be sent."""
        sink = self._sink
        if sink is None:
            return True
        # Answers and news take turns, so that neither has to wait for all of the other.
        if (not self._outbox or self._replied) and self._tell_news(now, closed=closed):
            self._replied = False
        elif self._outbox:
            self._guarded(self._outbox.next())
            self._replied = True
        left = bool(self._outbox) or self._asked or self.board.untold
        return not left and self._final == self._end_of_run()

    def _end_of_run(self) -> tuple[int, str]:
        return self.board.graph.history.last, self.board.halted

    def _tell_news(self, now: float, *, closed: bool) -> bool:
        """Send a whole state or a difference, if there is anything to say; give whether so."""
        board = self.board
        if self._first is None:
            self._first = now
        elif not self._asked and not self._key_due(now):
            ended = closed and self._final == self._end_of_run()
            if not closed or ended or board.untold:
                return self._tell_difference(now, closed=closed)
        self._keyed = self._sent = now
        self._asked = self._changed = False
        if closed:
            self._final = self._end_of_run()
        self._seq += 1
        state = {"seq": self._seq, **board.whole(now)}
        self._guarded(lambda sink: sink.full(state))
        return True

    def _tell_difference(self, now: float, *, closed: bool) -> bool:
        news, buffers = self.board.news()
        if not news and (closed or now - self._sent < HEARTBEAT):
            return False
        self._changed = self._changed or bool(news)
        self._sent = now
        self._seq += 1
        message = {"kind": "delta", "seq": self._seq, "base": self._seq - 1}
        message.update(now=self.board.told_at(now), **news)
        self._guarded(lambda sink: sink.tell(message, buffers))
        return True

    def _key_due(self, now: float) -> bool:
        """Whether to send a whole state unasked: views that cannot ask get right by it."""
        if not self._changed or self._first is None:
            return False
        age, keyed = now - self._first, self._keyed - self._first
        due = next((at for at in _KEYFRAMES if at > keyed), keyed + _KEYFRAMES[-1])
        return age >= due

    def _guarded(self, tell: Callable[[Sink], object]) -> None:
        if self._sink is None:
            return
        try:
            tell(self._sink)
        except Exception:  # noqa: BLE001 - whoever watches may fail in any way
            _log.exception("a view of run %s failed and is dropped", self.board.run)
            self._sink = None
