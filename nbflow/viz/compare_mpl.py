"""Two runs side by side, by matplotlib: the boxes and words of the SVG picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbflow.viz.compare import Comparison
from nbflow.viz.compare_draw import Box, Sheet, charts, differences_sheet, figures_sheet
from nbflow.viz.mpl import Painter, draw
from nbflow.viz.mpl_brush import Brush
from nbflow.viz.mpl_gantt import GanttPainter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class SheetPainter:
    """Paints boxes and words."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.width = sheet.width
        self.height = sheet.height

    def paint(self, brush: Brush) -> None:
        """Draw everything."""
        for mark in self.sheet.marks:
            if isinstance(mark, Box):
                brush.boxes([(mark.x, mark.y, mark.width, mark.height)], mark.fill)
                continue
            brush.text(
                mark.x,
                mark.y,
                mark.text,
                mark.size,
                fill=mark.fill,
                anchor="right" if mark.end else "left",
                bold=mark.bold,
                pixels=mark.pixels,
            )


def plot_comparison(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw a comparison, on `ax` or as a figure of its own."""
    both = charts(comparison)
    painters: list[Painter] = [
        SheetPainter(figures_sheet(comparison)),
        *(
            GanttPainter(profile, both.colors, chart)
            for profile, chart in zip(both.profiles, both.measures, strict=True)
        ),
        SheetPainter(differences_sheet(comparison)),
    ]
    return draw(painters, ax)
