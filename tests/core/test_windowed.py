"""A million calls that are asked for are not a million live objects."""

from __future__ import annotations

import gc
import itertools

import pytest

import nbflow
from nbflow.core.future import Future
from nbflow.engine.job import Job
from nbflow.store.memory import MemoryStore

counts: list[dict[str, int]] = []


@nbflow.activity
def doubled(n):
    if n < 0:
        raise ValueError(f"{n} is negative")
    return 2 * n


def live():
    """Count the futures and attempts that are in memory now."""
    kinds = [type(thing) for thing in gc.get_objects()]
    return {
        "futures": sum(issubclass(kind, Future) for kind in kinds),
        "jobs": kinds.count(Job),
    }


@nbflow.workflow
def summed(count, window):
    total = 0
    for number, value in enumerate(nbflow.windowed(doubled, range(count), window=window)):
        total += value
        if number % 250 == 200:
            counts.append(live())
    return total


@nbflow.workflow
def all_at_once(count):
    futures = [doubled(n) for n in range(count)]
    counts.append(live())
    return sum(future.result() for future in futures)


@nbflow.workflow
def endless():
    results = nbflow.windowed(lambda n: doubled(n + 0), itertools.count(), window=3)
    return list(itertools.islice(results, 5))


@nbflow.workflow
def one_fails(values):
    found = []
    results = nbflow.windowed(doubled, values, window=2)
    try:
        for value in results:
            found.append(value)  # noqa: PERF402 - what came before the error counts
    except ValueError as error:
        found.append(str(error))
    return found


@pytest.fixture(autouse=True)
def _memory():
    nbflow.configure(store=MemoryStore())
    counts.clear()


def test_only_the_window_is_in_memory():
    """Of 1,500 calls there are no more futures and attempts at any time than the window has."""
    before = live()
    assert summed.on("threads").start(1500, 40).result(60) == 1499 * 1500
    assert len(counts) == 6
    for kind in ("futures", "jobs"):
        assert max(found[kind] for found in counts) - before[kind] <= 42, kind


def test_without_a_window_all_are_in_memory():
    """The count above tells something: code that asks for all at once has all of the futures."""
    before = live()
    assert all_at_once.on("threads").start(1500).result(60) == 1499 * 1500
    assert counts[0]["futures"] - before["futures"] >= 1500


def test_a_run_hands_on_no_more_attempts_than_its_executor_may_hold():
    """Also where all are asked for at once, ready calls wait as less than attempts."""
    before = live()
    assert all_at_once.on("threads").start(5000).result(60) == 4999 * 5000
    assert counts[0]["jobs"] - before["jobs"] <= 1100


def test_items_are_taken_as_results_are():
    """From a source that never ends only so much is taken as the window needs."""
    run = endless.on("threads").start()
    assert run.result(60) == [0, 2, 4, 6, 8]
    assert len(run.calls) == 7


def test_a_failure_comes_where_its_result_would():
    """Results before it are given, and calls of the window go on."""
    run = one_fails.on("threads").start([1, -2, 3, 4])
    assert run.result(60) == [2, "-2 is negative"]


@pytest.mark.parametrize("values", [[], [5]])
def test_few_items_and_none(values):
    """Fewer items than the window has room for."""
    assert one_fails.on("threads").start(values).result(60) == [2 * v for v in values]


def test_a_resumed_run_asks_for_the_same():
    """A replay of the run meets no difference, and runs nothing again."""
    run = summed.on("threads").start(300, 7)
    run.result(60)
    found = nbflow.replay(run, summed)
    assert found.ok, found.error
    assert found.same_result


@pytest.mark.parametrize("window", [0, -1, 1.5, "ten", True, None])
def test_a_window_that_makes_no_sense_is_refused(window):
    """Before anything is asked for."""
    with pytest.raises(ValueError, match="window is a number of calls, at least 1"):
        nbflow.windowed(doubled, [1], window=window)


def test_outside_a_workflow_it_says_what_to_use():
    """There are no futures there."""
    with pytest.raises(nbflow.FutureMisuse, match=r"workflow code; elsewhere.*map\(\)"):
        nbflow.windowed(doubled, [1])
