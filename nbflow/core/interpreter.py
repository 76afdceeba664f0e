"""Runs workflow code against a history.

Live runs, resumed runs and deciders differ in a `Driver` only: what to do with a new call, and
what to do when a value is not there yet. Everything that decides what the code sees, and in which
order, is here, so it is the same everywhere.

The code sees the settling of calls one at a time, in the order of the log. `position` says how
far it has seen. Whatever could depend on timing (`wait`, `as_completed`, callbacks) looks no
further, so a replay takes the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from nbflow.core.activity import Activity
from nbflow.core.asking import Asking
from nbflow.core.awaiting import Awaiting
from nbflow.core.call import CallState
from nbflow.core.describe import error_of
from nbflow.core.driver import Driver
from nbflow.core.errors import FutureMisuse, Suspended
from nbflow.core.events import (
    CallFailed,
    CallReused,
    CallSucceeded,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
)
from nbflow.core.future import Future, Gathered, current
from nbflow.core.held import Held
from nbflow.core.history import History
from nbflow.core.hooks import NO_HOOKS
from nbflow.core.language import Language
from nbflow.core.markers import Marking
from nbflow.core.payload import SCALARS, Fetch, Packed, Put, Ref, Stored, pack, unpack
from nbflow.core.recall import Recall
from nbflow.core.stopping import Stopping

if TYPE_CHECKING:
    from random import Random

    from nbflow.core.errors import Cancelled
    from nbflow.core.eventloop import LogLoop
    from nbflow.core.hooks import Hooks

T = TypeVar("T")

_GIVING = (
    CallSucceeded,
    CallReused,
    CallFailed,
    SignalReceived,
    SignalSent,
    TimerFired,
    TimerCancelled,
)
"""The outcomes that have a result; of a failure that is ignored, None."""
_RESULTS = _GIVING[:2]


class Interpreter(Marking, Language, Asking, Awaiting, Stopping):
    """One execution of a workflow's code.

    Args:
        history: What is known of the run; whoever owns the run keeps it up to date.
        driver: What to do with new calls, and how to wait.
        fetch: Gives the bytes of a blob.
        run: The run's id, for messages.
        strict: Whether all that the code asks for has to be as it was recorded.
        put: Keeps large arguments of calls; without it they are held in full.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_callbacks",
        "_counts",
        "_edges",
        "_ids",
        "_noted",
        "_patches",
        "_randoms",
        "_read",
        "_turn",
        "cancelled",
        "driver",
        "fetch",
        "group",
        "history",
        "hooks",
        "limit",
        "loop",
        "position",
        "put",
        "recall",
        "run",
    )

    def __init__(
        self,
        history: History,
        driver: Driver,
        fetch: Fetch,
        run: str = "",
        *,
        strict: bool = False,
        put: Put | None = None,
    ) -> None:
        self.history = history
        self.recall = Recall(history, driver, run, strict=strict)
        self.driver = driver
        self.fetch = fetch
        self.run = run
        self.position = 0
        self.put = put
        self._asked: list[CallState] = []
        self._counts: dict[str, int] = {}
        self._edges: set[tuple[Activity[..., Any], Activity[..., Any], int | str]] = set()
        self._callbacks: dict[CallState, list[Callable[[], object]]] = {}
        self._turn = 0
        self._read: dict[str, None] = {}
        self._randoms: dict[tuple[str, str], Random] = {}
        self._patches: dict[str, bool] = {}
        self._ids: dict[str, Future[Any]] = {}
        self._noted: dict[tuple[str, str], Stored] = {}
        self.limit: int | None = None
        self.group = ""
        self.loop: LogLoop | None = None
        self.hooks: Hooks = NO_HOOKS
        self.cancelled: Cancelled | None = None
        self._answered = 0

    # ------------------------------------------------------------------ running the code

    def execute(
        self, fn: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]
    ) -> Stored:
        """Run `fn` to its end and give its result, stored, every future in it resolved.

        Raises:
            BaseException: What the code raised, or what a call failed with that nobody looked at.
        """
        self.recall.begin(getattr(fn, "of", fn), self.fetch)
        token = current.set(self)
        try:
            stored = self._stored(fn, args, kwargs)
        except Exception as error:
            if self.recall.error is not None:
                raise self.recall.error from (error if error is not self.recall.error else None)
            raise
        finally:
            current.reset(token)
        return self._resolved(stored)

    def _stored(
        self, fn: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]
    ) -> Stored:
        """Run the code, and what it does on a cancel."""
        try:
            result = self.awaited(fn(*args, **kwargs))
            stored = pack(result, "the workflow's result", self._result_ref)
            self._finish()
        except BaseException as error:
            if isinstance(self.driver.stopped, Suspended):
                raise self.driver.stopped from None
            if self.cancelled is None or not self.over(error):
                raise
            self.clean_up(error)
        if self.driver.stopped is not None:
            raise self.driver.stopped  # the code has caught it, and gone on
        if self.cancelled is not None:
            self.clean_up(None)
        return stored

    def _result_ref(self, value: object) -> str | None:
        """Wait for each future in the workflow's result; the caller resolves them."""
        if isinstance(value, Gathered):
            value.result()
            return None
        if isinstance(value, Future):
            self._own(value)
            self.value(value._state)  # noqa: SLF001
            return value.call
        return None

    def _resolved(self, stored: Stored) -> Stored:
        """Replace references in the workflow's result by what they stand for."""
        if isinstance(stored, Ref):
            outcome = self.history.calls[stored.call].outcome
            assert isinstance(outcome, _GIVING)  # noqa: S101 - just waited for
            if type(outcome.result) is Held:
                return pack(self._result(self.history.calls[stored.call]), "the workflow's result")
            return outcome.result
        if isinstance(stored, Packed) and self._counts:
            return pack(self.unpack(stored), "the workflow's result")
        return stored

    def _finish(self) -> None:
        """Wait for calls that nobody waited for. An error that nobody looked at fails the run."""
        self.recall.end()
        self._settle_all()
        for state in self.history.settled:
            outcome = state.outcome
            if type(outcome) is not CallFailed or state.seen or state.because is not None:
                continue
            if not outcome.ignored:
                raise error_of(state)

    def _settle_all(self) -> None:
        for state in self._asked:
            if not 0 <= state.index < self.position:
                self._until(state)

    def afresh(self) -> None:
        """Have the code executed again from its start, which then sees at once what it had seen."""
        self.driver.take_in()  # else what is asked for again might not be known for the same yet
        kept: list[dict[Any, Any]] = [self._counts, self._callbacks, self._ids, self._read]
        for books in (*kept, self._randoms, self._patches, self._noted):
            books.clear()
        self._asked.clear()
        self._turn = 0
        self.group = ""

    # ------------------------------------------------------------------ seeing

    def value(self, state: CallState) -> Any:
        """Give the result of a call, waiting for it, or raise what it failed with."""
        self._until(state)
        outcome = state.outcome
        if (type(outcome) is CallSucceeded or type(outcome) is CallReused) and state.live is None:
            result = outcome.result
            if type(result) in SCALARS:  # most of all: the rest is for what is not so simple
                self._read[state.id] = None
                state.seen = True
                return result
        self._mark(state)
        if state.failed and not state.ignored:
            raise error_of(state)
        return self._result(state)

    def values(self, futures: Iterable[Future[T]]) -> list[T]:
        """Give the results of several to the code that runs here, or raise the first error."""
        found: list[T] = []
        read, at_hand = self._read, 0
        for future in futures:
            if type(future) is Future and future._interpreter is self:  # noqa: SLF001
                state = future._state  # noqa: SLF001 - the other half of Future
                index, outcome = state.index, state.outcome
                if -1 < index < at_hand and isinstance(outcome, _RESULTS):
                    result: Any = outcome.result
                    if type(result) in SCALARS:  # as in `value`: one that is live is none
                        if index >= self.position:
                            self.position = index + 1
                        read[state.id] = None
                        state.seen = True
                        found.append(result)
                        continue
            found.append(future.result())
            read, at_hand = self._read, self._at_hand()
        return found

    def _at_hand(self) -> int:
        """Give how many of the settled calls the code may look at without anything else to do.

        First how many there are, then whether the run is to be cancelled: a request that comes
        later is heard by code that looks at calls which were settled later.
        """
        many = self.driver.visible()
        return 0 if self._callbacks or self.history.cancelling is not None else many

    def exception(self, state: CallState) -> BaseException | None:
        """Give what a call failed with, waiting for it, or None."""
        self._until(state)
        self._mark(state)
        return error_of(state) if state.failed else None

    def on_settled(self, state: CallState, fn: Callable[[], object]) -> None:
        """Call `fn` once the code has seen that `state` is settled."""
        if 0 <= state.index < self.position:
            fn()
        else:
            self._callbacks.setdefault(state, []).append(fn)

    def unpack(self, stored: Stored) -> Any:
        """Give the value of something stored, references to settled calls included."""
        return unpack(stored, lambda call: self._result(self.history.calls[call]), self.fetch)

    def wait(
        self, futures: Sequence[Future[Any]], return_when: str, timeout: float | None
    ) -> tuple[list[Future[Any]], list[Future[Any]]]:
        """See `nbflow.wait`."""
        timer = self.timer(timeout, "") if timeout else None
        while True:
            done = [f for f in futures if self._seen(f._state)]  # noqa: SLF001
            enough = len(done) == len(futures)
            if return_when != "ALL_COMPLETED":
                enough = enough or any(
                    return_when == "FIRST_COMPLETED" or f._state.failed  # noqa: SLF001
                    for f in done
                )
            if enough or timeout == 0 or (timer is not None and self._seen(timer)):
                break
            self._step()
        if timer is not None and timer.outcome is None:
            self.recall.give_up(timer, "")
        self._read.update((f.call, None) for f in done if f._state.name)  # noqa: SLF001
        found = set(done)
        return done, [f for f in futures if f not in found]

    def as_completed(self, futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
        """See `nbflow.as_completed`."""
        waiting = {f._state: f for f in futures}  # noqa: SLF001
        seen = 0  # the code may wait for others between two of these
        while waiting:
            if seen == self.position:
                self._step()
            while seen < self.position:
                state = self.history.settled[seen]
                seen += 1
                if state in waiting:
                    yield self._yielded(waiting.pop(state))

    def _yielded(self, future: Future[T]) -> Future[T]:
        if future._state.name:  # noqa: SLF001 - the other half of Future
            self._read[future.call] = None
        return future

    def _seen(self, state: CallState) -> bool:
        return 0 <= state.index < self.position

    def _until(self, state: CallState) -> None:
        """Wait until `state` is settled, and see all that was settled before it."""
        if current.get() is not self:
            self._outside(state)
            return
        visible, history = self.driver.visible, self.history
        if not self._callbacks and history.cancelling is None and 0 <= state.index < visible():
            if state.index >= self.position:
                self.position = state.index + 1
            return
        while not 0 <= state.index < visible() or (
            history.cancelling is not None and self.untold(state.index)
        ):
            if self._callbacks:
                self._step()  # what others lead to may be what is waited for
            else:
                self._block(state)
        if not self._callbacks:
            self.position = max(self.position, state.index + 1)
            return
        while self.position <= state.index:
            self._step()

    def _outside(self, state: CallState) -> None:
        if not 0 <= state.index < self.driver.visible():
            message = (
                f"{state.id} is not settled, and only the workflow that asked for it can wait for "
                f"it: use run.result() to wait for run {self.run}"
            )
            raise FutureMisuse(message)

    def _step(self) -> None:
        """See one more settled call, waiting for it; or hear that the run is to be cancelled."""
        history = self.history
        while self.driver.visible() <= self.position or (
            history.cancelling is not None and self.untold(self.position)
        ):
            if self._block(None):
                return
        state = history.settled[self.position]
        self.position += 1
        for fn in self._callbacks.pop(state, ()):
            fn()

    def _mark(self, state: CallState) -> None:
        if state.name:  # a signal or a timer is no node that an edge could come from
            self._read[state.id] = None
        state.seen = True
        if state.because is not None:
            state.because.seen = True

    def _result(self, state: CallState) -> Any:
        if state.live is not None:
            return state.live
        outcome = state.outcome
        assert isinstance(outcome, _GIVING)  # noqa: S101 - `failed` was seen
        result = outcome.result
        if type(result) in SCALARS:
            return result
        if type(result) is Held and not result.there:
            return self._restored(state)
        return self.unpack(result)

    def _restored(self, state: CallState) -> Any:
        """Give a result that was in memory only, and is computed again for that."""
        repeat = self.driver.restore(state)
        repeat.seen = True
        if repeat.failed and not repeat.ignored:
            raise error_of(repeat)
        return self._result(repeat)
