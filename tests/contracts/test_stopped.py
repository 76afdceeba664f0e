"""Runs that are not over and that nobody drives: they are said to be stopped, not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import nbflow
from nbflow.core.errors import RunError
from nbflow.running.config import settings
from nbflow.store.base import Store
from nbflow.store.lease import new_lease
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore


@nbflow.activity
def double(x: int) -> int:
    return 2 * x


@nbflow.workflow
def twice(x: int) -> int:
    return double(double(x).result()).result()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give a store whose one run was left after its first call, as by a process that was killed."""
    run = twice.start(3)
    assert run.result() == 12
    events = list(run.events())
    left: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store")
    left.create("twice-left", events[0])  # type: ignore[arg-type] # every log begins so
    left.append("twice-left", events[1 : len(events) // 2])
    settings.store = left
    yield left
    left.close()


def test_it_is_stopped_wherever_one_looks(store: Store) -> None:
    """The handle says of such a run what the list of runs says."""
    run = nbflow.attach("twice-left")
    assert (run.status, run.done()) == ("stopped", False)
    assert nbflow.runs()[0].status == "stopped"
    assert "stopped" in repr(run)
    assert run.graph.status == "stopped"
    assert run.graph.text().startswith("twice  □ stopped")


def test_nobody_waits_for_it(store: Store) -> None:
    """Each way to wait ends at once, with an error that says what is kept and what to do."""
    run = nbflow.attach("twice-left")

    async def awaited() -> object:
        return await run

    ways: list[Callable[[], object]] = [run.wait, run.result, lambda: asyncio.run(awaited())]
    for way in ways:
        with pytest.raises(RunError, match=r"stopped.*gone.*What succeeded is kept; run\.resume"):
            way()


def test_it_goes_on_when_asked(store: Store) -> None:
    """After `resume` it is a run as any other, for other handles as well."""
    run, other = nbflow.attach("twice-left"), nbflow.attach("twice-left")
    assert run.resume(twice).result() == 12
    assert run.status == other.status == "completed"
    assert other.result() == 12


def test_one_that_another_process_drives_is_waited_for(store: Store) -> None:
    """As long as its driver shows that it lives, the run is under way."""
    run = nbflow.attach("twice-left")
    lease = replace(new_lease(), host="another machine")
    store.hold("twice-left", lease)
    assert run.status == "running"
    with pytest.raises(TimeoutError, match="goes on"):
        run.wait(0.0)
    store.release("twice-left", lease)
    assert run.status == "stopped"


def test_one_that_was_born_just_now_is_no_orphan() -> None:
    """A run is claimed a moment after its first event is in the log; so long it is under way."""
    run = twice.start(3)
    first = next(iter(run.events()))
    run.wait()
    store = MemoryStore()
    settings.store = store
    store.create("young", first)  # type: ignore[arg-type] # every log begins so
    assert nbflow.attach("young").status == "running"
    store.create("old", first._replace(at=first.at - 60))  # type: ignore[arg-type]
    assert nbflow.attach("old").status == "stopped"
