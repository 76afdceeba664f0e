"""How many attempts are handed to a Dask cluster at once, and when what came back is let go of."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.events import Report
from nbflow.executors import dask_flight
from nbflow.executors.dask_flight import AHEAD, AHEAD_SHORT, SHORT_SECONDS, Pace, Spent


def told(*seconds: float) -> Pace:
    """Give the pace after attempts that took so long."""
    pace = Pace()
    for each in seconds:
        pace.heard(Report("dask-0", 0.0, int(each * 1e9)))
    return pace


times = st.lists(st.floats(0, 100), max_size=30)


@given(times, st.integers(1, 50), st.integers(0, 2_000))
def test_a_cluster_has_no_more_than_its_share(seconds, slots, flying):
    """Never more than the bound of short attempts, and of others not more than the smaller one."""
    room = told(*seconds).room(slots, flying)
    assert room == 0 or flying + room <= AHEAD_SHORT * slots
    if not seconds or min(seconds) > SHORT_SECONDS:
        assert room == 0 or flying + room <= AHEAD * slots


@given(times, st.integers(1, 50))
def test_workers_never_wait_for_attempts_to_come_together(seconds, slots):
    """While each worker's thread has one attempt and no more, there is room for the others."""
    assert told(*seconds).room(slots, slots) >= slots


def test_short_attempts_travel_together():
    """They are handed over when half of those that may be there are back, all at once."""
    pace = told(*[0.001] * 5)
    most = 2 * AHEAD_SHORT
    rooms = [pace.room(2, flying) for flying in range(most, -1, -1)]
    assert rooms == [0] * AHEAD_SHORT + list(range(AHEAD_SHORT, most + 1))


def test_one_long_attempt_among_short_ones_ends_the_haste():
    """What is with the cluster cannot be taken back for certain, so long ones wait here."""
    pace = told(*[0.001] * 20, 1.0)
    assert pace.room(1, 0) == AHEAD
    for _ in range(40):
        pace.heard(Report("dask-0", 0.0, 1_000_000))
    assert pace.room(1, 0) == AHEAD_SHORT


def kept(number: int, size: int) -> Spent:
    """Give what holds so many futures of results of so many bytes."""
    spent = Spent()
    for n in range(number):
        spent.add(n, size)
    return spent


@pytest.mark.parametrize(
    ("number", "size", "released"),
    [(1, 100, 0), (255, 100, 0), (256, 100, 256), (2, 1 << 21, 2), (3, 1 << 20, 0)],
)
def test_a_busy_cluster_is_told_of_many_results_at_once(number, size, released):
    """Each such word holds up the next attempt: a few small results wait, many or large do not."""
    assert kept(number, size).release(busy=True) == released


def test_a_cluster_with_nothing_to_do_is_told_at_once():
    """Then nothing is held up, and nothing is kept for nobody; the second time there is nothing."""
    spent = kept(2, 100)
    assert [spent.release(busy=False) for _ in range(2)] == [2, 0]


def test_no_result_is_kept_for_long(monkeypatch):
    """After a second a few are worth a word, too; the next ones have a second again."""
    clock = SimpleNamespace(now=5.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(dask_flight, "time", clock)
    spent = kept(2, 100)
    clock.now += 0.9
    assert spent.release(busy=True) == 0
    clock.now += 0.2
    assert spent.release(busy=True) == 2
    spent.add("later", 100)
    clock.now += 0.9
    assert spent.release(busy=True) == 0
