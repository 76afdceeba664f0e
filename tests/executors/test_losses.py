"""What runs lose on pools that are not nbflow's is said at the start."""

from __future__ import annotations

import concurrent.futures as cf
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import loky
import pytest

import nbflow
from nbflow.core.errors import DefinitionError
from nbflow.executors import make
from nbflow.executors.losses import losses
from nbflow.store.memory import MemoryStore

STOPPED = "cannot be stopped once they run"


@nbflow.activity
def double(n):
    return 2 * n


@nbflow.workflow
def one():
    return double(4)


class Elsewhere(cf.Executor):
    """A pool of somebody else's."""

    def __init__(self, threads: cf.Executor) -> None:
        self._threads = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> cf.Future[Any]:
        return self._threads.submit(fn, *args, **kwargs)


@pytest.fixture
def threads() -> Iterator[cf.Executor]:
    with cf.ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def pool(threads) -> cf.Executor:
    return Elsewhere(threads)


def test_it_is_said_where_the_first_run_is_started_and_once(pool):
    """The warning points at the line of the start; the pool's second run is silent."""
    nbflow.configure(store=MemoryStore())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = [one.on(pool).start().result(20) for _ in range(2)]
        nbflow.configure(on=pool)
        make(pool).close()
    assert results == [8, 8]
    (warning,) = [w for w in told if STOPPED in str(w.message)]
    assert warning.filename == __file__
    assert str(warning.message).startswith("calls on Elsewhere")
    assert "the pool's affair" in str(warning.message)


def test_it_is_not_said_of_executors_of_our_own_nor_of_threads(threads):
    """Nothing is lost there that our own threads have."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(threads).close()
        for name in ("inline", "threads", "processes", "asyncio"):
            make(name).close()


def test_a_pool_that_cannot_be_used_is_an_error_and_nothing_else(pool):
    """What is lost on it is told when it is used."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DefinitionError, match="takes no option"):
            make(pool, max_workers=2)


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("ipyparallel.client.view", "fails the call that it ran, and is not replaced"),
        ("mpi4py.futures.pool", "this one included, and the run is to be resumed"),
        ("distributed.cfexecutor", r".on(client) does not"),
        ("somebody.pools", "the pool's affair"),
    ],
)
def test_each_engine_loses_its_own(module, wanted):
    """What becomes of the calls of a worker that dies depends on whose pool it is."""
    kind = type("Pool", (cf.Executor,), {"__module__": module})
    said = losses(kind())
    assert said.startswith("calls on Pool " + STOPPED)
    assert "heartbeats are not heard" in said
    assert wanted in said


def test_pools_of_processes_break_as_a_whole():
    """That of the standard library and loky's."""
    for made in (cf.ProcessPoolExecutor(1), loky.ProcessPoolExecutor(1)):
        said = losses(made)
        made.shutdown()
        assert "breaks the pool, and all its calls fail" in said
        assert STOPPED in said
