"""Every executor keeps the contract of `nbflow.testing`."""

from __future__ import annotations

import concurrent.futures as cf
import multiprocessing
from typing import ClassVar

import loky
import pytest
from nbflow.engine.executor import Executor
from nbflow.executors.aio import Asyncio
from nbflow.executors.futures import Futures
from nbflow.executors.inline import Inline
from nbflow.executors.processes import Processes
from nbflow.executors.threads import Threads
from nbflow.testing import Collector, ExecutorContract, Gate, make_job, samples


class TestInline(ExecutorContract):
    makes_room = False

    def make(self) -> Executor:
        return Inline()


class TestThreads(ExecutorContract):
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
