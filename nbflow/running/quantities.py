"""Ages and sizes as people write them."""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")


def age(text: str) -> float:
    """Read seconds.

    Raises:
        ValueError: The text is no age.

    Example:
        >>> age("30m")
        1800.0
    """
    number, unit = _read(text)
    if unit not in _SECONDS:
        message = f"{text!r:.40} is no age: write 90s, 30m, 12h or 7d"
        raise ValueError(message)
    return number * _SECONDS[unit]


def size(text: str) -> int:
    """Read bytes.

    Raises:
        ValueError: The text is no size.

    Example:
        >>> size("500k")
        512000
    """
    number, unit = _read(text)
    unit = unit.removesuffix("b").removesuffix("i")
    if unit not in _BYTES:
        message = f"{text!r:.40} is no size: write 500k, 10M or 1G"
        raise ValueError(message)
    return int(number * 1024 ** _BYTES[unit])


def _read(text: str) -> tuple[float, str]:
    found = _NUMBER.fullmatch(text.strip())
    return (float(found[1]), found[2].lower()) if found else (0.0, "?")
