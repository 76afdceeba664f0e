"""A run does not pile up attempts in its executor: so many are there, the others wait for less."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

import nbflow
from nbflow import activity, workflow

CALLS = 2_500
WINDOW = 1_000


class Counting(Executor):
    """A pool that knows the most attempts that it ever had at a time."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.lock = threading.Lock()
        self.now = self.most = self.all = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self.lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)
        future = self.pool.submit(fn, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        with self.lock:
            self.now -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait, cancel_futures=cancel_futures)


@pytest.fixture
def pool() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.shutdown(cancel_futures=True)


@activity
def double(x: int) -> int:
    open_gate().wait()
    return 2 * x


@workflow
def wide(calls: int) -> int:
    return sum(future.result() for future in [double(i) for i in range(calls)])


def test_no_more_attempts_wait_in_an_executor_than_it_can_have_use_for(pool: Counting) -> None:
    """However many calls are ready, an executor holds a bounded number, and all of them run."""
    gates["open"].clear()
    run = wide.on(pool).start(CALLS)
    eventually(lambda: len(run.calls) == CALLS)
    gates["open"].set()
    assert run.result() == CALLS * (CALLS - 1)
    assert pool.all == CALLS
    assert pool.most <= WINDOW


@workflow
def blocked(calls: int) -> list[int]:
    held = [wait_for_signal() for _ in range(calls)]
    return [other().result(), len([future.result() for future in held])]


gates: dict[str, threading.Event] = {"open": threading.Event()}


@activity
def wait_for_signal() -> None:
    open_gate().wait()


@activity
async def other() -> int:
    await asyncio.sleep(0)
    open_gate().set()
    return 7


def eventually(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def open_gate() -> threading.Event:
    return gates["open"]


def test_calls_of_one_executor_do_not_hold_up_those_of_another() -> None:
    """A full executor keeps only its own calls waiting."""
    gates["open"].clear()
    run = blocked.on("threads").start(WINDOW + 500)
    assert run.result(timeout=30) == [7, WINDOW + 500]


def test_calls_that_wait_for_room_can_be_cancelled() -> None:
    """A call that has not come to its executor yet is settled like any other."""
    gates["open"].clear()
    run = blocked.on("threads").start(WINDOW + 500)
    run.cancel()
    with pytest.raises(nbflow.RunCancelled):
        run.result(timeout=30)
    gates["open"].set()
    assert {call.status for call in run.calls.values()} <= {"cancelled"}
