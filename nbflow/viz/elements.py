"""The lines of a graph as the panel draws them, and how many elements of a page a graph takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from nbflow.core.graph import Edge
from nbflow.viz.bundles import Bundle
from nbflow.viz.layered import Curve
from nbflow.viz.layout import COMPACT, FULL, Layout
from nbflow.viz.pen import n, path
from nbflow.viz.svg_graph import arrow, middle

Row = dict[str, Any]
Line = list[Any]

DRAWN: Final = 1_750
"""Elements that a graph may take where activities are opened; the rest of a panel has about 200."""

_DOT, _TINY, _COMPACT, _FULL, _FRAME, _GROUP = 2, 6, 8, 12, 9, 12
"""Elements of each kind of box, as js/src/boxes.js makes them; a group has one a status besides."""


def elements(nodes: Iterable[Row], edges: Iterable[Line]) -> int:
    """Count the elements that boxes and lines take on a page."""
    return sum(map(_of_box, nodes)) + sum(map(_of_line, edges))


def _of_box(row: Row) -> int:
    width, height = row["box"][2:]
    if "frame" in row:
        return _FRAME
    if row.get("join"):
        return _DOT
    if width < COMPACT[0]:
        return _TINY
    if "counts" in row:
        return _GROUP + len(row["counts"])
    return _COMPACT if height < FULL[1] else _FULL


def _of_line(line: Line) -> int:
    _, drawn, head, count, *_ = line
    return 2 + bool(head) + (2 if count > 1 else 0) if drawn else 0


def lines(
    links: Sequence[Edge | Bundle],
    found: Layout,
    keys: Mapping[str, str],
    spine: Collection[tuple[str, str]],
) -> dict[str, Line]:
    """Write what leads from box to box, a row a line.

    Args:
        links: What leads where.
        found: Where the boxes are.
        keys: The key of each box.
        spine: The pairs of boxes that follow each other on the critical path.
    """
    tiny = all(place.width < COMPACT[0] for place in found.places.values())
    made: dict[str, Line] = {}
    for link in links:
        curve = found.curves.get((link.source, link.target))
        if curve is None:
            continue
        source, target = keys[link.source], keys[link.target]
        key = f"{source}>{target}"
        if link.kind == "control" and key in made:
            continue
        count = link.count if isinstance(link, Bundle) else 1
        critical = (link.source, link.target) in spine
        drawn = _drawn(curve, headed=not tiny and not found.places[link.target].dot, count=count)
        made[key] = [link.kind, *drawn, source, target, critical]
    return made


def _drawn(curve: Curve, *, headed: bool, count: int) -> Line:
    """Write a line's path, arrow head, count, and the middle of it; no path is not drawn."""
    if not curve:
        return ["", "", 1, 0.0, 0.0]
    head = "M" + " ".join(f"{n(x)} {n(y)}" for x, y in arrow(curve)) + "z" if headed else ""
    x, y = (round(at, 1) for at in middle(curve))
    return [path(curve), head, count, x, y]
