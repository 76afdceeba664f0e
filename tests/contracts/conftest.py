"""Every place where calls can run, those of other packages included."""

from __future__ import annotations

import concurrent.futures as cf
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loky
import pytest

import nbflow
from nbflow.testing import Gate

SLOTS = 2


@pytest.fixture(scope="session")
def pools() -> Iterator[dict[str, cf.Executor]]:
    """Give the foreign pools, with their workers started."""
    spawn = multiprocessing.get_context("spawn")
    made: dict[str, cf.Executor] = {
        "thread-pool": cf.ThreadPoolExecutor(SLOTS),
        "process-pool": cf.ProcessPoolExecutor(SLOTS, spawn),
        "loky": loky.ProcessPoolExecutor(SLOTS),
    }
    for pool in made.values():
        list(pool.map(abs, range(4 * SLOTS)))
    yield made
    for pool in made.values():
        pool.shutdown()


@pytest.fixture(
    params=["inline", "threads", "processes", "asyncio", "thread-pool", "process-pool", "loky"]
)
def place(request: pytest.FixtureRequest) -> Any:
    """Go through all places, `SLOTS` calls at once in each but inline."""
    name = request.param
    if "pool" in name or name == "loky":
        return request.getfixturevalue("pools")[name]
    options: dict[str, Any] = {} if name == "inline" else {"max_workers": SLOTS}
    nbflow.configure(on=name, **options)
    return name


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Give a gate, which is open at the end of the test at the latest."""
    made = Gate(tmp_path / "gate")
    yield made
    made.open()
