"""How large results may be, and from what size on that is worth a word."""

from __future__ import annotations

import math
from typing import Final

from nbflow.core.errors import Unserialisable
from nbflow.core.payload import Packed

NO_LIMIT: Final = math.inf
LARGE_BYTES: Final = 64 * 1024 * 1024
"""From this size on it is said how large a value is."""


def check_size(call: str, result: Packed, largest: float) -> str | None:
    """Look at the size of a result before it is stored.

    Args:
        call: The id of the call that gave it.
        result: What it gave.
        largest: Bytes that a result may have.

    Returns:
        What to say of it, None for what is not large.

    Raises:
        Unserialisable: It is larger than allowed.
    """
    if result.size <= min(LARGE_BYTES, largest):
        return None
    if result.size > largest:
        message = (
            f"the result of {call} has {megabytes(result.size)}, and {megabytes(largest)} are "
            "allowed: write it to a file and return its path, or allow more by "
            "nbflow.configure(largest_result=...)"
        )
        raise Unserialisable(message)
    return (
        f"the result of {call} has {megabytes(result.size)}. It is stored, and read by each call "
        "that takes it in another process: a file and its path would be quicker\n"
    )


def megabytes(size: float) -> str:
    """Write a number of bytes as people do.

    Example:
        >>> megabytes(3_500_000)
        '3.5 MB'
    """
    return f"{size / 1e6:,.1f} MB"
