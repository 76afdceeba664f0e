"""What a run leaves in the notebook file: one picture, readable where nothing is alive."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import tee

from nbflow.core.events import Event
from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.drawing import scene
from nbflow.viz.svg import run_svg
from nbflow.viz.text import graph_text, profile_text

SVG_CALLS = 2000
"""Of a run of more calls than this the SVG is left out: the PNG says as much."""


def static_bundle(events: Iterable[Event], *, dpi: float = 144) -> dict[str, str]:
    """Give a run's graph and Gantt chart as one picture in the forms that notebooks save.

    Args:
        events: The run's log so far.
        dpi: Dots per inch of the PNG.

    Returns:
        Data by MIME type, ready for `display(..., raw=True)`: ``image/png`` (base64),
        ``image/svg+xml`` up to 2,000 calls, ``text/plain``.
    """
    ours, theirs = tee(events)
    return static_views(Graph.of(ours), Profile.of(theirs), dpi=dpi)


def static_views(graph: Graph, profile: Profile, *, dpi: float = 144) -> dict[str, str]:
    """Do what `static_bundle` does, from folds that are there already."""
    from nbflow.viz.mpl import run_png  # noqa: PLC0415 - matplotlib takes its time to load

    shown = scene(graph)
    text = f"{graph_text(graph, lines=30, profile=profile)}\n\n{profile_text(profile, lines=30)}"
    found = {
        "image/png": base64.b64encode(run_png(graph, profile, dpi, shown)).decode(),
        "text/plain": text,
    }
    if len(graph) <= SVG_CALLS:
        found["image/svg+xml"] = run_svg(graph, profile, shown)
    return found
