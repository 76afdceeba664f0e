"""Options that a run is started with are in its log: whoever goes on with it obeys them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Schedule, decide
from nbflow.core.events import Event, RunStarted
from nbflow.core.eventtext import decode, encode
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore

BROKEN: list[bool] = [True]
TOLD: list[str] = []


@nbflow.activity
def fetch(number: int) -> int:
    """Get a number, or fail."""
    if number == 0 and BROKEN[0]:
        message = "away"
        raise OSError(message)
    return number


@nbflow.workflow
def flow(count: int = 3) -> Any:
    """Get some numbers."""
    return [part.result() for part in [fetch(n) for n in range(count)]]


@nbflow.workflow
def parent() -> Any:
    """Have a child with options of its own."""
    return flow.options(max_open_activity_count=1, on_task_failure=ignore)(2)


@nbflow.workflow(lint=False)
def endless(seen: int = 0) -> Any:
    """Go on as new, where that is due."""
    for _ in range(8):
        seen += fetch(1).result()
        if seen < 20:
            nbflow.continue_as_new(seen)
    return seen


def ignore(failure: nbflow.FailureContext) -> Any:
    """Have None for each call that fails."""
    return failure.decide_ignore()


def tell(ended: nbflow.HookContext) -> None:
    """Note how a run ends."""
    TOLD.append(ended.status)


@pytest.fixture(autouse=True)
def store() -> Iterator[MemoryStore]:
    """Give each test a store of its own."""
    before, BROKEN[0] = config.store, True
    TOLD.clear()
    found = config.store = MemoryStore()
    yield found
    config.store = before


def left_of(run: nbflow.Run[Any], events: int) -> nbflow.Run[Any]:
    """Give what another process finds of a run after a crash."""
    first, *rest = decode(encode(list(run.events())[:events], run.id))
    assert isinstance(first, RunStarted)
    there = MemoryStore()
    there.create(run.id, first)
    if rest:
        there.append(run.id, rest)
    return nbflow.attach(run.id, there)


def test_who_resumes_a_run_obeys_the_options_that_it_was_started_with(store: MemoryStore) -> None:
    """Decisions about failures and hooks are those of the start, not the workflow's own."""
    run = flow.options(on_task_failure=ignore, after_closed=tell, retry=2).on("inline").start()
    assert run.result() == [None, 1, 2]
    first = next(iter(run.events()))
    crashed = MemoryStore()
    crashed.create(run.id, first)  # type: ignore[arg-type]
    again = nbflow.attach(run.id, crashed).resume(workflow=flow)
    assert again.result() == [None, 1, 2]
    assert TOLD == ["completed", "completed"]
    assert store is not crashed


def test_so_does_a_resumption_in_the_same_process() -> None:
    """A run that has failed goes on with them as well."""
    started = flow.options(max_open_activity_count=1, after_closed=tell).on("inline").start()
    started.wait()
    assert started.status == "failed"
    BROKEN[0] = False
    assert started.resume(workflow=flow).result() == [0, 1, 2]
    assert TOLD == ["failed", "completed"]


def test_a_decider_obeys_them() -> None:
    """`decide` is given the workflow and the log alone."""
    run = flow.options(max_open_activity_count=2, on_task_failure=ignore).on("inline").start()
    run.result()
    first: Event = next(iter(run.events()))
    assert len([c for c in decide(flow.fn, [first], 0.0) if isinstance(c, Schedule)]) == 2
    plain = first._replace(options=None)  # type: ignore[call-arg]
    assert len(decide(flow.fn, [plain], 0.0)) == 3


def test_a_replay_and_the_run_that_goes_on_obey_them() -> None:
    """What `max_events` decides about the way of the code is decided alike."""
    run = endless.options(max_events=20).on("inline").start()
    assert run.result() == 24
    assert run.onward is not None
    first = next(iter(run.onward.events()))
    assert isinstance(first, RunStarted)
    assert first.options == {"max_events": 20}
    for one in (run, run.onward):
        assert nbflow.replay(one, workflow=endless).check().ok


def test_so_does_a_child_run() -> None:
    """What its parent's code gave it is in its own log."""
    run = parent.on("inline").start()
    assert run.result() == [None, 1]
    first = next(iter(nbflow.attach(f"{run.id}/flow-1").events()))
    assert isinstance(first, RunStarted)
    assert first.options is not None
    assert set(first.options) == {"max_open_activity_count", "on_task_failure"}


def test_what_cannot_be_stored_is_obeyed_and_named() -> None:
    """A hook that holds a lock is called; the log says that it does not have it."""
    lock = threading.Lock()

    def hold(_: nbflow.HookContext) -> None:
        with lock:
            TOLD.append("held")

    BROKEN[0] = False
    run = flow.options(on_completed=hold, max_events=500, tags=["a"]).on("inline").start()
    assert run.result() == [0, 1, 2]
    first = next(iter(run.events()))
    assert isinstance(first, RunStarted)
    assert (TOLD, first.options, first.unkept) == (["held"], {"max_events": 500}, ("on_completed",))
    assert first.tags == ("a",)


def test_a_log_without_options_is_read_and_written_as_ever() -> None:
    """Older logs have none; what is written is read back."""
    BROKEN[0] = False
    run = flow.on("inline").start()
    run.result()
    first = next(iter(run.events()))
    assert isinstance(first, RunStarted)
    assert (first.options, first.unkept) == (None, ())
    assert left_of(run, 3).workflow == "flow"
    assert list(decode(encode([first]))) == [first]
