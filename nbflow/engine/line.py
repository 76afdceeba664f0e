"""Calls that could start and have to wait their turn: by priority, and by how many may run.

Made for a run once one of its activities has such an option; until then calls go to their
executors as they become ready.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, NamedTuple

from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.options import PRIORITY_NOT_SET
from nbflow.engine.attempts import Attempts
from nbflow.engine.executor import Executor

Key = tuple[str, str, str]
"""What an activity is known by across runs: name, module, qualified name."""


class Shared:
    """How many calls of each limited activity run in this process, and who waits for fewer."""

    def __init__(self) -> None:
        self._running: Counter[Key] = Counter()
        self._waiting: dict[Key, dict[Callable[[], object], None]] = {}
        self._lock = threading.Lock()

    def enter(self, key: Key, limit: int, wake: Callable[[], object]) -> bool:
        """Take one place of an activity; if there is none, `wake` is called once one is free."""
        with self._lock:
            if self._running[key] < limit:
                self._running[key] += 1
                return True
            self._waiting.setdefault(key, {})[wake] = None
            return False

    def leave(self, key: Key) -> None:
        """Give a place back."""
        with self._lock:
            self._running[key] -= 1
            waiting = self._waiting.pop(key, {})
        for wake in waiting:
            wake()


shared = Shared()
"""That of this process."""


class _Entry(NamedTuple):
    """A call in the line. The smallest goes first."""

    rank: int
    number: int
    state: CallState


class _Group(NamedTuple):
    """What decides whether there is room for a call."""

    key: Key
    limit: int
    executor: int


class Line:
    """The line of one run. For the run's owner alone.

    Args:
        attempts: The open attempts of the run.
        begin: Hands a call to its executor; gives whether that could be.
        wake: Has the owner end a turn, from any thread.
    """

    def __init__(
        self,
        attempts: Attempts,
        begin: Callable[[CallState], bool],
        wake: Callable[[], object],
    ) -> None:
        self._attempts = attempts
        self._begin = begin
        self._wake = wake
        self._count = itertools.count()
        self._heaps: dict[_Group, list[_Entry]] = {}
        self._slots: dict[int, int] = {}
        self._waiting: dict[str, _Entry] = {}
        self._entered: dict[str, Key] = {}
        self._ranked = False
        self._open = attempts.ordered(self._left)

    def launch(self, state: CallState, _: object = None) -> None:
        """Take a call that could start; `pump` starts it."""
        activity: Activity[..., Any] | None = state.activity
        assert activity is not None  # noqa: S101 - only admitted calls become ready
        settings = activity.settings
        executor = self._attempts.executor_of(activity)
        if settings.task_priority is not PRIORITY_NOT_SET:
            self._ranked = True
        self._slots[id(executor)] = executor.slots
        key = _key(activity) if settings.max_running is not None else ("", "", "")
        group = _Group(key, settings.max_running or 0, id(executor))
        entry = _Entry(-settings.rank, next(self._count), state)
        self._waiting[state.id] = entry
        heappush(self._heaps.setdefault(group, []), entry)

    def drop(self, call: str) -> None:
        """Forget a call that is not to start any more."""
        self._waiting.pop(call, None)

    def pump(self) -> bool:
        """Start what there is room for, in order; give whether anything was."""
        begun = False
        full: set[_Group] = set()
        while (group := self._next(full)) is not None:
            if group.limit and not shared.enter(group.key, group.limit, self._wake):
                full.add(group)
                continue
            state = heappop(self._heaps[group]).state
            del self._waiting[state.id]
            if group.limit:
                self._entered[state.id] = group.key
            self._open[group.executor] += 1
            begun = True
            if self._begin(state):
                self._attempts.placed(state.id)
            else:
                self._open[group.executor] -= 1
                self._left(state.id, None)
        return begun

    def _next(self, full: set[_Group]) -> _Group | None:
        """Give the group of the call that goes next, of those that are not full."""
        best: _Group | None = None
        for group, heap in list(self._heaps.items()):
            while heap and not self._valid(heap[0]):
                heappop(heap)
            if not heap:
                del self._heaps[group]
            elif group in full or not self._has_room(group):
                continue
            elif best is None or heap[0][:2] < self._heaps[best][0][:2]:
                best = group
        return best

    def _valid(self, entry: _Entry) -> bool:
        state = entry.state
        if self._waiting.get(state.id) is not entry:
            return False
        if state.outcome is None and state.id not in self._attempts.open:
            return True
        del self._waiting[state.id]
        return False

    def _has_room(self, group: _Group) -> bool:
        return not self._ranked or self._open[group.executor] < self._slots[group.executor]

    def _left(self, call: str, executor: Executor | None) -> None:
        """Take note that an attempt is not open any more."""
        if executor is not None:
            self._open[id(executor)] -= 1
        key = self._entered.pop(call, None)
        if key is not None:
            shared.leave(key)


def _key(activity: Activity[..., Any]) -> Key:
    fn: Any = activity.fn
    return activity.name, getattr(fn, "__module__", "") or "", getattr(fn, "__qualname__", "")
