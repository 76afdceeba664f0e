"""Any order of calls as ones after and ones beside each other, which is what flows can say.

Where calls that need each other split into parts that have nothing to do with each other, these
stand beside each other; where each of some calls comes before each of the others, these stand one
after the other. Where neither is so, a *barrier* is put where that makes the longest way little
longer: all before it are over before any behind it begins. How long calls take is given, or guessed
in several ways, all of which count.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

_SEED: Final = 20_190_315
_SPREAD: Final = 0.5
_DRAWS: Final = 24
_CLOCKS: Final = 10
_WORK: Final = 6_000
"""Calls times draws that are looked at for one cut, and the draws that there are in any case."""
_LEAST: Final = 3
_ANY: Final = 0.1
"""What a cut costs however little longer it makes the longest way: so that few are made."""
_ANY_KNOWN: Final = 0.02
"""The same where times are known, and a cut that costs nothing is one that will cost nothing."""
_SAME: Final = 1e-12


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
_Needs: TypeAlias = Sequence[Sequence[int]]


def ordered(needs: Sequence[Iterable[int]], draws: Sequence[Sequence[float]] | None = None) -> Tree:
    """Give a tree that keeps the order of calls.

    Args:
        needs: For each call the numbers of earlier calls that it needs.
        draws: How long the calls may take, each time for all of them; None: by `guesses`.

    Raises:
        ValueError: There are no calls.

    Example:
        >>> ordered([[], [0], [0], [1, 2]])
        Series(parts=(0, Beside(parts=(1, 2)), 3))
    """
    if not needs:
        raise ValueError("there are no calls to order")
    ordering = _Ordering([list(direct) for direct in needs], draws or guesses(len(needs)))
    return ordering.tree((1 << len(needs)) - 1)


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

    def __init__(self, needs: _Needs, draws: Sequence[Sequence[float]]) -> None:
        self._needs, self._draws = needs, draws
        before = self.before = [0] * len(needs)
        for number, direct in enumerate(needs):
            for need in direct:
                before[number] |= before[need] | 1 << need
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
        """Split calls where that costs little time, and leaves little to be split again.

        A cut makes the longest way that of the calls before it and that of those behind it, one
        after the other. It is chosen among those that a clock makes which goes through the calls.
        """
        part = _Part(sorted(_bits(calls)), self._needs, self._draws)
        best, least = part.orders[0][:1], math.inf
        fixed = _ANY_KNOWN if len(self._draws) == 1 else _ANY
        for order in part.orders:
            for count, longer in enumerate(part.longer(order), 1):
                cost = (longer + fixed) / min(count, len(order) - count)
                if cost < least - _SAME:
                    best, least = order[:count], cost
        early = sum(1 << part.calls[place] for place in best)
        return [early, calls & ~early]


class _Part:
    """Calls that are to be split: when each of them begins and ends, if times are as drawn.

    Attributes:
        calls: Their numbers, in an order in which none needs a later one.
        orders: The orders in which clocks find them: of their places in `calls`.
    """

    def __init__(self, calls: list[int], needs: _Needs, draws: Sequence[Sequence[float]]) -> None:
        self.calls = calls
        places = {call: place for place, call in enumerate(calls)}
        self._needs = [[places[n] for n in needs[call] if n in places] for call in calls]
        few = max(_LEAST, min(len(draws), _WORK // len(calls)))
        self._times = [self._timed([draw[c] for c in calls]) for draw in draws[:few]]
        clocks = [self._timed([1.0] * len(calls)), *self._times[:_CLOCKS]]
        found = dict.fromkeys(order for ends, rests in clocks for order in _orders(ends, rests))
        self.orders = list(found)

    def _timed(self, seconds: list[float]) -> tuple[list[float], list[float]]:
        """Give when each call ends at the earliest, and how long it takes from its begin on."""
        ends: list[float] = []
        for own, needs in zip(seconds, self._needs, strict=True):
            ends.append(own + max([ends[n] for n in needs], default=0.0))
        rests = list(seconds)
        after = [0.0] * len(seconds)
        for place in reversed(range(len(seconds))):
            rests[place] += after[place]
            for need in self._needs[place]:
                after[need] = max(after[need], rests[place])
        return ends, rests

    def longer(self, order: tuple[int, ...]) -> list[float]:
        """Say for a cut behind each of the first calls by how much of it the way gets longer."""
        found = [0.0] * (len(order) - 1)
        for ends, rests in self._times:
            before = accumulate([ends[place] for place in order], max)
            behind = [*accumulate([rests[place] for place in reversed(order)], max)][-2::-1]
            whole = (max(ends) or 1.0) * len(self._times)
            found = [f + (a + b) / whole for f, a, b in zip(found, before, behind, strict=False)]
        return [f - 1.0 for f in found]


def _orders(ends: list[float], rests: list[float]) -> Iterator[tuple[int, ...]]:
    """Give the calls as they end at the earliest, as they begin at the latest, and in between.

    None stands before one that it needs: sorting leaves what is equal as it was.
    """
    places = range(len(ends))
    for key in (ends, [-rest for rest in rests], [e - r for e, r in zip(ends, rests, strict=True)]):
        yield tuple(sorted(places, key=key.__getitem__))


def guesses(calls: int) -> list[list[float]]:
    """Give times that calls may have of which nothing is known: most alike, few much longer.

    They are the same each time, and so is what is made of them.
    """
    chance = random.Random(_SEED)
    return [[chance.lognormvariate(0, _SPREAD) for _ in range(calls)] for _ in range(_DRAWS)]


def _first(calls: int) -> int:
    return (calls & -calls).bit_length() - 1
