"""A clock that tests turn: a timer of a day in no time."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from nbflow.core.child import CHILD
from nbflow.engine.clock import clock
from nbflow.engine.idle import at_rest, under_way
from nbflow.engine.job import Job
from nbflow.engine.timekeeper import timekeeper
from nbflow.running.session import Session, sessions
from nbflow.testing.checks import PATIENCE, fail

_log = logging.getLogger("nbflow")

_POLL: Final = 0.001
_HINT: Final = 5.0
"""Seconds of standstill after which it is said how to go on."""
_turning = threading.Lock()
"""Held by the one clock that is turned in this process."""


class FakeClock:
    """The time of runs, standing still until it is moved.

    Timers, waits before another attempt, time limits and heartbeats of runs in this process go
    by it while it is entered, and so do the times in their logs and ``nbflow.now()``. Each thing
    that comes due is done at its very time, and what follows from it (calls that run, further
    waits) is over before time goes on.

    Activities run in real time: `time.sleep` in one is not shortened. While one runs, the clock
    waits for it, unless it has run for `patience`: then it is taken to hang, and time goes on
    around it, so that its time limits can be tested.

    Args:
        auto: Move on by itself to what comes due next, whenever every run has nothing else to do.
            Where a run is driven ``on="inline"`` it does so in any case: the thread that would
            have to move it is busy driving the run.
        start: What time it is at first (seconds since the epoch); now by default.
        patience: Real seconds after which an activity that runs holds up the time no more.

    Example:
        >>> with FakeClock() as clock:
        ...     run = reminder.start("invoice 17")  # its code: nbflow.sleep(24 * 3600); send(...)
        ...     clock.advance(hours=23)
        ...     assert run.status == "running"
        ...     clock.advance(hours=1)
        ...     assert run.result() == "sent"
    """

    def __init__(
        self, *, auto: bool = False, start: float | None = None, patience: float = 1.0
    ) -> None:
        self.auto = auto
        self.patience = patience
        self._now = time.time() if start is None else float(start)
        self._origin = self._now
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._moving = threading.RLock()
        self._seen: dict[int, tuple[Job, float]] = {}
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    # ------------------------------------------------------------------ what the engine asks

    def time(self) -> float:
        """Give the time, in seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Give how many seconds have passed since the clock was made."""
        return self._now - self._origin

    def local(self, at: float) -> float:  # noqa: ARG002 - by the clock of the machine
        """Give the time of this clock for one that a worker has measured: it stands still."""
        return self._now

    def after(self, seconds: float, fn: Callable[[], object]) -> None:
        """Call `fn` once the clock was moved so many seconds on."""
        with self._lock:
            heapq.heappush(self._due, (self._now + seconds, next(self._count), fn))

    # ------------------------------------------------------------------ what tests ask

    def __enter__(self) -> Self:
        """Have all runs of this process go by this clock.

        Raises:
            RuntimeError: They go by another one.
        """
        if not _turning.acquire(blocking=False):
            message = "another FakeClock is entered in this process: leave that one first"
            raise RuntimeError(message)
        self._over.clear()
        clock.use(self)
        self._watcher = threading.Thread(target=self._watch, name="nbflow-fake-clock", daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go by the machine's clocks again; what is not due yet comes due by those."""
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()
        clock.use(None)
        with self._lock:
            left, self._due = self._due, []
        for due, _, fn in left:
            timekeeper.after(max(0.0, due - self._now), fn)
        self._seen.clear()
        _turning.release()

    def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass, and return once all that follows from it has been done.

        What comes due meanwhile is done in the order of its time, also where one thing leads to
        another: a day of waits of an hour is 24 of them.

        Raises:
            ValueError: Time does not go back.
            RuntimeError: The clock is not entered.
            AssertionError: A run did not come to rest: the message says which, and why not.
        """
        length = seconds + 60 * minutes + 3600 * hours + 86400 * days
        if not length >= 0:
            message = f"time does not go back: advance({length:g})"
            raise ValueError(message)
        self._entered()
        with self._moving:
            end = self._now + length
            self.settle()
            while self._step(end):
                self.settle()
            self._now = max(self._now, end)

    def run_until_due(self) -> float:
        """Move on to what comes due next, and do it.

        Returns:
            How many seconds have passed; 0 if nothing was waited for.
        """
        self._entered()
        with self._moving:
            self.settle()
            before = self._now
            if self._step(float("inf")):
                self.settle()
            return self._now - before

    def settle(self) -> None:
        """Wait, in real time, until no run has anything to do before time passes.

        Raises:
            AssertionError: One did not come to rest in time.
        """
        end = time.monotonic() + PATIENCE
        while (busy := self._unsettled()) is not None:
            if time.monotonic() > end:
                fail(f"time cannot go on: after {PATIENCE:g} s {busy}")
            time.sleep(_POLL)

    @property
    def waiting(self) -> int:
        """How many things wait for their time, time limits of attempts that are over among them."""
        return len(self._due)

    # ------------------------------------------------------------------ inside

    def _entered(self) -> None:
        if self._over.is_set() or self._watcher is None:
            message = "the clock moves only while it is entered: with FakeClock() as clock"
            raise RuntimeError(message)

    def _step(self, end: float) -> bool:
        """Do the next thing that is due by `end`; tell whether there was one."""
        with self._lock:
            if not self._due or self._due[0][0] > end or self._due[0][0] == float("inf"):
                return False
            due, _, fn = heapq.heappop(self._due)
            self._now = max(self._now, due)
        try:
            fn()
        except Exception:  # noqa: BLE001 - as the timekeeper does: it must not stop the others
            _log.exception("nbflow: a timed action failed")
        return True

    def _unsettled(self) -> str | None:
        """Say what goes on; None if nothing does, as seen twice with nothing between."""
        before = _progress()
        busy = self._busy()
        if busy is None:
            time.sleep(_POLL)
            busy = self._busy()
            if busy is None and _progress() != before:
                busy = "something happened just now"
        return busy

    def _busy(self) -> str | None:
        for session in list(sessions.values()):
            if session.done.done():
                continue
            if not at_rest(session.live):
                return f"run {session.run} goes on, or its code computes"
            for job in under_way(session.live):
                if self._holds_up(session, job):
                    return f"{job.call} of run {session.run} runs"
        return None

    def _holds_up(self, session: Session, job: Job) -> bool:
        """Whether an attempt is one that time waits for."""
        history = session.history
        activity = history.calls[job.call].activity
        if activity is not None and activity.settings.executor == CHILD:
            child = sessions.get(history.children.get(job.call, ""))
            return child is None or child.done.done()  # else that run is looked at itself
        _, since = self._seen.setdefault(id(job), (job, time.monotonic()))
        return time.monotonic() - since < self.patience

    def _watch(self) -> None:
        """Move on where nobody else can or wants to; say so where time stands still for long."""
        since, before, said = time.monotonic(), -1, False
        while not self._over.wait(_POLL):
            if self._moves_itself() and self._moving.acquire(blocking=False):
                try:
                    if self._unsettled() is None:
                        self._step(float("inf"))
                finally:
                    self._moving.release()
            progress = _progress()
            if progress != before:
                since, before = time.monotonic(), progress
            elif not said and time.monotonic() - since > _HINT and self._due:
                said = self._hint()

    def _moves_itself(self) -> bool:
        if self.auto:
            return any(not s.done.done() for s in list(sessions.values()))
        return any(s.inline and not s.done.done() for s in list(sessions.values()))

    def _hint(self) -> bool:
        """Say what stands still, unless everything is over or runs."""
        stands = [s.run for s in list(sessions.values()) if not s.done.done()]
        if not stands or self._busy() is not None:
            return False
        left = max(0.0, self._due[0][0] - self._now)
        _log.warning(
            "nbflow: time stands still for run %s, the next thing is due in %g s: move it with "
            "clock.advance(), or have it move by itself with FakeClock(auto=True)",
            stands[0],
            left,
        )
        return True


def _progress() -> int:
    """Give a number that grows with every event of the runs of this process."""
    return sum(session.history.last for session in list(sessions.values()))
