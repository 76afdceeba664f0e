"""An interrupt at any line of a turn, or of a store's transaction, leaves nothing half done."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nbflow.core.events import RunClosed
from nbflow.engine import owner as owning
from nbflow.engine.owner import Owner
from nbflow.store import sqlite
from nbflow.store.lease import new_lease
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import calls, started

MANY = 400


def struck(number: int, files: set[str], act: Callable[[], object]) -> bool:
    """Do something, with Ctrl-C pressed before the nth line of these files; was it pressed?"""
    lines, before = 0, sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            lines += 1
            if lines == number:
                signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return lines >= number


def each_line(files: set[str]) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Give, for each line in turn, what does something with an interrupt before that line."""
    pressed = True
    for number in range(1, MANY):
        if not pressed:
            assert number > 10, "nothing of these files has run"
            return

        def press(act: Callable[[], object], number: int = number) -> None:
            nonlocal pressed
            pressed = struck(number, files, act)

        yield press
    pytest.fail("there is no end of it")


class Sums(Owner):
    """Adds what it is told, in turns of several steps."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self.shown = self.taken = 0
        self.broken: list[BaseException] = []

    def _take(self, inbox: deque[Any], most: int) -> int:
        while inbox and most:
            most -= 1
            self.total += inbox.popleft()()
            self.taken += 1
        return most

    def _publish(self) -> None:
        self.shown = self.total

    def _crowded(self) -> None:
        pass

    def _broke(self, error: BaseException) -> None:
        self.broken.append(error)


def test_a_turn_is_taken_whole_or_not_begun() -> None:
    """Whoever is interrupted may have said nothing; what was said counts once, and is shown."""
    for press in each_line({owning.__file__, __file__}):
        sums = Sums()
        sums._inbox.append(lambda: 10)
        press(partial(sums.post, lambda: 5))
        assert sums.broken == []
        assert not sums._lock.locked()
        assert sums.shown == sums.total
        said = 1 + sums.taken + len(sums._inbox)
        sums.post(lambda: 1)
        assert sums.taken == said
        assert sums.total == sums.shown == (16 if said == 3 else 11)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Callable[[], SqliteStore]]:
    """Make stores, each one new."""
    made: list[SqliteStore] = []

    def make() -> SqliteStore:
        made.append(SqliteStore(tmp_path / str(len(made))))
        return made[-1]

    yield make
    for store in made:
        store.close()


def whole(store: SqliteStore) -> None:
    """See to it that nobody holds the store, and that nothing is under way in it."""
    assert store._lock.acquire(timeout=10)
    store._lock.release()
    assert not store._db.in_transaction


FILES = {sqlite.__file__, str(Path(sqlite.__file__).with_name("schema.py"))}


def test_a_run_is_created_or_it_is_not(stores: Callable[[], SqliteStore]) -> None:
    """After an interrupt the same can be done again, or was done."""
    for press in each_line(FILES):
        store = stores()
        press(partial(store.create, "run", started()))
        whole(store)
        if not store.runs():
            store.create("run", started())
        store.append("run", calls(2, 1))
        assert [event.seq for event in store.events("run")] == [1, 2]


def test_a_run_is_closed_or_it_is_not(stores: Callable[[], SqliteStore]) -> None:
    """Its status and its log say the same, and the next append finds its place."""
    for press in each_line(FILES):
        store = stores()
        store.create("run", started())
        closed = RunClosed(2, 1.0, "completed")
        press(partial(store.append, "run", [closed]))
        whole(store)
        events = list(store.events("run"))
        assert store.runs()[0].status == ("completed" if len(events) == 2 else "running")
        store.append("run", calls(len(events) + 1, 1))


def test_a_lease_is_taken_or_it_is_not(stores: Callable[[], SqliteStore]) -> None:
    """Nobody is left with half a claim."""
    for press in each_line(FILES):
        store = stores()
        store.create("run", started())
        lease = new_lease()
        press(partial(store.hold, "run", lease))
        whole(store)
        assert store.holder("run") in {None, lease}
        store.release("run", lease)
        assert store.holder("run") is None
