"""Long chains: nothing in nbflow recurses along a run."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Close, decide
from nbflow.core.events import RunStarted
from nbflow.core.workflow import definition
from nbflow.store.memory import MemoryStore

LENGTH = 100_000


@nbflow.activity
def step(value: int) -> int:
    """Add one."""
    return value + 1


@nbflow.activity
def stop(value: int) -> int:
    """Fail."""
    raise ArithmeticError(value)


@nbflow.workflow
def chain(n: int) -> Any:
    """Call n times, each on the result of the one before."""
    future: Any = 0
    for _ in range(n):
        future = step(future)
    return future


@pytest.fixture(scope="module")
def run() -> Any:
    """Give a finished run of a long chain."""
    nbflow.configure(on="threads", max_workers=2, store=":memory:")
    found = chain.start(LENGTH)
    assert found.result(timeout=120) == LENGTH
    return found


@pytest.mark.timeout(180)
@pytest.mark.case("G6", "G7")
def test_a_chain_of_100_000_calls_runs_and_is_shown(run: Any) -> None:
    """It runs, and its repr, text, graph, profile and SVG are made without recursion."""
    assert sys.getrecursionlimit() < LENGTH
    assert f"{LENGTH}/{LENGTH}" in repr(run)
    assert len(run.graph) == LENGTH
    assert len(run.profile.bars) == LENGTH
    assert "step" in run.graph.text()
    assert run.profile.text()
    assert run.graph.svg().startswith("<svg")
    assert run.profile.svg().startswith("<svg")
    assert len(run.profile.critical_path()) > 1


@pytest.mark.timeout(180)
@pytest.mark.case("G7")
def test_a_long_chain_is_decided_and_resumed(run: Any) -> None:
    """Deciding its log, and resuming it from the middle, run only what is not settled."""
    events = list(run.events())
    (close,) = decide(definition(chain).fn, events[:-1], now=0)
    assert isinstance(close, Close)
    assert close.result == LENGTH
    store = MemoryStore()
    started = events[0]
    assert isinstance(started, RunStarted)
    store.create("cut", started)
    store.append("cut", events[1 : len(events) // 2])
    resumed = nbflow.attach("cut", store).resume(chain)
    assert resumed.result(timeout=120) == LENGTH


@pytest.mark.timeout(180)
@pytest.mark.case("G7")
def test_a_failure_skips_a_long_chain_without_recursion() -> None:
    """All that lies behind a failed call is skipped, once each."""

    @nbflow.workflow
    def broken(n: int) -> Any:
        future: Any = stop(1)
        for _ in range(n):
            future = step(future)
        return future

    found = broken.start(20_000)
    with pytest.raises(ArithmeticError):
        found.result(timeout=120)
    assert found.counts() == {"failed": 1, "skipped": 20_000}
