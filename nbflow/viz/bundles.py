"""A graph summed up: boxes that stand for many calls, and what leads from box to box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nbflow.core.graph import Edge, EdgeKind, Node

Link = tuple[str, str, EdgeKind]

MOST = 20_000
"""How many bundles there are at most."""


OTHERS = "…"
"""Id of the box of all activities for which there is no room."""

_LOUDEST = ("failed", "running", "retrying")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Many calls in one box: all of one activity, or those of it that are not shown one by one.

    Attributes:
        id: The activity's name, but where a single call has that id.
        activity: The same, or how many activities it stands for.
        counts: Calls by status.
        seconds: The time that the ended calls took together.
        inner: How many of its calls need another call of the same group.
        rest: Whether others of its activity are shown one by one beside it.
        others: Whether it is of the activities for which there is no room.
    """

    id: str
    activity: str
    counts: dict[str, int]
    seconds: float = 0.0
    inner: int = 0
    rest: bool = False
    others: bool = False

    @property
    def join(self) -> bool:
        """A group is never a dot."""
        return False

    @property
    def calls(self) -> int:
        """How many calls it has."""
        return sum(self.counts.values())

    @property
    def status(self) -> str:
        """The status that people should look at first, else the most frequent one."""
        loud = next((status for status in _LOUDEST if status in self.counts), None)
        return loud or max(self.counts, key=lambda s: self.counts[s], default="waiting")

    @property
    def title(self) -> str:
        """What its box is called."""
        return f"… {self.calls:,} more" if self.rest else self.activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All edges between two boxes.

    Attributes:
        source: Id of the upper box.
        target: Id of the lower box.
        kind: ``control`` if no value goes along any of them.
        count: How many calls of the target need one of the source; where the target is a single
            call, how many calls of the source it needs.
    """

    source: str
    target: str
    kind: EdgeKind
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A graph of activities, some of them opened to their calls, in the place of one of calls.

    Attributes:
        name: The workflow's name.
        status: The run's status.
        counts: All calls by status.
        boxes: The groups, single calls and joins, activity by activity.
        edges: What leads from box to box.
        left_out: How many edges more there are than a picture can hold.
    """

    name: str
    status: str
    counts: dict[str, int]
    boxes: list[Group | Node]
    edges: list[Bundle]
    left_out: int = 0

    @property
    def nodes(self) -> list[Group]:
        """The boxes that stand for many calls."""
        return [box for box in self.boxes if isinstance(box, Group)]

    @property
    def calls(self) -> list[Node]:
        """The calls that are shown one by one, and the joins between them."""
        return [box for box in self.boxes if isinstance(box, Node)]

    @property
    def homes(self) -> dict[str, str]:
        """The box that calls without one of their own are in, by activity; "" for all others."""
        found = {group.activity: group.id for group in self.nodes if not group.others}
        found.update(("", group.id) for group in self.nodes if group.others)
        return found

    @property
    def shape(self) -> tuple[object, ...]:
        """What a layout of it depends on: one that was made for an equal shape still fits."""
        return (*(box.id for box in self.boxes), *((e.source, e.target) for e in self.edges))


def links(
    edges: Iterable[Edge],
    box: Callable[[str], str | None],
    single: Collection[str],
    joins: Mapping[str, Sequence[str]],
) -> dict[Link, int]:
    """Count what leads from box to box, also within one box.

    Args:
        edges: All edges.
        box: Gives the box of a call or of a join that is drawn; None for what is not drawn.
        single: Boxes of one call or join.
        joins: The calls that lead into each join. Through a join that is not drawn, edges lead
            straight on.

    Returns:
        For each pair of boxes and kind of edge how many calls of the target need one of the
        source; for a single target how many calls of the source it needs.
    """
    targets: defaultdict[Link, set[str]] = defaultdict(set)
    sources: defaultdict[Link, int] = defaultdict(int)
    through: dict[str, dict[str, int]] = {}
    for edge in edges:
        into = box(edge.target)
        if into is None:
            continue
        start = box(edge.source)
        if start is not None:
            starts = {start: 1}
        else:
            if edge.source not in through:
                through[edge.source] = _boxed(joins.get(edge.source, ()), box)
            starts = through[edge.source]
        for source, count in starts.items():
            link = (source, into, edge.kind)
            if into in single:
                sources[link] += count
            else:
                targets[link].add(edge.target)
    return {**sources, **{link: len(calls) for link, calls in targets.items()}}


def _boxed(calls: Iterable[str], box: Callable[[str], str | None]) -> dict[str, int]:
    """Count calls by box."""
    found: dict[str, int] = {}
    for call in calls:
        where = box(call)
        if where is not None:
            found[where] = found.get(where, 0) + 1
    return found


def bundles(counted: Mapping[Link, int]) -> tuple[list[Bundle], dict[str, int]]:
    """Give what leads from one box to another, and how many calls of a box need one of its own.

    Where both values and control lead the same way, the values are what is shown.
    """
    inner = {a: n for (a, b, kind), n in counted.items() if a == b and kind == "data"}
    found = [
        Bundle(source=a, target=b, kind=kind, count=n)
        for (a, b, kind), n in counted.items()
        if a != b and (kind == "data" or (a, b, "data") not in counted)
    ]
    return found, inner
