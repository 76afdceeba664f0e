"""What events of timers, markers, signals, children and of a run's end mean to its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbflow.core.call import CallState
from nbflow.core.errors import StoreUnusable
from nbflow.core.events import (
    CancelRefused,
    CancelRequested,
    ChildStarted,
    Event,
    MarkerFailed,
    MarkerRecorded,
    RunClosed,
    RunContinued,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)

if TYPE_CHECKING:
    from nbflow.core.history import History


def timer_started(history: History, event: TimerStarted) -> None:
    """Know when a timer is due."""
    _helper(history, event.timer, event).retry_at = event.due


def timer_ended(history: History, event: TimerFired | TimerCancelled) -> None:
    """Settle a timer."""
    state = history.calls[event.timer]
    due = state.retry_at
    history.settle(state, event)
    state.retry_at = due  # one that the end of a run cut short is due when it was


def marked(history: History, event: MarkerRecorded | MarkerFailed) -> None:
    """Settle a marker."""
    history.settle(_helper(history, event.name, event), event)


def _helper(
    history: History, name: str, event: TimerStarted | MarkerRecorded | MarkerFailed | SignalSent
) -> CallState:
    """Take in a timer, a marker or a signal that is sent."""
    history.recorded[name] = event.seq
    if event.after:
        history.groups.setdefault(event.turn, event.after)
    state = history.calls.setdefault(name, CallState(name, ""))
    state.turn = event.turn
    return state


def child_started(history: History, event: ChildStarted) -> None:
    """Know which run a call is."""
    history.children[event.call] = event.run
    history.renewed.discard(event.call)


def signal_received(history: History, event: SignalReceived) -> None:
    """Take in a signal, settled as it comes."""
    history.signals[event.name] = event.number
    if event.id:
        history.told.add(event.id)
    name = signal_id(event.name, event.number)
    history.succeed(history.calls.setdefault(name, CallState(name, "")), event)


def signal_sent(history: History, event: SignalSent) -> None:
    """Settle the sending of a signal."""
    history.settle(_helper(history, event.name, event), event)


def continued(history: History, event: RunContinued) -> None:
    """Know where the run goes on."""
    history.continued = event


def cancel_requested(history: History, event: CancelRequested) -> None:
    """Know that the run is to be cancelled."""
    history.cancel_at = len(history.settled)
    history.cancelling = event


def cancel_refused(history: History, event: CancelRefused) -> None:  # noqa: ARG001 - that it is
    """Know that its code has refused that."""
    history.cancelling = None


def closed(history: History, event: RunClosed) -> None:
    """Know how the run has ended."""
    history.closed = event


def signal_id(name: str, number: int) -> str:
    """Give the id that a signal has among the calls."""
    return f"signal:{name}-{number}"


def unknown(event: Event, error: KeyError) -> StoreUnusable:
    """Give the error for an event that cannot be where it is."""
    message = (
        f"event {event.seq} of the log ({type(event).__name__}) needs {error}, which is not "
        "before it: events are missing, or were changed. %nbflow store check says how far the log "
        "is whole"
    )
    return StoreUnusable(message)
