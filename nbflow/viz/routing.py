"""How long edges run through the layers of a graph: taut, as a thread pulled through gates.

In each layer an edge has a gate, the room between what is to its left and to its right. The
shortest line through all gates has few bends, all of them at corners that are in the way (Lee and
Preparata, "Euclidean shortest paths in the presence of rectilinear barriers", 1984). The order in
each layer, and so the crossings, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import hypot, inf

Point = tuple[float, float]
Gate = tuple[float, float, float]
"""y, and from which x to which x one may pass; y grows from gate to gate."""

_HANDLE = 26.0
"""How far from a bend a curve begins to turn, at most."""


def taut(start: Point, gates: Sequence[Gate], end: Point) -> list[Point]:
    """Give the corners of the shortest line through gates.

    Args:
        start: Where it begins, above all gates.
        gates: From the top down.
        end: Where it ends, below all gates.

    Example:
        >>> taut((0.0, 0.0), [(1.0, 2.0, 5.0)], (0.0, 2.0))
        [(0.0, 0.0), (2.0, 1.0), (0.0, 2.0)]
    """
    every = [*gates, (end[1], end[0], end[0])]
    line, at = [start], 0
    while True:
        corner = _corner(line[-1], every, at)
        if corner is None:
            return [*line, end]
        at, x = corner
        line.append((x, every[at][0]))
        at += 1


def _corner(apex: Point, gates: Sequence[Gate], first: int) -> tuple[int, float] | None:
    """Give the gate and the x where a line from here must bend; None if it sees the end."""
    x0, y0 = apex
    low, high = -inf, inf
    at_low = at_high = first
    for i in range(first, len(gates)):
        y, left, right = gates[i]
        to_left, to_right = (left - x0) / (y - y0), (right - x0) / (y - y0)
        if to_left > high:
            return at_high, gates[at_high][2]
        if to_right < low:
            return at_low, gates[at_low][1]
        if to_left >= low:
            low, at_low = to_left, i
        if to_right <= high:
            high, at_high = to_right, i
    return None


def rounded(line: Sequence[Point]) -> tuple[Point, ...]:
    """Make cubic Bézier points of a line; it begins and ends upright, and its bends are round."""
    ways = [_unit(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(line)]
    turns = [_unit(a[0] + b[0], a[1] + b[1]) for a, b in pairwise(ways)]
    along = [(0.0, 1.0), *turns, (0.0, 1.0)]
    found = [line[0]]
    for (a, b), (out, into) in zip(pairwise(line), pairwise(along), strict=True):
        reach = min(_HANDLE, hypot(b[0] - a[0], b[1] - a[1]) / 3)
        found += [
            (a[0] + out[0] * reach, a[1] + out[1] * reach),
            (b[0] - into[0] * reach, b[1] - into[1] * reach),
            b,
        ]
    return tuple(found)


def _unit(dx: float, dy: float) -> Point:
    size = hypot(dx, dy) or 1.0
    return dx / size, dy / size
