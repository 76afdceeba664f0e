"""A graph of many calls as columns of numbers, for a canvas."""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple

from nbflow.core.graph import Graph
from nbflow.viz.layout import Layout
from nbflow.viz.rows import Rows, bytes_of

ELEMENTS: Final = 320
"""A graph of more boxes than this is drawn on a canvas."""
NODES: Final = 12_000
"""A graph of more calls than this is drawn by activity only."""
_EDGES: Final = 70_000
_NO_CALL: Final = 0xFFFFFFFF


class Columns(NamedTuple):
    """A laid out graph, ready to be sent: a head of plain data, and a buffer a column."""

    head: dict[str, Any]
    buffers: list[bytes]


def fits(graph: Graph) -> bool:
    """Whether the calls of a graph can be drawn one by one, and sent in one message."""
    return len(graph.history.calls) <= NODES and len(graph.edges) <= _EDGES


def columns(graph: Graph, found: Layout, rows: Rows) -> Columns:
    """Write a layout as columns: call, left, top, width, height; source, target, kind."""
    places = found.places
    index = {box: i for i, box in enumerate(places)}
    calls = array("I")
    sides = [array("f") for _ in range(4)]
    for box, place in places.items():
        row = rows.row(box)
        calls.append(_NO_CALL if row is None else row)
        left, top = place.x - place.width / 2, place.y - place.height / 2
        for column, value in zip(sides, (left, top, place.width, place.height), strict=True):
            column.append(value)
    lines: dict[tuple[int, int], int] = {}
    for edge in graph.edges:
        if edge.source in index and edge.target in index:
            line = (index[edge.source], index[edge.target])
            control = int(edge.kind == "control")
            lines[line] = min(control, lines.get(line, control))  # data counts for more
    ends = [array("I", (line[side] for line in lines)) for side in (0, 1)]
    head = {
        "width": round(found.width, 1),
        "height": round(found.height, 1),
        "count": len(places),
        "edges": len(lines),
    }
    data: list[array[Any]] = [calls, *sides, *ends, array("B", lines.values())]
    return Columns(head, [bytes_of(column) for column in data])
