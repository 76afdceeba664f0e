"""A big graph summed up: one box for each activity, with counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbflow.core.graph import STATUSES, EdgeKind, Graph, Node

GROUP_ABOVE = 300
"""A graph of more calls than this is drawn by activity."""
_MOST_EDGES = 2000
_MOST_BUNDLES = 600
OTHERS = "…"
"""Id of the box of all activities for which there is no room."""

_LOUDEST = ("failed", "running", "retrying")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All calls of one activity.

    Attributes:
        id: The activity's name.
        activity: The same, or how many activities it stands for.
        counts: Calls by status.
        seconds: The time that the ended calls took together.
        inner: How many of its calls need another call of the same activity.
    """

    id: str
    activity: str
    counts: dict[str, int]
    seconds: float = 0.0
    inner: int = 0

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All edges between two groups: `count` calls of the target need one of the source."""

    source: str
    target: str
    kind: EdgeKind
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A graph of activities in the place of one of calls."""

    name: str
    status: str
    counts: dict[str, int]
    nodes: list[Group]
    edges: list[Bundle]


@dataclass(slots=True)
class _Tally:
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    seconds: float = 0.0

    def add(self, node: Node) -> None:
        self.counts[node.status] = self.counts.get(node.status, 0) + 1
        if node.started is not None and node.ended is not None and node.status != "skipped":
            self.seconds += max(0.0, node.ended - node.started)


def is_big(graph: Graph) -> bool:
    """Whether a picture of single calls would say less than one of activities."""
    return len(graph) > GROUP_ABOVE or len(graph.edges) > _MOST_EDGES


def summed_up(graph: Graph) -> Summary:
    """Sum up a graph by activity, with no more boxes and edges than a picture can hold."""
    summary = grouped(graph)
    return summary if len(summary.edges) <= _MOST_BUNDLES else grouped(graph, most=30)


def grouped(graph: Graph, most: int = 150) -> Summary:
    """Sum up a graph by activity.

    Args:
        graph: The graph.
        most: How many boxes there may be; the activities with the fewest calls share the last.
    """
    tallies: dict[str, _Tally] = {}
    calls: dict[str, str] = {}
    for node in graph.nodes:
        if not node.join:
            calls[node.id] = node.activity
            tallies.setdefault(node.activity, _Tally()).add(node)
    box = _boxes(tallies, most)
    merged: dict[str, _Tally] = {}
    for activity, tally in tallies.items():
        into = merged.setdefault(box[activity], _Tally())
        into.seconds += tally.seconds
        for status, count in tally.counts.items():
            into.counts[status] = into.counts.get(status, 0) + count
    of_call = {call: box[activity] for call, activity in calls.items()}
    bundles, inner = _bundles(graph, of_call)
    left_out = sum(name == OTHERS for name in box.values())
    groups = [
        Group(
            id=name,
            activity=f"{left_out:,} other activities" if name == OTHERS else name,
            counts={status: count for status, count in tally.counts.items() if count},
            seconds=tally.seconds,
            inner=inner.get(name, 0),
        )
        for name, tally in merged.items()
    ]
    return Summary(
        name=graph.name, status=graph.status, counts=graph.counts(), nodes=groups, edges=bundles
    )


def _boxes(tallies: dict[str, _Tally], most: int) -> dict[str, str]:
    """Give the box of each activity."""
    if len(tallies) <= most:
        return {activity: activity for activity in tallies}
    ranking = sorted(tallies, key=lambda a: -sum(tallies[a].counts.values()))
    kept = set(ranking[: most - 1])
    return {activity: activity if activity in kept else OTHERS for activity in tallies}


def _bundles(graph: Graph, box: dict[str, str]) -> tuple[list[Bundle], dict[str, int]]:
    """Count the calls that need a call of another box, and those that need one of their own."""
    into_join: defaultdict[str, set[str]] = defaultdict(set)
    for edge in graph.edges:
        if edge.source in box and edge.target not in box:
            into_join[edge.target].add(box[edge.source])
    needing: defaultdict[tuple[str, str, EdgeKind], set[str]] = defaultdict(set)
    for edge in graph.edges:
        if edge.target in box:
            for source in _sources(edge.source, box, into_join):
                needing[source, box[edge.target], edge.kind].add(edge.target)
    inner = {a: len(calls) for (a, b, kind), calls in needing.items() if a == b and kind == "data"}
    bundles = [
        Bundle(source=a, target=b, kind=kind, count=len(calls))
        for (a, b, kind), calls in needing.items()
        if a != b and (kind == "data" or (a, b, "data") not in needing)
    ]
    return bundles, inner


def _sources(source: str, box: dict[str, str], into_join: dict[str, set[str]]) -> Iterable[str]:
    return (box[source],) if source in box else sorted(into_join.get(source, ()))
