"""Assertions that say what they expected, under any test runner."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

E = TypeVar("E", bound=BaseException)

PATIENCE = 30.0
"""Seconds after which something that should have happened is taken not to happen any more."""
_POLL = 0.003


def fail(message: str) -> NoReturn:
    """Fail the test."""
    raise AssertionError(message)


def true(condition: object, what: str) -> None:
    """Fail unless something is so; `what` says that it should be."""
    if not condition:
        fail(what)


def equal(found: object, wanted: object, what: str) -> None:
    """Fail unless two values are equal and of the same types at every depth."""
    if not exactly(found, wanted):
        fail(f"{what}: expected {wanted!r:.500}, got {found!r:.500}")


def raises(kind: type[E], fn: Callable[[], object], what: str) -> E:
    """Fail unless `fn` raises an error of that class; give the error."""
    try:
        found = fn()
    except kind as error:
        return error
    fail(f"{what}: expected {kind.__name__}, but it gave {found!r:.200}")


def eventually(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is so, and fail if it does not become so in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            fail(f"{what}: not so after {seconds:g} s")
        time.sleep(_POLL)


def never(condition: Callable[[], object], what: str, seconds: float = 0.1) -> None:
    """Fail if something that must not happen happens shortly."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            fail(f"{what} should not happen")
        time.sleep(_POLL)


def exactly(one: object, other: object) -> bool:
    """Tell whether two values are equal and of the same types at every depth: 1 is not True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(exactly, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = zip(one.items(), other.items(), strict=True)
        return len(one) == len(other) and all(exactly(a, b) for a, b in pairs)
    if isinstance(one, float):
        return repr(one) == repr(other)  # so that nan is nan, and -0.0 is not 0.0
    return one == other


def is_gone(pid: int) -> bool:
    """Whether there is no process of that number any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
