"""What crash tests share: the nursery."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Give a process to fork children from."""
    made = Nursery()
    yield made
    made.close()
