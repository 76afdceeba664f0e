"""Runs workflow code against a history.

Live runs, resumed runs and deciders differ in a `Driver` only: what to do with a new call, and
what to do when a value is not there yet. Everything that decides what the code sees, and in which
order, is here, so it is the same everywhere.

The code sees the settling of calls one at a time, in the order of the log. `position` says how
far it has seen. Whatever could depend on timing (`wait`, `as_completed`, callbacks) looks no
further, so a replay takes the same path.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from nbflow.core.activity import Activity
from nbflow.core.call import SUCCESSES, CallState
from nbflow.core.describe import compare, error_of, same
from nbflow.core.edges import check_edge
from nbflow.core.errors import FutureMisuse
from nbflow.core.events import CallFailed, CallReused, CallSucceeded
from nbflow.core.future import Future, Gathered, call_id, current
from nbflow.core.history import History
from nbflow.core.payload import SCALARS, Fetch, Packed, Ref, Stored, is_plain, pack, unpack

T = TypeVar("T")

_AWAIT = (
    "a workflow can await the futures of its own calls. Put other awaiting (network, sleep) into "
    "an activity"
)


class Driver(Protocol):
    """What an interpreter needs from outside."""

    def ask(self, state: CallState) -> None:
        """Take a call that workflow code asks for; it may be known from the log already."""

    def timer(self, state: CallState, seconds: float) -> None:
        """Settle `state` after so many seconds."""

    def cancel(self, state: CallState, reason: str) -> None:
        """Give up a call or a timer."""

    def block(self, state: CallState | None, position: int) -> None:
        """Return once `state` is settled, or, with None, once more than `position` calls are."""

    def visible(self) -> int:
        """How many settled calls the code may see: those whose settling is in the log."""


class Interpreter:
    """One execution of a workflow's code.

    Args:
        history: What is known of the run; whoever owns the run keeps it up to date.
        driver: What to do with new calls, and how to wait.
        fetch: Gives the bytes of a blob.
        run: The run's id, for messages.
    """

    __slots__ = (
        "_asked",
        "_callbacks",
        "_counts",
        "_edges",
        "_read",
        "_turn",
        "driver",
        "fetch",
        "history",
        "position",
        "run",
    )

    def __init__(self, history: History, driver: Driver, fetch: Fetch, run: str = "") -> None:
        self.history = history
        self.driver = driver
        self.fetch = fetch
        self.run = run
        self.position = 0
        self._asked: list[CallState] = []
        self._counts: dict[str, int] = {}
        self._edges: set[tuple[Activity[..., Any], Activity[..., Any], int | str]] = set()
        self._callbacks: dict[CallState, list[Callable[[], object]]] = {}
        self._turn = 0
        self._read: dict[str, None] = {}

    # ------------------------------------------------------------------ running the code

    def execute(
        self, fn: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]
    ) -> Stored:
        """Run `fn` to its end and give its result, stored, every future in it resolved.

        Raises:
            BaseException: What the code raised, or what a call failed with that nobody looked at.
        """
        token = current.set(self)
        try:
            result = fn(*args, **kwargs)
            if inspect.iscoroutine(result):
                result = self._drive(result)
            stored = pack(result, "the workflow's result", self._result_ref)
            self._finish()
        finally:
            current.reset(token)
        return self._resolved(stored)

    def _drive(self, coroutine: Any) -> Any:
        """Run an ``async def`` workflow: each thing it awaits must be a Future of this run."""
        send, value = coroutine.send, None
        while True:
            try:
                awaited = send(value)
            except StopIteration as stop:
                return stop.value
            except RuntimeError as error:
                if "no running event loop" not in str(error):
                    raise
                raise FutureMisuse(_AWAIT) from error
            try:
                send, value = coroutine.send, self._awaited(awaited)
            except Exception as error:  # noqa: BLE001 - handed to the code that awaits
                send, value = coroutine.throw, error

    def _awaited(self, awaited: object) -> object:
        if isinstance(awaited, Future):
            return awaited.result()
        raise FutureMisuse(_AWAIT)

    def _result_ref(self, value: object) -> str | None:
        """Wait for each future in the workflow's result; the caller resolves them."""
        if isinstance(value, Gathered):
            for future in value.futures:
                self.value(future._state)  # noqa: SLF001 - the other half of Future
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
            assert isinstance(outcome, CallSucceeded | CallReused)  # noqa: S101 - just waited for
            return outcome.result
        if isinstance(stored, Packed) and self._counts:
            return pack(self.unpack(stored), "the workflow's result")
        return stored

    def _finish(self) -> None:
        """Wait for calls that nobody waited for. An error that nobody looked at fails the run."""
        for state in self._asked:
            if not 0 <= state.index < self.position:
                self._until(state)
        for state in self.history.settled:
            if type(state.outcome) is CallFailed and not state.seen and state.because is None:
                raise error_of(state)

    # ------------------------------------------------------------------ asking

    def call(
        self, activity: Activity[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[T]:
        """Ask for a call: the next one of that activity."""
        if kwargs or not activity.low <= len(args) <= activity.high:
            activity.check(args, kwargs)
        name = activity.name
        number = self._counts[name] = self._counts.get(name, 0) + 1
        call = f"{name}-{number}"
        stored: tuple[Stored, ...] = args
        named: dict[str, Stored] | None = None
        deps: tuple[str, ...] = ()
        for value in args:
            if not is_plain(value):
                stored, deps = self._packed(activity, args, call)
                break
        if kwargs:
            named, more = self._packed_by_name(activity, kwargs, call)
            deps += more
        after = self._new_turn() if self._read else ()
        asked = CallState(
            call, name, stored, named, deps, self._turn, after, activity.digest, activity
        )
        state = self.history.calls.get(call)
        if state is None:
            state = asked
        elif type(state.outcome) in SUCCESSES or same(state, asked):
            compare(self.run, state, asked)
            state.activity = activity
            asked = state
        self._asked.append(state)
        self.driver.ask(asked)
        return Future(state, self)

    def _packed(
        self, activity: Activity[..., Any], args: tuple[Any, ...], call: str
    ) -> tuple[tuple[Stored, ...], tuple[str, ...]]:
        """Give the stored form of positional arguments, and the calls they refer to."""
        deps: list[str] = []
        stored = [self._pack(value, activity, call, n, deps) for n, value in enumerate(args)]
        return tuple(stored), tuple(deps)

    def _packed_by_name(
        self, activity: Activity[..., Any], kwargs: dict[str, Any], call: str
    ) -> tuple[dict[str, Stored], tuple[str, ...]]:
        deps: list[str] = []
        return {k: self._pack(v, activity, call, k, deps) for k, v in kwargs.items()}, tuple(deps)

    def _check_edge(self, state: CallState, activity: Activity[..., Any], where: int | str) -> None:
        """Compare annotations along each kind of edge once."""
        source = state.activity
        if source is not None and (edge := (source, activity, where)) not in self._edges:
            self._edges.add(edge)
            check_edge(source, activity, where)

    def _new_turn(self) -> tuple[str, ...]:
        """Note that the code has read results since it last asked: control edges begin here."""
        self._turn += 1
        after, self._read = tuple(self._read), {}
        return after

    def _pack(
        self,
        value: Any,
        activity: Activity[..., Any],
        call: str,
        where: int | str,
        deps: list[str],
    ) -> Stored:
        kind = type(value)
        if kind is Future:
            if value._interpreter is not self:  # noqa: SLF001 - the other half of Future
                self._own(value)
            state = value._state  # noqa: SLF001
            self._check_edge(state, activity, where)
            deps.append(state.id)
            return Ref(state.id)
        if is_plain(value):
            return value  # type: ignore[no-any-return]
        if kind is Gathered:
            value = value.futures

        def ref(item: object) -> str | None:
            found = call_id(item)
            if found is not None:
                self._own(item)  # type: ignore[arg-type]
                deps.append(found)
            return found

        return pack(value, f"argument {where!r} of {call}", ref)

    def _own(self, future: Future[Any]) -> None:
        other = future._interpreter  # noqa: SLF001 - the other half of Future
        if other is not self:
            message = (
                f"the Future of {future.call} belongs to run {other.run}, not to {self.run}: "
                "hand its value over with run.result()"
            )
            raise FutureMisuse(message)

    # ------------------------------------------------------------------ seeing

    def value(self, state: CallState) -> Any:
        """Give the result of a call, waiting for it, or raise what it failed with."""
        self._until(state)
        self._mark(state)
        if state.failed:
            raise error_of(state)
        return self._result(state)

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
        timer = self._timer(timeout) if timeout else None
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
            self.driver.cancel(timer, "no longer waited for")
        self._read.update((f.call, None) for f in done)
        return done, [f for f in futures if f not in set(done)]

    def as_completed(self, futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
        """See `nbflow.as_completed`."""
        waiting = {f._state: f for f in futures}  # noqa: SLF001
        for state in sorted((s for s in waiting if self._seen(s)), key=lambda s: s.index):
            yield self._yielded(waiting.pop(state))
        while waiting:
            self._step()
            state = self.history.settled[self.position - 1]
            if state in waiting:
                yield self._yielded(waiting.pop(state))

    def _yielded(self, future: Future[T]) -> Future[T]:
        self._read[future.call] = None
        return future

    def _seen(self, state: CallState) -> bool:
        return 0 <= state.index < self.position

    def _until(self, state: CallState) -> None:
        """Wait until `state` is settled, and see all that was settled before it."""
        if current.get() is not self:
            self._outside(state)
            return
        driver = self.driver
        while not 0 <= state.index < driver.visible():
            driver.block(state, self.position)
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
        """See one more settled call, waiting for it."""
        while self.driver.visible() <= self.position:
            self.driver.block(None, self.position)
        state = self.history.settled[self.position]
        self.position += 1
        for fn in self._callbacks.pop(state, ()):
            fn()

    def _mark(self, state: CallState) -> None:
        self._read[state.id] = None
        state.seen = True
        if state.because is not None:
            state.because.seen = True

    def _timer(self, seconds: float) -> CallState:
        number = self._counts["timer"] = self._counts.get("timer", 0) + 1
        name = f"timer-{number}"
        state = self.history.calls.get(name) or CallState(name, "")
        self.driver.timer(state, seconds)
        return state

    def _result(self, state: CallState) -> Any:
        if state.live is not None:
            return state.live
        outcome = state.outcome
        assert isinstance(outcome, CallSucceeded | CallReused)  # noqa: S101 - `failed` was seen
        if type(outcome.result) in SCALARS:
            return outcome.result
        return self.unpack(outcome.result)
