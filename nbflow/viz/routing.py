"""How long edges run through the layers of a graph: taut, as a thread pulled through gates.

In each layer an edge has a gate, the room between what is to its left and to its right. The
shortest line through all gates has few bends, all of them at corners that are in the way (Lee and
Preparata, "Euclidean shortest paths in the presence of rectilinear barriers", 1984). The order in
each layer, and so the crossings, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, inf

Point = tuple[float, float]
Gate = tuple[float, float, float]
"""y, and from which x to which x one may pass; y grows from gate to gate."""

_HANDLE = 20.0
"""How long an edge is drawn upright where it leaves and enters a box."""
_BEND = 12.0
"""How far before a bend a curve begins to turn, at most."""


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
    """Make cubic Bézier points of a line: upright at both ends, straight between round bends."""
    found = [line[0]]
    before = (line[0][0], line[0][1] + _reach(line[0], line[1]))
    for a, b, c in zip(line, line[1:], line[2:], strict=False):
        turn = min(_BEND, dist(a, b) / 2, dist(b, c) / 2)
        into, out = _towards(b, a, turn), _towards(b, c, turn)
        found += [before, _towards(into, a, dist(into, found[-1]) / 3), into]
        found += [_towards(into, b, turn * 2 / 3), _towards(out, b, turn * 2 / 3), out]
        before = _towards(out, c, dist(out, c) / 3)
    end = line[-1]
    return (*found, before, (end[0], end[1] - _reach(line[-2], end)), end)


def _reach(a: Point, b: Point) -> float:
    return min(_HANDLE, dist(a, b) / 3)


def _towards(a: Point, b: Point, far: float) -> Point:
    """Give the point so far from a on the way to b."""
    whole = dist(a, b)
    part = far / whole if whole else 0.0
    return a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part
