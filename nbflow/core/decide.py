"""What should happen next in a run, given everything that has happened. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nbflow.core.call import CallState
from nbflow.core.errors import NbflowError, NondeterminismError, Suspended
from nbflow.core.events import Event
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.payload import Fetch, Stored


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


class _Collector:
    """A driver that notes what is asked for, and stops the code where it would have to wait."""

    def __init__(self, history: History, now: float) -> None:
        self.history = history
        self.now = now
        self.commands: list[Command] = []

    def ask(self, state: CallState) -> None:
        self.history.admit(state)

    def timer(self, state: CallState, seconds: float) -> None:
        if state.id not in self.history.calls:
            self.history.calls[state.id] = state
            self.commands.append(StartTimer(timer=state.id, due=self.now + seconds))

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
        return [Schedule(call=state) for state in new]


def _no_blob(digest: str) -> bytes:
    message = f"blob {digest} is needed to decide, and no store was given to fetch it from"
    raise NbflowError(message)


def decide(
    workflow: Callable[..., Any], events: Iterable[Event], now: float, fetch: Fetch = _no_blob
) -> list[Command]:
    """Give the commands that follow from a run's events. Touches nothing.

    Args:
        workflow: The workflow's function.
        events: The whole log of the run so far.
        now: The time, in seconds since the epoch.
        fetch: Gives the bytes of a blob.

    Raises:
        NondeterminismError: The code does not agree with the log. The run is to be left as it is.
    """
    history = History.of(events)
    if history.started is None:
        message = "the log does not begin with RunStarted"
        raise NbflowError(message)
    collector = _Collector(history, now)
    interpreter = Interpreter(history, collector, fetch)
    started = history.started
    args = [interpreter.unpack(a) for a in started.args]
    kwargs = {k: interpreter.unpack(v) for k, v in started.kwargs.items()}
    try:
        result = interpreter.execute(workflow, args, kwargs)
    except Suspended:
        return collector.schedules() + collector.commands
    except NondeterminismError:
        raise
    except Exception as error:  # noqa: BLE001 - workflow code may raise anything: it fails the run
        return [Close(status="failed", error=Failure.of(error))]
    return [Close(status="completed", result=result)]
