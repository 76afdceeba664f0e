"""A Dask cluster of two worker processes, as a place that programs run on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

DASK_CAN_NOT: Final = frozenset({"stuck", "limits"})
"""What runs on the cluster cannot be stopped, so a program that is stuck there holds up others."""


def on_dask(live: Any, can: Iterable[str]) -> Any:
    """Make the backend.

    Args:
        live: The class of places.
        can: The capabilities of places, as in `Backend`.
    """
    return live("dask", frozenset(can) - DASK_CAN_NOT, 2)
