"""What a resumption takes back of a run: its ends that were no success, and what followed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbflow.core.call import CallState
from nbflow.core.events import RunResumed, TimerCancelled

if TYPE_CHECKING:
    from nbflow.core.history import History


def take_back(history: History, event: RunResumed) -> None:
    """Forget every end that was not a success, or not to be kept: those calls run anew."""
    history.resumed += 1
    forgot, history.forgot = history.forgot, 0
    # A failure in a run that was not over had its consequences: the code may have seen it.
    over = history.closed is not None or history.cancelling is not None
    _drop_clean_up(history)
    history.closed = history.cancelling = None
    anew = set(event.again)
    lost = {s for s in history.settled if over and _lost(s)}
    history.suspects = {s.id for s in history.calls.values() if s.outcome is None and s.name}
    keep = [s for s in history.settled if not (s in lost or s.id in anew or _cut_short(s))]
    for index, state in enumerate(keep):
        state.index = index
    history.settled = keep
    for state in history.calls.values():
        if state.outcome is None and state.started is not None:
            history.cut_off[state.id] = history.cut_off.get(state.id, 0) + 1
        if (_lost(state) or state.id in anew) and state.attempt:
            history.tried.add(state.id)
        if state.id in anew and state.id in history.children:
            history.renewed.add(state.id)
        if state in lost or state.id in anew:
            _forget(history, state, anew)
            state.outcome = state.because = state.live = None
            state.index = -1
            state.attempt = 0
        elif _cut_short(state):
            state.outcome, state.index = None, -1
        state.started = None
    for call in event.allowed:
        history.cut_off.pop(call, None)
        history.tried.discard(call)
    history.again.clear()
    if history.forgot:
        history.lapsed = event.seq
    history.forgot = min(forgot or history.forgot, history.forgot or forgot)
    _reconnect(history)


def _drop_clean_up(history: History) -> None:
    """Forget what the code asked for after a cancel: if it comes to that again, it is new."""
    if history.cancelling is None:
        return
    seq = history.cancelling.seq
    history.forgot = min(history.forgot or seq, seq)
    late = {call for call, at in history.recorded.items() if at > seq}
    for call in late:
        del history.calls[call], history.recorded[call]
    history.settled = [state for state in history.settled if state.id not in late]


def _forget(history: History, state: CallState, anew: set[str]) -> None:
    """Note the first outcome that is taken back, and what is no longer asked for."""
    if state.outcome is not None:
        history.forgot = min(history.forgot or state.outcome.seq, state.outcome.seq)
    if state.id in anew:
        history.recorded.pop(state.id, None)
    if not state.name:
        state.retry_at = None


def _reconnect(history: History) -> None:
    """Count anew what each open call waits for."""
    for state in history.calls.values():
        state.dependents = None
    for state in history.calls.values():
        if state.outcome is None and state.name:
            state.missing = 0
            history.connect(state)


def _lost(state: CallState) -> bool:
    """Whether it came to an end that a resumed run takes back."""
    return state.failed and not state.ignored


def _cut_short(state: CallState) -> bool:
    """Whether it is a timer that the end of the run cancelled, rather than the code."""
    outcome = state.outcome
    return type(outcome) is TimerCancelled and outcome.reason != ""
