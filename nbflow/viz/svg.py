"""SVG pictures: whole documents that need no script, no style sheet and no font of their own."""

from __future__ import annotations

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile, Step
from nbflow.viz.critical import marks, steps_of
from nbflow.viz.drawing import Scene, scene
from nbflow.viz.pen import document
from nbflow.viz.svg_gantt import BARS, profile_fragment
from nbflow.viz.svg_graph import graph_fragment


def graph_svg(graph: Graph, profile: Profile | None = None, *, critical: bool = True) -> str:
    """Draw a graph; one of more than 300 calls is drawn by activity.

    Args:
        graph: The graph.
        profile: The same run's profile, if it is at hand: it knows the critical path best.
        critical: Whether the critical path is marked.

    Example:
        >>> Path("graph.svg").write_text(graph_svg(run.graph))
    """
    shown = scene(graph)
    marked = marks(shown, _steps(graph, profile) if critical else ())
    title = f"Graph of {graph.name}{_summed(shown)}"
    return document([graph_fragment(shown, marked=marked)], title)


def _steps(graph: Graph, profile: Profile | None) -> list[Step]:
    return steps_of(graph) if profile is None else profile.critical_path()


def profile_svg(profile: Profile, *, critical: bool = True) -> str:
    """Draw a profile as a Gantt chart; more than 1,500 bars are summed up by the pixel.

    Args:
        profile: The profile.
        critical: Whether the critical path is outlined.
    """
    bars = len(profile.bars)
    note = f": {bars:,} attempts, summed up by the pixel" if bars > BARS else ""
    return document(
        [profile_fragment(profile, critical=critical)], f"Profile of {profile.name}{note}"
    )


def run_svg(
    graph: Graph, profile: Profile, shown: Scene | None = None, *, critical: bool = True
) -> str:
    """Draw both in one picture, the graph (laid out already, if `shown`) above the Gantt chart."""
    shown = shown or scene(graph)
    below = profile_fragment(profile, shown.colors, critical=critical)
    marked = marks(shown, profile.critical_path() if critical else ())
    title = f"Run of {graph.name}{_summed(shown)}"
    return document([graph_fragment(shown, below.width, marked), below], title)


def _summed(shown: Scene) -> str:
    """Say so where a box stands for many calls."""
    return f": {len(shown.graph):,} calls, drawn by activity" if shown.summary else ""
