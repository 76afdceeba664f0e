"""A large run has the garbage collector come less often, and nobody else is hurt by that."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

import nbflow
from nbflow.store.collector import EASED, LARGE, Easing
from nbflow.store.memory import MemoryStore


@pytest.fixture(autouse=True)
def _threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("ends", ["completes", "is cancelled", "fails"])
def test_a_large_run_eases_the_collector_until_it_is_over(ends: str) -> None:
    """While many calls are under way the threshold is raised; it is as before once all is over."""
    nbflow.configure(store=MemoryStore())
    gate, eased = threading.Event(), threading.Event()

    @nbflow.activity
    def look(number: int) -> int:
        while number == 0 and not gate.is_set():
            if gc.get_threshold()[0] == EASED:
                eased.set()
            gate.wait(0.01)
        if number == 0 and ends == "fails":
            raise ValueError("for the test")
        return number

    @nbflow.workflow
    def many(count: int) -> int:
        return sum(nbflow.gather(*[look(i) for i in range(count)]).result())

    run = many.on("threads", max_workers=2).start(LARGE)
    assert eased.wait(30)
    if ends == "is cancelled":
        run.cancel()
    gate.set()
    assert run.wait(30)
    assert gc.get_threshold() == (700, 10, 10)


def test_a_small_run_leaves_the_collector_alone() -> None:
    """Below so many calls nothing is changed."""
    easing = Easing()
    easing.look(easing, LARGE - 1)
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_of_several_runs_gives_back_what_was() -> None:
    """The first one raises it, the last one sets it back; each may ask and let go repeatedly."""
    easing, one, other = Easing(), object(), object()
    for who in (one, other, one):
        easing.look(who, LARGE)
    assert gc.get_threshold() == (EASED, 10, 10)
    easing.let_go(one)
    easing.let_go(one)
    assert gc.get_threshold() == (EASED, 10, 10)
    easing.let_go(other)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("young", [0, EASED, 50_000])
def test_what_somebody_has_chosen_stays(young: int) -> None:
    """A collector that is turned off, or comes less often already, is left as it is."""
    gc.set_threshold(young, 5, 5)
    easing = Easing()
    easing.look(easing, LARGE)
    assert gc.get_threshold() == (young, 5, 5)
    easing.let_go(easing)
    assert gc.get_threshold() == (young, 5, 5)


def test_what_somebody_changes_meanwhile_stays() -> None:
    """Who sets a threshold during a run finds it so afterwards."""
    easing = Easing()
    easing.look(easing, LARGE)
    gc.set_threshold(123, 4, 5)
    easing.let_go(easing)
    assert gc.get_threshold() == (123, 4, 5)


def test_whoever_folds_a_log_has_it_come_less_often_meanwhile() -> None:
    """Within the block only, also where it raises, and not at the cost of a run under way."""
    easing = Easing()
    seen: list[tuple[int, int, int]] = []

    def fold() -> None:
        with easing.held(seen):
            seen.append(gc.get_threshold())
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fold()
    assert seen == [(EASED, 10, 10)]
    assert gc.get_threshold() == (700, 10, 10)
    easing.look(easing, LARGE)
    with easing.held(seen):
        pass
    assert gc.get_threshold() == (EASED, 10, 10)
    easing.let_go(easing)
    assert gc.get_threshold() == (700, 10, 10)
