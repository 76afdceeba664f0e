"""What should happen next in a run, given everything that has happened. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nbflow.core import turns
from nbflow.core.call import CallState
from nbflow.core.child import WorkflowOptions
from nbflow.core.errors import Continued, NbflowError, NondeterminismError, Suspended
from nbflow.core.events import Event, SignalReceived, SignalSent
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
class Close(Command):
    """End the run: ``completed`` with a result, or ``failed`` with an error."""

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


class _Collector:
    """A driver that notes what is asked for, and stops the code where it would have to wait."""

    def __init__(self, history: History, now: float, options: WorkflowOptions) -> None:
        self.history = history
        self.now = now
        self.commands: list[Command] = []
        self._most = options.max_open_activity_count
        self._asked: list[str] = []

    def ask(self, state: CallState) -> None:
        if self._most is not None:
            calls = self.history.calls
            self._asked = [c for c in self._asked if calls[c].index < 0]
            if len(self._asked) >= self._most:
                raise Suspended
            self._asked.append(state.id)
        self.history.admit(state)

    def timer(self, state: CallState, seconds: float) -> None:
        if state.id not in self.history.calls:
            self.history.calls[state.id] = state
            self.commands.append(StartTimer(timer=state.id, due=self.now + seconds))

    def mark(self, state: CallState, marker: Marker) -> None:  # noqa: ARG002 - whoever records it settles it
        self.commands.append(Record(marker=marker))
        raise Suspended

    def expect(self, state: CallState) -> None:
        """Whoever hears of a signal appends it."""

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:
        if state.id not in self.history.calls:
            self.history.calls[state.id] = state
            self.commands.append(SendSignal(event=event, told=told))

    def cancel(self, state: CallState, reason: str) -> None:
        self.commands.append(Cancel(call=state.id, reason=reason))

    def block(self, state: CallState | None, position: int) -> None:  # noqa: ARG002 - never waits
        raise Suspended

    def visible(self) -> int:
        return len(self.history.settled)

    def schedules(self) -> list[Command]:
        """Give a command for each new call that can start; leave none of them to start twice."""
        new = [s for s in self.history.ready if not s.recorded and s.outcome is None]
        self.history.ready.clear()
        return [Schedule(call=state) for state in turns.allowed(new, self.history)]


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
    """Give the commands that follow from a run's events. Touches nothing.

    Args:
        workflow: The workflow's function.
        events: The whole log of the run so far.
        now: The time, in seconds since the epoch.
        fetch: Gives the bytes of a blob.
        options: Those of the workflow.

    Raises:
        NbflowError: The log has a hole, or is not in order.
        NondeterminismError: The code does not agree with the log. The run is to be left as it is.
    """
    history = History.of(_whole(events))
    if history.started is None:
        message = "the log does not begin with RunStarted"
        raise NbflowError(message)
    collector = _Collector(history, now, options or WorkflowOptions())
    interpreter = Interpreter(history, collector, fetch, history.started.seed)
    started = history.started
    args = [interpreter.unpack(a) for a in started.args]
    kwargs = {k: interpreter.unpack(v) for k, v in started.kwargs.items()}
    try:
        result = interpreter.execute(workflow, args, kwargs)
    except Suspended:
        return collector.schedules() + collector.commands
    except NondeterminismError:
        raise
    except Continued as new:
        return [continued(new)]
    except Exception as error:  # noqa: BLE001 - workflow code may raise anything: it fails the run
        return [Close(status="failed", error=Failure.of(error))]
    return [Close(status="completed", result=result)]
