"""Interrupts that come before each line of some code in turn.

Only for a process of its own: an interrupt in the middle of an ``except`` leaves the main thread of
CPython 3.11 handling that error for ever, so whatever is raised later is said to come of it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class _At:
    """Interrupts before the n-th line that the main thread begins in the given files."""

    def __init__(self, number: int, files: tuple[str, ...]) -> None:
        self.left, self._files = number, files

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "call":
            return self if frame.f_code.co_filename.endswith(self._files) else None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
        return self


def interrupted(
    number: int, files: tuple[str, ...], act: Callable[[], object]
) -> tuple[bool, bool]:
    """Do something, with Ctrl-C before its n-th line in these files.

    Returns:
        Whether a `KeyboardInterrupt` came out, and whether there is such a line at all.
    """
    at = _At(number, files)
    sys.settrace(at)
    try:
        act()
    except KeyboardInterrupt:
        return True, True
    finally:
        sys.settrace(None)
    return False, at.left <= 0
