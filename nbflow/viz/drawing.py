"""What a picture of a graph shows: its calls, its activities, or some of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from nbflow.core.graph import Edge, Graph, Node
from nbflow.viz.groups import BOXES, Bundle, Group, Grouping, Summary, is_big, summed_up
from nbflow.viz.layered import smooth
from nbflow.viz.layout import COMPACT, Layout, Size, layout
from nbflow.viz.nested import GROUP_SIZE, Frame, Nest, compositions, nested
from nbflow.viz.outline import Outline
from nbflow.viz.palette import activity_colors
from nbflow.viz.standing import nodes_of
from nbflow.viz.wrapping import WIDE, wrapped

_MOST_POINTS = 12_000
_READABLE = 2_400.0
"""A picture that is wider than this, and far from as high, is a strip that nobody can read."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A graph, laid out for a picture.

    Attributes:
        graph: The graph.
        summary: The same by activity, where that is what is shown.
        layout: The places of what is shown.
        colors: The colour of each activity, by its first call.
        nest: The same with its compositions, where it has any and is drawn call by call.
    """

    graph: Graph
    summary: Summary | None
    layout: Layout
    colors: dict[str, str]
    nest: Nest | None = None

    @property
    def tiny(self) -> bool:
        """Whether no box has room for a name."""
        return all(place.width < COMPACT[0] for place in self.layout.places.values())

    @property
    def boxes(self) -> Sequence[Node | Group]:
        """What is shown: calls, joins and groups."""
        if self.nest is not None:
            return self.nest.boxes
        return self.summary.boxes if self.summary else nodes_of(self.graph)

    @property
    def edges(self) -> Sequence[Edge | Bundle]:
        """What leads from box to box."""
        if self.nest is not None:
            return self.nest.edges
        return self.summary.edges if self.summary else list(dict.fromkeys(self.graph.edges))

    @property
    def frames(self) -> Sequence[Frame]:
        """The compositions that boxes are in, outer ones first."""
        return self.nest.frames if self.nest is not None else ()


def scene(graph: Graph, grouping: Grouping | None = None) -> Scene:
    """Choose what to show of a graph, and lay it out.

    Calls are shown one by one as long as that can be read: of many, or of very many side by side,
    there is a box an activity.

    Args:
        graph: The graph.
        grouping: What is known of its activities already; a big graph is gone through otherwise.
    """
    if not is_big(graph):
        colors = activity_colors(state.name for state in graph.history.calls.values())
        if compositions(graph):
            nest = nested(graph)
            if not _strip(nest.layout):
                return Scene(graph, None, nest.layout, colors, nest)
        found = layout(graph)
        if _points(found) <= _MOST_POINTS and not _strip(found):
            return Scene(graph, None, found, colors)
    return opened(graph, (), grouping)


def opened(
    graph: Graph,
    open: Collection[str],  # noqa: A002 - the word of the panel's messages
    grouping: Grouping | None = None,
    before: Scene | None = None,
    *,
    boxes: int = BOXES,
    most: int = 150,
) -> Scene:
    """Show the calls of some activities one by one, beside the boxes of the others.

    Args:
        graph: The graph.
        open: Names of activities. Of one that has more calls than there is room for, a box
            "… 98,500 more" holds the rest.
        grouping: What is known of the graph already (`Grouping`); it is gone through otherwise.
        before: An earlier scene. If the boxes and edges are the same its layout is kept.
        boxes: How many boxes there may be...
        most: ...and how many of them for activities that are not opened.

    Example:
        >>> grouping = Grouping(graph)
        >>> shown = opened(graph, {"fetch"}, grouping)
        >>> [box.id for box in shown.boxes], shown.layout.places["fetch-1"]
    """
    known = grouping or Grouping(graph)
    summary = summed_up(graph, known, open, boxes=boxes, most=most)
    colors = activity_colors(known.activities)
    if before is not None and before.summary is not None and before.summary.shape == summary.shape:
        return Scene(graph, summary, before.layout, colors)
    return Scene(graph, summary, _laid_out(summary), colors)


def sketched(graph: Graph, outline: Outline, before: Scene | None = None) -> Scene:
    """Show a graph of which more is counted than known.

    Args:
        graph: What is known of it.
        outline: How all its calls stand.
        before: An earlier scene. If the boxes and edges are the same its layout is kept.
    """
    summary = outline.summary()
    colors = activity_colors(outline.activities)
    if before is not None and before.summary is not None and before.summary.shape == summary.shape:
        return Scene(graph, summary, before.layout, colors)
    return Scene(graph, summary, _laid_out(summary), colors)


@dataclass(frozen=True, slots=True)
class _Boxes:
    """A summary as a layout wants it: all its boxes are nodes."""

    nodes: Sequence[Node | Group]
    edges: Sequence[Bundle]


def _laid_out(summary: Summary) -> Layout:
    sizes: Mapping[str, Size] = {group.id: GROUP_SIZE for group in summary.nodes}
    found = layout(_Boxes(summary.boxes, summary.edges), size=sizes)
    if summary.calls and found.width > WIDE:
        return wrapped(found)
    if _points(found) > _MOST_POINTS:
        direct = {edge: smooth((curve[0], curve[-1])) for edge, curve in found.curves.items()}
        found = replace(found, curves=direct)
    return found


def _strip(found: Layout) -> bool:
    """Whether some layer is so wide that the picture has to be shrunk to a line."""
    return found.width > _READABLE and found.width > 4 * found.height


def _points(found: Layout) -> int:
    return sum(map(len, found.curves.values()))
