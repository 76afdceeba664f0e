"""Activities that ask for the workflow's own thread, and executors that run within `submit`."""

from __future__ import annotations

import concurrent.futures as cf
import threading
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.executors.inline import Inline
from nbflow.store.sqlite import SqliteStore

WAIT = 30


@nbflow.activity(executor="inline")
def where(*_: object) -> str:
    return threading.current_thread().name


@nbflow.activity(executor=Inline())
def object_(*_: object) -> str:
    return threading.current_thread().name


@nbflow.activity
def elsewhere(*_: object) -> str:
    return threading.current_thread().name


@nbflow.workflow
def flow() -> tuple[str, list[str]]:
    mine = threading.current_thread().name
    first = where()
    rest = [where(elsewhere(first)), object_(first), where()]
    return mine, [first.result(), *[f.result() for f in rest]]


@pytest.mark.parametrize("on", ["inline", "threads", "asyncio", "processes"])
def test_an_activity_in_the_workflows_thread(on: str) -> None:
    """It runs where the code runs, wherever the run's other calls do, in the order of asking."""
    mine, names = flow.on(on).start().result(WAIT)
    assert set(names) == {mine}


def test_limits_and_priorities_hold_there_too() -> None:
    """Calls that wait their turn are begun in the workflow's thread as well."""
    limited = where.options(max_running=1, task_priority=3)

    @nbflow.workflow
    def many() -> bool:
        calls = [limited(n) for n in range(5)]
        return {f.result() for f in calls} == {threading.current_thread().name}

    assert nbflow.start(many).result(WAIT)
    assert many.on("inline").start().result(WAIT)


class Synchronous(cf.Executor):
    """Runs what it is given before `submit` returns."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> cf.Future[Any]:
        future: cf.Future[Any] = cf.Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # as executors do
            future.set_exception(error)
        return future


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_suspects_on_an_executor_that_runs_within_submit(
    tmp_path: Path, timeout: float | None
) -> None:
    """Calls that were open at a crash are told of before they begin; nothing waits for itself."""
    ledger = str(tmp_path / "ledger")

    @nbflow.activity(timeout=timeout)
    def work(number: int) -> int:
        with Path(ledger).open("a") as file:
            file.write(f"{number} ")
        return number

    @nbflow.workflow
    def sums() -> int:
        return sum(f.result() for f in [work(n) for n in range(4)])

    store = SqliteStore(tmp_path / "store")
    nbflow.configure(store=store)
    whole = sums.start()
    whole.result(WAIT)
    cut = [e for e in store.events(whole.id) if type(e).__name__ in {"RunStarted", "CallScheduled"}]
    store.create("sums-cut", cut[0]._replace(seed="sums-cut"))  # type: ignore[arg-type,call-arg]
    store.append("sums-cut", [e._replace(seq=n) for n, e in enumerate(cut[1:], 2)])
    Path(ledger).unlink()
    run: Any = nbflow.attach("sums-cut")
    assert run.resume(sums, on=Synchronous()).result(WAIT) == 6
    assert sorted(Path(ledger).read_text().split()) == ["0", "1", "2", "3"]
    store.close()
