"""What activities of the catalogue do. Worker processes import this, so it imports little."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from typing import Any


def catastrophic() -> object:
    """Search for what an expression finds in exponential time only, in C."""
    return re.match(r"(a|a)*c", "a" * 60)


def endless() -> None:
    """Hold the interpreter."""
    while True:
        pass


def leaves() -> None:
    """End the process with a code."""
    os._exit(3)


def segfaults() -> None:
    """End the process as a fault in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def is_killed() -> None:
    """End the process as the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def has_no_memory() -> object:
    """Ask for more memory than there is."""
    return bytearray(1 << 60)


def recurses() -> Any:
    """Call itself without end."""
    return recurses()


def gives_lock() -> object:
    """Give a value with a lock in it."""
    return {"rows": [1], "lock": threading.Lock()}


def gives_lambda() -> object:
    """Give a function with a lock in it."""
    lock = threading.Lock()
    return lambda: lock


def gives_deep() -> object:
    """Give a list in a list in a list."""
    value: list[Any] = []
    for _ in range(50_000):
        value = [value]
    return value


class TwoArguments(Exception):
    """Pickles, and cannot be read back."""

    def __init__(self, a: object, b: object) -> None:
        super().__init__(f"{a} and {b}")


def raises_two() -> None:
    """Raise what cannot be read back."""
    raise TwoArguments(1, 2)


def raises_lock() -> None:
    """Raise what cannot be pickled."""
    raise ValueError("holds a lock", threading.Lock())


class LeavesWhenLoaded:
    """Ends who reads it back."""

    def __reduce__(self) -> Any:
        return sys.exit, ("loaded",)
