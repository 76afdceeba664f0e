"""Where on the stack the code is that is not nbflow's: warnings point at it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final

_ROOT: Final = str(Path(__file__).parents[1])


def outside() -> int:
    """Count the frames from the caller to the first one that is not nbflow's.

    It is what `warnings.warn` takes as `stacklevel`.
    """
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_ROOT):
        frame = frame.f_back
        level += 1
    return level
