"""Every executor keeps the contract of `nbflow.testing`."""

from __future__ import annotations

import asyncio
import concurrent.futures as cf
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import loky
import pytest

from nbflow.core.errors import WorkerDied
from nbflow.engine.executor import Executor
from nbflow.executors.aio import Asyncio
from nbflow.executors.futures import Futures
from nbflow.executors.inline import Inline
from nbflow.executors.processes import Processes
from nbflow.executors.threads import Threads
from nbflow.testing import Collector, Die, ExecutorContract, FaultTable, Gate, make_job, samples
from nbflow.testing.checks import eventually
from tests.contracts.conftest import SLOTS


class TestInline(ExecutorContract):
    makes_room = False

    def make(self) -> Executor:
        return Inline()


class TestThreads(ExecutorContract):
    def make(self) -> Executor:
        return Threads(max_workers=3)


class TestThreadsTheLongWay(ExecutorContract):
    short = False

    def make(self) -> Executor:
        return Threads(max_workers=3)


class TestOneThread(ExecutorContract):
    def make(self) -> Executor:
        return Threads(max_workers=1)


class TestProcesses(ExecutorContract):
    def make(self) -> Executor:
        return Processes(max_workers=2)


class TestAsyncio(ExecutorContract):
    def make(self) -> Executor:
        return Asyncio(max_workers=10)


class Foreign(ExecutorContract):
    """Executors of others: their slots and their workers are not nbflow's."""

    makes_room = False
    owns_workers = False
    pool: ClassVar[cf.Executor]

    def make(self) -> Executor:
        return Futures(self.pool)

    @classmethod
    def teardown_class(cls) -> None:
        cls.pool.shutdown()


class TestThreadPool(Foreign):
    @classmethod
    def setup_class(cls) -> None:
        cls.pool = cf.ThreadPoolExecutor(2)


class TestProcessPool(Foreign):
    many = 1_000

    @classmethod
    def setup_class(cls) -> None:
        cls.pool = cf.ProcessPoolExecutor(2, multiprocessing.get_context("forkserver"))


class TestLoky(Foreign):
    many = 1_000

    @classmethod
    def setup_class(cls) -> None:
        cls.pool = loky.ProcessPoolExecutor(2)


@pytest.mark.parametrize("short", [True, False])
def test_the_contract_takes_both_ways_of_a_call(*, short: bool) -> None:
    """Small jobs go the short way of threads, as those of the engine; without `short` none does."""
    case = type("Case", (TestThreads,), {"short": short})()
    case.setup_method()
    try:
        jobs = [case.submit(samples.double, n) for n in range(3)]
        assert [case.inbox.result(job) for job in jobs] == [0, 2, 4]
        large, named = (
            case.submit(samples.give, [1]),
            case.submit(samples.keywords, kwargs={"a": 1}),
        )
        case.inbox.wait([large, named])
        assert {job.call for job in case.inbox.gained} == {job.call for job in jobs if short}
    finally:
        case.teardown_method()


# -------------------------------------------------------------------- order


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Inline, id="inline"),
        pytest.param(lambda: Threads(max_workers=1), id="threads"),
        pytest.param(lambda: Processes(max_workers=1), id="processes"),
        pytest.param(lambda: Asyncio(max_workers=1), id="asyncio"),
    ],
)
def test_with_one_slot_jobs_run_in_the_order_of_submission(
    make: Callable[[], Executor], tmp_path: Path
) -> None:
    """First come, first served; what is given up in between is left out."""
    executor, inbox, gate = make(), Collector(), Gate(tmp_path / "gate")
    first = make_job(samples.hold, gate)
    executor.submit(first, inbox)
    jobs = [make_job(samples.double, n) for n in range(60)]
    for job in jobs:
        executor.submit(job, inbox)
    if not isinstance(executor, Inline):
        gate.wait_for(1)
    for job in jobs[::3]:
        job.dropped = True
        assert executor.give_up(job)
    gate.open()
    while isinstance(executor, Inline) and executor.work():
        pass
    kept = [job for n, job in enumerate(jobs) if n % 3]
    inbox.wait([first, *kept])
    assert [job.call for job, _ in inbox.answers] == [first.call, *(job.call for job in kept)]
    executor.close()


# -------------------------------------------------------------------- pools of others


@pytest.mark.parametrize("name", ["thread-pool", "process-pool", "loky"])
def test_a_foreign_pool_tells_what_it_has_begun(
    name: str, pools: dict[str, cf.Executor], tmp_path: Path
) -> None:
    """`began` is told of what runs, while it runs, and not of what is only fetched in advance."""
    executor, inbox, gate = Futures(pools[name]), Collector(), Gate(tmp_path / "gate")
    jobs = [make_job(samples.hold, gate) for _ in range(4 * SLOTS)]
    for job in jobs:
        executor.submit(job, inbox)
    gate.wait_for(SLOTS)
    eventually(lambda: len(inbox.begun) == SLOTS, "the pool tells what it has begun")
    later = len(inbox.begun)
    gate.open()
    inbox.wait(jobs)
    assert later == SLOTS
    assert gate.left() == len(jobs)
    begun = [job.call for job, _, _ in inbox.begun]
    assert len(begun) == len(set(begun))


def test_given_up_attempts_keep_their_workers_in_a_foreign_pool(
    pools: dict[str, cf.Executor], tmp_path: Path
) -> None:
    """Jobs behind them are not told to have begun before a worker is free."""
    executor, inbox = Futures(pools["process-pool"]), Collector()
    stuck, gate = Gate(tmp_path / "stuck"), Gate(tmp_path / "gate")
    held = [make_job(samples.hold, stuck) for _ in range(SLOTS)]
    for job in held:
        executor.submit(job, inbox)
    stuck.wait_for(SLOTS)
    for job in held:
        job.dropped = True
        assert executor.give_up(job) is False
        assert executor.give_up(job) is False
    behind = make_job(samples.hold, gate)
    executor.submit(behind, inbox)
    probe = make_job(samples.double, 1)
    Futures(pools["thread-pool"]).submit(probe, inbox)
    inbox.wait([probe])
    assert all(job is not behind for job, _, _ in inbox.begun)
    stuck.open()
    gate.wait_for(1)
    eventually(lambda: any(job is behind for job, _, _ in inbox.begun), "it is told to have begun")
    gate.open()
    inbox.wait([behind])
    assert all(job not in held for job, _ in inbox.answers)


def test_jobs_of_a_pool_that_is_shut_down_are_answered(tmp_path: Path) -> None:
    """Whatever becomes of a foreign pool: nobody waits for ever."""
    pool = cf.ThreadPoolExecutor(1)
    executor, inbox, gate = Futures(pool), Collector(), Gate(tmp_path / "gate")
    jobs = [make_job(samples.hold, gate) for _ in range(4)]
    for job in jobs:
        executor.submit(job, inbox)
    gate.wait_for(1)
    pool.shutdown(wait=False, cancel_futures=True)
    late = make_job(samples.double, 1)
    executor.submit(late, inbox)
    gate.open()
    inbox.wait([*jobs, late])
    assert inbox.result(jobs[0]) == "held"
    for job in (*jobs[1:], late):
        assert isinstance(inbox.error(job), WorkerDied)


@pytest.mark.parametrize("name", ["stock", "loky"])
def test_a_pool_whose_worker_died_fails_its_jobs(name: str, tmp_path: Path) -> None:
    """They are WorkerDied, which names the pool's own error, and so are all later ones."""
    faults = FaultTable(tmp_path, {"x": [Die(3)]})
    spawn = multiprocessing.get_context("spawn")
    pool = loky.ProcessPoolExecutor(1) if name == "loky" else cf.ProcessPoolExecutor(1, spawn)
    executor, inbox = Futures(pool), Collector()
    jobs = [make_job(faults.act, "x") for _ in range(3)]
    for job in jobs:
        executor.submit(job, inbox)
    inbox.wait(jobs)
    late = make_job(samples.double, 1)
    executor.submit(late, inbox)
    for job in (jobs[0], late):
        error = inbox.error(job)
        assert isinstance(error, WorkerDied)
        assert "Terminated" in str(error) or "Broken" in str(error)
    assert faults.count("x") == 1
    pool.shutdown()


# -------------------------------------------------------------------- asyncio


def test_a_plain_function_on_the_loop_cannot_be_stopped(tmp_path: Path) -> None:
    """`give_up` says so; it holds up the others until it ends, and they then run."""
    executor, inbox, gate = Asyncio(max_workers=4), Collector(), Gate(tmp_path / "gate")
    plain, other = make_job(gate.enter), make_job(samples.give_async, 1)
    executor.submit(plain, inbox)
    gate.wait_for(1)
    executor.submit(other, inbox)
    plain.dropped = True
    assert executor.give_up(plain) is False
    assert not inbox.answers
    gate.open()
    assert inbox.result(other) == 1
    assert all(job is not plain for job, _ in inbox.answers)
    executor.close()


def test_inline_runs_coroutines_inside_a_running_loop() -> None:
    """As in a notebook cell; an exit of the activity's does not end nbflow's own loop."""
    executor, inbox = Inline(), Collector()
    jobs = [
        make_job(samples.throw_async, "SystemExit"),
        make_job(samples.throw_async, "KeyboardInterrupt"),
        make_job(samples.give_async, "there"),
    ]

    async def cell() -> None:
        for job in jobs:
            executor.submit(job, inbox)
        while executor.work():
            pass

    asyncio.run(cell())
    assert [type(inbox.error(job)) for job in jobs[:2]] == [SystemExit, KeyboardInterrupt]
    assert inbox.result(jobs[2]) == "there"
