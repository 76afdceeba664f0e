"""What a picture of a graph shows: its calls or, where they are many, its activities."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbflow.core.graph import Graph
from nbflow.viz.groups import Summary, is_big, summed_up
from nbflow.viz.layered import smooth
from nbflow.viz.layout import COMPACT, Layout, Size, layout
from nbflow.viz.palette import activity_colors

GROUP_SIZE: Size = (178.0, 52.0)
"""The size of the box of an activity."""
_MOST_POINTS = 12_000


@dataclass(frozen=True, slots=True)
class Scene:
    """A graph, laid out for a picture.

    Attributes:
        graph: The graph.
        summary: The same by activity, where that is what is shown.
        layout: The places of what is shown.
        colors: The colour of each activity, by its first call.
    """

    graph: Graph
    summary: Summary | None
    layout: Layout
    colors: dict[str, str]

    @property
    def tiny(self) -> bool:
        """Whether no box has room for a name."""
        return all(place.width < COMPACT[0] for place in self.layout.places.values())


def scene(graph: Graph) -> Scene:
    """Choose what to show of a graph, and lay it out."""
    colors = activity_colors(node.activity for node in graph.nodes)
    if not is_big(graph):
        found = layout(graph)
        if _points(found) <= _MOST_POINTS:
            return Scene(graph, None, found, colors)
    summary = summed_up(graph)
    found = layout(summary, size=GROUP_SIZE)
    if _points(found) > _MOST_POINTS:
        direct = {edge: smooth((curve[0], curve[-1])) for edge, curve in found.curves.items()}
        found = replace(found, curves=direct)
    return Scene(graph, summary, found, colors)


def _points(found: Layout) -> int:
    return sum(map(len, found.curves.values()))
