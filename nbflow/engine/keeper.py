"""Keeps the calls of a run going: what begins, what ends, and what is tried again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from nbflow.core import payload
from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.errors import NbflowError
from nbflow.core.events import (
    CallCancelled,
    CallStarted,
    CallSucceeded,
    CallWrote,
    MarkerFailed,
    MarkerRecorded,
    Report,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.history import History
from nbflow.core.payload import Packed, Stored
from nbflow.core.sequel import Failed, sequel
from nbflow.engine.attempts import Attempts, Resolve, verdict
from nbflow.engine.clock import clock
from nbflow.engine.family import Family
from nbflow.engine.job import Answer, Job
from nbflow.engine.journal import Journal
from nbflow.engine.limits import START_TO_CLOSE
from nbflow.engine.output import Scribe
from nbflow.engine.repeating import Repeating
from nbflow.engine.reuse import Reuse
from nbflow.engine.sizes import NO_LIMIT, check_size
from nbflow.engine.streams import rules
from nbflow.engine.swift import Swift
from nbflow.engine.timekeeper import timekeeper
from nbflow.engine.watched import TICK, Watched
from nbflow.store.base import Store
from nbflow.store.collector import easing

LOOK_AGAIN = 30.0
"""Seconds after which a timer looks at the wall clock again, at the latest."""
_ANNOUNCED = 0.2
"""Seconds that an attempt waits for its start to be written, where that matters."""
_WINDOW = 1_000
"""So many attempts are with the run's own executor, or four a worker: more would only queue."""
_PATIENT = 1_000_000
"""Nanoseconds: answers to calls that took so long wait for company while workers have more to do,
since they come one by one, and the processor time of a turn for each is the workers'."""
_new = tuple.__new__


class Keeper(Family, Repeating, Swift, Watched):
    """The owner of a run as far as its calls go, and the `Inbox` of its executors.

    Args:
        store: Where the log is.
        run: Id of the run, which is in the store already.
        history: The fold of its events so far.
        resolve: Gives the executor for an activity's ``executor`` option, None for the run's own.
    """

    __slots__ = (
        "_attempts",
        "_held",
        "_journal",
        "_keys",
        "_launch",
        "_stop",
        "_texts",
        "_window",
        "history",
    )

    def __init__(self, store: Store, run: str, history: History, resolve: Resolve) -> None:
        super().__init__()
        self.store = store
        self.run = run
        self.history = history
        self._attempts = Attempts(run, history, store, resolve)
        self._journal = Journal(store, run, history)
        self._next, self._emit = self._journal.next, self._journal.add
        self._speaking = False
        self._reuse = Reuse(run, store, self._told)
        self._keys = self._reuse.keys
        self._scribe = Scribe(rules)
        self._texts = self._scribe.open
        self._stop: BaseException | None = None
        self._look_for_gone()
        self._launch: Callable[..., object] = self._attempts.launch
        self._held: deque[CallState] = deque()
        self.largest: float = NO_LIMIT
        """Bytes that a result may have."""
        self._window = max(_WINDOW, 4 * self._attempts.own.slots)

    # ------------------------------------------------------------ Inbox: the workers' threads

    def began(self, job: Job, worker: str, at: float) -> None:
        """Note that an attempt runs: written at the next tick, if it still runs then."""
        at = at or clock.time()
        if job.timeout is not None:
            self.post(partial(self._began, job, worker, at))
            if job.call in self.history.suspects:
                self._written(job)
            return
        self._begun.append((job, worker, at))
        self._stir()

    def _written(self, job: Job) -> None:
        """Return once it is in the log that an attempt has begun: what it does may be its end.

        Not for ever: an executor that runs a job within `submit` is called by the very owner that
        has to write it, and an attempt that was given up meanwhile is never written.
        """
        state, end = self.history.calls[job.call], time.monotonic() + _ANNOUNCED
        while state.started is None and self._attempts.wants(job) and time.monotonic() < end:
            if self._lock.acquire(timeout=_ANNOUNCED / 10):
                self._lock.release()
            self._drain()
        if self._lock.acquire(timeout=_ANNOUNCED):
            self._lock.release()  # whose turn it was has written it by now

    def wrote(self, job: Job, channel: str, text: str, dropped: int = 0) -> None:
        """Take what an attempt wrote: written at the next tick, or before its end is."""
        if self._attempts.wants(job):
            self._scribe.write(job, channel, text, dropped)
            if not self._speaking:
                self._speaking = True
                timekeeper.after(TICK, self._speak)

    def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:
        """Take an answer. Large results go to the store here, outside the owner's turn."""
        if job.code.held:
            if answer.error is None and type(answer.result) is not Held:
                answer.result = Held.of_stored(answer.result)
        elif type(answer.result) is Packed:
            try:
                if (notice := check_size(job.call, answer.result, self.largest)) is not None:
                    self.wrote(job, "log:WARNING", notice)
                answer.result = self._spilled(answer.result)
            except Exception as error:  # noqa: BLE001 - a store must not cost a worker
                answer.result, answer.error = None, Failure.of(error)
        self._inbox.append((job, answer))
        if more:
            self._soon(hurry=answer.report.run_ns < _PATIENT)
        else:
            self._drain()

    def _spilled(self, stored: Stored) -> Stored:
        return payload.spill(stored, self.store.put)

    def _crowded(self) -> None:
        easing.look(self, len(self.history.calls))

    def _still_running(self) -> bool:
        """Write what has begun; give whether all that could have is known to."""
        self._crowded()
        while self._begun:
            self._began(*self._begun.popleft())
        running = [entry for entry in self._attempts.running() if entry[0].run == self.run]
        for job, worker, at in running:
            if job.timeout is None:
                self._began(job, worker, at)
        own = self._attempts.own
        free = min(self._attempts.own_open(), own.slots) if hasattr(own, "running") else 0
        return len(running) >= free or self.history.closed is not None

    def _speak(self) -> None:
        self._speaking = False
        self.post(lambda: self._write(self._scribe.due(self._attempts.wants)))

    # ------------------------------------------------------------ what the owner does

    @staticmethod
    def _activity(state: CallState) -> Activity[..., Any]:
        assert state.activity is not None  # noqa: S101 - workflow code has asked for it
        return state.activity

    def _start(self, state: CallState) -> None:
        """Hand a ready call to its executor, or wait until its back-off is over."""
        opened = self._attempts.open
        if state.outcome is not None or state.id in opened or self._stop is not None:
            return
        if self._gone and state.deps and self._lacks(state):
            return
        settings = state.activity.settings  # type: ignore[union-attr] # code has asked for it
        if settings.special and self._special(state, settings):
            return
        if (self.history.cut_off or settings.once) and self._held_back(state):
            return
        if state.retry_at is not None:
            again = partial(self.post, partial(self._retry, state, state.attempt))
            clock.after(max(0.0, state.retry_at - clock.time()), again)
            return
        if len(opened) >= self._window and self._waits_here(state):
            self._held.append(state)
            return
        try:  # as `_hand_over` does: most calls come by here
            self._launch(state, self)
        except NbflowError as error:
            self._not_launched(state, error)

    def _waits_here(self, state: CallState) -> bool:
        """Whether a call would only queue where it runs."""
        attempts = self._attempts
        full = self._line is None and attempts.own_open() >= self._window
        return full and attempts.executor_of(self._activity(state)) is attempts.own

    def _release(self) -> bool:
        """Hand over calls that waited here, as far as there is room; give whether any was."""
        before = len(self._held)
        self._start_common(self._held, None)
        while self._held and (self._line is not None or self._attempts.own_open() < self._window):
            state = self._held.popleft()
            if state.outcome is None and state.id not in self._attempts.open:
                self._hand_over(state)
        return len(self._held) < before

    def _hand_over(self, state: CallState) -> None:
        try:
            self._launch(state, self)
        except NbflowError as error:
            self._not_launched(state, error)

    def _looks(self, state: CallState) -> bool:
        """Have a ready call looked up in the cache, unless that was done."""
        calls = self.history.giving
        return self._reuse.ask(state, {dep: calls[dep].outcome.result for dep in state.deps})  # type: ignore[union-attr]

    def _held_back(self, state: CallState) -> bool:
        """Keep a call from beginning that must not, or must not yet."""
        once = self._activity(state).settings.once
        error = verdict(state.id, self.history, once=once)
        if error is not None:
            failure, attempt = Failure.of(error), state.attempt + 1
            self._inbox.append(partial(self._failed, state, attempt, failure, None, final=True))
            return True
        if once and state.started is None:
            self._inbox.append(partial(self._announce, state))
            return True
        return False

    def _announce(self, state: CallState) -> None:
        """Write that a ``once=True`` call begins; it does so when that is on the disk."""
        if state.outcome is None and state.started is None:
            self._journal.sync = True
            self._emit(CallStarted(self._next(), clock.time(), state.id, state.attempt + 1, ""))
            self.history.ready.append(state)

    def _began(self, job: Job, worker: str, at: float) -> None:
        if not self._attempts.wants(job):
            return
        if clock.local is not None:
            at = clock.local(at)
        known = self.history.calls[job.call].started
        if known is None or known.attempt != job.attempt:
            self._emit(CallStarted(self._next(), at, job.call, job.attempt, worker))
        if job.timeout is not None:
            self._limit(job, at)

    def _ended(self, job: Job, answer: Answer) -> None:
        call = job.call
        if not self._attempts.take(job):
            return  # given up: nobody waits for it any more
        if self._texts:
            self._write(self._scribe.last(call))
        state = self.history.calls[call]
        report = answer.report
        if clock.local is not None:
            report = report._replace(started=clock.local(report.started))
        if answer.error is not None:
            if answer.lost:
                self._lost(state, answer.lost)
            else:
                self._failed(state, job.attempt, answer.error, report)
            return
        if answer.live is not None and not self._activity(state).settings.copy:
            state.live = answer.live
        journal, now = self._journal, clock.time
        journal.seq = seq = journal.seq + 1
        fields = (seq, now(), call, job.attempt, answer.result) + report  # noqa: RUF005 - a list less
        event = _new(CallSucceeded, fields)
        journal.batch.append(event)
        self.history.succeed(state, event)
        if self._keys:
            self._reuse.ended(event)

    def _failed(
        self,
        state: CallState,
        attempt: int,
        error: Failure,
        report: Report | None,
        *,
        abandoned: bool = False,
        final: bool = False,
        timeout: str = "",
    ) -> None:
        failed = Failed(state, attempt, error, report, abandoned, timeout, final)
        handler, activity = self.rules.on_task_failure, self._activity(state)
        found = sequel(failed, activity, handler, clock.time, self.store.put)
        self._emit(found.event._replace(seq=self._next()))
        if found.abort:
            self.abort(error, state.id)
        elif found.again:
            self.history.ready.append(state)  # `_start` sees that it is not due yet

    def _retry(self, state: CallState, attempt: int) -> None:
        if (
            state.outcome is None
            and state.attempt == attempt
            and state.id not in self._attempts.open
        ):
            state.retry_at = None
            self.history.ready.append(state)

    def _expired(self, job: Job) -> None:
        if self._attempts.wants(job):
            state = self.history.calls[job.call]
            self._timed_out(state, job.attempt, START_TO_CLOSE, job.timeout or 0.0)

    def _write(self, events: Iterable[CallWrote]) -> None:
        for event in events:
            self._emit(event._replace(seq=self._next()))

    def _timer(self, state: CallState, seconds: float) -> None:
        known = self.history.calls.setdefault(state.id, state)
        if known.outcome is not None:
            return
        if known.retry_at is None:
            due = clock.time() + seconds
            event = TimerStarted(self._next(), clock.time(), state.id, due, state.turn, state.after)
            self._emit(event)
        self._fire(known)

    def _fire(self, state: CallState) -> None:
        """Fire a timer that is due. Else look again: the wall clock may be set meanwhile."""
        if state.outcome is not None or state.retry_at is None:
            return
        left = state.retry_at - clock.time()
        if left <= 0:
            self._emit(TimerFired(seq=self._next(), at=clock.time(), timer=state.id))
            return
        fire = partial(self.post, partial(self._fire, state))
        # The machine's clock may be set meanwhile; one of a test is not.
        clock.after(left if clock.local else min(left, LOOK_AGAIN), fire)

    def _marked(self, state: CallState, event: MarkerRecorded | MarkerFailed) -> None:
        self.history.calls.setdefault(event.name, state)
        self._emit(event._replace(seq=self._next(), at=clock.time()))

    def _cancel_call(self, call: str, reason: str) -> None:
        state = self.history.calls.get(call)
        if state is None or state.outcome is not None:
            return
        if not state.name:
            if not call.startswith("signal"):  # those are waited for, and nothing is to be ended
                self._emit(TimerCancelled(self._next(), clock.time(), call, reason))
            return
        self._write(self._scribe.last(call))
        stopped = self._attempts.give_up(call)
        self._emit(CallCancelled(self._next(), clock.time(), call, reason, abandoned=not stopped))

    def _cancel_open(self, reason: str) -> None:
        """Give up all calls and timers that are not settled."""
        if len(self.history.settled) == len(self.history.calls):
            return
        self._attempts.drop_all()
        for call, state in list(self.history.calls.items()):
            if state.outcome is None:
                self._cancel_call(call, reason)
