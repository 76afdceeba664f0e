"""Layered layout in pure Python, after Sugiyama: nothing to install, the same every time.

Nodes go into layers so that edges point down; an edge that passes through a layer gets a dummy
node there, so that it finds a way between the boxes. Then `ordering` puts the nodes of each layer
in an order with few crossings, `straighten` gives them x coordinates and `routing` pulls the long
edges taut. All of it is near linear and none of it recurses: a chain of 100,000 calls is a graph
like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nbflow.viz.ordering import order
from nbflow.viz.routing import Gate, rounded, taut
from nbflow.viz.straighten import straighten

Point = tuple[float, float]
Size = tuple[float, float]
Curve = tuple[Point, ...]
"""Cubic Bézier points: the first, then three for each segment."""

X_GAP = 18.0
Y_GAP = 40.0
_DUMMY_WIDTH = 6.0
_CLEAR = 7.0
"""The room between a box and an edge that passes it."""
_FAR = 1e9
_MOST_DUMMIES = 200_000
"""With more dummies than this, or than 30 a node, long edges run straight across."""


@dataclass(slots=True)
class Layers:
    """A graph cut into layers. Nodes from `real` on are dummies.

    Attributes:
        real: How many nodes are no dummies.
        rank: The layer of each node.
        up: For each node its neighbours in the layer above.
        down: For each node its neighbours in the layer below.
        rows: The nodes of each layer, from left to right.
        chains: For each edge that passes through layers, its dummies from the top down.
    """

    real: int
    rank: list[int]
    up: list[list[int]]
    down: list[list[int]]
    rows: list[list[int]] = field(default_factory=list)
    chains: dict[tuple[int, int], list[int]] = field(default_factory=dict)


def layered(
    sizes: Sequence[tuple[float, float]], edges: Iterable[tuple[int, int]]
) -> tuple[list[Point], dict[tuple[int, int], Curve]]:
    """Place nodes of these sizes so that edges go down.

    Args:
        sizes: Width and height of each node.
        edges: Pairs of nodes; doubles are taken once, cycles are allowed.

    Returns:
        The centre of each node, and the curve of each edge.
    """
    edges = list(dict.fromkeys((a, b) for a, b in edges if a != b))
    backward = _backward(len(sizes), edges)
    layers = cut(len(sizes), _turned(edges, backward))
    order(layers.rows, layers.up, layers.down)
    widths = [width for width, _ in sizes] + [_DUMMY_WIDTH] * (len(layers.rank) - len(sizes))
    x = straighten(
        layers.rows, layers.up, layers.down, widths, layers.real, X_GAP, layers.chains.values()
    )
    plane = _Plane(layers, x, widths, sizes)
    points = [(x[i], plane.middle[layers.rank[i]]) for i in range(len(sizes))]
    curves = {}
    for a, b in edges:
        key = (b, a) if (a, b) in backward else (a, b)
        curve = _curve(layers, key, plane, points, sizes)
        curves[a, b] = curve[::-1] if (a, b) in backward else curve
    return points, curves


def acyclic(count: int, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Turn round the edges that close cycles."""
    return _turned(edges, _backward(count, edges))


def _turned(
    edges: Sequence[tuple[int, int]], backward: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    return list(dict.fromkeys((b, a) if (a, b) in backward else (a, b) for a, b in edges))


def ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Give each node of an acyclic graph its layer: near its neighbours, edges pointing down."""
    out: list[list[int]] = [[] for _ in range(count)]
    into: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        out[a].append(b)
        into[b].append(a)
    missing = [len(sources) for sources in into]
    ready = deque(i for i in range(count) if not missing[i])
    rank = [0] * count
    sequence = []
    while ready:
        a = ready.popleft()
        sequence.append(a)
        for b in out[a]:
            rank[b] = max(rank[b], rank[a] + 1)
            missing[b] -= 1
            if not missing[b]:
                ready.append(b)
    _tighten(sequence, rank, out, into)
    lowest = min(rank, default=0)
    return [r - lowest for r in rank]


def _tighten(
    sequence: list[int], rank: list[int], out: list[list[int]], into: list[list[int]]
) -> None:
    """Slide each node towards the side on which it has more edges, which shortens them.

    A node that leads only to one other goes with that one.
    """
    for _ in range(2):
        for a in reversed(sequence):
            if len(out[a]) < len(into[a]):
                continue
            firm = [rank[b] for b in out[a] if out[b] or len(into[b]) > 1]
            if firm:
                rank[a] = max(rank[a], min(firm) - 1)
        for a in sequence:
            if not into[a]:
                continue
            lowest = max(rank[b] for b in into[a]) + 1
            if rank[a] < lowest or len(into[a]) > len(out[a]):
                rank[a] = lowest


def cut(count: int, edges: Sequence[tuple[int, int]]) -> Layers:
    """Put the nodes of an acyclic graph in layers, with dummies on the edges between."""
    rank = ranks(count, edges)
    up: list[list[int]] = [[] for _ in range(count)]
    down: list[list[int]] = [[] for _ in range(count)]
    layers = Layers(count, rank, up, down)
    long = sum(rank[b] - rank[a] - 1 for a, b in edges) <= min(_MOST_DUMMIES, 2000 + 30 * count)
    for a, b in edges:
        if not long and rank[b] - rank[a] > 1:
            continue
        chain = []
        previous = a
        for r in range(rank[a] + 1, rank[b]):
            dummy = len(rank)
            rank.append(r)
            up.append([previous])
            down.append([])
            down[previous].append(dummy)
            chain.append(dummy)
            previous = dummy
        down[previous].append(b)
        up[b].append(previous)
        if chain:
            layers.chains[a, b] = chain
    layers.rows = _first_order(layers)
    return layers


def _first_order(layers: Layers) -> list[list[int]]:
    """Fill the layers depth first, which keeps what belongs together side by side."""
    rows: list[list[int]] = [[] for _ in range(max(layers.rank, default=-1) + 1)]
    seen = bytearray(len(layers.rank))
    for start in range(len(layers.rank)):
        if layers.up[start]:
            continue
        todo = [start]
        while todo:
            v = todo.pop()
            if not seen[v]:
                seen[v] = 1
                rows[layers.rank[v]].append(v)
                todo.extend(reversed(layers.down[v]))
    return rows


def _backward(count: int, edges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Find edges that close a cycle; a run's own graph has none, one of activities may."""
    out: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        out[a].append(b)
    found = set()
    state = bytearray(count)
    for start in range(count):
        todo = [start] if not state[start] else []
        while todo:
            v = todo[-1]
            if state[v]:
                state[v] = 2
                todo.pop()
                continue
            state[v] = 1
            for b in reversed(out[v]):
                if state[b] == 0:
                    todo.append(b)
                elif state[b] == 1:
                    found.add((v, b))
    return found


def _levels(
    layers: Layers, sizes: Sequence[tuple[float, float]]
) -> tuple[list[float], list[float]]:
    """Give the height of each layer and the y of its middle."""
    heights = [0.0] * len(layers.rows)
    for i, (_, height) in enumerate(sizes):
        heights[layers.rank[i]] = max(heights[layers.rank[i]], height)
    middle, y = [], 0.0
    for height in heights:
        middle.append(y + height / 2)
        y += height + Y_GAP
    return heights, middle


def _curve(
    layers: Layers,
    edge: tuple[int, int],
    plane: _Plane,
    points: list[Point],
    sizes: Sequence[tuple[float, float]],
) -> Curve:
    """Run from the foot of one box to the head of the other, through each dummy's gate."""
    a, b = edge
    foot = (points[a][0], points[a][1] + sizes[a][1] / 2)
    head = (points[b][0], points[b][1] - sizes[b][1] / 2)
    chain = layers.chains.get(edge)
    if not chain:
        return smooth((foot, head))
    gates: list[Gate] = []
    for dummy in chain:
        left, right = plane.gate(dummy)
        middle, half = plane.middle[layers.rank[dummy]], plane.heights[layers.rank[dummy]] / 2
        gates.append((middle - half, left, right))
        if half:
            gates.append((middle + half, left, right))
    return rounded(taut(foot, gates, head))


class _Plane:
    """Where everything is: what a long edge must know to find its way.

    Attributes:
        x: Of the centre of each node.
        heights: Of each layer.
        middle: The y of the middle of each layer.
    """

    def __init__(
        self, layers: Layers, x: list[float], widths: list[float], sizes: Sequence[Size]
    ) -> None:
        self.x = x
        self.heights, self.middle = _levels(layers, sizes)
        self._layers = layers
        self._widths = widths
        self._place = [0] * len(x)
        for row in layers.rows:
            for i, v in enumerate(row):
                self._place[v] = i

    def gate(self, dummy: int) -> tuple[float, float]:
        """Give the room that a long edge has in a layer, from left to right."""
        row, i = self._layers.rows[self._layers.rank[dummy]], self._place[dummy]
        left = self._limit(dummy, row[i - 1], 1) if i else -_FAR
        right = self._limit(dummy, row[i + 1], -1) if i + 1 < len(row) else _FAR
        return min(left, self.x[dummy]), max(right, self.x[dummy])

    def _limit(self, dummy: int, beside: int, side: int) -> float:
        """Give how far it may go to a neighbour: near to a box, halfway to another edge."""
        if beside < self._layers.real:
            return self.x[beside] + side * (self._widths[beside] / 2 + _CLEAR)
        return (self.x[beside] + self.x[dummy]) / 2 + side


def smooth(line: Sequence[Point]) -> Curve:
    """Make a curve through these points that leaves and enters each of them vertically."""
    curve = [line[0]]
    for (x0, y0), (x1, y1) in pairwise(line):
        half = (y1 - y0) / 2
        curve += [(x0, y0 + half), (x1, y1 - half), (x1, y1)]
    return tuple(curve)
