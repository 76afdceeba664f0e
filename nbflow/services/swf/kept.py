"""Workflow code that waits from one decision to the next, rather than being run from its start.

It runs in a thread of its own, but only while somebody waits for its commands: the two hand over
to each other, so nothing here is touched by two threads at a time. What it is told are the events
of the log, in their order; so it takes the way that code takes which is run from its start with
all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

from nbflow.core import turns
from nbflow.core.call import CallState
from nbflow.core.child import WorkflowOptions
from nbflow.core.chosen import with_options
from nbflow.core.decide import (
    Cancel,
    Collector,
    Command,
    Note,
    Record,
    RefuseCancel,
    Schedule,
    StartTimer,
    ended,
)
from nbflow.core.definition import Definition
from nbflow.core.ending import Ending, perform
from nbflow.core.errors import NbflowError, Suspended
from nbflow.core.events import CallScheduled, Event
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.markers import Marker

FIRST: Final = (Record, Note, Cancel, RefuseCancel)
"""Commands whose events the code may wait for: they are written, and it is decided again."""
_PATIENCE: Final = 10.0


class LateHistory(History):
    """A history in which a call that cannot run is settled once the log has it, and not before.

    Attributes:
        unable: The calls that cannot run and that the log does not have yet, by id.
    """

    __slots__ = ("unable",)

    def __init__(self) -> None:
        super().__init__()
        self.unable: dict[str, CallState] = {}

    def apply(self, event: Event) -> None:
        """See `History.apply`."""
        super().apply(event)
        if isinstance(event, CallScheduled):
            state = self.unable.pop(event.call, None)
            if state is not None and state.because is not None:
                super()._skip(state, state.because)

    def connect(self, state: CallState) -> None:
        """See `History.connect`."""
        super().connect(state)
        if state.outcome is None and self.unable and not state.recorded:
            first = next((self.unable[dep] for dep in state.deps if dep in self.unable), None)
            if first is not None and state.id not in self.unable:
                self._skip(state, first)

    def _skip(self, state: CallState, because: CallState) -> None:
        if state.recorded:
            super()._skip(state, because)
        elif state.id not in self.unable:
            state.because = because.because or because
            self.unable[state.id] = state


class _Waiting(Collector):
    """A driver whose code waits where that of a decider that forgets is stopped."""

    history: LateHistory

    def __init__(self, history: LateHistory, settings: WorkflowOptions) -> None:
        super().__init__(history, 0.0, settings)
        self.go = threading.Semaphore(0)
        self.waits = threading.Semaphore(0)
        self.order: dict[str, int] = {}
        self._new: list[CallState] = []

    def _park(self) -> None:
        if self.stopped is not None:
            raise self.stopped
        self.waits.release()
        self.go.acquire()
        if self.stopped is not None:
            raise self.stopped

    def ask(self, state: CallState) -> None:
        while self._most is not None and self._open() >= self._most:
            self._park()
        if self.stopped is not None:
            raise self.stopped
        if self._most is not None:
            self._asked.append(state.id)
        self.order[state.id] = len(self.order)
        self.history.admit(state)

    def _open(self) -> int:
        calls = self.history.calls
        self._asked = [call for call in self._asked if calls[call].index < 0]
        return len(self._asked)

    def mark(self, state: CallState, marker: Marker) -> None:
        if self.stopped is not None:
            raise self.stopped
        self.history.calls.setdefault(state.id, state)
        self.commands.append(Record(marker=marker))
        self._park()

    def cancel(self, state: CallState, reason: str) -> None:
        if state.outcome is None:
            super().cancel(state, reason)

    def answer(self, *, refused: bool) -> None:
        super().answer(refused=refused)
        if not refused:
            self._new.clear()

    def block(self, state: CallState | None, position: int) -> None:  # noqa: ARG002 - asked again
        self._park()

    def take_in(self) -> None:
        """Have nothing to wait for: what is asked for is known at once."""

    def visible(self) -> int:
        return len(self.history.settled)

    def asked(self) -> list[Command]:
        """Give what is to be done and is not in the log, all of it each time."""
        history = self.history
        new = {state.id: state for state in (*self._new, *history.ready) if self._is_new(state)}
        history.ready.clear()
        self._new = sorted(new.values(), key=lambda state: self.order.get(state.id, 0))
        given = [c for c in self.commands if isinstance(c, FIRST) or self._is_open(c)]
        self.commands = [c for c in given if not isinstance(c, FIRST)]
        allowed = turns.allowed(self._new, history)
        return [*self.notes(), *(Schedule(call=state) for state in allowed), *given]

    def notes(self) -> Iterator[Command]:
        """Give commands for the calls that cannot run, in the order of asking.

        What one of them takes has to be in the log before it.
        """
        calls, unable = self.history.calls, self.history.unable.values()
        known: set[str] = set()
        for state in sorted(unable, key=lambda state: self.order.get(state.id, 0)):
            if all(calls[dep].recorded or dep in known for dep in state.deps):
                known.add(state.id)
                yield Note(call=state)

    def _is_new(self, state: CallState) -> bool:
        return not state.recorded and state.outcome is None and state.id not in self._given_up

    def _is_open(self, command: Any) -> bool:
        name = command.timer if isinstance(command, StartTimer) else command.event.name
        state = self.history.calls[name]
        return state.outcome is None and name not in self.history.recorded


class KeptCode:
    """The code of one run, begun from its start with a log, and from then on told what is new.

    Args:
        definition: The workflow.
        log: The events so far.
        now: The time of the first decision, in seconds since the epoch.

    Attributes:
        length: How many events it was told.
        noted: The latest events that the log is to have, but may not have yet, by their numbers.

    Raises:
        NbflowError: The log does not begin with that of a run.
    """

    def __init__(self, definition: Definition, log: Iterable[Event]) -> None:
        self.history = LateHistory()
        self.length = 0
        self.noted: dict[int, Event] = {}
        self._definition = definition
        self._thread: threading.Thread | None = None
        self._ending: Ending | None = None
        self._error: BaseException | None = None
        self._over = False
        for event in log:
            self._apply(event)
        if self.history.started is None:
            message = "the log does not begin with RunStarted"
            raise NbflowError(message)
        self._rules = with_options(definition.settings, self.history.started, _no_blob)
        self._driver = _Waiting(self.history, self._rules)

    @property
    def rules(self) -> WorkflowOptions:
        """The options of this run."""
        return self._rules

    def _apply(self, event: Event) -> None:
        self.history.apply(event)
        self.length += 1

    def note(self, event: Event) -> None:
        """Tell it an event that is just being written, and so in no log that was read."""
        self.noted[event.seq] = event
        self._apply(event)

    def tell(self, log: list[Event]) -> bool:
        """Tell it what is new in a log; False if the log is not the one that it was promised."""
        for seq, promised in self.noted.items():
            if len(log) < seq or _name(log[seq - 1]) != _name(promised):
                return False
        self.noted.clear()
        for event in log[self.length :]:
            self._apply(event)
        return True

    def commands(self, now: float) -> list[Command]:
        """Run the code until it waits, and give what is to be done and is not in the log.

        Those of `FIRST` are given once: their events have to be noted before this is called
        again, which is done as long as there are some.

        Raises:
            NondeterminismError: The code does not agree with the log.
        """
        self._driver.now = now
        notes = list(self._driver.notes())
        if notes and self._thread is not None:
            return notes
        if not self._over:
            self._go()
        if self._error is not None:
            raise self._error
        if self._ending is not None:
            ending, self._ending = self._ending, None
            return ended(ending)
        return self._driver.asked()

    @property
    def over(self) -> bool:
        """Whether the code has come to its end."""
        return self._over

    def _go(self) -> None:
        if self._thread is None:
            name = f"workflow {self._definition.name}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()
        else:
            self._driver.go.release()
        self._driver.waits.acquire()

    def _run(self) -> None:
        try:
            self._ending = self._performed()
        except BaseException as error:  # noqa: BLE001 - whoever asks for commands gets it
            self._error = error
        finally:
            self._over = True
            self._driver.waits.release()

    def _performed(self) -> Ending:
        started = self.history.started
        assert started is not None  # noqa: S101 - looked at where this was made
        seed = started.seed
        interpreter = Interpreter(self.history, self._driver, _no_blob, seed)
        args = [interpreter.unpack(a) for a in started.args]
        kwargs = {k: interpreter.unpack(v) for k, v in started.kwargs.items()}
        return perform(interpreter, self._definition.fn, self._rules, args, kwargs)

    def let_go(self) -> bool:
        """Have the code end where it waits, without waiting for it; give whether it will."""
        if self._thread is None or self._over:
            return False
        self._driver.stopped = self._driver.stopped or Suspended()
        self._driver.go.release()
        return True

    def stop(self) -> None:
        """Have the code end where it waits: it asks for nothing more."""
        if self.let_go():
            self._driver.waits.acquire(timeout=_PATIENCE)


def _name(event: Any) -> tuple[str, object]:
    return type(event).__name__, getattr(event, "call", getattr(event, "name", ""))


def _no_blob(digest: str) -> bytes:
    message = f"blob {digest} is needed to decide, and no store was given to fetch it from"
    raise NbflowError(message)
