"""A big graph summed up: one box for each activity, with counts."""

from __future__ import annotations

from collections.abc import Collection

from nbflow.core.graph import Graph
from nbflow.viz.bundles import OTHERS, Bundle, Group, Summary
from nbflow.viz.grouping import BOXES, Grouping

__all__ = [
    "BOXES",
    "GROUP_ABOVE",
    "OTHERS",
    "Bundle",
    "Group",
    "Grouping",
    "Summary",
    "grouped",
    "is_big",
    "summed_up",
]

GROUP_ABOVE = 300
"""A graph of more calls than this is drawn by activity."""
_MOST_EDGES = 2000
_MOST_BUNDLES = 600


def is_big(graph: Graph) -> bool:
    """Whether a picture of single calls would say less than one of activities."""
    return len(graph.edges) > _MOST_EDGES or len(graph) > GROUP_ABOVE


def summed_up(
    graph: Graph,
    grouping: Grouping | None = None,
    open: Collection[str] = (),  # noqa: A002 - as there
    *,
    boxes: int = BOXES,
    most: int = 150,
) -> Summary:
    """Sum up a graph by activity, with no more groups and edges than a picture can hold.

    Args:
        graph: The graph.
        grouping: What is known of it already; without it all calls are gone through.
        open: Activities that are shown call by call, see `Grouping.summary`.
        boxes: How many boxes there may be in all.
        most: How many groups there may be; see `Grouping.summary`.
    """
    known = grouping or Grouping(graph)
    summary = known.summary(open, most=most, boxes=boxes)
    if open or len(summary.edges) <= _MOST_BUNDLES:
        return summary
    return known.summary(open, most=min(most, 30))


def grouped(graph: Graph, most: int = 150) -> Summary:
    """Sum up a graph by activity.

    Args:
        graph: The graph.
        most: How many boxes there may be; the activities with the fewest calls share the last.
    """
    return Grouping(graph).summary(most=most)
