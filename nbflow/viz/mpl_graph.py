"""A graph by matplotlib: the boxes and edges of the SVG picture."""

from __future__ import annotations

from collections import defaultdict

from nbflow.core.graph import Node
from nbflow.viz.critical import NOTHING, Marks
from nbflow.viz.drawing import Scene
from nbflow.viz.groups import Group, Summary
from nbflow.viz.layered import Curve, Point
from nbflow.viz.layout import COMPACT, FULL, Place
from nbflow.viz.mpl_brush import Box, Brush
from nbflow.viz.palette import (
    DASHED,
    EDGE,
    FAINT,
    INK,
    OTHER_COLOR,
    PAPER,
    RULE,
    STATUS_COLORS,
    tint,
)
from nbflow.viz.pen import room, text_width
from nbflow.viz.shares import group_bar, group_words
from nbflow.viz.standing import counts_of, heading
from nbflow.viz.svg_graph import (
    HEAD,
    HEAVY,
    arrow,
    detail,
    middle,
    progress_of,
    rim_gap,
    time_of,
)
from nbflow.viz.wording import TIMES, clean, cut_id, many


class GraphPainter:
    """Paints a graph that is laid out.

    Args:
        shown: The graph.
        least: How wide the picture is at least.
        marked: What lies on the critical path, see `graph_fragment`.
    """

    def __init__(self, shown: Scene, least: float = 0.0, marked: Marks = NOTHING) -> None:
        self.shown = shown
        self.marked = marked
        self.graph = shown.graph
        self.summary = shown.summary
        self.layout = shown.layout
        self.colors = shown.colors
        self.tiny = shown.tiny
        self.width = max(380.0, self.layout.width, least)
        note = 18 if shown.summary and shown.summary.left_out else 0
        self.height = HEAD + self.layout.height + 2 + note

    def paint(self, brush: Brush) -> None:
        """Draw everything."""
        name = clean(self.graph.name) or "workflow"
        brush.text(0, 15, name, 16, bold=True, pixels=400)
        beside = min(400, text_width(name, 19)) + 14
        status = heading(self.graph)
        brush.text(beside, 15, status, 12, fill=FAINT)
        brush.chips(0, 36, counts_of(self.graph).items())
        self._legends(brush)
        inside = brush.moved((self.width - self.layout.width) / 2, HEAD)
        self._nests(inside)
        kin = self.graph.history.children
        behind = [_box(self.layout.places[box.id]) for box in self.shown.boxes if box.id in kin]
        shifted = [(x + 4, y + 4, width, height) for x, y, width, height in behind]
        inside.rounded(shifted, tint(EDGE, 0.12), EDGE)
        self._edges(inside)
        boxes = self.shown.boxes
        self._calls(inside, [box for box in boxes if isinstance(box, Node)])
        self._groups(inside, [box for box in boxes if isinstance(box, Group)])
        self._rims(inside)

    def _nests(self, brush: Brush) -> None:
        """Draw the frames of compositions, under their names."""
        for frame in self.shown.frames:
            x, y, width, _ = box = _box(frame.place)
            calls = f"{TIMES}{sum(frame.counts.values()):,}"
            brush.rounded([box], tint(EDGE, 0.05), tint(EDGE, 0.55), radius=9)
            brush.icons([(x + 14, y + 12)], 6, frame.status)
            room_ = width - 40 - text_width(calls, 11)
            brush.text(x + 26, y + 16, clean(frame.title), 12, fill=INK, bold=True, pixels=room_)
            brush.text(x + width - 8, y + 16, calls, 10, fill=FAINT, anchor="right")

    def _legends(self, brush: Brush) -> None:
        """Say what heavy lines are; name the activities by colour where the boxes cannot."""
        counts = counts_of(self.graph).items()
        x = 30 + sum(30 + text_width(f"{count:,} {status}", 12.65) for status, count in counts)
        if self.marked.words:
            brush.lines([[(x, 32), (x + 18, 32)]], INK, HEAVY)
            brush.text(x + 24, 36, self.marked.words, 11.5, fill=FAINT)
            x += 40 + text_width(self.marked.words, 12.65)
        for name, color in list(self.colors.items())[:6] if self.tiny else ():
            brush.boxes([(x, 27, 11, 11)], tint(color, 0.35))
            brush.text(x + 16, 36, name, 11.5, fill=FAINT, pixels=200)
            x += 30 + min(200, text_width(name, 12.65))

    def _edges(self, brush: Brush) -> None:
        lines: defaultdict[tuple[bool, bool], list[Curve]] = defaultdict(list)
        heads: defaultdict[bool, list[list[Point]]] = defaultdict(list)
        for edge in self.shown.edges:
            ends = (edge.source, edge.target)
            curve = self.layout.curves.get(ends)
            if not curve:
                continue
            heavy = ends in self.marked.edges
            lines[heavy, edge.kind != "data"].append(curve)
            if not self.tiny and not self.layout.places[edge.target].dot:
                heads[heavy].append(arrow(curve, 8.0 if heavy else 6.0))
        thin = 1.0 if self.tiny else 1.3
        for heavy, color, width in ((False, EDGE, thin), (True, INK, HEAVY)):
            for dash in (False, True):
                brush.curves(lines[heavy, dash], color, width, dash=dash)
            brush.shapes(heads[heavy], color)
        if self.summary:
            self._counts(brush, self.summary)

    def _counts(self, brush: Brush, summary: Summary) -> None:
        for bundle in summary.edges:
            if bundle.count > 1:
                self._count(brush, self.layout.curves[bundle.source, bundle.target], bundle.count)
        if summary.left_out:
            note = f"… {many(summary.left_out, 'edge')} not drawn"
            brush.text(0, self.layout.height + 14, note, 11, fill=FAINT)

    def _rims(self, brush: Brush) -> None:
        """Draw the second, dark rim of the boxes on the critical path."""
        places = [self.layout.places[box] for box in sorted(self.marked.boxes)]
        for place in places:
            left, top, width, height = _box(place)
            gap = rim_gap(place)
            box = (left - gap, top - gap, width + 2 * gap, height + 2 * gap)
            brush.rounded([box], "none", INK, radius=7 + gap, line=2)

    def _count(self, brush: Brush, curve: Curve, count: int) -> None:
        x, y = middle(curve)
        label = f"{TIMES}{count:,}"
        width = text_width(label, 11) + 8
        brush.rounded([(x - width / 2, y - 7, width, 14)], PAPER, "none")
        brush.text(x, y + 3.5, label, 10, fill=FAINT, anchor="center")

    def _calls(self, brush: Brush, nodes: list[Node]) -> None:
        places = self.layout.places
        dots = [places[v.id] for v in nodes if v.join]
        joins = [(place.x, place.y) for place in dots if place.dot]
        brush.disks(joins, 3.5, EDGE)
        calls = [node for node in nodes if not node.join]
        self._tiny(brush, [node for node in calls if places[node.id].width < COMPACT[0]])
        calls = [node for node in calls if places[node.id].width >= COMPACT[0]]
        self._frames(brush, calls)
        for node in calls:
            place = places[node.id]
            x, y = place.x - place.width / 2, place.y - place.height / 2
            if place.width >= FULL[0]:
                self._full(brush, node, x, y, place)
            else:
                name = cut_id(clean(node.id), room(place.width - 27, 11))
                brush.text(x + 24, place.y + 3.5, name, 10)

    def _frames(self, brush: Brush, nodes: list[Node] | list[Group]) -> None:
        """Draw the boxes, strips and icons of all nodes, one collection a status."""
        by_status: defaultdict[str, list[Place]] = defaultdict(list)
        by_color: defaultdict[str, list[Box]] = defaultdict(list)
        for node in nodes:
            place = self.layout.places[node.id]
            by_status[node.status].append(place)
            box = (place.x - place.width / 2, place.y - place.height / 2 + 4, 4, place.height - 8)
            by_color[self.colors.get(node.activity, OTHER_COLOR)].append(box)
        for status, places in by_status.items():
            color = STATUS_COLORS.get(status, FAINT)
            boxes = [_box(place) for place in places]
            line = 1.8 if status in {"failed", "running"} else 1.2
            dash = status in DASHED
            brush.rounded(boxes, tint(color, 0.09), color, line=line, dash=dash)
            small = places[0].width < FULL[0]
            dx, dy = (14, places[0].height / 2) if small else (18, 14)
            centres = [(x + dx, y + dy) for x, y, _, _ in boxes]
            brush.icons(centres, 6 if small else 7, status)
        for color, strips in by_color.items():
            brush.boxes(strips, color)

    def _full(self, brush: Brush, node: Node, x: float, y: float, place: Place) -> None:
        width = place.width - 36
        side = time_of(node)
        name = cut_id(clean(node.id), room(width - (text_width(side, 11) + 8 if side else 0), 15))
        brush.text(x + 30, y + 18, name, 12.5, bold=True)
        brush.text(x + place.width - 7, y + 18, side, 10, fill=FAINT, anchor="right")
        fill = "#a33f00" if node.status == "failed" else FAINT
        brush.text(x + 11, y + 34, detail(node), 10, fill=fill, pixels=place.width - 17)
        part = progress_of(node)
        if part is not None:
            bar = (x + 11, y + place.height - 5, place.width - 20, 3)
            brush.boxes([bar], RULE)
            brush.boxes([(*bar[:2], bar[2] * part, 3)], STATUS_COLORS["running"])

    def _tiny(self, brush: Brush, calls: list[Node]) -> None:
        by_color: defaultdict[str, list[Box]] = defaultdict(list)
        by_status: defaultdict[str, list[Point]] = defaultdict(list)
        for node in calls:
            place = self.layout.places[node.id]
            by_color[self.colors.get(node.activity, OTHER_COLOR)].append(_box(place))
            by_status[node.status].append((place.x, place.y))
        for color, boxes in by_color.items():
            brush.rounded(boxes, tint(color, 0.35), "none", radius=5)
        for status, centres in by_status.items():
            brush.icons(centres, 7.5, status)

    def _groups(self, brush: Brush, groups: list[Group]) -> None:
        self._frames(brush, groups)
        for group in groups:
            place = self.layout.places[group.id]
            x, y, width, _ = _box(place)
            count = f"{TIMES}{group.calls:,}"
            taken = text_width(count, 13) + 8
            brush.text(x + 30, y + 18, group.title, 12.5, bold=True, pixels=width - 36 - taken)
            brush.text(x + width - 8, y + 18, count, 12, fill=INK, anchor="right")
            brush.text(x + 12, y + 34, group_words(group), 10, fill=FAINT, pixels=width - 18)
            for left, length, status in group_bar(group, x + 12, width - 22):
                brush.boxes([(left, y + 40, length, 5)], STATUS_COLORS.get(status, FAINT))


def _box(place: Place) -> Box:
    left, top = place.x - place.width / 2, place.y - place.height / 2
    return left, top, place.width, place.height
