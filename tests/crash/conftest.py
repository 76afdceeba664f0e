"""What crash tests share: the nurseries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.nursery import Nurseries


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that take minutes, unless they are asked for."""
    if "torture" not in config.getoption("markexpr"):
        left_out = [item for item in items if item.get_closest_marker("torture")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nurseries]:
    """Give processes to fork children from."""
    made = Nurseries()
    yield made
    made.close()
