"""SVG pictures: whole documents that need no script, no style sheet and no font of their own."""

from __future__ import annotations

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.drawing import Scene, scene
from nbflow.viz.pen import document
from nbflow.viz.svg_gantt import BARS, profile_fragment
from nbflow.viz.svg_graph import graph_fragment


def graph_svg(graph: Graph) -> str:
    """Draw a graph; one of more than 300 calls is drawn by activity.

    Example:
        >>> Path("graph.svg").write_text(graph_svg(run.graph))
    """
    shown = scene(graph)
    return document([graph_fragment(shown)], f"Graph of {graph.name}{_summed(shown)}")


def profile_svg(profile: Profile) -> str:
    """Draw a profile as a Gantt chart; more than 1,500 bars are summed up by the pixel."""
    bars = len(profile.bars)
    note = f": {bars:,} attempts, summed up by the pixel" if bars > BARS else ""
    return document([profile_fragment(profile)], f"Profile of {profile.name}{note}")


def run_svg(graph: Graph, profile: Profile, shown: Scene | None = None) -> str:
    """Draw both in one picture, the graph (laid out already, if `shown`) above the Gantt chart."""
    shown = shown or scene(graph)
    below = profile_fragment(profile, shown.colors)
    title = f"Run of {graph.name}{_summed(shown)}"
    return document([graph_fragment(shown, below.width), below], title)


def _summed(shown: Scene) -> str:
    """Say so where a box stands for many calls."""
    return f": {len(shown.graph):,} calls, drawn by activity" if shown.summary else ""
