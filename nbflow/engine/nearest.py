"""Finds the earlier call that tells most about why a call runs.

A run of many calls that nothing is kept for asks this for each of them. So earlier calls are read
for many at once, and those of other inputs are read and taken apart once.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from nbflow.core.reasons import Key, Reason, changes, in_common
from nbflow.store.cached import Earlier

if TYPE_CHECKING:
    from nbflow.store.base import Store

_LATEST: Final = 50
"""So many of the latest calls are looked at, whatever their inputs."""
_ALIKE: Final = 5
"""And so many of those with the same inputs."""


class Missed(NamedTuple):
    """A call that nothing is kept for."""

    key: Key
    call: str


class Nearest:
    """Compares the calls of a run with those of earlier runs. For any thread.

    Args:
        run: Its id; results of its own are not what its calls are compared with.
        store: Where results are kept.
    """

    def __init__(self, run: str, store: Store) -> None:
        self._run = run
        self._store = store
        self._lock = threading.Lock()
        self._latest: dict[tuple[str, str], Latest] = {}

    def reasons(self, missed: Sequence[Missed]) -> list[list[Reason]]:
        """Say for each call why it runs.

        Raises:
            StoreError: What is kept cannot be read.
        """
        alike = self._alike(missed)
        return [
            self._of(one, alike.get((one.key.activity, one.key.inputs_digest))) for one in missed
        ]

    def _of(self, missed: Missed, alike: list[Earlier] | None) -> list[Reason]:
        key, call = missed
        if alike:
            best = max(alike, key=lambda row: (row.call == call, row.at))
            nearest: Key | None = Key.of_json(key.activity, best.parts)
        else:
            nearest = self._of_activity(key).nearest(key, call)
        if nearest is None:
            return [Reason("first", f"no earlier result of {key.activity} is kept")]
        found = changes(nearest, key)
        return found or [Reason("code", "keys are made in another way since nbflow was upgraded")]

    def _alike(self, missed: Sequence[Missed]) -> dict[tuple[str, str], list[Earlier]]:
        """Give earlier calls of the same inputs, by activity and digest of the inputs."""
        inputs: dict[str, list[str]] = defaultdict(list)
        for key, _ in missed:
            if self._of_activity(key):
                inputs[key.activity].append(key.inputs_digest)
        found: dict[tuple[str, str], list[Earlier]] = defaultdict(list)
        for activity, wanted in inputs.items():
            for row in self._store.cache.alike(activity, wanted, self._run, _ALIKE):
                found[activity, row.inputs].append(row)
        return found

    def _of_activity(self, key: Key) -> Latest:
        """Give the latest calls of an activity.

        They are asked for once: the run itself keeps ever more, which do not count.
        """
        place = key.activity, key.code_digest
        with self._lock:
            known = self._latest.get(place)
        if known is None:
            rows = self._store.cache.latest(key.activity, self._run, _LATEST)
            known = Latest(rows, key)
            with self._lock:
                self._latest[place] = known
        return known


class Latest:
    """Some earlier calls, to find the one that a call of today's code has most in common with.

    Args:
        rows: The calls.
        key: Of a call of today's code.
    """

    def __init__(self, rows: Sequence[Earlier], key: Key) -> None:
        self._rows = rows
        self._keys = [Key.of_json(key.activity, row.parts) for row in rows]
        self._alike = [in_common(before.code, key.code) for before in self._keys]
        """How much of each one's code is today's."""
        self._giving: dict[tuple[str, str], list[int]] = defaultdict(list)
        """Which of them were given something, by its name and digest."""
        self._of_call: dict[str, list[int]] = defaultdict(list)
        for n, (row, before) in enumerate(zip(rows, self._keys, strict=True)):
            self._of_call[row.call].append(n)
            for name, part in before.inputs.items():
                self._giving[name, part.digest].append(n)
        self._best = max(range(len(rows)), key=self._rank, default=None)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._best is not None

    def _rank(self, n: int) -> tuple[int, float]:
        return self._alike[n], self._rows[n].at

    def nearest(self, key: Key, call: str) -> Key | None:
        """Give what has most in common with `key`; of several the call of that id, or the latest.

        Args:
            key: What a call of today's code is.
            call: The call's id.
        """
        if self._best is None:
            return None
        shared: dict[int, int] = defaultdict(int)
        for name, part in key.inputs.items():
            for n in self._giving.get((name, part.digest), ()):
                shared[n] += 1
        # Of those that share no input, only the best and those of that id can be it.
        candidates = {self._best, *shared, *self._of_call.get(call, ())}

        def rank(n: int) -> tuple[int, bool, float, int]:
            row = self._rows[n]
            return self._alike[n] + shared.get(n, 0), row.call == call, row.at, -n

        return self._keys[max(candidates, key=rank)]
