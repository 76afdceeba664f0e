"""A Dask cluster of two worker processes keeps the contract of `nbflow.testing`."""

from __future__ import annotations

import sys
from typing import ClassVar

import pytest
from distributed import Client, LocalCluster

from nbflow.core.failure import Failure
from nbflow.engine.executor import Executor
from nbflow.executors.dask import Dask
from nbflow.executors.futures import Futures
from nbflow.testing import ExecutorContract

pytestmark = pytest.mark.timeout(120)


class OnDask(ExecutorContract):
    """A cluster that is shared by all rules, whose workers are not nbflow's."""

    makes_room = False
    owns_workers = False
    many = 500
    cluster: ClassVar[LocalCluster]
    client: ClassVar[Client]

    @classmethod
    def setup_class(cls) -> None:
        cls.cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        )
        cls.client = Client(cls.cluster, set_as_default=False)

    @classmethod
    def teardown_class(cls) -> None:
        cls.client.close()
        cls.cluster.close()


class TestDask(OnDask):
    def make(self) -> Executor:
        return Dask(self.client)


class TestDaskPool(OnDask):
    def make(self) -> Executor:
        return Futures(self.client.get_executor(pure=False), slots=2)


def test_errors_keep_their_notes_beside_dask() -> None:
    """Dask changes how a process pickles exceptions: those of nbflow do not lose anything by it."""
    assert "distributed" in sys.modules
    error = ValueError("no")
    error.add_note("a note")
    found = Failure.of(error).rebuild()
    assert (type(found), found.args, found.__notes__) == (ValueError, ("no",), ["a note"])
