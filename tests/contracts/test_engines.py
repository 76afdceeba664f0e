"""Pools of engines that nbflow does not need keep the contract, where they are installed.

None of them is among the packages for development, since they are large. With one of them there,
by `pip install ipyparallel`, `pip install mpi4py mpich` or `pip install ray`, its rules are
checked as those of the others are.
"""

from __future__ import annotations

import concurrent.futures as cf
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nbflow.core.errors import DefinitionError, WorkerDied
from nbflow.engine.executor import Executor
from nbflow.executors import make
from nbflow.executors.futures import Futures
from nbflow.executors.ray import Ray
from nbflow.testing import Die, ExecutorContract, FaultTable, make_job

pytestmark = pytest.mark.timeout(180)
SLOTS = 2


def needs(package: str) -> pytest.MarkDecorator:
    """Skip where a package is not installed, and say so."""
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


class Engine(ExecutorContract):
    """A pool that all rules share, whose workers are not nbflow's."""

    makes_room = False
    owns_workers = False
    many = 500
    pool: ClassVar[cf.Executor]

    def make(self) -> Executor:
        return Futures(self.pool)


@needs("ipyparallel")
class TestIpyparallel(Engine):
    """Two engines, and the executor of a client."""

    _cluster: ClassVar[Any]
    _client: ClassVar[Any]

    @classmethod
    def setup_class(cls) -> None:
        import ipyparallel

        cls._cluster = ipyparallel.Cluster(n=SLOTS, log_level=40)
        cls._client = cls._cluster.start_and_connect_sync()
        cls.pool = cls._client.executor()

    @classmethod
    def teardown_class(cls) -> None:
        cls._client.close()
        cls._cluster.stop_cluster_sync()


def launcher() -> str | None:
    """Give what starts MPI's processes: that of the wheel of MPICH lies beside Python."""
    beside = Path(sys.executable).parent
    return shutil.which("mpiexec", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


@needs("mpi4py")
@pytest.mark.skipif(launcher() is None, reason="there is no mpiexec (pip install mpich)")
class TestMpi4py(Engine):
    """Two processes that MPI spawns. Without mpiexec it would end this process."""

    @classmethod
    def setup_class(cls) -> None:
        found = launcher()
        assert found is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(Path(found).parent), prepend=os.pathsep)
            from mpi4py.futures import MPIPoolExecutor

            cls.pool = MPIPoolExecutor(SLOTS)
            list(cls.pool.map(abs, range(SLOTS)))

    @classmethod
    def teardown_class(cls) -> None:
        cls.pool.shutdown()


@needs("ray")
@pytest.mark.filterwarnings("default")
class TestRay(ExecutorContract):
    """A cluster of this machine. Its processes are nbflow's own, and can be ended."""

    many = 500

    @classmethod
    def setup_class(cls) -> None:
        import ray

        ray.init(
            address="local",
            num_cpus=SLOTS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )

    @classmethod
    def teardown_class(cls) -> None:
        import ray

        ray.shutdown()

    def make(self) -> Executor:
        return Ray(max_workers=SLOTS)

    def test_one_process_has_one_ray(self) -> None:
        """Another address than that which it is connected to is refused."""
        with pytest.raises(DefinitionError, match=r"connected to Ray already.*10\.0\.0\.1"):
            _ = Ray("10.0.0.1:6379").slots

    def test_slots_are_what_there_is_room_for(self) -> None:
        """By the processors that an attempt needs, or as many as are asked for; one at least."""
        assert Ray().slots == SLOTS
        assert Ray(resources={"CPU": 2}).slots == SLOTS // 2
        assert Ray(resources={"LAMP": 1}).slots == 1
        assert Ray(max_workers=7).slots == 7

    def test_a_worker_that_dies_fails_its_own_call(self) -> None:
        """What waits behind it runs on the process that takes its place, once."""
        table = FaultTable(self._directory / "faults", {"x": [Die(3)]})
        jobs = [self.submit(table.act, name) for name in ("a", "x", "b", "c")]
        self.inbox.wait(jobs)
        errors = [self.inbox.answer(job).error for job in jobs]
        assert [error is None for error in errors] == [True, False, True, True]
        assert isinstance(self.inbox.error(jobs[1]), WorkerDied)
        assert jobs[1].call in str(self.inbox.error(jobs[1]))
        assert [table.count(name) for name in "axbc"] == [1, 1, 1, 1]

    def test_large_code_lies_in_the_store_of_ray(self) -> None:
        """It is put there once, and each of the calls has it."""
        weight = bytes(range(256)) * 1_000

        def heavy(n: int) -> int:
            return len(weight) + n

        code = make_job(heavy, 0).code
        jobs = []
        for n in range(6):
            job = make_job(heavy, n)
            job.code = code
            self.executor.submit(job, self.inbox)
            jobs.append(job)
        assert [self.inbox.result(job) for job in jobs] == [256_000 + n for n in range(6)]
        assert isinstance(self.executor, Ray)
        assert list(self.executor._codes) == [code.digest]


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(DefinitionError, match=r"pip install 'jupyter-nbflow\[ray\]'.*processes"):
        make("ray")


@needs("ray")
@pytest.mark.filterwarnings("default")
def test_no_cluster_at_the_address_is_told() -> None:
    """The error names the address and what to do; options that make no sense come first."""
    with pytest.raises(DefinitionError, match="at least one"):
        make("ray", max_workers=0)
    with pytest.raises(DefinitionError, match=r"127\.0\.0\.1:9.*ray start --head"):
        _ = make("ray", address="127.0.0.1:9").slots
