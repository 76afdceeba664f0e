"""Pictures by matplotlib: for papers (PDF), for files that must be PNG, for one's own figures.

The same boxes, lanes and colours as in SVG. A figure made here belongs to nobody's pyplot: it
needs no window, and threads may draw at the same time.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.critical import marks, steps_of
from nbflow.viz.drawing import Scene, scene
from nbflow.viz.mpl_brush import Brush
from nbflow.viz.mpl_gantt import GanttPainter
from nbflow.viz.mpl_graph import GraphPainter
from nbflow.viz.palette import PAPER

_PIXELS_PER_INCH = 96.0
_MARGIN = 16.0
_MOST_PIXELS = 4000.0
"""The longer side of a PNG at most: a graph may be much wider than that."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Painter(Protocol):
    """Something that is so big, and can be painted."""

    @property
    def width(self) -> float:
        """How wide it is, in pixels."""

    @property
    def height(self) -> float:
        """How high it is, in pixels."""

    def paint(self, brush: Brush) -> None:
        """Paint it, from the brush's corner on."""


class Picture(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        return png_of(self, 144)


def plot_graph(
    graph: Graph,
    ax: Axes | None = None,
    profile: Profile | None = None,
    *,
    critical: bool = True,
) -> Figure:
    """Draw a graph; one of more than 300 calls is drawn by activity.

    Args:
        graph: The graph.
        ax: Where to draw it; by default a figure of its own, of the size that it needs.
        profile: The same run's profile, if it is at hand: it knows the critical path best.
        critical: Whether the critical path is marked.

    Returns:
        The figure that was drawn in.

    Example:
        >>> plot_graph(run.graph).savefig("graph.pdf")
    """
    shown = scene(graph)
    steps = steps_of(graph) if profile is None else profile.critical_path()
    return draw([GraphPainter(shown, marked=marks(shown, steps if critical else ()))], ax)


def plot_profile(profile: Profile, ax: Axes | None = None, *, critical: bool = True) -> Figure:
    """Draw a profile as a Gantt chart; more than 1,500 bars are summed up by the pixel.

    Args:
        profile: The profile.
        ax: Where to draw it; by default a figure of its own, of the size that it needs.
        critical: Whether the critical path is outlined.

    Returns:
        The figure that was drawn in.
    """
    return draw([GanttPainter(profile, critical=critical)], ax)


def plot_run(
    graph: Graph, profile: Profile, shown: Scene | None = None, *, critical: bool = True
) -> Figure:
    """Draw both in one figure, the graph (laid out already, if `shown`) above the Gantt chart."""
    shown = shown or scene(graph)
    below = GanttPainter(profile, colors=shown.colors, critical=critical)
    marked = marks(shown, below.steps if critical else ())
    return draw([GraphPainter(shown, below.width, marked), below], None)


def png(thing: Graph | Profile, dpi: float = 144) -> bytes:
    """Draw a graph or a profile as PNG.

    Args:
        thing: The graph or the profile.
        dpi: Dots per inch, 96 being the size on paper of the SVG's pixels. A picture that would
            get longer than 4,000 dots gets fewer.
    """
    figure = plot_graph(thing) if isinstance(thing, Graph) else plot_profile(thing)
    return png_of(figure, dpi)


def run_png(graph: Graph, profile: Profile, dpi: float = 144, shown: Scene | None = None) -> bytes:
    """Draw both as one PNG, see `plot_run`."""
    return png_of(plot_run(graph, profile, shown), dpi)


def png_of(figure: Figure, dpi: float = 144) -> bytes:
    """Draw a figure in 128 colours, which makes the file a third as long."""
    dpi = min(dpi, _MOST_PIXELS / float(max(figure.get_size_inches())))
    drawn, buffer = io.BytesIO(), io.BytesIO()
    canvas = FigureCanvasAgg(figure)
    canvas.print_figure(drawn, format="png", dpi=dpi, pil_kwargs={"compress_level": 1})
    with Image.open(drawn) as image:
        plain = image.convert("RGB")
    few = plain.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(buffer, "png", optimize=True, dpi=(dpi, dpi))
    return buffer.getvalue()


def draw(painters: Sequence[Painter], ax: Axes | None) -> Figure:
    """Paint below each other, on `ax` or as a figure of their size."""
    width = max(painter.width for painter in painters) + 2 * _MARGIN
    height = sum(painter.height + _MARGIN for painter in painters) + _MARGIN
    if ax is None:
        size = (width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH)
        figure = Picture(figsize=size, facecolor=PAPER)
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.set_aspect("equal")
    ax.apply_aspect()
    y = _MARGIN
    for painter in painters:
        painter.paint(Brush(ax, width, (_MARGIN, y)))
        y += painter.height + _MARGIN
    return cast("Figure", ax.get_figure(root=True))
