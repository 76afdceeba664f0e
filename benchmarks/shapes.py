"""The graphs that every system builds: what is called, in which shape, and what must come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Call = Callable[..., Any]
"""Asks a system for one call of the shape's function; handles of other calls may be arguments."""


def same(x: int) -> int:
    return x


def step(x: int) -> int:
    return x + 1


def join(left: int = 0, right: int = 0) -> int:
    return left + right + 1


def wide(call: Call, n: int) -> list[Any]:
    """Ask for `n` independent calls."""
    return [call(i) for i in range(n)]


def chain(call: Call, n: int) -> list[Any]:
    """Ask for `n` calls, each of which takes the result of the one before it."""
    handle: Any = 0
    for _ in range(n):
        handle = call(handle)
    return [handle]


def tree(call: Call, n: int) -> list[Any]:
    """Reduce pairwise, in `n` calls: the leaves, which take nothing, and what joins two each."""
    nodes: list[Any] = [None] * n
    for i in range(n - 1, -1, -1):
        nodes[i] = call(*nodes[2 * i + 1 : 2 * i + 3])
    return [nodes[0]]


SHAPES: dict[str, tuple[Callable[..., int], Callable[[Call, int], list[Any]]]] = {
    "wide": (same, wide),
    "chain": (step, chain),
    "tree": (join, tree),
}
"""For each shape, the function that is called and the code that asks for the calls."""


def expected(shape: str, n: int) -> int:
    """Give what the results of the calls that are waited for add up to."""
    return n * (n - 1) // 2 if shape == "wide" else n
