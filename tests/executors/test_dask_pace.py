"""How many attempts are handed to a Dask cluster at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.events import Report
from nbflow.executors.dask_flight import AHEAD, AHEAD_SHORT, SHORT_SECONDS, Pace


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
