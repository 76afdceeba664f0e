"""The part of the interpreter behind what workflows say besides calls: groups and their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nbflow.core.call import CallState
from nbflow.core.errors import Continued, DefinitionError, FutureMisuse, RunError
from nbflow.core.events import MarkerRecorded, SignalReceived, SignalSent
from nbflow.core.future import Future, leaves
from nbflow.core.happenings import signal_id
from nbflow.core.payload import pack
from nbflow.core.telling import PARENT

if TYPE_CHECKING:
    from nbflow.core.driver import Driver
    from nbflow.core.history import History
    from nbflow.core.interpreter import Interpreter
    from nbflow.core.payload import Stored
    from nbflow.core.recall import Recall


class Language:
    """What an interpreter does for groups, timers, signals and child workflows.

    Attributes:
        group: See `CallScheduled.group`: of what is asked for now.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        group: str
        run: str
        limit: int | None
        position: int
        history: History
        driver: Driver
        recall: Recall
        _counts: dict[str, int]
        _read: dict[str, None]

        def _step(self) -> None: ...
        def timer(self, seconds: float, text: str) -> CallState: ...  # noqa: D102
        def unpack(self, stored: Stored) -> Any: ...  # noqa: D102
        def standing(self) -> tuple[int, tuple[str, ...]]: ...  # noqa: D102

    def _code(self) -> Interpreter:
        return cast("Interpreter", self)

    # ------------------------------------------------------------ signals

    def latest_signal(self, name: str) -> Future[Any]:
        """Give the latest signal that the code may see, else the first one to come."""
        return self._signal(name, max(1, self._signals_seen(name)))

    def next_signal(self, name: str) -> Future[Any]:
        """Take the next signal."""
        return self._signal(name, self.number(f"took:{name}"))

    def unread_signals(self, name: str) -> list[Any]:
        """Give the values of signals that the code may see and has not taken."""
        first = self._counts.get(f"took:{name}", 0) + 1
        numbers = range(first, self._signals_seen(name) + 1)
        return [self._signal(name, number).result() for number in numbers]

    def _signals_seen(self, name: str) -> int:
        """Count the signals of a name up to where the code is in its log."""
        key, calls = f"seen:{name}", self.history.calls
        found = self._counts.get(key, 0)
        while (state := calls.get(signal_id(name, found + 1))) is not None and (
            0 <= state.index < self.position
        ):
            found += 1
        self._counts[key] = found
        return found

    def _signal(self, name: str, number: int) -> Future[Any]:
        id_ = signal_id(name, number)
        # The run's owner may take it in just now: whoever is first makes the state.
        state = self.history.calls.setdefault(id_, CallState(id_, ""))
        if state.outcome is None:
            self.driver.expect(state)
        return Future(state, self._code())

    def send_signal(self, name: str, value: object, to: Any, *, propagate: bool) -> Future[None]:
        """See `nbflow.signal`."""
        id_ = f"signal-{self.number('signal')}"
        receiver = self._receiver(to)
        if self.recall.reordered is not None:
            id_ = self.recall.reordered.signal(id_, name, receiver)
        state = self.history.calls.get(id_)
        if state is not None and state.outcome is not None:
            self.recall.again(id_)
            return Future(state, self._code())
        state = state or CallState(id_, "")
        turn, after = self.standing()
        event = SignalSent(0, 0.0, id_, name, receiver, turn, after)
        stored = pack(value, f"the value of signal {name}")
        told = SignalReceived(
            0, 0.0, name, 0, stored, f"{self.run}/{id_}", self.run, propagate=propagate
        )
        send = partial(self.driver.send, state, event, told)
        if self.recall.fresh(id_, f"nbflow.signal({name!r})"):
            self.recall.hold(send)
        else:
            send()
        return Future(state, self._code())

    def _receiver(self, to: Any) -> str:
        started = self.history.started
        if to is None:
            return self.run
        if to == PARENT and isinstance(to, str):
            if started is None or not started.parent:
                message = f"run {self.run} has no parent to send a signal to: nobody called it"
                raise DefinitionError(message)
            return started.parent
        if type(to) is Future:
            # It is born before it is settled, and nothing can be sent to it before that.
            call = to.call
            return self.history.children.get(call) or f"{self.run}/{call}"
        if isinstance(to, str) and to:
            return to
        message = f"a signal goes to None, 'parent', a child's Future or a run's id, not {to!r:.60}"
        raise DefinitionError(message)

    # ------------------------------------------------------------ timers

    def start_timer(self, seconds: float, id: str | None) -> Future[None]:  # noqa: A002
        """See `nbflow.start_timer`."""
        if id is not None and f"timer:{id}" in self._counts:
            message = f"timer {id!r} is started already: each timer of a run needs its own id"
            raise DefinitionError(message)
        state = self.timer(seconds, f"nbflow.start_timer({seconds:g})")
        self._counts[f"timer:{id or state.id}"] = int(state.id.rpartition("-")[2])
        return Future(state, self._code())

    def cancel_timer(self, timer: Future[None] | str) -> None:
        """See `nbflow.cancel_timer`."""
        name = timer.call if isinstance(timer, Future) else timer
        number = self._counts.get(f"timer:{name}")
        if number is None:
            message = f"run {self.run} has no timer {name!r:.60}: start_timer gives it its id"
            raise DefinitionError(message)
        state = self.history.calls.get(f"timer-{number}")
        if state is None or not 0 <= state.index < self.position:
            self.recall.give_up(state or CallState(f"timer-{number}", ""), "")

    # ------------------------------------------------------------ the run

    def continue_as_new(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], after_events: int | None
    ) -> None:
        """See `nbflow.continue_as_new`."""
        if after_events is None and self.limit is not None:
            after_events = self.limit * 4 // 5
        if after_events is not None and self._events_seen() < after_events:
            return
        self.recall.end("the code continues as new without it")
        unread = [
            signal_id(name, number)
            for name, count in list(self.history.signals.items())
            for number in range(self._counts.get(f"took:{name}", 0) + 1, count + 1)
        ]
        raise Continued(args, kwargs, tuple(unread))

    def check_limit(self) -> None:
        """Refuse to go on beyond the events that a run of this workflow may have.

        Raises:
            RunError: It has so many.
        """
        if self.limit is not None and self._events_seen() >= self.limit:
            message = (
                f"run {self.run} has {self._events_seen():,} events, and its workflow's max_events "
                f"is {self.limit:,}: have its code go on as new before that, by "
                "nbflow.continue_as_new(...) each time round. What has succeeded is kept"
            )
            raise RunError(message)

    def _events_seen(self) -> int:
        if not self.position:
            return 0
        outcome = self.history.settled[self.position - 1].outcome
        return outcome.seq if outcome is not None else 0

    def event_details(self, kind: str, name: str) -> dict[str, Any] | None:
        """See `nbflow.get_event_details`."""
        if kind == "signal":
            seen = self._signals_seen(name)
            id_ = signal_id(name, seen)
        else:
            number = self._counts.get(f"{kind}:{name}")
            id_ = f"{kind}-{number}" if number is not None else name
        state = self.history.calls.get(id_)
        if state is None or state.name or not 0 <= state.index < self.position:
            return None
        outcome: Any = state.outcome
        found = {"id": id_, "name": name, "at": outcome.at, "state": type(outcome).__name__}
        if kind == "signal":
            found |= {"value": self.unpack(outcome.result), "sender": outcome.sender}
        elif kind == "marker" and isinstance(outcome, MarkerRecorded):
            found |= {"value": self.unpack(outcome.value)}
        return found

    def refuse_inside(self, future: Future[Any]) -> None:
        """Refuse a signal or a timer within an argument: there is no call to depend on."""
        if not future._state.name:  # noqa: SLF001 - the other half of Future
            message = f"{future.call} is no call: hand its value over with future.result()"
            raise FutureMisuse(message)

    # ------------------------------------------------------------ groups

    def number(self, kind: str) -> int:
        """Give the next number of a kind of thing, from 1."""
        found = self._counts[kind] = self._counts.get(kind, 0) + 1
        return found

    def step(self) -> None:
        """See one more settled call, waiting for it, and do what follows from it."""
        self._step()

    @contextmanager
    def grouped(self, path: str) -> Iterator[None]:
        """Have what is asked for meanwhile belong to a group."""
        around, self.group = self.group, path  # type: ignore[misc]
        try:
            yield
        finally:
            self.group = around  # type: ignore[misc]

    def after(self, future: Future[Any]) -> None:
        """Note that what is asked for next follows a future, though it may not take its value."""
        self._read.update((leaf.call, None) for leaf in leaves(future))
