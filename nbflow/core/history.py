"""The fold of a run's events: what has been asked for, what is settled, what can start.

One piece of code for every kind of run. A live run, a replay and a decider for a service all
learn of readiness, retries and failed dependencies here and nowhere else. It is incremental:
an event costs the calls that it touches, never a scan over the run.
"""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Iterable, Mapping
from typing import Any, Self

from nbflow.core import happenings
from nbflow.core.call import SUCCESSES, CallState, Outcome
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallRepeated,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CancelRefused,
    CancelRequested,
    ChildStarted,
    Event,
    MarkerFailed,
    MarkerRecorded,
    RunClosed,
    RunContinued,
    RunResumed,
    RunStarted,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.resumption import take_back


class History:
    """What a run's events amount to so far.

    Attributes:
        calls: Every call, timer and marker by id, in the order of the log.
        settled: Those that are settled, in the order in which the log settled them.
        ready: Calls that can start now: every dependency has succeeded, and workflow code has
            asked for them. Whoever starts them takes them from here.
        started: The event that created the run.
        closed: The event that ended it.
        cancelling: The request to cancel it, unless the code has refused that.
        cancel_at: How many calls were settled when that came.
        last: The seq of the last event applied.
        cut_off: How often each call was running when the process that drove the run was lost.
        suspects: The calls that were open when the run was last resumed: one of them may have
            killed the process before.
        tried: The calls that had begun and came to no result before the run was resumed.
        groups: What was read before each turn of the workflow (`CallScheduled.turn`).
        recorded: The event of a log that says that workflow code asked for a call, a timer or a
            marker, by its id. Not of those that were asked for since.
        forgot: The first outcome that workflow code may have seen and that was taken back when
            the run was resumed: what it asked for later may depend on that. 0 if there is none.
        lapsed: The latest resumption that took such an outcome back; 0 if there is none.
        children: The run that a call is, of those that are runs of their own.
        renewed: The calls among them that are to be new runs, from the start.
        signals: How many signals of each name were received.
        told: The ids of signals that were received.
        again: The call that computes the result of another one again, since that was in memory
            only, by the id of that one: those of this resumption.
        repeats: The ids of all calls that do so or did, with the ids of those others.
        continued: Where the run goes on.
    """

    __slots__ = (
        "again",
        "calls",
        "cancel_at",
        "cancelling",
        "children",
        "closed",
        "continued",
        "cut_off",
        "forgot",
        "groups",
        "lapsed",
        "last",
        "ready",
        "recorded",
        "renewed",
        "repeats",
        "resumed",
        "settled",
        "signals",
        "started",
        "suspects",
        "told",
        "tried",
    )

    def __init__(self) -> None:
        self.calls: dict[str, CallState] = {}
        self.settled: list[CallState] = []
        self.ready: deque[CallState] = deque()
        self.started: RunStarted | None = None
        self.resumed = 0
        self.closed: RunClosed | None = None
        self.cancelling: CancelRequested | None = None
        self.cancel_at = 0
        self.last = 0
        self.cut_off: dict[str, int] = {}
        self.tried: set[str] = set()
        self.suspects: set[str] = set()
        self.groups: dict[int, tuple[str, ...]] = {}
        self.recorded: dict[str, int] = {}
        self.forgot = self.lapsed = 0
        self.children: dict[str, str] = {}
        self.renewed: set[str] = set()
        self.signals: dict[str, int] = {}
        self.told: set[str] = set()
        self.again: dict[str, CallState] = {}
        self.repeats: dict[str, str] = {}
        self.continued: RunContinued | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Fold a whole log."""
        self = cls()
        for event in events:
            self.apply(event)
        return self

    def begin_anew(self, events: Iterable[Event]) -> None:
        """Forget all but the code of calls, and fold this log."""
        old, fresh = self.calls, History.of(events)
        for call, state in fresh.calls.items():
            if call in old:
                state.activity = old[call].activity
        for name in History.__slots__:
            setattr(self, name, getattr(fresh, name))

    @property
    def status(self) -> str:
        """One of ``running completed failed cancelled continued``."""
        return self.closed.status if self.closed else "running"

    def apply(self, event: Event) -> None:
        """Learn one more event.

        Raises:
            StoreUnusable: It is of a call that the log has not asked for before.
        """
        self.last = event.seq
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            try:
                handler(self, event)
            except KeyError as error:
                raise happenings.unknown(event, error) from error

    def admit(self, asked: CallState) -> CallState:
        """Take in a call that workflow code asks for.

        Gives its state: the log's own where it is known from there. One that is known, is not
        settled and was asked for differently then is replaced, so that it will be recorded anew.
        """
        state = self.calls.get(asked.id)
        if state is None:
            state = self.calls[asked.id] = asked
            if state.deps:
                self.connect(state)
        elif state is not asked:
            self._replace(state, asked)
        if not state.missing and state.outcome is None:
            self.ready.append(state)
        return state

    def record(self, state: CallState, seq: int, at: float) -> CallScheduled:
        """Give the event that an admitted call is recorded by, having applied it.

        The same as `apply` for that event, for callers that have the state at hand already.
        """
        self.last = seq
        state.recorded = True
        if state.after:
            self.groups[state.turn] = state.after
        return state.event(seq, at)

    def enter(self, asked: CallState, seq: int, at: float) -> CallScheduled | None:
        """Admit a call, and record it unless the log has it: `admit` and `record` in one.

        Gives the event, or None. Two calls of Python less for each call of a run.
        """
        calls = self.calls
        if asked.id in calls:
            state = self.admit(asked)
            return None if state.recorded else self.record(state, seq, at)
        calls[asked.id] = asked
        if asked.deps:
            self.connect(asked)
        if not asked.missing and asked.outcome is None:
            self.ready.append(asked)
        self.last = seq
        asked.recorded = True
        if asked.after:
            self.groups[asked.turn] = asked.after
        return asked.event(seq, at)

    def succeed(self, state: CallState, event: CallSucceeded | CallReused | SignalReceived) -> None:
        """Apply the event of a call whose state is at hand."""
        self.last = event[0]  # its seq, at half the cost
        state.attempt = event.attempt
        state.outcome = event  # as `settle` does: most calls end here
        state.retry_at = None
        settled = self.settled
        state.index = len(settled)
        settled.append(state)
        dependents = state.dependents
        if dependents is not None:
            for other in dependents:
                other.missing -= 1
                if not other.missing and other.activity is not None and other.outcome is None:
                    self.ready.append(other)
            state.dependents = None

    def _replace(self, state: CallState, asked: CallState) -> None:
        for dep in dict.fromkeys(state.deps):
            dependents = self.calls[dep].dependents
            if dependents and state in dependents:
                dependents.remove(state)
        for name in ("name", "args", "kwargs", "deps", "turn", "after", "code", "activity"):
            setattr(state, name, getattr(asked, name))
        state.missing = state.attempt = 0
        state.retry_at = None
        state.recorded = False
        self.connect(state)

    # ------------------------------------------------------------------ one method an event

    def _run_started(self, event: RunStarted) -> None:
        self.started = event

    def _run_resumed(self, event: RunResumed) -> None:
        take_back(self, event)

    def _scheduled(self, event: CallScheduled) -> None:
        state = self.calls.get(event.call)
        self.recorded[event.call] = event.seq
        if state is None:
            if event.call in event.deps:
                raise KeyError(event.call)
            state = self.calls[event.call] = CallState.of(event)
            state.recorded = True
            self.connect(state)
        else:
            if state.recorded:
                self._replace(state, CallState.of(event))
            state.recorded = True
        if event.after:
            self.groups[event.turn] = event.after

    def connect(self, state: CallState) -> None:
        """Count what it waits for; a dependency that has failed settles it at once.

        Of several, the one that failed first: so it is the same whether they failed before or
        after it was asked for.
        """
        failed: CallState | None = None
        deps = state.deps
        few = len(deps) == 1 or (len(deps) == 2 and deps[0] != deps[1])  # noqa: PLR2004
        for dep in deps if few else dict.fromkeys(deps):
            other = self.calls[dep]
            if self.again:
                other = self.again.get(dep, other)
            outcome = other.outcome
            if outcome is not None:
                if type(outcome) in SUCCESSES or other.ignored:
                    continue
                if failed is None or other.index < failed.index:
                    failed = other
            state.missing += 1
            if other.dependents is None:
                other.dependents = [state]
            else:
                other.dependents.append(state)
        if failed is not None:
            self._skip(state, failed)

    def _started(self, event: CallStarted) -> None:
        state = self.calls[event.call]
        state.started = event
        state.attempt = event.attempt
        state.retry_at = None

    def _succeeded(self, event: CallSucceeded | CallReused) -> None:
        self.succeed(self.calls[event.call], event)

    def _failed(self, event: CallFailed) -> None:
        state = self.calls[event.call]
        state.attempt = event.attempt
        state.started = None
        if event.retry_at is not None:
            state.retry_at = event.retry_at
            return
        self.settle(state, event)
        if event.ignored:
            self._release(state)
        else:
            self._skip_dependents(state)
            if state.id in self.repeats:
                self._skip_needing(state)

    def _skip_needing(self, state: CallState) -> None:
        """Settle the open calls that need what a call has failed to compute again."""
        call = self.repeats[state.id]
        for other in self.calls.values():
            if other.outcome is None and call in other.deps:
                self._skip(other, state)
                self._skip_dependents(other)

    def _repeated(self, event: CallRepeated) -> None:
        self.again[event.call] = self.calls[event.by]
        self.repeats[event.by] = event.call

    def await_again(self, state: CallState) -> None:
        """Have an open call wait for those that compute again what it takes."""
        state.missing = 0
        self.connect(state)
        if state.outcome is not None:
            self._skip_dependents(state)

    @property
    def giving(self) -> Mapping[str, CallState]:
        """The calls by id as far as their results go: one computed again is that of the repeat."""
        return ChainMap(self.again, self.calls) if self.again else self.calls

    def _release(self, state: CallState) -> None:
        """Let those go on that take the result of a call that failed and is ignored: None."""
        for other in state.dependents or ():
            other.missing -= 1
            if not other.missing and other.activity is not None and other.outcome is None:
                self.ready.append(other)
        state.dependents = None

    def _cancelled(self, event: CallCancelled) -> None:
        state = self.calls[event.call]
        self.settle(state, event)
        self._skip_dependents(state)

    def settle(self, state: CallState, outcome: Outcome) -> None:
        """Take in what settled a call, a timer or a marker."""
        state.outcome = outcome
        state.retry_at = None
        state.index = len(self.settled)
        self.settled.append(state)

    def _skip(self, state: CallState, because: CallState) -> None:
        state.because = because.because or because
        assert because.outcome is not None  # noqa: S101 - only settled calls make others skip
        self.settle(state, because.outcome)

    def _skip_dependents(self, failed: CallState) -> None:
        """Settle all that lies behind a failure, once each, without recursion."""
        todo = [failed]
        while todo:
            state = todo.pop()
            for other in state.dependents or ():
                if other.outcome is None:
                    self._skip(other, state)
                    todo.append(other)


_HANDLERS: dict[type[Event], Any] = {
    RunStarted: History._run_started,  # noqa: SLF001 - the class's own table
    RunResumed: History._run_resumed,  # noqa: SLF001
    CallScheduled: History._scheduled,  # noqa: SLF001
    CallStarted: History._started,  # noqa: SLF001
    CallSucceeded: History._succeeded,  # noqa: SLF001
    CallReused: History._succeeded,  # noqa: SLF001
    CallFailed: History._failed,  # noqa: SLF001
    CallCancelled: History._cancelled,  # noqa: SLF001
    TimerStarted: happenings.timer_started,
    TimerFired: happenings.timer_ended,
    TimerCancelled: happenings.timer_ended,
    MarkerRecorded: happenings.marked,
    MarkerFailed: happenings.marked,
    CallRepeated: History._repeated,  # noqa: SLF001
    ChildStarted: happenings.child_started,
    SignalReceived: happenings.signal_received,
    SignalSent: happenings.signal_sent,
    RunContinued: happenings.continued,
    CancelRequested: happenings.cancel_requested,
    CancelRefused: happenings.cancel_refused,
    RunClosed: happenings.closed,
}
