"""A run has one owner at a time, whoever else believes to be it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbflow
from nbflow.core.events import CallSucceeded, RunClosed, RunResumed
from nbflow.core.history import History
from nbflow.engine.live import Live
from nbflow.store.base import Store
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import Gate
from nbflow.testing.checks import eventually
from nbflow.testing.stores import started
from tests.engine.parts import ByHand

WAIT = 20


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Give two views of one store, as two kernels have them."""
    if request.param == "memory":
        store = MemoryStore()
        yield store, store
        return
    made = SqliteStore(tmp_path), SqliteStore(tmp_path)
    yield made
    for one in made:
        one.close()


def owner(store: Store, run: str) -> Live:
    """Read a run's log, as a session does that resumes it."""
    return Live(store, run, History.of(store.events(run)), lambda _: ByHand())


def test_of_two_sessions_that_resume_a_run_the_second_gets_a_conflict(
    stores: tuple[Store, Store],
) -> None:
    """Both have read the same log; the first one goes on, the second one is told at once."""
    stores[0].create("run", started())
    first, second = owner(stores[0], "run"), owner(stores[1], "run")
    first.resumed(RunResumed(0, 0.0, "mine"), {})
    with pytest.raises(nbflow.StoreConflict):
        second.resumed(RunResumed(0, 0.0, "no, mine"), {})
    assert isinstance(second.stopped, nbflow.StoreConflict)
    first.close("completed", 1)
    assert [type(e) for e in stores[1].events("run")][1:] == [RunResumed, RunClosed]
    # And whatever the second one is asked to do, it writes no more.
    second.cancel_run("late")
    second.close("failed")
    assert isinstance(second.stopped, nbflow.StoreConflict)
    assert [type(e) for e in stores[0].events("run")][1:] == [RunResumed, RunClosed]


TAKE_OVER = """
import sys
import nbflow
from nbflow.store.sqlite import SqliteStore

@nbflow.activity
def double(n):
    if sys.argv[3] == "fail":
        raise OSError("not here either")
    return 2 * n

@nbflow.workflow(name="flow")
def flow():
    return double(double(4)).result()

run = nbflow.attach(sys.argv[1], SqliteStore(sys.argv[2]))
try:
    run.resume(flow)
except nbflow.RunError as error:
    assert "is driven by process" in str(error) and "force=True" in str(error), error
else:
    raise AssertionError("the run was taken from a process that is there, unasked")
run.resume(flow, force=True)
if sys.argv[3] == "leave":
    sys.stdout.write("left")
    sys.stdout.flush()
    import os
    os._exit(0)
run.wait()
print(run.status)
"""


@pytest.mark.parametrize("then", ["completed", "failed", "left"])
def test_an_owner_that_was_replaced_stops(then: str, tmp_path: Path) -> None:
    """Another kernel takes a run over only by force; then this one writes no more.

    It shows what the log has.
    """
    store = SqliteStore(tmp_path / "store")
    nbflow.configure(store=store)
    gate = Gate(tmp_path / "gate")

    @nbflow.activity
    def double(n: int) -> int:
        gate.enter()
        return 2 * n

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return double(double(4)).result()

    run = flow.start()
    gate.wait_for(1)
    how = {"completed": "go", "failed": "fail", "left": "leave"}[then]
    args = [sys.executable, "-c", TAKE_OVER, run.id, store.path, how]
    found = subprocess.run(args, capture_output=True, text=True, check=True, timeout=WAIT)
    assert found.stdout.strip() == then
    before = list(run.events())
    gate.open()
    run.wait(WAIT)
    assert list(run.events()) == before
    assert gate.entered() == 1
    assert run.status == ("running" if then == "left" else then)
    if then == "completed":
        assert run.result() == 16
        assert sum(isinstance(event, CallSucceeded) for event in before) == 2
    elif then == "failed":
        with pytest.raises(OSError, match="not here either"):
            run.result()
    else:
        with pytest.raises(nbflow.StoreConflict, match=run.id):
            run.result()
        assert run.resume(flow).result(WAIT) == 16
    store.close()


def test_a_run_that_is_under_way_is_not_resumed_here() -> None:
    """In the same process that is told without any writing."""
    hand = ByHand()

    @nbflow.activity
    def double(n: int) -> int:
        return 2 * n

    @nbflow.workflow
    def flow() -> int:
        return double(4).result()

    run = flow.on(hand).start()
    hand.job(0)
    before = list(run.events())
    with pytest.raises(nbflow.RunError, match="under way"):
        run.resume(flow)
    assert list(run.events()) == before
    hand.end(0)
    assert run.result(WAIT) == 8


def test_after_a_conflict_the_run_can_be_resumed_again(tmp_path: Path) -> None:
    """A resume that failed leaves nothing behind that would forbid the next one."""
    store = SqliteStore(tmp_path)
    nbflow.configure(store=store)

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return 7

    store.create("run-1", started())
    store._db.execute("PRAGMA query_only=1")
    errors = []
    for _ in range(2):
        with pytest.raises(nbflow.StoreError) as caught:
            nbflow.attach("run-1", store).resume(flow)
        errors.append(caught)
    store._db.execute("PRAGMA query_only=0")
    assert nbflow.attach("run-1", store).resume(flow).result(WAIT) == 7
    store.close()


def test_code_that_does_not_fit_its_log_stops_the_run_and_nothing_else(tmp_path: Path) -> None:
    """Nondeterminism while calls run: the log is left alone, late answers are dropped."""
    store = SqliteStore(tmp_path)
    nbflow.configure(store=store)
    names = ["one"]

    @nbflow.activity
    def one(n: int) -> int:
        return n

    @nbflow.activity
    def other(n: int) -> int:
        if names == ["two"]:
            return n
        raise OSError("stop here")

    @nbflow.workflow
    def flow() -> int:
        first = one(1 if names == ["one"] else 2)
        return other(first).result()

    run = flow.start()
    with pytest.raises(OSError, match="stop here"):
        run.result(WAIT)
    names[0] = "two"
    run.resume(flow)
    with pytest.raises(nbflow.NondeterminismError, match="one-1"):
        run.result(WAIT)
    eventually(run.done, "the run is over")
    assert isinstance(list(run.events())[-1], RunResumed)
    names[0] = "one"
    with pytest.raises(OSError, match="stop here"):
        run.resume(flow).result(WAIT)
    store.close()
