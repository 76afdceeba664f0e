from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, unless they are asked for, those that kill processes for minutes."""
    if "torture" in config.getoption("markexpr"):
        return
    left_out = [
        item for item in items if HERE in item.path.parents and item.get_closest_marker("torture")
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
