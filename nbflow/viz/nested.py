"""Compositions as boxes in boxes: an opened one is a frame around what is in it.

Each composition is laid out by itself and is one big box in what is around it, so its calls stay
together and no other box gets between them. An edge across frames takes the way that the layout
of the innermost common frame has found, and goes on to its boxes from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nbflow.core.canvas import SEPARATOR
from nbflow.core.graph import Graph, Node
from nbflow.viz.bundles import Bundle, Group, bundles, links
from nbflow.viz.gates import FRAME, Gates, child, common, gates
from nbflow.viz.grouping import seconds_of
from nbflow.viz.layered import Curve, Point, smooth
from nbflow.viz.layout import COMPACT, FULL, Engine, Layout, Place, Size, layout
from nbflow.viz.pen import text_width
from nbflow.viz.standing import counted, nodes_of, status_of
from nbflow.viz.wording import clean

GROUP_SIZE: Final[Size] = (178.0, 52.0)
"""The size of the box of an activity, or of a composition that is closed."""
TITLE: Final = 22.0
"""The height of the strip at the top of a frame that has its name."""
PAD: Final = 12.0
_CLOSED: Final = "\0"
_MOST_FULL: Final = 120
_MOST_DOT: Final = 6
"""With more frames than this dot, which is a process each, is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An opened composition.

    Attributes:
        path: The names of the compositions around it and its own, with `SEPARATOR` between.
        place: The whole of it, its title included.
        counts: Its calls by status, those of compositions in it too.
        seconds: The time that they took together.
    """

    path: str
    place: Place
    counts: dict[str, int]
    seconds: float

    @property
    def title(self) -> str:
        """Its own name."""
        return self.path.rpartition(SEPARATOR)[2]

    @property
    def status(self) -> str:
        """The status that people should look at first."""
        return Group(id="", activity="", counts=self.counts).status


@dataclass(frozen=True, slots=True)
class Nest:
    """A graph whose calls are drawn in their compositions.

    Attributes:
        boxes: Calls, joins, and a group for each composition that is closed.
        edges: What leads from box to box.
        layout: The places of both.
        frames: The opened compositions, outer ones first.
    """

    boxes: Sequence[Node | Group]
    edges: Sequence[Bundle]
    layout: Layout
    frames: Sequence[Frame]


def around(path: str) -> Iterator[str]:
    """Give the paths of a composition and of all that are around it, outermost first.

    Example:
        >>> list(around("eu/pair"))
        ['eu', 'eu/pair']
    """
    parts = path.split(SEPARATOR) if path else []
    for count in range(1, len(parts) + 1):
        yield SEPARATOR.join(parts[:count])


def compositions(graph: Graph) -> list[str]:
    """Give the paths of all compositions that have calls, by their first ones."""
    homes = dict.fromkeys(state.group for state in graph.history.calls.values() if state.name)
    return list(dict.fromkeys(path for home in homes for path in around(home)))


def tallies(graph: Graph) -> dict[str, tuple[dict[str, int], float]]:
    """Give each composition's calls by status, and the seconds that they took together."""
    statuses: defaultdict[str, list[str]] = defaultdict(list)
    seconds: defaultdict[str, float] = defaultdict(float)
    for state in graph.history.calls.values():
        if state.name and state.group:
            for path in around(state.group):
                statuses[path].append(status_of(state))
                seconds[path] += seconds_of(state)
    return {path: (counted(found), seconds[path]) for path, found in statuses.items()}


def group_of(path: str, tally: tuple[dict[str, int], float]) -> Group:
    """Give a composition that is closed as a box."""
    counts, seconds = tally
    name = path.rpartition(SEPARATOR)[2]
    return Group(id=_CLOSED + path, activity=name, counts=counts, seconds=seconds)


def box_of(path: str) -> str:
    """Give the id of the box of a composition that is closed."""
    return _CLOSED + path


def path_of(box: str) -> str | None:
    """Give the path of the closed composition that a box is, None of any other box."""
    return box.removeprefix(_CLOSED) if box.startswith(_CLOSED) else None


def nested(graph: Graph, is_open: Callable[[str], bool] = lambda _: True) -> Nest:
    """Lay a graph out with its compositions.

    Args:
        graph: The graph.
        is_open: Tells of the path of a composition whether its inside is shown.
    """
    tally = tallies(graph)
    shut = {path for path in tally if not is_open(path)}
    home = {state.id: state.group for state in graph.history.calls.values()}
    closed = {group: _outermost(group, shut) for group in set(home.values())}
    joins = _sources_of_joins(graph)
    targets = _targets_of_joins(graph, joins)

    def box(call: str) -> str | None:
        if call in joins:
            return call if call in drawn else None
        path = closed.get(home.get(call, ""))
        return call if path is None else _CLOSED + path

    singles = [n for n in nodes_of(graph) if not n.join and closed[n.group] is None]
    single = {node.id for node in singles}
    drawn = {join for join, found in targets.items() if any(call in single for call in found)}
    found = told_once(bundles(links(graph.edges, box, single | drawn, joins))[0], single)
    tops = dict.fromkeys(path for path in closed.values() if path is not None)
    boxes: list[Node | Group] = [*singles, *(group_of(path, tally[path]) for path in tops)]
    boxes += [graph.node(join) for join in joins if join in drawn]
    parents = {node.id: node.group for node in singles}
    parents |= {_CLOSED + path: path.rpartition(SEPARATOR)[0] for path in tops}
    parents |= {join: common(parents.get(c, "") for c in targets[join]) for join in drawn}
    placed = _Levels(boxes, found, parents, gates(drawn, found, parents))
    frames = [Frame(path=p, place=at, counts=tally[p][0], seconds=tally[p][1])
              for p, at in placed.frames.items()]  # fmt: skip
    return Nest(boxes, found, placed.whole, frames)


def told_once(edges: Sequence[Bundle], single: Collection[str]) -> list[Bundle]:
    """Leave out lines of control that others tell of: who takes a result waits for what it waited.

    Args:
        edges: What leads from box to box.
        single: The boxes that are one call each.
    """
    control = {(edge.source, edge.target) for edge in edges if edge.kind == "control"}
    takes: defaultdict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if edge.kind == "data" and edge.source in single:
            takes[edge.target].append(edge.source)

    def told(edge: Bundle) -> bool:
        return any((edge.source, before) in control for before in takes[edge.target])

    return [edge for edge in edges if edge.kind == "data" or not told(edge)]


def _outermost(group: str, shut: set[str]) -> str | None:
    """Give the outermost closed composition that a call is in, None if all are open."""
    return next((path for path in around(group) if path in shut), None)


def _sources_of_joins(graph: Graph) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {node.id: [] for node in graph if node.join}
    for edge in graph.edges:
        if edge.target in found:
            found[edge.target].append(edge.source)
    return found


def _targets_of_joins(graph: Graph, joins: Mapping[str, object]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {join: [] for join in joins}
    for edge in graph.edges:
        if edge.source in found:
            found[edge.source].append(edge.target)
    return found


# ---------------------------------------------------------------------- level by level


@dataclass(frozen=True, slots=True)
class _Box:
    id: str
    join: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class _Inside:
    nodes: Sequence[_Box]
    edges: Sequence[_Line]


class _Levels:
    """The layouts of all frames, put into one another.

    Attributes:
        whole: Everything in one plane.
        frames: The place of each frame by its path, outer ones first.
    """

    def __init__(
        self,
        boxes: Sequence[Node | Group],
        edges: Sequence[Bundle],
        parents: Mapping[str, str],
        hidden: Gates,
    ) -> None:
        self._parents = parents
        self._hidden = hidden
        self._inside: defaultdict[str, list[_Box]] = defaultdict(list)
        self._lines: defaultdict[str, dict[_Line, None]] = defaultdict(dict)
        self._full = FULL if len(boxes) <= _MOST_FULL else COMPACT
        self._sizes: dict[str, Size] = {}
        self._layouts: dict[str, Layout] = {}
        for box in boxes:
            self._put(box)
        for edge in filter(self._drawn, edges):
            level, source, target = self._meet(edge.source, edge.target)
            self._lines[level][_Line(source, target)] = None
        known = [path for path in self._inside if path]
        self._engine: Engine = "auto" if len(known) <= _MOST_DOT else "own"
        top = self._lay_out("")
        self._origins: dict[str, Point] = {"": (0.0, 0.0)}
        self.frames: dict[str, Place] = {}
        places = dict(self._placed(""))
        places |= {box.id: self._gate(box.id, places) for box in boxes if hidden.hides(box.id)}
        curves = {(edge.source, edge.target): self._curve(edge, places) for edge in edges}
        self.whole = Layout(
            places=places, curves=curves, width=top.width, height=top.height, engine=top.engine
        )

    def _put(self, box: Node | Group) -> None:
        """Put a box into its frame, and the frame into the one around it."""
        path = self._parents[box.id]
        self._sizes[box.id] = GROUP_SIZE if isinstance(box, Group) else self._full
        for frame in around(path):
            if frame not in self._inside:
                self._inside[frame] = []
                self._inside[frame.rpartition(SEPARATOR)[0]].append(_Box(FRAME + frame))
        if not self._hidden.hides(box.id):
            self._inside[path].append(_Box(box.id, box.join))

    def _drawn(self, edge: Bundle) -> bool:
        """Whether an edge has a line: what is on the other side of a gate has none."""
        return edge.source not in self._hidden.entries and edge.target not in self._hidden.exits

    def _gate(self, join: str, places: Mapping[str, Place]) -> Place:
        """Give the point of a join that is not drawn: the head of a frame, or a foot."""
        entry = self._hidden.entries.get(join)
        if entry is not None:
            at = self.frames[entry]
            return Place(at.x, at.y - at.height / 2, 0.0, 0.0)
        source = self._hidden.exits[join]
        at = self.frames[source[1:]] if source.startswith(FRAME) else places[source]
        return Place(at.x, at.y + at.height / 2, 0.0, 0.0)

    def _meet(self, source: str, target: str) -> tuple[str, str, str]:
        """Give the innermost frame around both ends, and what in it each of them is or is in."""
        level = common((self._parents[source], self._parents[target]))
        return level, self._child(source, level), self._child(target, level)

    def _child(self, box: str, level: str) -> str:
        return self._hidden.exits.get(box) or child(self._parents[box], box, level)

    def _lay_out(self, path: str) -> Layout:
        for box in self._inside[path]:
            if box.id.startswith(FRAME):
                inner = box.id.removeprefix(FRAME)
                found = self._lay_out(inner)
                name = text_width(clean(inner.rpartition(SEPARATOR)[2])[:40], 12) + 90
                wide = max(found.width + 2 * PAD, name)
                self._sizes[box.id] = (wide, found.height + TITLE + 1.5 * PAD)
        inside = _Inside(self._inside[path], list(self._lines[path]))
        self._layouts[path] = layout(inside, engine=self._engine, size=self._sizes)
        return self._layouts[path]

    def _placed(self, path: str) -> Iterator[tuple[str, Place]]:
        """Give the boxes of a frame, and of all in it, in the plane of the whole."""
        left, top = self._origins[path]
        for box, at in self._layouts[path].places.items():
            place = Place(at.x + left, at.y + top, at.width, at.height)
            if not box.startswith(FRAME):
                yield box, place
                continue
            inner = box.removeprefix(FRAME)
            self.frames[inner] = place
            spare = place.width - self._layouts[inner].width
            x, y = place.x - place.width / 2 + spare / 2, place.y - place.height / 2
            self._origins[inner] = (x, y + TITLE + PAD / 2)
            yield from self._placed(inner)

    def _curve(self, edge: Bundle, places: Mapping[str, Place]) -> Curve:
        """Run a value from box to box; what only waits for a composition starts at its frame."""
        if not self._drawn(edge):
            return ()
        source, target = edge.source, edge.target
        level, a, b = self._meet(source, target)
        left, top = self._origins[level]
        found = self._layouts[level].curves.get((a, b), ())
        curve = tuple((x + left, y + top) for x, y in found)
        whole = edge.kind == "control" and source not in self._hidden.exits
        if curve and (whole or (a, b) == (source, target)):
            return curve
        above, below = places[source], places[target]
        foot = (above.x, above.y + above.height / 2)
        head = (below.x, below.y - below.height / 2)
        return smooth((foot, *curve[3:-3:3], head))
