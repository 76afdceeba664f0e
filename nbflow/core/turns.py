"""Which of the calls that could start may start now, for whoever decides without an engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nbflow.core.call import CallState
from nbflow.core.history import History


def allowed(ready: Iterable[CallState], history: History) -> list[CallState]:
    """Give those that may start, in their order: by priority, and no more than may run at once.

    Args:
        ready: Calls that could start and that nobody was told of, in the order of asking.
        history: What is known of the run. Calls in it that are neither settled nor wait for
            others count as running.
    """
    first = sorted(ready, key=lambda state: -_rank(state))
    if not any(_limit(state) for state in first):
        return first
    new = {id(state) for state in first}
    running = Counter(
        state.name
        for state in history.calls.values()
        if state.outcome is None and not state.missing and id(state) not in new
    )
    found = []
    for state in first:
        limit = _limit(state)
        if not limit or running[state.name] < limit:
            running[state.name] += 1
            found.append(state)
    return found


def _rank(state: CallState) -> int:
    return state.activity.settings.rank if state.activity is not None else 0


def _limit(state: CallState) -> int:
    return (state.activity.settings.max_running or 0) if state.activity is not None else 0
