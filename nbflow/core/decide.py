"""What should happen next in a run, given everything that has happened. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from nbflow.core import turns
from nbflow.core.call import CallState
from nbflow.core.child import WorkflowOptions
from nbflow.core.chosen import with_options
from nbflow.core.ending import Ending, perform
from nbflow.core.errors import Continued, NbflowError, Suspended, ValueGone
from nbflow.core.events import CancelRequested, Event, SignalReceived, SignalSent
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.markers import Marker
from nbflow.core.payload import Fetch, Stored, pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to be done for a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Command):
    """Have a call run: every dependency has succeeded, and nobody was told of it yet."""

    call: CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Command):
    """Append the `CallScheduled` of a call that will not run, and decide again.

    Something that it takes has failed, and that event settles it, as it does in a live run; or it
    is given up before anybody was told of it, and a `Cancel` follows. The
    code is stopped where it looks at the call until the log has it: what it sees next depends on
    the place that it has there.
    """

    call: CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer(Command):
    """Wake the workflow at `due` (seconds, epoch)."""

    timer: str
    due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Command):
    """Make a marker's value, by ``marker.event(seq, now)``, append that event, and decide again.

    The code is stopped where it needs the value, so it gets none that is not in the log.
    """

    marker: Marker


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Command):
    """Give up a call or a timer."""

    call: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseCancel(Command):
    """Append `CancelRefused`: the code was asked whether the run may be cancelled, and refused."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Command):
    """End the run: ``completed`` with a result, ``failed`` with an error, or ``cancelled``.

    The error of one that is cancelled is what its cleaning up failed with.
    """

    status: str
    result: Stored = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSignal(Command):
    """Tell the run ``event.to`` what `told` holds, and append `event` once that is done."""

    event: SignalSent
    told: SignalReceived


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue(Command):
    """End the run, and begin a new one with these arguments."""

    args: tuple[Stored, ...]
    kwargs: dict[str, Stored]
    unread: tuple[str, ...] = ()


class Collector:
    """A driver that notes what is asked for, and stops the code where it would have to wait."""

    def __init__(self, history: History, now: float, options: WorkflowOptions) -> None:
        self.history = history
        self.now = now
        self.commands: list[Command] = []
        self.stopped: BaseException | None = None
        self._visible = len(history.settled)
        self._given_up: set[str] = set()
        self._most = options.max_open_activity_count
        self._asked: list[str] = []

    def _stop(self, error: BaseException | None = None) -> NoReturn:
        """Stop the code, which asks for nothing more from here on, in a `finally` for one."""
        self.stopped = self.stopped or error or Suspended()
        raise self.stopped

    def ask(self, state: CallState) -> None:
        """See `Driver.ask`."""
        if self.stopped is not None:
            raise self.stopped
        if self._most is not None:
            calls = self.history.calls
            self._asked = [c for c in self._asked if calls[c].index < 0]
            if len(self._asked) >= self._most:
                self._stop()
            self._asked.append(state.id)
        self.history.admit(state)

    def timer(self, state: CallState, seconds: float) -> None:
        """See `Driver.timer`."""
        if self.stopped is not None:
            raise self.stopped
        if state.id not in self.history.calls:
            self.history.calls[state.id] = state
            self.commands.append(StartTimer(timer=state.id, due=self.now + seconds))

    def mark(self, state: CallState, marker: Marker) -> None:  # noqa: ARG002 - whoever records it settles it
        """See `Driver.mark`."""
        if self.stopped is None:
            self.commands.append(Record(marker=marker))
        self._stop()

    def expect(self, state: CallState) -> None:
        """Whoever hears of a signal appends it."""

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:
        """See `Driver.send`."""
        if self.stopped is not None:
            raise self.stopped
        if state.id not in self.history.calls:
            self.history.calls[state.id] = state
            self.commands.append(SendSignal(event=event, told=told))

    def cancel(self, state: CallState, reason: str) -> None:
        """See `Driver.cancel`."""
        if self.stopped is not None:
            return
        self._give_up(state, reason)

    def answer(self, *, refused: bool) -> None:
        """See `Driver.answer`."""
        asked = self.history.cancelling
        reason = asked.reason if asked is not None else ""
        if refused:
            self.commands.append(RefuseCancel(reason=reason))
            return
        self.history.ready.clear()
        self.commands = [c for c in self.commands if not isinstance(c, StartTimer)]
        for state in self.history.calls.values():
            begun = state.recorded or state.name or state.retry_at is not None
            if begun and state.outcome is None and self._asked_before(state, asked):
                self._give_up(state, reason)

    def _give_up(self, state: CallState, reason: str) -> None:
        """Cancel something; of a call that nobody was told of, the log has both events."""
        if state.name and not state.recorded and state.id not in self._given_up:
            self._given_up.add(state.id)
            self.commands.append(Note(call=state))
        self.commands.append(Cancel(call=state.id, reason=reason))

    def _asked_before(self, state: CallState, cancel: CancelRequested | None) -> bool:
        """Whether it is not for cleaning up: the code asked for it before it heard of the cancel.

        What the log has of cleaning up is not asked for again at that point of the code.
        """
        seq = cancel.seq if cancel is not None else 0
        return state.activity is not None or self.history.recorded.get(state.id, 0) < seq

    def block(self, state: CallState | None, position: int) -> None:  # noqa: ARG002 - never waits
        """See `Driver.block`."""
        self._stop()

    def restore(self, state: CallState) -> CallState:
        """See `Driver.restore`."""
        self._stop(ValueGone(state.id))

    def take_in(self) -> None:
        """See `Driver.take_in`: what is asked for is known at once."""

    def visible(self) -> int:
        """See `Driver.visible`."""
        return self._visible  # and not those that are skipped only now: the log does not have them

    def asked(self) -> list[Command]:
        """Give a command for each new call that can start or cannot run at all.

        None of them is left to start twice.
        """
        calls = self.history.calls
        new = [
            s
            for s in self.history.ready
            if not s.recorded and s.outcome is None and s.id not in self._given_up
        ]
        self.history.ready.clear()
        found: dict[str, Command] = {
            state.id: Schedule(call=state) for state in turns.allowed(new, self.history)
        }
        skipped = [s for s in calls.values() if s.because is not None and not s.recorded]
        if not skipped:
            return list(found.values())
        notes: dict[str, Command] = {s.id: Note(call=s) for s in skipped}
        if list(found) != [call for call in calls if call in found]:  # by priority
            return [*notes.values(), *found.values()]
        found |= notes
        return [found[call] for call in calls if call in found]


def continued(new: Continued) -> Continue:
    """Give the command of code that goes on as new."""
    return Continue(
        args=tuple(pack(a, f"argument {n} of the new run") for n, a in enumerate(new.given)),
        kwargs={k: pack(v, f"argument {k} of the new run") for k, v in new.named.items()},
        unread=new.unread,
    )


def _no_blob(digest: str) -> bytes:
    message = f"blob {digest} is needed to decide, and no store was given to fetch it from"
    raise NbflowError(message)


def _whole(events: Iterable[Event]) -> Iterator[Event]:
    """Give events, unless one is missing: half a log would look like that of another run."""
    last = 0
    for event in events:
        if event.seq != last + 1:
            message = (
                f"event {event.seq} follows event {last}: the history is not whole, so nothing is "
                "decided"
            )
            raise NbflowError(message)
        last = event.seq
        yield event


def decide(
    workflow: Callable[..., Any],
    events: Iterable[Event],
    now: float,
    fetch: Fetch = _no_blob,
    options: WorkflowOptions | None = None,
) -> list[Command]:
    """Give the commands that follow from a run's events. Touches nothing itself.

    The workflow's hooks are called, each time that it comes to them.

    Args:
        workflow: The workflow's function.
        events: The whole log of the run so far.
        now: The time, in seconds since the epoch.
        fetch: Gives the bytes of a blob.
        options: Those of the workflow, with its hooks unless it is a class. What the run was
            started with in their place is in its log.

    Raises:
        NbflowError: The log has a hole, or is not in order.
        NondeterminismError: The code does not agree with the log. The run is to be left as it is.
    """
    history = History.of(_whole(events))
    if history.started is None:
        message = "the log does not begin with RunStarted"
        raise NbflowError(message)
    rules = with_options(options or WorkflowOptions(), history.started, fetch)
    collector = Collector(history, now, rules)
    interpreter = Interpreter(history, collector, fetch, history.started.seed)
    started = history.started
    args = [interpreter.unpack(a) for a in started.args]
    kwargs = {k: interpreter.unpack(v) for k, v in started.kwargs.items()}
    try:
        ending = perform(interpreter, workflow, rules, args, kwargs)
    except Suspended:
        return collector.asked() + collector.commands
    return ended(ending)


def ended(ending: Ending) -> list[Command]:
    """Give the command of code that has come to its end, and tell the hook for closed runs.

    Raises:
        KeyboardInterrupt: Somebody at a keyboard stopped it: that is not the code's end.
    """
    if isinstance(ending.error, KeyboardInterrupt):
        raise ending.error
    if ending.new is not None:
        return [continued(ending.new)]
    ending.closed()
    error = Failure.of(ending.error) if ending.error is not None else None
    return [Close(status=ending.status, result=ending.result, error=error)]
