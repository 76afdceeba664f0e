"""Any order of calls as ones after and ones beside each other, which is what flows can say.

Where calls that need each other split into parts that have nothing to do with each other, these
stand beside each other; where each of some calls comes before each of the others, these stand one
after the other. Where neither is so, a *barrier* is put where it makes the fewest calls wait that
need not: all before it are over before any behind it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Series:
    """Parts that run one after the other."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """Parts that run beside each other."""

    parts: tuple[Tree, ...]


Tree: TypeAlias = "Series | Beside | int"
"""Parts in an order, or the number of a call."""


def ordered(needs: Sequence[Iterable[int]]) -> Tree:
    """Give a tree that keeps the order of calls.

    Args:
        needs: For each call the numbers of earlier calls that it needs.

    Raises:
        ValueError: There are no calls.

    Example:
        >>> ordered([[], [0], [0], [1, 2]])
        Series(parts=(0, Beside(parts=(1, 2)), 3))
    """
    if not needs:
        raise ValueError("there are no calls to order")
    before = [0] * len(needs)
    for number, direct in enumerate(needs):
        for need in direct:
            before[number] |= before[need] | 1 << need
    return _Ordering(before).tree((1 << len(needs)) - 1)


def calls_of(tree: Tree) -> Iterator[int]:
    """Give the numbers of the calls in a tree."""
    if isinstance(tree, int):
        yield tree
    else:
        for part in tree.parts:
            yield from calls_of(part)


def length(tree: Tree, seconds: Mapping[int, float] | Sequence[float]) -> float:
    """Say how long a tree takes if enough runs beside each other.

    Args:
        tree: The calls.
        seconds: How long each call takes.
    """
    if isinstance(tree, int):
        return seconds[tree]
    inner = [length(part, seconds) for part in tree.parts]
    return sum(inner) if isinstance(tree, Series) else max(inner)


def _bits(calls: int) -> Iterator[int]:
    while calls:
        low = calls & -calls
        yield low.bit_length() - 1
        calls ^= low


class _Ordering:
    """What comes before and after each call, as sets of bits."""

    def __init__(self, before: list[int]) -> None:
        self.before = before
        self.after = [0] * len(before)
        for number, earlier in enumerate(before):
            for need in _bits(earlier):
                self.after[need] |= 1 << number

    def tree(self, calls: int) -> Tree:
        if calls & (calls - 1) == 0:
            return calls.bit_length() - 1
        apart = self._parts(calls, related=True)
        if len(apart) > 1:
            return Beside(tuple(self.tree(part) for part in apart))
        # In the order of their first calls, which is that of the rows: a call needs earlier ones.
        rows = self._parts(calls, related=False)
        if len(rows) == 1:
            rows = self._cut(calls)
        parts: list[Tree] = []
        for row in rows:
            inner = self.tree(row)
            parts += inner.parts if isinstance(inner, Series) else (inner,)
        return Series(tuple(parts))

    def _parts(self, calls: int, *, related: bool) -> list[int]:
        """Split calls into parts between which there is no relation, or all of it."""
        found = []
        while calls:
            part, front = 0, calls & -calls
            while front:
                number = _first(front)
                part |= 1 << number
                near = self.before[number] | self.after[number]
                if not related:
                    near = ~near
                front = (front | near & calls) & ~part
            found.append(part)
            calls &= ~part
        return found

    def _cut(self, calls: int) -> list[int]:
        """Split calls by the level, from either end, that has the fewest wait without need.

        With a cut between levels the longest way has no call more than before.
        """
        best, least = 0, float("inf")
        for early in self._levels(calls):
            late = calls & ~early
            missing = sum((late & ~self.after[call]).bit_count() for call in _bits(early))
            cost = missing / (early.bit_count() * late.bit_count())
            if cost < least:
                best, least = early, cost
        return [best, calls & ~best]

    def _levels(self, calls: int) -> Iterator[int]:
        """Give the calls down to each level, counted from the first calls, then from the last."""
        rest = calls
        while rest := rest & ~sum(1 << c for c in _bits(rest) if not self.before[c] & rest):
            yield calls & ~rest
        rest = calls
        while rest := rest & ~sum(1 << c for c in _bits(rest) if not self.after[c] & rest):
            yield rest


def _first(calls: int) -> int:
    return (calls & -calls).bit_length() - 1
