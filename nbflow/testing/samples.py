"""The activities and values that the contract of executors is checked with.

They are in a module of their own, so that a worker process can import them by name.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from nbflow.engine.context import context
from nbflow.testing.faults import Gate


@dataclass
class Point:
    """A class of the user's."""

    x: int
    y: object


VALUES: Final[tuple[object, ...]] = (
    None,
    True,
    1,
    1.0,
    "1",
    -0.0,
    2**70,
    float("inf"),
    float("nan"),
    "",
    "\x00 é 漢 \U0001f600 \ud800 </script>",
    b"\x00\xff",
    (),
    (1, (2, [3])),
    [1, [True, "1", 1.0]],
    {1: "int", "1": "text", (1,): None},
    {"$tuple": [1]},
    {"$ref": "fetch-1"},
    {"$pickle": "AA=="},
    {1, 2},
    1j,
    range(3),
    Point(1, {"deep": (b"x", Point(2, None))}),
    [{"k": (b"x", Point(1, [2]))}],
    "x" * 70_000,
    list(range(20_000)),
)
"""Values that have to arrive exactly as they were: same types, same structure."""


def beat(times: int) -> int:
    """Tell how far it is, so many times."""
    for n in range(times):
        context().progress(n + 1, times, "on it")
    return times


async def beat_async(times: int) -> int:
    """Do the same in a coroutine."""
    return beat(times)


class Refused(Exception):
    """An error with more than a message."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"refused with {code}: {reason}")
        self.code, self.reason = code, reason

    def __reduce__(self) -> tuple[Any, tuple[int, str]]:
        """Survive pickling, in spite of the keyword."""
        return _refused, (self.code, self.reason)


def _refused(code: int, reason: str) -> Refused:
    return Refused(code, reason=reason)


class Locked(Exception):
    """An error that cannot be pickled."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class Awkward(Exception):
    """An error that pickles, but does not come back."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


ERRORS: Final[dict[str, type[BaseException]]] = {
    kind.__name__: kind
    for kind in (ValueError, KeyError, SystemExit, KeyboardInterrupt, GeneratorExit, Locked)
}


def give(value: object) -> object:
    """Give the argument back."""
    return value


async def give_async(value: object) -> object:
    """Give the argument back, in an event loop."""
    return value


def give_coroutine(value: object) -> object:
    """Give a coroutine without being an ``async def``, as a decorator may make it."""
    return give_async(value)


def double(number: int) -> int:
    """Multiply by two."""
    return 2 * number


def push(items: list[Any], item: object) -> list[Any]:
    """Append in place, which nobody else may see."""
    items.append(item)
    return items


def keywords(*args: object, **kwargs: object) -> tuple[tuple[object, ...], dict[str, object]]:
    """Give all arguments back."""
    return args, kwargs


def throw(name: str, *args: object) -> NoReturn:
    """Raise an error of `ERRORS`."""
    raise ERRORS[name](*args)


async def throw_async(name: str, *args: object) -> NoReturn:
    """Raise an error of `ERRORS` in an event loop."""
    raise ERRORS[name](*args)


def refuse(code: int) -> NoReturn:
    """Raise an error of a class of the user's."""
    raise Refused(code, reason="closed")


def awkward() -> NoReturn:
    """Raise an error that does not survive pickling."""
    raise Awkward(1, 2)


def lock() -> object:
    """Give something that cannot be stored."""
    return [threading.Lock()]


def deep() -> object:
    """Give something too deep to be stored."""
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


class Exits:
    """Something that wants to exit when it is stored."""

    def __reduce__(self) -> NoReturn:
        """Exit."""
        raise SystemExit(3)


def exits() -> object:
    """Give something that wants to exit when it is stored."""
    return Exits()


def generate() -> Iterator[int]:
    """Be a generator."""
    yield 1


def generator() -> Iterator[int]:
    """Give a generator."""
    return generate()


def who() -> tuple[str, str, int, str]:
    """Tell which attempt this is."""
    found = context()
    return found.run, found.call, found.attempt, found.idempotency_key


async def who_async() -> tuple[str, str, int, str]:
    """Tell which attempt this is, in an event loop."""
    return who()


async def hold(gate: Gate) -> str:
    """Stay until the gate is open."""
    await gate.enter_async()
    return "held"


def measure(size: int) -> int:
    """Measure two blocks, and fail in the second of them if there is nothing to read."""
    with context().step("download") as step:
        step.read.add(size, records=2)
        step.metadata["mirror"] = "é"
    with context().step("check") as step:
        step.write.records += size
        if not size:
            raise ValueError("nothing")
    return size


async def measure_async(size: int) -> int:
    """Do the same in a coroutine."""
    return measure(size)


def speak(n: int) -> int:
    """Print lines, the last one without its end, complain, and log an exception."""
    for k in range(n):
        print(k, "é")  # noqa: T201 - what is tested
    print("no end", end="")  # noqa: T201
    print("to stderr", file=sys.stderr)  # noqa: T201
    try:
        raise ValueError("odd")  # noqa: TRY301
    except ValueError:
        logging.getLogger("samples").warning("careful: %d", n, exc_info=True)
    return n


async def speak_async(n: int) -> int:
    """Do the same in a coroutine."""
    return speak(n)


def speak_and_throw() -> NoReturn:
    """Print, then fail."""
    print("before")  # noqa: T201 - what is tested
    raise ValueError("after")
