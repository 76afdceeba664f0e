"""What resuming a long run costs, counted: the log is read once, and nothing is done again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbflow
from nbflow.core.events import (
    CallScheduled,
    CallSucceeded,
    CallWrote,
    Event,
    RunClosed,
    RunStarted,
)
from nbflow.core.history import History
from nbflow.store.sqlite import SqliteStore
from nbflow.viz.live import Follower

WAIT = 60
BEGINNINGS = 20
ran: list[int] = []


@nbflow.activity
def work(number: int) -> int:
    ran.append(number)
    return number


@nbflow.workflow
def long(calls: int) -> int:
    return sum(future.result() for future in [work(n) for n in range(calls)])


class Counting(SqliteStore):
    """A store that counts the events that are read from it."""

    read = 0

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        for event in super().events(run, after):
            self.read += 1
            yield event


def written(store: SqliteStore, calls: int, lines: int, open_: int) -> int:
    """Write the log of a run whose last calls have no result; give how many events it has."""
    store.create("long", RunStarted(1, 1.0, "long", (calls,), {}, seed="long"))
    events: list[Event] = [
        CallScheduled(0, 1.0, f"work-{n + 1}", "work", (n,), code=work.digest) for n in range(calls)
    ]
    for n in range(calls - open_):
        said = [
            CallWrote(0, 1.0, f"work-{n + 1}", 1, "stdout", f"{line}\n") for line in range(lines)
        ]
        done = CallSucceeded(0, 1.0, f"work-{n + 1}", 1, n, "thread-1", 1.0)
        events += [*said, done]
    numbered = [event._replace(seq=seq) for seq, event in enumerate(events, 2)]
    for first in range(0, len(numbered), 100):
        store.append("long", numbered[first : first + 100])
    return len(numbered) + 1


@pytest.mark.parametrize(("calls", "lines"), [(10, 0), (10, 500), (1500, 1)])
def test_the_log_is_read_once(tmp_path: Path, calls: int, lines: int) -> None:
    """To attach to a run and to resume it reads each event once, however long its log is."""
    store = Counting(tmp_path)
    nbflow.configure(store=store)
    events = written(store, calls, lines, open_=3)
    ran.clear()
    run = nbflow.attach("long")
    assert run.resume(long).result(WAIT) == sum(range(calls))
    assert sorted(ran) == list(range(calls - 3, calls))
    assert store.read == events
    store.close()


@pytest.mark.parametrize("open_", [0, 3])
def test_a_panel_reads_the_log_once(tmp_path: Path, open_: int) -> None:
    """Whoever shows a run of another process waits for one reading of its log, not for two."""
    store = Counting(tmp_path)
    nbflow.configure(store=store)
    events = written(store, 10, 500, open_=open_)
    if not open_:
        store.append("long", [RunClosed(events + 1, 2.0, "completed", 45)])
        events += 1
    run = nbflow.attach("long")
    actions = run._actions()
    store.read = 0
    follower = Follower(store, run.id, picture=lambda *_: None, halted=actions.halted)
    while not follower.step(3.0):
        pass
    assert follower.board.status == ("stopped" if open_ else "completed")
    assert events <= store.read <= events + BEGINNINGS
    store.read = 0
    assert run.graph.status == follower.board.status
    assert store.read <= events + BEGINNINGS


def peak(store: SqliteStore) -> int:
    """Read the log; give the bytes that this takes at most."""
    tracemalloc.start()
    kept = History.of(store.events("long"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept.calls) == 20
    return most


def test_events_that_are_over_stay_out_of_memory(tmp_path: Path) -> None:
    """Reading a log takes memory for its calls; six times the events for them take none."""
    peaks = []
    for lines in (500, 3000):
        store = SqliteStore(tmp_path / str(lines))
        written(store, 20, lines, open_=1)
        History.of(store.events("long"))  # what the first reading of all loads
        # Threads that other tests have left may take memory meanwhile: the least is the reading's.
        peaks.append(min(peak(store) for _ in range(5)))
        store.close()
    assert peaks[1] < 1.3 * peaks[0], peaks
