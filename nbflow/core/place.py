"""Where a piece of user code is, in words: ``Cell In[3], line 4``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

namers: list[Callable[[str], str]] = []
"""Each gives the name of a cell for its file name, or "". Notebooks put one in."""
_OWN: Final = str(Path(__file__).parents[1])


def written(file: str, line: int) -> str:
    """Write a place.

    Example:
        >>> written("/home/me/flows.py", 12)
        'flows.py, line 12'
    """
    cell = next((found for namer in namers if (found := namer(file))), "")
    return f"{cell or Path(file).name}, line {line}"


def asking() -> str:
    """Give the place of the innermost code that is running and not nbflow's own; "" for none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the one way to know
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_OWN, "<frozen")):
            return written(file, frame.f_lineno)
        frame = frame.f_back
    return ""
