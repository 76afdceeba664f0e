"""Drives one run in this process.

The run has one owner at a time (see `owner`). What an owner takes at once is a *turn*: the events
that follow are appended to the log in one transaction, and only then do their consequences leave
the owner - calls start, waiting code wakes up. So nothing that anyone was shown, or that any code
has built upon, can be missing from the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from queue import SimpleQueue
from typing import Any

from nbflow.core import payload
from nbflow.core.call import CallState
from nbflow.core.errors import ActivityTimeout, Cancelled, InternalError, NbflowError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallStarted,
    CallSucceeded,
    CallWrote,
    CancelRequested,
    Report,
    RunClosed,
    RunResumed,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.payload import Packed, Stored
from nbflow.engine.attempts import Attempts, Resolve, retry_delay
from nbflow.engine.job import Answer, Job
from nbflow.engine.journal import Journal
from nbflow.engine.output import Scribe
from nbflow.engine.owner import TURN_ITEMS, Owner
from nbflow.engine.streams import rules
from nbflow.engine.timekeeper import timekeeper
from nbflow.store.base import Store

TICK = 0.05
"""Seconds after which what nobody was in a hurry to say is written at the latest."""
_CANCEL_GRACE = 2.0
_new = tuple.__new__


class Live(Owner):
    """The owner's side of a run: its inbox, its history and its executors.

    It is the `Driver` of the run's interpreter and the `Inbox` of its executors.

    Args:
        store: Where the log is.
        run: Id of the run, which is in the store already.
        history: The fold of its events so far.
        resolve: Gives the executor for an activity's ``executor`` option, None for the run's own.
    """

    def __init__(self, store: Store, run: str, history: History, resolve: Resolve) -> None:
        super().__init__()
        self.store = store
        self.run = run
        self.history = history
        self._attempts = Attempts(run, history, store, resolve)
        self._hungry = 2 * self._attempts.own.slots
        self._inline = self._attempts.inline
        self._begun: list[tuple[Job, str, float]] = []
        self._restless = False
        self._journal = Journal(store, run, history)
        self._next, self._emit = self._journal.next, self._journal.add
        self._visible = len(history.settled)
        self._gate: SimpleQueue[None] = SimpleQueue()
        self._want: tuple[CallState | None, int] | None = None
        self._ticking = self._speaking = False
        self._scribe = Scribe(rules)
        self._texts = self._scribe.open
        self._stop: BaseException | None = None
        self._halted = False
        self.over = threading.Event()
        self.on_over: list[Callable[[], object]] = []

    # ------------------------------------------------------------ Driver: the workflow's thread

    def ask(self, state: CallState) -> None:
        """Take a call: written and started at once if a worker could begin it, else soon."""
        if self._stop is not None:
            raise self._stop
        for stored in state.args:
            if type(stored) is Packed:
                state.args = tuple([self._spilled(a) for a in state.args])
                break
        if state.kwargs:
            state.kwargs = {k: self._spilled(a) for k, a in state.kwargs.items()}
        inbox = self._inbox
        inbox.append(state)
        if len(inbox) >= TURN_ITEMS or (not state.deps and len(self._attempts.open) < self._hungry):
            self._soon(hurry=True)
        elif not self._flushing:
            self._soon(hurry=False)

    def timer(self, state: CallState, seconds: float) -> None:
        """Settle `state` after so many seconds."""
        self.post(partial(self._timer, state, seconds))

    def cancel(self, state: CallState, reason: str) -> None:
        """Give up a call or a timer."""
        self.post(partial(self._cancel_call, state.id, reason))

    def block(self, state: CallState | None, position: int) -> None:
        """Wait for `state`, or for anything past `position`; work meanwhile if calls are inline."""
        self._want = (state, position)
        self._drain()
        while self._stop is None and not self._satisfied(state, position):
            if self._inline is not None and self._inline.work():
                continue
            self._gate.get()
        self._want = None
        if self._stop is not None:
            raise self._stop

    def visible(self) -> int:
        """How many settled calls are in the log."""
        return self._visible

    def _satisfied(self, state: CallState | None, position: int) -> bool:
        if state is None:
            return self._visible > position
        return 0 <= state.index < self._visible

    def close(
        self, status: str, result: Stored = None, error: Failure | None = None, call: str = ""
    ) -> None:
        """Write the end of the run, and return once that is done or `stopped` says why not.

        `call` is the one whose error it is.
        """
        self.post(partial(self._close, status, self._spilled(result), error, call))
        self.over.wait()

    # ------------------------------------------------------------ Inbox: the workers' threads

    def began(self, job: Job, worker: str, at: float) -> None:
        """Note that an attempt runs: written at the next tick, if it still runs then."""
        at = at or time.time()
        if job.timeout is not None:
            self.post(partial(self._began, job, worker, at))
            return
        self._begun.append((job, worker, at))
        self._tick_soon()

    def wrote(self, job: Job, channel: str, text: str, dropped: int = 0) -> None:
        """Take what an attempt wrote: written at the next tick, or before its end is."""
        if self._attempts.wants(job):
            self._scribe.write(job, channel, text, dropped)
            if not self._speaking:
                self._speaking = True
                timekeeper.after(TICK, self._speak)

    def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:
        """Take an answer. Large results go to the store here, outside the owner's turn."""
        if type(answer.result) is Packed:
            try:
                answer.result = self._spilled(answer.result)
            except Exception as error:  # noqa: BLE001 - a store must not cost a worker
                answer.result, answer.error = None, Failure.of(error)
        self._inbox.append((job, answer))
        if more:
            self._soon(hurry=True)
        else:
            self._drain()

    def _spilled(self, stored: Stored) -> Stored:
        return payload.spill(stored, self.store.put)

    # ------------------------------------------------------------ anybody's thread

    def cancel_run(self, reason: str) -> None:
        """Give up every call and stop the workflow's code where it next waits or calls."""
        self.post(partial(self._cancel_run, reason))

    def cancel_call(self, call: str, reason: str) -> None:
        """Give up one call; what depends on it is skipped."""
        self.post(partial(self._cancel_call, call, reason))

    def resumed(self, reason: str) -> None:
        """Write that the run is driven again, before anything else.

        Raises:
            StoreError: It could not be written: perhaps somebody else drives the run.
        """
        with self._lock:
            self._emit(RunResumed(self._next(), time.time(), reason))
            self._publish()
        if self._stop is not None:
            raise self._stop

    def _tick_soon(self) -> None:
        self._restless = True
        if not self._ticking:
            self._ticking = True
            timekeeper.after(TICK, self._tick)

    def _tick(self) -> None:
        begun, self._begun = self._begun, []
        if self._restless and len(self._attempts.open):
            self._restless = False  # if nothing happens until then, the next one is the last
            timekeeper.after(TICK, self._tick)
        else:
            self._ticking = False
        self.post(partial(self._still_running, begun))

    def _still_running(self, begun: list[tuple[Job, str, float]]) -> None:
        for job, worker, at in begun:
            self._began(job, worker, at)
        for job, worker, at in self._attempts.running():
            if job.timeout is None and job.run == self.run:
                self._began(job, worker, at)

    def _speak(self) -> None:
        self._speaking = False
        self.post(lambda: self._write(self._scribe.due(self._attempts.wants)))

    # ------------------------------------------------------------ the owner

    def _take(self, item: Any) -> None:
        if self.history.closed is not None or self._halted:
            return  # a late answer of a run that is over
        if type(item) is CallState:
            self._asked(item)
        elif type(item) is tuple:
            self._ended(*item)
        else:
            item()

    def _broke(self, error: BaseException) -> None:
        """Stop: what is in memory may be half done, but the log is whole and can be resumed."""
        if not isinstance(error, NbflowError):
            cause, error = (
                error,
                InternalError(f"the engine stopped: {type(error).__name__}: {error}"),
            )
            error.__cause__ = cause
        self._journal.forget()
        self._halt(error)

    def _publish(self) -> None:
        """Write the turn's events; then, and only then, let others see what follows from them."""
        if self._halted:
            return
        failure = self._journal.write()
        if failure is not None:
            self._halt(failure)  # the run stays as the log has it
            return
        self._visible = len(self.history.settled)
        ready = self.history.ready
        if ready:
            while ready:
                self._start(ready.popleft())
            if self._inline is not None:
                self._gate.put(None)  # the workflow's thread is the one to run them
        want = self._want
        if want is not None and (self._stop is not None or self._satisfied(*want)):
            self._want = None
            self._gate.put(None)
        if self.history.closed is not None:
            self._tell_over()

    @property
    def stopped(self) -> BaseException | None:
        """Why the run is no longer driven, or None."""
        return self._stop

    def halt(self, error: BaseException) -> None:
        """Stop driving the run, leaving it as its log has it."""
        with self._lock:
            if not self._halted:
                self._halt(error)

    def _halt(self, error: BaseException) -> None:
        self._halted = True
        self._stop = error
        self._inbox.clear()
        self._attempts.give_up_all()
        self.history.ready.clear()
        self._want = None
        self._gate.put(None)
        self._tell_over()

    def _tell_over(self) -> None:
        if not self.over.is_set():
            self.over.set()
            for fn in self.on_over:
                fn()

    # ------------------------------------------------------------ what the owner does

    def _asked(self, asked: CallState) -> None:
        history, journal = self.history, self._journal
        state = history.admit(asked)
        if not state.recorded:
            journal.extend(history.record(state, journal.next(), time.time()))

    def _start(self, state: CallState) -> None:
        """Hand a ready call to its executor, or wait until its back-off is over."""
        if state.outcome is not None or state.id in self._attempts.open or self._stop is not None:
            return
        if state.retry_at is not None:
            again = partial(self.post, partial(self._retry, state, state.attempt))
            timekeeper.after(max(0.0, state.retry_at - time.time()), again)
            return
        try:
            self._attempts.launch(state, self)
            self._restless = True
            if not self._ticking:
                self._tick_soon()
        except NbflowError as error:
            # The caller is past writing this turn: what went wrong is news for the next one.
            failure = Failure.of(error)
            self._inbox.append(partial(self._failed, state, state.attempt + 1, failure, None))

    def _began(self, job: Job, worker: str, at: float) -> None:
        if not self._attempts.wants(job):
            return
        known = self.history.calls[job.call].started
        if known is not None and known.attempt == job.attempt:
            return
        self._emit(
            CallStarted(seq=self._next(), at=at, call=job.call, attempt=job.attempt, worker=worker)
        )
        if job.timeout is not None:
            left = job.timeout - (time.time() - at)
            timekeeper.after(max(0.0, left), partial(self.post, partial(self._expired, job)))

    def _ended(self, job: Job, answer: Answer) -> None:
        self._restless = True  # another attempt may begin in its place
        if not self._ticking:
            self._tick_soon()
        if not self._attempts.take(job):
            return  # given up: nobody waits for it any more
        if self._texts:
            self._write(self._scribe.last(job.call))
        state = self.history.calls[job.call]
        report = answer.report
        if answer.error is not None:
            self._failed(state, job.attempt, answer.error, report)
            return
        if answer.live is not None:
            state.live = answer.live
        journal = self._journal
        fields = (journal.next(), time.time(), job.call, job.attempt, answer.result, *report)
        event = _new(CallSucceeded, fields)
        journal.extend(event)
        self.history.succeed(state, event)

    def _failed(
        self,
        state: CallState,
        attempt: int,
        error: Failure,
        report: Report | None,
        *,
        abandoned: bool = False,
    ) -> None:
        activity = state.activity
        assert activity is not None  # noqa: S101 - it ran
        delay = retry_delay(activity, error, attempt)
        now = time.time()
        retry_at = None if delay is None else now + delay
        self._emit(
            CallFailed(self._next(), now, state.id, attempt, error, retry_at, report, abandoned)
        )
        if delay is not None:
            self.history.ready.append(state)  # `_start` sees that it is not due yet

    def _retry(self, state: CallState, attempt: int) -> None:
        if state.outcome is None and state.attempt == attempt and state.id not in self._attempts.open:
            state.retry_at = None
            self.history.ready.append(state)

    def _expired(self, job: Job) -> None:
        if not self._attempts.wants(job):
            return
        self._write(self._scribe.last(job.call))
        stopped = self._attempts.give_up(job.call)
        what = "" if stopped else " It cannot be stopped where it runs: it is abandoned."
        error = ActivityTimeout(f"{job.call} took longer than its {job.timeout:g} s.{what}")
        state = self.history.calls[job.call]
        self._failed(state, job.attempt, Failure.of(error), None, abandoned=not stopped)

    def _write(self, events: Iterable[CallWrote]) -> None:
        for event in events:
            self._emit(event._replace(seq=self._next()))

    def _timer(self, state: CallState, seconds: float) -> None:
        known = self.history.calls.setdefault(state.id, state)
        if known.outcome is not None:
            return
        if known.retry_at is None:
            due = time.time() + seconds
            self._emit(TimerStarted(self._next(), time.time(), state.id, due))
        assert known.retry_at is not None  # noqa: S101 - set by the event
        fire = partial(self.post, partial(self._fire, known))
        timekeeper.after(max(0.0, known.retry_at - time.time()), fire)

    def _fire(self, state: CallState) -> None:
        if state.outcome is None:
            self._emit(TimerFired(seq=self._next(), at=time.time(), timer=state.id))

    def _cancel_call(self, call: str, reason: str) -> None:
        state = self.history.calls.get(call)
        if state is None or state.outcome is not None:
            return
        if not state.name:
            self._emit(TimerCancelled(seq=self._next(), at=time.time(), timer=call))
            return
        self._write(self._scribe.last(call))
        stopped = self._attempts.give_up(call)
        self._emit(
            CallCancelled(
                seq=self._next(), at=time.time(), call=call, reason=reason, abandoned=not stopped
            )
        )

    def _cancel_run(self, reason: str) -> None:
        if self._stop is not None:
            return
        self._emit(CancelRequested(seq=self._next(), at=time.time(), reason=reason))
        self._cancel_open(reason)
        self._stop = Cancelled(reason)
        grace = partial(self.post, partial(self._close, "cancelled"))
        timekeeper.after(_CANCEL_GRACE, grace)

    def _cancel_open(self, reason: str) -> None:
        """Give up all calls and timers that are not settled."""
        if len(self.history.settled) == len(self.history.calls):
            return
        self._attempts.drop_all()
        for call, state in list(self.history.calls.items()):
            if state.outcome is None:
                self._cancel_call(call, reason)

    def _close(
        self, status: str, result: Stored = None, error: Failure | None = None, call: str = ""
    ) -> None:
        if isinstance(self._stop, Cancelled):  # whatever its code made of that
            status, result, error, call = "cancelled", None, None, ""
        # What a failed workflow still had under way, nobody waits for any more.
        self._cancel_open("the run failed")
        self._write(self._scribe.close())
        self._emit(RunClosed(self._next(), time.time(), status, result, error, call))
