"""What a panel was told, so that it is told what differs; when costly things are made anew."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_SHARE: Final = 25.0
"""What was costly to make is not made again before so many times as long have passed..."""
_WAITED: Final = 8.0
"""...or so many times as long as it took with waiting: dot, a process of its own, is waited for."""


class Pace:
    """Says when something costly may be done again."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._next = -math.inf

    def ready(self, now: float) -> bool:
        """Whether enough time has passed."""
        return now >= self._next

    @contextmanager
    def spent(self, now: float) -> Iterator[None]:
        """Note that it is done at `now`, and what that takes."""
        wall, busy = time.perf_counter(), time.thread_time()
        yield
        wall, busy = time.perf_counter() - wall, time.thread_time() - busy
        self._next = now + max(self._least, busy * _SHARE, wall * _WAITED)


class Told:
    """A table of rows by key, and which of them differ from what was told."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self._old: dict[str, Any] = {}
        self._touched: set[str] = set()

    def put(self, key: str, row: Any) -> None:
        """Write one row."""
        self.rows[key] = row
        self._touched.add(key)

    def replace(self, rows: dict[str, Any]) -> None:
        """Write all rows; those that are not among them are gone."""
        self._touched.update(self.rows)
        self._touched.update(rows)
        self.rows = rows

    def news(self) -> dict[str, Any]:
        """Give the rows to tell, None for those that are gone, and take them as told."""
        found: dict[str, Any] = {}
        for key in self._touched:
            row = self.rows.get(key)
            if row == self._old.get(key):
                continue
            found[key] = row
            if row is None:
                del self._old[key]
            else:
                self._old[key] = row
        self._touched.clear()
        return found
