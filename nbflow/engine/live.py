"""Drives one run in this process.

The run has one owner at a time (see `owner`). What an owner takes at once is a *turn*: the events
that follow are appended to the log in one transaction, and only then do their consequences leave
the owner - calls start, waiting code wakes up. So nothing that anyone was shown, or that any code
has built upon, can be missing from the log.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.child import WorkflowOptions
from nbflow.core.errors import InternalError, NbflowError, RunError
from nbflow.core.events import (
    CallSucceeded,
    MarkerFailed,
    RunContinued,
    RunResumed,
    SignalReceived,
    SignalSent,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.markers import Marker
from nbflow.core.options import PRIORITY_NOT_SET
from nbflow.core.payload import SCALARS, Packed, Ref, Stored
from nbflow.engine.attempts import Resolve
from nbflow.engine.cancelling import Cancelling
from nbflow.engine.clock import clock
from nbflow.engine.journal import Tail
from nbflow.engine.owner import TURN_ITEMS
from nbflow.store.base import Store
from nbflow.store.collector import easing
from nbflow.store.unbroken import Unbroken

_SMALL = SCALARS | {Ref}
"""What the one argument of most calls is."""
BY_HAND = "by hand"
"""The worker of a call whose result a person gave."""


class Live(Cancelling):
    """The owner's side of a run: its inbox, its history and its executors.

    It is the `Driver` of the run's interpreter and the `Inbox` of its executors. Its arguments
    are those of `Keeper`.
    """

    __slots__ = ("_bound", "_gate", "_halted", "_hungry", "_visible", "_want")

    def __init__(self, store: Store, run: str, history: History, resolve: Resolve) -> None:
        super().__init__(store, run, history, resolve)
        self._hungry = 2 * self._attempts.own.slots
        self._visible = len(history.settled)
        self._gate: SimpleQueue[None] = SimpleQueue()
        self._want: tuple[CallState | None, int] | None = None
        self._halted = self._listening = False
        self.deliver: Callable[[str, SignalReceived], None] = self._to_nobody
        self.fetch_mail: Callable[[], object] = _nothing
        self._bound = False
        self.rules = WorkflowOptions()
        self._outstanding: list[str] = []
        self._ranked: dict[int, Activity[..., Any]] = {}
        self.over = threading.Event()
        self.on_over: list[Callable[[], object]] = []

    # ------------------------------------------------------------ Driver: the workflow's thread

    def ask(self, state: CallState) -> None:
        """Take a call: written and started at once if a worker could begin it, else soon."""
        if self._stop is not None:
            raise self._stop
        if self._bound:
            self._obey(state)
        args = state.args
        if args and (len(args) > 1 or type(args[0]) not in _SMALL) and Packed in map(type, args):
            state.args = tuple([self._spilled(a) for a in args])
        if state.kwargs:
            state.kwargs = {k: self._spilled(a) for k, a in state.kwargs.items()}
        inbox = self._inbox
        inbox.append(state)
        if len(inbox) >= TURN_ITEMS or (not state.deps and len(self._attempts.open) < self._hungry):
            if not self._lock.locked():  # else whoever is the owner takes it
                self._soon(hurry=len(inbox) >= TURN_ITEMS or not self._likely(state))
        elif not self._flushing:
            self._soon(hurry=False)

    def _likely(self, state: CallState) -> bool:
        """Whether a call is likely to be answered by what is kept, and so begins nowhere."""
        return self._reuse.hits and state.activity.settings.cache  # type: ignore[union-attr] # code has asked for it

    def bind(self, rules: WorkflowOptions) -> None:
        """Have the run obey the options of its workflow."""
        self.rules = rules
        ranked = rules.task_priority is not PRIORITY_NOT_SET
        self._bound = ranked or rules.max_open_activity_count is not None

    def _obey(self, state: CallState) -> None:
        """Give a call the workflow's priority, and wait until there may be one more of them."""
        rules, activity = self.rules, state.activity
        if (
            rules.task_priority is not PRIORITY_NOT_SET
            and activity is not None
            and activity.settings.task_priority is PRIORITY_NOT_SET
        ):
            key = id(activity)
            if key not in self._ranked:
                self._ranked[key] = activity.options(task_priority=rules.task_priority)
                self._ranked[id(self._ranked[key])] = activity  # holds it, so ids stay apart
            state.activity = self._ranked[key]
        most = rules.max_open_activity_count
        if most is not None:
            while self._still_open() >= most:
                if self._nudged:
                    break  # the code hears of the cancel where it waits itself
                self.block(None, self._visible)
            self._outstanding.append(state.id)

    def _still_open(self) -> int:
        calls = self.history.calls
        self._outstanding = [
            call for call in self._outstanding if call not in calls or calls[call].index < 0
        ]
        return len(self._outstanding)

    def timer(self, state: CallState, seconds: float) -> None:
        """Settle `state` after so many seconds."""
        self.post(partial(self._timer, state, seconds))

    def mark(self, state: CallState, marker: Marker) -> None:
        """Make a marker's value here, in the workflow's thread, and have it written."""
        if self._stop is not None:
            raise self._stop
        self.post(partial(self._marked, state, marker.event(put=self.store.put)))

    def expect(self, state: CallState) -> None:  # noqa: ARG002 - whichever it is
        """Look for signals that other processes have sent, from now on."""
        if not self._listening:
            self._listening = True
            self.fetch_mail()

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:
        """Send a signal from here, in the workflow's thread, and have it written."""
        if self._stop is not None:
            raise self._stop
        outcome: SignalSent | MarkerFailed = event
        try:
            self.deliver(event.to, told._replace(result=self._spilled(told.result)))
        except NbflowError as error:
            of, failure = f"signal {event.signal}", Failure.of(error)
            outcome = MarkerFailed(0, 0.0, event.name, failure, of, event.turn, event.after)
        self.post(partial(self._sent, state, outcome))

    def cancel(self, state: CallState, reason: str) -> None:
        """Give up a call or a timer."""
        self.post(partial(self._cancel_call, state.id, reason))

    def block(self, state: CallState | None, position: int) -> None:
        """Wait for `state`, or for anything past `position`; work meanwhile if calls are inline.

        It returns before that, once, if the run is to be cancelled.
        """
        self._want = (state, position)
        self._drain()
        while self._stop is None and not self._satisfied(state, position) and not self._nudged:
            inline = self._attempts.inline
            if inline is not None and inline.work():
                continue
            self._gate.get()
        self._want = None
        if self._stop is not None:
            raise self._stop

    def take_in(self) -> None:
        """Wait until the owner has taken what was asked for so far."""
        taken = threading.Event()
        self._inbox.append(taken.set)
        while not taken.is_set() and self._stop is None:
            self._drain()
            with Unbroken(self._lock):
                pass  # whoever is the owner ends its turn

    def _to_nobody(self, run: str, told: SignalReceived) -> None:
        if run == self.run:
            self.signalled(told)
            return
        message = f"signal {told.name} cannot be sent to {run}: no store knows that run"
        raise RunError(message)

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

    def go_on(self, event: RunContinued) -> None:
        """Write that the run ends here and goes on in another, and return once that is done."""
        self.post(partial(self._go_on, event))
        self.over.wait()

    # ------------------------------------------------------------ anybody's thread

    def surround(self, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Have something done around each attempt; to be called before the run begins."""
        self._attempts.around = around

    def cancel_call(self, call: str, reason: str) -> None:
        """Give up one call; what depends on it is skipped."""
        self.post(partial(self._cancel_call, call, reason))

    def resumed(self, event: RunResumed, given: dict[str, Stored]) -> None:
        """Write that the run is driven again, before anything else.

        Args:
            event: What is written; its number and time are set here.
            given: Results that somebody knows of calls that have none.

        Raises:
            StoreError: It could not be written: perhaps somebody else drives the run.
        """
        now = clock.time()
        self._reuse.bypass = frozenset(event.allowed)
        with Unbroken(self._lock):
            self._emit(event._replace(seq=self._next(), at=now))
            for call, result in given.items():
                attempt = max(1, self.history.calls[call].attempt)
                self._emit(CallSucceeded(self._next(), now, call, attempt, result, BY_HAND, now))
            self._pass_on_again()
            self._publish()
        if self._stop is not None:
            raise self._stop

    # ------------------------------------------------------------ the owner

    def _take(self, inbox: deque[Any], most: int) -> int:
        # What comes in meanwhile is for the next turn: its time is not yet that of this one.
        history, answered, now = self.history, False, clock.time()
        gained, asked = self._gained, self._asked
        many = min(len(inbox), most)
        for _ in range(many):
            if not inbox:
                break  # the run was stopped meanwhile
            item = inbox.popleft()
            if history.closed is not None or self._halted:
                continue  # a late answer of a run that is over
            kind = type(item)
            if kind is tuple:
                job, found = item
                if type(found) is tuple:
                    gained(job, found, now)
                else:
                    self._ended(job, found)
                    now = clock.time()  # what settles after it did not settle before it
                answered = True
            elif kind is CallState:
                asked(item, now)
            else:
                item()
                now = clock.time()
        if answered and not self._restless:
            self._stir()  # another attempt may begin in its place
        return most - many

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
        if self._reuse.fresh:
            self._reuse.keep()
        self._visible = len(self.history.settled)
        if self._letters:
            self._post_letters()
        if self.history.ready or self._held or self._line is not None:
            self._set_out()
        if self._calling:
            self._calling, self._nudged = False, True
        if self._want is not None:
            state, position = self._want
            if self._satisfied(state, position) or self._nudged or self._stop is not None:
                self._want = None
                self._gate.put(None)
        if self.history.closed is not None:
            self._tell_over()

    def _set_out(self) -> None:
        """Start what is ready, as far as there is room for it."""
        ready = self.history.ready
        begun = bool(ready)
        while ready:
            if len(ready) > 1 and not ready[0].activity.settings.special:  # type: ignore[union-attr] # code has asked for it
                self._start_common(ready, self._held)
            if ready:
                self._start(ready.popleft())
        if self._held:
            begun |= self._release()
        if self._line is not None:
            begun |= self._line.pump()
        if not begun:
            return
        if found := self._reuse.answers():
            self._inbox.append(partial(self._looked_up, found))
        if not self._restless:
            self._stir()
        if self._attempts.inline is not None:
            self._gate.put(None)  # the workflow's thread is the one to run them

    def watch(self, tail: Tail) -> None:
        """Give the events that are written from now on to `tail` as well."""
        self._journal.watch(tail)

    @property
    def stopped(self) -> BaseException | None:
        """Why the run is no longer driven, or None."""
        return self._stop

    def halt(self, error: BaseException) -> None:
        """Stop driving the run, leaving it as its log has it."""
        with Unbroken(self._lock):
            if not self._halted:
                self._halt(error)

    def _halt(self, error: BaseException) -> None:
        self._halted = True
        self._stop = error
        self._inbox.clear()
        self._attempts.give_up_all()
        self.history.ready.clear()
        self._held.clear()
        self._want = None
        self._gate.put(None)
        self._tell_over()

    def _tell_over(self) -> None:
        if not self.over.is_set():
            easing.let_go(self)
            self.over.set()
            for fn in self.on_over:
                fn()

    @property
    def left(self) -> bool:
        """Whether the run is driven here no more though it is not over."""
        return self._halted

    def _go_on(self, event: RunContinued) -> None:
        if self._stop is None and not self._cancelled:
            self._cancel_open("the run goes on as new")
            self._emit(event._replace(seq=self._next(), at=clock.time()))
        self._close("continued")


def _nothing() -> None:
    """Look nowhere."""
