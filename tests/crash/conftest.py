"""What crash tests share: the nurseries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.nursery import Nurseries


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nurseries]:
    """Give processes to fork children from."""
    made = Nurseries()
    yield made
    made.close()
