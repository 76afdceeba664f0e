"""Keeps Python's cyclic garbage collector from looking at a large run again and again.

A run keeps a few objects for each of its calls as long as it is under way, and so does whoever
folds its log; none of them are garbage. The collector does not know that: by default it looks at
what is young after every 700 objects more, and now and then at everything. In a run of 100,000
small calls that is a third of all the time. So while large runs are under way, or their logs are
read, it is to come less often; garbage in cycles is then found somewhat later, and never left.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LARGE: Final = 2_000
"""A run of so many calls is a large one."""
EASED: Final = 25_000
"""So many objects more there are to be, before the collector looks at the young ones."""


class Easing:
    """Has the collector come less often while anybody wants that.

    It leaves alone what somebody has set higher, a collector that is turned off, and a threshold
    that somebody else has changed meanwhile.
    """

    __slots__ = ("_before", "_lock", "_wanted")

    def __init__(self) -> None:
        self._wanted: set[int] = set()
        self._before: tuple[int, int, int] | None = None
        self._lock = threading.Lock()

    def look(self, who: object, calls: int) -> None:
        """Have it come less often until `who` lets go, if `who` is a run of that many calls."""
        if calls >= LARGE and id(who) not in self._wanted:
            self._want(who)

    @contextmanager
    def held(self, who: object) -> Iterator[None]:
        """Have it come less often within a block, in which `who` folds a log."""
        self._want(who)
        try:
            yield
        finally:
            self.let_go(who)

    def _want(self, who: object) -> None:
        with self._lock:
            self._wanted.add(id(who))
            young, *older = gc.get_threshold()
            if self._before is None and 0 < young < EASED:
                self._before = (young, older[0], older[1])
                gc.set_threshold(EASED, *older)

    def let_go(self, who: object) -> None:
        """Have it come as often as before, once nobody else wants otherwise."""
        with self._lock:
            self._wanted.discard(id(who))
            if self._wanted or self._before is None:
                return
            if gc.get_threshold() == (EASED, *self._before[1:]):
                gc.set_threshold(*self._before)
            self._before = None


easing = Easing()
"""That of this process's one collector."""
