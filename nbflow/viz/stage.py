"""The graph as the panel draws it: boxes and lines, or columns of numbers where it is big.

It is laid out anew when its structure has changed, and what that cost says when it may be done
again. Everything else costs the boxes whose calls have changed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from nbflow.core.graph import Edge, Graph, Node
from nbflow.core.profile import Step
from nbflow.viz.canvas import ELEMENTS, Columns, columns, fits
from nbflow.viz.critical import spine
from nbflow.viz.drawing import Scene, opened, sketched
from nbflow.viz.elements import DRAWN, Row, elements, lines
from nbflow.viz.folding import Folding
from nbflow.viz.groups import Bundle, Group, Grouping, is_big
from nbflow.viz.layout import Layout, layout
from nbflow.viz.nested import Nest
from nbflow.viz.outline import Outline
from nbflow.viz.rows import Rows, part_of
from nbflow.viz.shares import group_words
from nbflow.viz.standing import nodes_of, shown
from nbflow.viz.svg_graph import detail, hint, time_of
from nbflow.viz.told import Pace, Told
from nbflow.viz.wording import TIMES, clean, cut_id

_POINTS: Final = 16_000
_BYTES: Final = 450_000
"""Boxes and lines that take more than so many bytes in a message are not sent as such."""
_ROOM: Final = 400
"""So many boxes are tried at first where activities are opened..."""
_MOST: Final = 150
"""...and so many groups where none are..."""
_LEAST: Final = 8
"""...and so many of either at last."""
_NAME: Final = 40
_TITLE: Final = 120
_WORDY: Final = 320
"""In a graph of more boxes than this they have no room for words."""
_SPOKEN: Final = frozenset({"queued", "running", "retrying", "skipped", "cancelled"})
"""Statuses that are named in the corner of a box, where a time has no place."""
_TOO_MUCH: Final = "these compositions have too many calls for boxes: click on calls to see each"
_EMPTY: Final = Layout(places={}, curves={}, width=0.0, height=0.0, engine="own")


class Stage:
    """The graph of one run in the view that was chosen.

    Attributes:
        view: Mode, expanded activities, modes that can be chosen, whether it is on a canvas.
        size: Width and height of the whole.
        nodes: A row a box, by key.
        edges: A row a line, by the keys of its ends.
        columns: What is drawn on a canvas; None where boxes and lines are.
        trouble: Why the view is not quite what was chosen, until somebody has told it; else "".
    """

    def __init__(self, graph: Graph, rows: Rows, since: Callable[[float], float]) -> None:
        self.view: Row = {"mode": "calls", "open": [], "modes": ["calls"], "canvas": False}
        self.size: dict[str, float] = {"width": 0.0, "height": 0.0}
        self.nodes = Told()
        self.edges = Told()
        self.columns: Columns | None = None
        self.trouble = ""
        self._graph = graph
        self._rows = rows
        self._since = since
        self._wanted = ""
        self._open: tuple[str, ...] = ()
        self._room, self._most = _ROOM, _MOST
        self._shape = (-1, -1)
        self._edges: list[Edge] = []
        self._pace = Pace(0.1)
        self._grouping: Grouping | None = None
        self._outline: Outline | None = None
        self._folding = Folding(graph)
        self._nest: Nest | None = None
        self._scene: Scene | None = None
        self._layout = _EMPTY
        self._keys: dict[str, str] = {}
        self._path: list[tuple[str, str]] = []
        self._critical: set[str] = set()
        self._spine: set[tuple[str, str]] = set()

    # ------------------------------------------------------------------ what to show

    def choose(self, mode: str, numbers: Iterable[int] | None) -> None:
        """Show calls, compositions or activities from the next drawing on.

        Args:
            mode: ``calls``, ``nested`` or ``groups``.
            numbers: Which activities, or compositions, are shown as their calls; None for those
                that were before, where they are compositions.
        """
        self._wanted = mode
        if mode == "nested" and numbers is not None:
            self._folding.choose(numbers)
        numbers = [] if mode == "nested" or numbers is None else dict.fromkeys(numbers)
        names = map(self._rows.activities.name, numbers)
        self._open = tuple(name for name in names if name is not None)
        self._room, self._most = _ROOM, _MOST
        self._shape = (-1, -1)
        self._scene = None
        self._pace = Pace(0.1)

    def sketch(self, outline: Outline | None) -> None:
        """Show an outline in the place of what the graph knows so far, or that again."""
        if outline is None and self._outline is not None:
            self._scene = None
            self._shape = (-1, -1)
            self._pace = Pace(0.1)
        self._outline = outline

    def follow(self, steps: Sequence[Step]) -> None:
        """Mark a critical path, or none."""
        self._path = [(step.bar.call, step.bar.activity) for step in steps]
        if self.columns is None:
            self._describe()

    def draw(self, changed: Collection[str], now: float, *, settle: bool) -> None:
        """Bring it up to date.

        Args:
            changed: Ids of calls and joins that are new or differ.
            now: The time by which costly things are put off...
            settle: ...unless this asks for the present state.
        """
        if self._outline is not None:
            self._draw_outline(self._outline, now, settle=settle)
            return
        if self._grouping is not None:
            self._grouping.update(changed)
        shape = (len(self._graph.history.calls), len(self._graph.edges))
        differs = shape != self._shape or self._graph.edges is not self._edges
        if differs and (settle or self._pace.ready(now)):
            with self._pace.spent(now):
                self._lay_out()
            self._shape, self._edges = shape, self._graph.edges
        elif self._scene is not None:
            self._renew_groups(self._scene, changed)
        elif self._nest is not None:
            self._renew_nest(self._nest, changed)
        elif self.columns is None:
            for call in self._keys.keys() & changed:
                self.nodes.put(self._keys[call], self._box_of(self._node(call)))

    def _draw_outline(self, outline: Outline, now: float, *, settle: bool) -> None:
        if not settle and not self._pace.ready(now):
            return
        with self._pace.spent(now):
            for name in outline.activities:  # they get the numbers that they will have in the rows
                self._rows.activities.number(name)
            self.columns = self._nest = self._grouping = None
            self._take(sketched(self._graph, outline, self._scene))
            self.view = {"mode": "groups", "open": [], "modes": ["groups"], "canvas": False}
            self._measure()

    # ------------------------------------------------------------------ layout

    def _measure(self) -> None:
        self.size = {"width": round(self._layout.width, 1), "height": round(self._layout.height, 1)}

    def _lay_out(self) -> None:
        modes = self._modes()
        mode = self._wanted or self._usual(modes)
        self._nest = None
        if mode == "nested" and mode in modes and not self._place_nested():
            mode = "calls"
        tangled = mode == "calls" and mode in modes and self._place_calls()
        # Nobody has asked for single calls if there is too much between them to be read.
        if mode not in modes or mode == "groups" or (tangled and not self._wanted):
            mode = "groups"
            self._place_groups()
        self.view = {
            "mode": mode,
            "open": self._opened(mode),
            "modes": modes,
            "canvas": self.columns is not None,
        }
        self._measure()

    def _modes(self) -> list[str]:
        """Name the ways in which the graph can be shown."""
        if not fits(self._graph):
            return ["groups"]
        self._folding.update()
        return ["calls", *(["nested"] if self._folding else []), "groups"]

    def _usual(self, modes: Collection[str]) -> str:
        """Name the way in which it is shown where nobody has chosen one."""
        if is_big(self._graph):
            return "groups"
        return "nested" if "nested" in modes else "calls"

    def _opened(self, mode: str) -> list[int]:
        if mode == "nested":
            return self._folding.opened
        numbers = self._rows.activities.numbers
        return sorted(numbers[name] for name in self._open) if mode == "groups" else []

    def _place_nested(self) -> bool:
        """Draw the compositions, closed if they are too much for a page; give whether that fits."""
        self._scene = self._grouping = self.columns = None
        self._take_nest(self._folding.nest())
        if self._fits():
            return True
        if self._wanted:
            self.trouble = _TOO_MUCH
        self._folding.choose(())
        self._take_nest(self._folding.nest())
        return self._fits()

    def _fits(self) -> bool:
        """Whether what is drawn is few enough elements, and few enough bytes."""
        count = elements(self.nodes.rows.values(), self.edges.rows.values())
        return len(self._keys) <= ELEMENTS and count <= DRAWN and self._bytes() <= _BYTES

    def _take_nest(self, nest: Nest) -> None:
        self._nest, self._layout = nest, nest.layout
        self._keys = {box.id: self._key(box) for box in nest.boxes}
        self._describe()

    def _place_calls(self) -> bool:
        """Draw call by call, on a canvas if need be; give whether that is a tangle of lines."""
        self._scene = self._grouping = self._nest = None
        self._layout = layout(self._graph)
        points = sum(map(len, self._layout.curves.values()))
        if len(self._layout.places) <= ELEMENTS and points <= _POINTS:
            self._keys = {node.id: self._key(node) for node in self._graph}
            self.columns = None
            self._describe()
            if self._fits():
                return False
        self._keys = {}
        self.nodes.replace({})
        self.edges.replace({})
        self.columns = columns(self._graph, self._layout, self._rows)
        return points > _POINTS or len(self._layout.places) > ELEMENTS

    def _place_groups(self) -> None:
        self.columns = None
        if self._grouping is None:
            self._grouping = Grouping(self._graph)
        while (over := self._open_groups()) > 1:
            if not self._open:
                if self._most <= _LEAST:
                    return
                self._most = max(_LEAST, int(min(self._most, len(self._keys)) / over * 0.95))
            elif self._room <= _LEAST:
                self._open = ()
                self.trouble = "these calls have too many edges to be drawn one by one"
            else:
                self._room = max(_LEAST, int(min(self._room, len(self._keys)) / over * 0.95))

    def _open_groups(self) -> float:
        """Draw as much as is thought to fit; give how many times too much that is."""
        before, most = self._scene, self._most
        found = opened(self._graph, self._open, self._grouping, before, boxes=self._room, most=most)
        self._take(found)
        count = elements(self.nodes.rows.values(), self.edges.rows.values())
        return max(self._bytes() / _BYTES, count / DRAWN)

    def _take(self, scene: Scene) -> None:
        self._scene, self._layout = scene, scene.layout
        self._keys = {box.id: self._key(box) for box in scene.boxes}
        self._describe()

    def _key(self, box: Node | Group) -> str:
        """Give a key that stays the same from layout to layout."""
        nest = self._folding.key(box.id)
        if nest is not None:
            return nest
        if isinstance(box, Group):
            number = self._rows.activities.numbers.get(box.activity)
            return "o" if number is None else f"g{number}"
        return "j" + box.id.removeprefix("join ") if box.join else f"c{self._rows.row(box.id)}"

    def _bytes(self) -> int:
        both = [self.nodes.rows, self.edges.rows]
        return len(json.dumps(both, ensure_ascii=False).encode("utf-8", "replace"))

    # ------------------------------------------------------------------ boxes and lines

    def _describe(self) -> None:
        """Write every box and every line anew."""
        summary = self._scene.summary if self._scene is not None else None
        if self._scene is not None and summary is not None:
            if self._grouping is not None:
                summary = self._grouping.latest(summary)
            boxes: Sequence[Node | Group] = summary.boxes
            links: Sequence[Edge | Bundle] = self._scene.edges
        elif self._nest is not None:
            self._nest = self._folding.latest(self._nest)
            boxes = [b if isinstance(b, Group) else self._node(b.id) for b in self._nest.boxes]
            links = self._nest.edges
        else:
            boxes, links = nodes_of(self._graph), self._graph.edges
        places = self._layout.places
        groups = {box.activity: box.id for box in boxes if isinstance(box, Group)}
        path_ = [
            call
            if call in places
            else self._folding.home(call)
            if self._nest is not None
            else groups.get(name, "")
            for call, name in self._path
        ]
        self._critical, self._spine = set(path_), spine(path_, boxes, self._layout.curves)
        frames = self._folding.frames(self._nest) if self._nest is not None else {}
        singles = {self._keys[box.id]: self._box_of(box) for box in boxes if box.id in places}
        self.nodes.replace({**frames, **singles})
        self.edges.replace(lines(links, self._layout, self._keys, self._spine))

    def _node(self, box: str) -> Node:
        return shown(self._graph.node(box))

    def _renew_nest(self, nest: Nest, changed: Collection[str]) -> None:
        if not changed:
            return
        for box in self._keys.keys() & changed:
            self.nodes.put(self._keys[box], self._box_of(self._node(box)))
        nest = self._nest = self._folding.latest(nest)
        for group in nest.boxes:
            if isinstance(group, Group):
                self.nodes.put(self._keys[group.id], self._box_of(group))
        for key, row in self._folding.frames(nest).items():
            self.nodes.put(key, row)

    def _renew_groups(self, scene: Scene, changed: Collection[str]) -> None:
        if not changed or scene.summary is None or self._grouping is None:
            return
        calls = self._graph.history.calls
        touched = {calls[call].name for call in changed if call in calls}
        numbers = self._rows.activities.numbers
        for box in self._grouping.latest(scene.summary).boxes:
            if box.id in changed or box.activity in touched or box.activity not in numbers:
                self.nodes.put(self._keys[box.id], self._box_of(box))

    def _box(self, box: str) -> list[float]:
        place = self._layout.places[box]
        x, y = place.x - place.width / 2, place.y - place.height / 2
        return [round(x, 1), round(y, 1), round(place.width, 1), round(place.height, 1)]

    def _box_of(self, box: Node | Group) -> Row:
        if isinstance(box, Group):
            nest = self._folding.key(box.id)
            row = self._group(box) if nest is None else self._folding.row(box, self._box(box.id))
        elif box.join:
            return {"box": self._box(box.id), "status": box.status, "join": True}
        else:
            row = self._call(box)
        if box.id in self._critical:
            row["critical"] = True
        return row

    def _call(self, node: Node) -> Row:
        wordy = len(self._keys) <= _WORDY
        row: Row = {
            "box": self._box(node.id),
            "status": node.status,
            "name": cut_id(clean(node.id), _NAME),
            "side": time_of(node) or (node.status if node.status in _SPOKEN else ""),
            "detail": clean(detail(node), _TITLE) if wordy else "",
            "hint": clean(hint(node), 2 * _TITLE if wordy else _NAME),
            "activity": self._rows.activities.number(node.activity),
            "call": self._rows.row(node.id),
        }
        if node.id in self._graph.history.children:
            row["child"] = True
        if node.status == "running" and node.started is not None:
            row["from"] = self._since(node.started)
            part = part_of(node.done, node.total)
            if not math.isnan(part):
                row["progress"] = round(part, 3)
        return row

    def _group(self, group: Group) -> Row:
        number = self._rows.activities.numbers.get(group.activity)
        row: Row = {
            "box": self._box(group.id),
            "status": group.status,
            "name": clean(group.title, _NAME),
            "side": f"{TIMES}{group.calls:,}",
            "detail": group_words(group),
            "hint": clean(hint(group), 2 * _TITLE),
            "activity": len(self._rows.activities.shown) if number is None else number,
            "counts": group.counts,
        }
        if number is not None and self._rows.activities.name(number) is not None:
            row["group"] = number
        return row
