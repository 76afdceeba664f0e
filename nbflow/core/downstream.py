"""What has to run again when a call does."""

from __future__ import annotations

from collections.abc import Iterable

from nbflow.core.history import History


def downstream(history: History, calls: Iterable[str]) -> list[str]:
    """Give some calls and all that may depend on their results, in call order.

    That is every call that takes a result of one of them, directly or through others. And once
    the workflow's code has read such a result itself, everything that it asked for from there on,
    timers and side effects too: what it asks for then may depend on what it read.

    Args:
        history: The run.
        calls: Ids of the calls that are to run again.
    """
    found = set(calls)
    while True:
        known = len(found)
        turn = _first_turn(history, found)
        for state in history.calls.values():
            if (turn is not None and state.turn >= turn) or not found.isdisjoint(state.deps):
                found.add(state.id)
        if len(found) == known:
            return [call for call in history.calls if call in found]


def _first_turn(history: History, found: set[str]) -> int | None:
    """Give the first turn of the workflow's code that had read a result of one of those."""
    return min(
        (turn for turn, read in history.groups.items() if not found.isdisjoint(read)), default=None
    )
