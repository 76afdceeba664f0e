"""When the log cannot be written, the run stops as the log has it, and can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import CallSucceeded, Event, RunClosed
from nbflow.core.history import History
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import FaultTable
from tests.engine.parts import Watched

WAIT = 20
PLACES = ["threads", "inline", "asyncio", "processes"]


def fill_up(store: SqliteStore) -> Callable[[], object]:
    """Leave no room in the store's file; give what makes room."""
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages + 3}")
    return lambda: store._db.execute("PRAGMA max_page_count=100000")


def forbid(store: SqliteStore) -> Callable[[], object]:
    """Let SQLite refuse to write; give what allows it again."""
    store._db.execute("PRAGMA query_only=1")
    return lambda: store._db.execute("PRAGMA query_only=0")


def take_away(store: SqliteStore) -> Callable[[], object]:
    """Move the store's directory away; give what brings it back."""
    away = store.directory.with_name("away")
    store.directory.rename(away)

    def back() -> None:
        shutil.rmtree(store.directory, ignore_errors=True)  # nbflow: ok - the disaster itself
        away.rename(store.directory)

    return back


FAULTS = [
    pytest.param(fill_up, "SQLITE_FULL", id="full"),
    pytest.param(forbid, "SQLITE_READONLY", id="read-only"),
    pytest.param(take_away, "deleted or replaced", id="gone"),
]


# The workflow breaks its own store: that is no work for a workflow, and is told so.
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_a_failed_append_stops_the_run_which_can_be_resumed(
    fault: Any, says: str, place: str, tmp_path: Path
) -> None:
    """The run raises StoreError and stays as its log has it; resumed, it loses nothing."""
    store = SqliteStore(tmp_path / "store")
    ran = FaultTable(tmp_path / "ran")
    nbflow.configure(store=store)
    mend: list[Callable[[], object]] = []

    @nbflow.activity
    def step(n: int) -> str:
        ran.act(n)
        return f"{n} " * 1000

    @nbflow.workflow
    def flow() -> int:
        total = 0
        for n in range(40):
            total += len(step(n).result())
            if n == 3 and not mend:
                mend.append(fault(store))
        return total

    run = flow.on(place).start()
    with pytest.raises(nbflow.StoreError, match=says) as caught:
        run.result(WAIT)
    assert any(run.id in note for note in getattr(caught.value, "__notes__", ()))
    assert run.done()
    mend[0]()
    before = list(store.events(run.id))
    assert [event.seq for event in before] == list(range(1, len(before) + 1))
    assert not any(isinstance(event, RunClosed) for event in before)
    kept = {e.call for e in before if isinstance(e, CallSucceeded)}
    assert len(kept) >= 4
    ran_before = ran.total()
    assert run.resume(flow).result(WAIT) == sum(len(f"{n} " * 1000) for n in range(40))
    # Only what was under way, and so not in the log, runs a second time.
    assert ran_before - len(kept) in {0, 1}
    assert ran.total() == 40 + ran_before - len(kept)
    store.close()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("how", ["raises", "returns", "asks", "waits"])
def test_code_that_catches_the_error_cannot_hide_it(how: str, place: str) -> None:
    """Whatever the workflow does with the StoreError: the run ends with it, and writes no more."""
    store = Watched()
    nbflow.configure(store=store)
    asked: list[int] = []

    def full(_: Sequence[Event]) -> None:
        if len(store.appends) >= 2:
            asked.append(1)
            raise nbflow.StoreError("disk full")

    store.before = full

    @nbflow.activity
    def step(n: int) -> int:
        return n

    @nbflow.workflow
    def flow() -> int:
        try:
            for n in range(50):
                step(n).result()
        except Exception as error:
            if how == "raises":
                raise ValueError("something else") from error
            if how == "asks":
                step(99)
            if how == "waits":
                return step(99).result()
        return -1

    run = flow.on(place).start()
    with pytest.raises(nbflow.StoreError, match="disk full"):
        run.result(WAIT)
    assert run.done()
    store.before = lambda _: None
    events = list(run.events())
    assert not isinstance(events[-1], RunClosed)
    assert len(asked) == 1


@pytest.mark.parametrize("place", PLACES)
def test_what_is_shown_afterwards_is_what_the_log_has(place: str) -> None:
    """After a failed append, the run's handle shows no call as done that the log does not."""
    store = Watched()
    nbflow.configure(store=store)

    def full(events: Sequence[Event]) -> None:
        if any(isinstance(event, CallSucceeded) for event in events):
            raise nbflow.StoreError("disk full")

    store.before = full

    @nbflow.activity
    def step(n: int) -> int:
        return n

    @nbflow.workflow
    def flow() -> int:
        return step(1).result()

    run = flow.on(place).start()
    with pytest.raises(nbflow.StoreError):
        run.result(WAIT)
    logged = History.of(store.events(run.id))
    assert {name: call.status for name, call in run.calls.items()} == {
        state.id: state.status for state in logged.calls.values()
    }
    assert run.counts().get("done", 0) == 0


@pytest.mark.parametrize("error", [OSError("broken"), ValueError("odd"), KeyError("x")])
@pytest.mark.parametrize("place", PLACES)
def test_a_store_that_breaks_its_promise_stops_the_run_too(place: str, error: Exception) -> None:
    """Any other error of a store's ends the run with an NbflowError that names it; no hang."""
    store = Watched()
    nbflow.configure(store=store)

    def breaks(_: Sequence[Event]) -> None:
        if store.appends:
            raise error

    store.before = breaks

    @nbflow.activity
    def step(n: int) -> int:
        return n

    @nbflow.workflow
    def flow() -> int:
        return sum(step(n).result() for n in range(9))

    run = flow.on(place).start()
    with pytest.raises(nbflow.NbflowError, match=type(error).__name__):
        run.result(WAIT)
    assert run.done()
    # The workers have not suffered.
    nbflow.configure(store=":memory:")
    assert flow.on(place).start().result(WAIT) == sum(range(9))


@pytest.mark.parametrize("place", PLACES)
def test_values_that_cannot_be_kept_are_an_error_not_a_hang(place: str, tmp_path: Path) -> None:
    """Where blobs cannot be written, the run raises StoreError."""
    store = SqliteStore(tmp_path)
    nbflow.configure(store=store)
    (tmp_path / "blobs").write_text("in the way")

    @nbflow.activity
    def make() -> bytes:
        return b"x" * 1_000_000

    @nbflow.workflow
    def flow() -> int:
        return len(make().result())

    run = flow.on(place).start()
    with pytest.raises(nbflow.StoreError, match="cannot be kept"):
        run.result(WAIT)
    store.close()


def test_a_run_that_cannot_be_created_runs_nothing(tmp_path: Path) -> None:
    """`start` itself raises; no code of the workflow's has run."""
    store = SqliteStore(tmp_path)
    nbflow.configure(store=store)
    forbid(store)
    ran: list[int] = []

    @nbflow.workflow
    def flow() -> None:
        ran.append(1)

    with pytest.raises(nbflow.StoreError):
        flow.start()
    assert not ran
    assert store.runs() == []
    store.close()
