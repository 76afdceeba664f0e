"""Pools, and what is needed to look at them."""

from __future__ import annotations

import contextlib

import pytest

from nbflow.executors.processes import Processes
from tests.executors.pools import Box, Gate


@pytest.fixture
def box():
    """Give an inbox."""
    return Box()


@pytest.fixture
def gate(tmp_path):
    """Give a gate."""
    return Gate(tmp_path)


@pytest.fixture(scope="module")
def shared():
    """Give two slots for tests that may share them: any of these must leave the pool usable."""
    pool = Processes(2)
    yield pool
    pool.close()


@pytest.fixture
def make():
    """Give a maker of pools that are closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def _make(slots: int) -> Processes:
            pool = Processes(slots)
            stack.callback(pool.close)
            return pool

        yield _make
