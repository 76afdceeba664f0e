"""Where each box of a graph goes, and how each edge runs.

`dot` lays out graphs of up to 1,000 nodes where it is installed; everything else is laid out by
`layered`. Both give the same `Layout`, so whoever draws need not know which it was. The parts of
a graph that have no edge between them are packed in rows: fifty calls that need nothing of each
other are a block, not a line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from nbflow.viz.layered import Curve, Point, acyclic, layered, ranks, smooth

Engine = Literal["auto", "dot", "own"]
Size = tuple[float, float]

FULL: Size = (156.0, 42.0)
"""A box with a name, arguments and seconds."""
COMPACT: Size = (78.0, 24.0)
"""A box with a short name."""
TINY: Size = (22.0, 22.0)
"""A box with a mark only."""
JOIN: Size = (7.0, 7.0)
"""The dot where control edges join."""

_DOT_NODES = 1000
_DOT_SECONDS = 3.0
_INCH = 72.0
_NEAR = 61.0
_PART_GAP = 22.0
_PAGE = 900.0
"""Parts are packed in rows of at least this width."""


class NodeLike(Protocol):
    """What a layout asks of a node."""

    @property
    def id(self) -> str:
        """Its name in edges."""

    @property
    def join(self) -> bool:
        """Whether it is only a dot."""


class EdgeLike(Protocol):
    """What a layout asks of an edge."""

    @property
    def source(self) -> str:
        """Id of the upper node."""

    @property
    def target(self) -> str:
        """Id of the lower node."""


class GraphLike(Protocol):
    """What a layout asks of a graph."""

    @property
    def nodes(self) -> Sequence[NodeLike]:
        """All nodes."""

    @property
    def edges(self) -> Sequence[EdgeLike]:
        """All edges; those to unknown nodes are passed over."""


@dataclass(frozen=True, slots=True)
class Place:
    """A box: its centre and its size. y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def dot(self) -> bool:
        """Whether it is the dot of a join, at which lines have no arrow heads."""
        return 0 < self.width <= JOIN[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A graph in the plane; everything lies between (0, 0) and (width, height).

    Attributes:
        places: The box of each node by its id.
        curves: The cubic Bézier points of each edge by source and target: the first point, then
            three for each segment. None at all of an edge that others tell of.
        width: Of the whole, edges included.
        height: Of the whole, edges included.
        engine: Who made it, ``dot`` or ``own``.
    """

    places: Mapping[str, Place]
    curves: Mapping[tuple[str, str], Curve]
    width: float
    height: float
    engine: str


class _Unavailable(Exception):
    """No layout is to be had from dot: not installed, too slow, or it failed."""


def layout(
    graph: GraphLike, *, engine: Engine = "auto", size: Size | Mapping[str, Size] | None = None
) -> Layout:
    """Place the nodes of a graph.

    Args:
        graph: A `Graph`, or one summed up by `grouped`.
        engine: ``dot``, ``own``, or ``auto`` for dot where it is there and quick enough. When dot
            is not to be had, the own layout takes its place.
        size: The size of a box, or of some boxes by id. The others are `FULL`, `COMPACT` or
            `TINY`, by how many there are.

    Example:
        >>> layout(run.graph).places["fetch-1"]
        Place(x=78.0, y=21.0, width=156.0, height=42.0)
    """
    nodes = list(graph.nodes)
    index = {node.id: i for i, node in enumerate(nodes)}
    pairs = ((e.source, e.target) for e in graph.edges if e.source != e.target)
    edges = list(dict.fromkeys((index[a], index[b]) for a, b in pairs if a in index and b in index))
    parts = _parts(len(nodes), edges)
    own = size if isinstance(size, Mapping) else {}
    box = size if isinstance(size, tuple) else _box_size(len(nodes), edges, parts)
    sizes = [JOIN if node.join else own.get(node.id, box) for node in nodes]
    used = "own"
    if edges and (engine == "dot" or (engine == "auto" and len(nodes) <= _DOT_NODES)):
        try:
            points, curves = _by_dot(sizes, edges)
            used = "dot"
        except _Unavailable:
            points, curves = _by_parts(sizes, edges, parts)
    else:
        points, curves = _by_parts(sizes, edges, parts)
    places = [Place(x, y, w, h) for (x, y), (w, h) in zip(points, sizes, strict=True)]
    return _pack(used, [node.id for node in nodes], places, curves, parts)


def _box_size(count: int, edges: Sequence[tuple[int, int]], parts: list[list[int]]) -> Size:
    """Choose how much a box can say, so that the picture does not get too wide to be read."""
    rank = ranks(count, acyclic(count, edges))
    widest = 0
    for part in parts:
        rows: dict[int, int] = {}
        for i in part:
            rows[rank[i]] = rows.get(rank[i], 0) + 1
        widest = max(widest, *rows.values())
    if count <= 120 and widest <= 9:
        return FULL
    return COMPACT if count <= 320 and widest <= 18 else TINY


# ---------------------------------------------------------------------- parts, side by side


def _parts(count: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Split the nodes into sets that no edge connects, each in order, by their first node."""
    head = list(range(count))

    def find(i: int) -> int:
        while head[i] != i:
            head[i] = head[head[i]]
            i = head[i]
        return i

    for a, b in edges:
        low, high = sorted((find(a), find(b)))
        head[high] = low
    found: dict[int, list[int]] = {}
    for i in range(count):
        found.setdefault(find(i), []).append(i)
    return list(found.values())


def _by_parts(
    sizes: Sequence[Size], edges: Sequence[tuple[int, int]], parts: list[list[int]]
) -> tuple[list[Point], dict[tuple[int, int], Curve]]:
    """Lay out each part by itself, all over one another."""
    points: list[Point] = [(0.0, 0.0)] * len(sizes)
    curves: dict[tuple[int, int], Curve] = {}
    local = {i: (p, k) for p, part in enumerate(parts) for k, i in enumerate(part)}
    inside: list[list[tuple[int, int]]] = [[] for _ in parts]
    for a, b in edges:
        inside[local[a][0]].append((local[a][1], local[b][1]))
    for part, own in zip(parts, inside, strict=True):
        found, lines = layered([sizes[i] for i in part], own)
        for i, point in zip(part, found, strict=True):
            points[i] = point
        curves.update({(part[a], part[b]): curve for (a, b), curve in lines.items()})
    return points, curves


def _pack(
    engine: str,
    ids: list[str],
    places: list[Place],
    curves: Mapping[tuple[int, int], Curve],
    parts: list[list[int]],
) -> Layout:
    """Move the parts next to each other in rows, the tall ones first, and measure the whole."""
    part_of = {i: p for p, part in enumerate(parts) for i in part}
    spans = _spans(places, curves, parts, part_of)
    shifts, width, height = _shelves(spans)
    found = {}
    for i, place in enumerate(places):
        dx, dy = shifts[part_of[i]]
        found[ids[i]] = Place(place.x + dx, place.y + dy, place.width, place.height)
    moved = {}
    for (a, b), curve in curves.items():
        dx, dy = shifts[part_of[a]]
        moved[ids[a], ids[b]] = tuple((x + dx, y + dy) for x, y in curve)
    return Layout(places=found, curves=moved, width=width, height=height, engine=engine)


_Span = tuple[float, float, float, float]


def _spans(
    places: list[Place],
    curves: Mapping[tuple[int, int], Curve],
    parts: list[list[int]],
    part_of: Mapping[int, int],
) -> list[_Span]:
    """Give the left, top, right and bottom of each part, points of edges included."""
    found: list[_Span] = []
    for part in parts:
        boxes = [places[i] for i in part]
        left = min(p.x - p.width / 2 for p in boxes)
        top = min(p.y - p.height / 2 for p in boxes)
        right = max(p.x + p.width / 2 for p in boxes)
        bottom = max(p.y + p.height / 2 for p in boxes)
        found.append((left, top, right, bottom))
    for (a, _), curve in curves.items():
        left, top, right, bottom = found[part_of[a]]
        xs, ys = [x for x, _ in curve], [y for _, y in curve]
        found[part_of[a]] = (
            min(left, *xs),
            min(top, *ys),
            max(right, *xs),
            max(bottom, *ys),
        )
    return found


def _shelves(spans: list[_Span]) -> tuple[list[Point], float, float]:
    """Give each part's shift, and the width and height of all."""
    if not spans:
        return [], 0.0, 0.0
    gap = 12.0 if all(s[2:] == spans[0][2:] for s in spans) else _PART_GAP
    area = sum((right - left + gap) * (low - top + gap) for left, top, right, low in spans)
    room = max([_PAGE, (area * 2.2) ** 0.5, *(right - left for left, _, right, _ in spans)])
    sequence = sorted(range(len(spans)), key=lambda p: round(spans[p][1] - spans[p][3], 3))
    shifts = [(0.0, 0.0)] * len(spans)
    x = y = tall = width = 0.0
    for p in sequence:
        left, top, right, low = spans[p]
        if x and x + right - left > room + 1e-6:
            x, y, tall = 0.0, y + tall + gap, 0.0
        shifts[p] = (x - left, y - top)
        width = max(width, x + right - left)
        tall = max(tall, low - top)
        x += right - left + gap
    return shifts, width, y + tall


# ---------------------------------------------------------------------- dot


def _by_dot(
    sizes: Sequence[Size], edges: Iterable[tuple[int, int]]
) -> tuple[list[Point], dict[tuple[int, int], Curve]]:
    """Ask dot, which may take three seconds.

    Raises:
        _Unavailable: It is not installed, took longer, or failed.
    """
    from graphviz import Digraph
    from graphviz.backend import dot_command

    program = shutil.which(dot_command.DOT_BINARY)
    if program is None:
        raise _Unavailable
    attributes = {"nodesep": "0.25", "ranksep": "0.55"}
    digraph = Digraph(graph_attr=attributes, node_attr={"shape": "box", "label": ""})
    digraph.attr("edge", dir="none")
    digraph.attr("node", fixedsize="true")
    for i, (width, height) in enumerate(sizes):
        digraph.node(f"n{i}", width=f"{width / _INCH:.4f}", height=f"{height / _INCH:.4f}")
    for a, b in edges:
        digraph.edge(f"n{a}", f"n{b}")
    try:
        done = subprocess.run(  # noqa: S603 - the program is dot, its input is ours
            [program, "-Tjson0"],
            input=digraph.source.encode(),
            capture_output=True,
            timeout=_DOT_SECONDS,
            check=True,
        )
        return _read_dot(json.loads(done.stdout), sizes)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise _Unavailable from error


def _read_dot(
    found: Mapping[str, Any], sizes: Sequence[Size]
) -> tuple[list[Point], dict[tuple[int, int], Curve]]:
    """Take dot's places, and its curves but for those between neighbouring rows.

    Those are drawn from foot to head: dot lets them in at the sides of a box as well.
    """
    index = {item["_gvid"]: int(item["name"][1:]) for item in found["objects"]}
    points = [(0.0, 0.0)] * len(sizes)
    for item in found["objects"]:
        points[index[item["_gvid"]]] = _point(item["pos"])
    curves = {}
    for item in found.get("edges", ()):
        a, b = index[item["tail"]], index[item["head"]]
        foot = (points[a][0], points[a][1] + sizes[a][1] / 2)
        head = (points[b][0], points[b][1] - sizes[b][1] / 2)
        if 0 < head[1] - foot[1] < _NEAR:
            curves[a, b] = smooth((foot, head))
        else:
            curves[a, b] = tuple(map(_point, item["pos"].split()))
    return points, curves


def _point(text: str) -> Point:
    x, y = map(float, text.split(","))
    return x, -y
