"""Strokes, boxes and texts on a matplotlib axes, in the pixels of the SVG pictures.

Only `nbflow.viz.mpl` loads this module, and that is loaded only where a figure is asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from matplotlib.collections import LineCollection, PathCollection, PolyCollection  # noqa: TID253 - see above
from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: TID253
from matplotlib.path import Path  # noqa: TID253

from nbflow.viz.layered import Curve, Point
from nbflow.viz.palette import FAINT, INK, PAPER, STATUS_COLORS, icon
from nbflow.viz.pen import room, text_width
from nbflow.viz.wording import clean, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection

Box = tuple[float, float, float, float]
"""Left, top, width and height."""

_WIDER = 1.1
"""matplotlib's own font is wider than those of browsers."""


class Brush:
    """Draws on an axes whose data are pixels, from a corner of its own.

    Args:
        ax: The axes.
        width: The width of its data.
        origin: Where this brush's (0, 0) lies.
    """

    def __init__(self, ax: Axes, width: float, origin: Point) -> None:
        self.ax = ax
        self.x, self.y = origin
        dots = ax.get_window_extent().width / width
        figure = ax.get_figure(root=True)
        self.scale = dots * 72 / (figure.dpi if figure else 72)
        """Points of a pixel."""
        self._layer = itertools.count(1)

    def moved(self, dx: float, dy: float) -> Brush:
        """Give a brush with another corner."""
        other = object.__new__(Brush)
        other.ax, other.scale, other._layer = self.ax, self.scale, self._layer
        other.x, other.y = self.x + dx, self.y + dy
        return other

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        *,
        fill: str = INK,
        anchor: str = "left",
        bold: bool = False,
        pixels: float | None = None,
    ) -> None:
        """Write one line of text on its base line; nothing in it means anything to TeX."""
        words = clean(words)
        if pixels is not None:
            words = cut(words, room(pixels, size * _WIDER))
        if not words:
            return
        self.ax.text(
            self.x + x,
            self.y + y,
            _drawable(words),
            fontsize=size * self.scale,
            color=fill,
            ha=anchor,
            va="baseline",
            fontweight="bold" if bold else "normal",
            parse_math=False,
            clip_on=True,
            zorder=next(self._layer),
        )

    def _add(self, collection: Collection) -> None:
        """Put it over all that is there: what is drawn later covers what was drawn before."""
        collection.set_zorder(next(self._layer))
        self.ax.add_collection(collection, autolim=False)

    def boxes(
        self,
        boxes: Sequence[Box],
        fill: str | Sequence[str],
        *,
        rim: str | Sequence[str] = "none",
        line: float = 1.0,
        hatch: str | None = None,
        dash: bool = False,
    ) -> None:
        """Draw sharp-cornered boxes at once."""
        if not boxes:
            return
        corners = [self._corners(box) for box in boxes]
        style = (0.0, (4.0, 2.5)) if dash else "solid"
        self._add(
            PolyCollection(
                corners,
                facecolors=fill,
                edgecolors=rim,
                linewidths=line * self.scale,
                linestyles=[style],
                hatch=hatch,
            )
        )

    def _corners(self, box: Box) -> list[Point]:
        x, y, width, height = box
        x, y = x + self.x, y + self.y
        return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]

    def rounded(
        self,
        boxes: Sequence[Box],
        fill: str,
        rim: str,
        *,
        radius: float = 7.0,
        line: float = 1.2,
        dash: bool = False,
    ) -> None:
        """Draw boxes with round corners at once."""
        if not boxes:
            return
        self._add(
            PathCollection(
                [_round(x + self.x, y + self.y, w, h, radius) for x, y, w, h in boxes],
                facecolors=fill,
                edgecolors=rim,
                linewidths=line * self.scale,
                linestyles=[(0.0, (4.0, 2.5)) if dash else "solid"],
            )
        )

    def curves(self, curves: Sequence[Curve], color: str, line: float, *, dash: bool) -> None:
        """Draw Bézier curves at once."""
        if not curves:
            return
        paths = [
            Path(
                [(x + self.x, y + self.y) for x, y in curve],
                [Path.MOVETO, *[Path.CURVE4] * (len(curve) - 1)],
            )
            for curve in curves
        ]
        self._add(
            PathCollection(
                paths,
                facecolors="none",
                edgecolors=color,
                linewidths=line * self.scale,
                linestyles=[(0.0, (4.0, 3.0)) if dash else "solid"],
            )
        )

    def shapes(self, shapes: Iterable[Sequence[Point]], color: str) -> None:
        """Fill polygons at once."""
        moved = [[(x + self.x, y + self.y) for x, y in shape] for shape in shapes]
        if moved:
            self._add(PolyCollection(moved, facecolors=color))

    def lines(self, lines: Iterable[Sequence[Point]], color: str, line: float = 1.0) -> None:
        """Draw straight strokes at once."""
        moved = [[(x + self.x, y + self.y) for x, y in stroke] for stroke in lines]
        if moved:
            self._add(
                LineCollection(moved, colors=color, linewidths=line * self.scale, capstyle="round")
            )

    def disks(self, centres: Sequence[Point], radius: float, color: str) -> None:
        """Draw disks at once."""
        paths = [Path.circle((self.x + x, self.y + y), radius) for x, y in centres]
        if paths:
            self._add(PathCollection(paths, facecolors=color))

    def icons(self, centres: Sequence[Point], radius: float, status: str) -> None:
        """Draw the mark of a status at many places."""
        self.disks(centres, radius, STATUS_COLORS.get(status, FAINT))
        for stroke in icon(status):
            moved = [[(x + a * radius, y + b * radius) for a, b in stroke] for x, y in centres]
            if len(stroke) == 2 and abs(stroke[0][0] - stroke[1][0]) < 0.05:
                dots = [points[0] for points in moved]
                self.disks(dots, radius * 0.15, PAPER)
            elif len(stroke) > 2 and stroke[0] == stroke[-1]:
                self.shapes(moved, PAPER)
            else:
                self.lines(moved, PAPER, radius * 0.26)

    def chips(self, x: float, y: float, counts: Iterable[tuple[str, int]]) -> None:
        """Write counts of statuses in a row, each behind its icon: the picture's legend too."""
        for status, count in counts:
            words = f"{count:,} {status}"
            self.icons([(x + 6, y - 4)], 6, status)
            self.text(x + 16, y, words, 11.5, fill=FAINT)
            x += 16 + text_width(words, 11.5 * _WIDER) + 14


def _round(x: float, y: float, width: float, height: float, radius: float) -> Path:
    r = min(radius, width / 2, height / 2)
    right, bottom = x + width, y + height
    points = [
        (x + r, y),
        (right - r, y),
        (right, y),
        (right, y + r),
        (right, bottom - r),
        (right, bottom),
        (right - r, bottom),
        (x + r, bottom),
        (x, bottom),
        (x, bottom - r),
        (x, y + r),
        (x, y),
        (x + r, y),
        (x + r, y),
    ]
    turn = [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path(points, [Path.MOVETO, *turn * 4, Path.CLOSEPOLY])


@lru_cache(maxsize=4)
def _glyphs(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())


def _drawable(words: str) -> str:
    """Replace what the font in use has no picture of; matplotlib would warn of each."""
    if words.isascii():
        return words
    known = _glyphs(findfont(FontProperties()))
    return "".join(char if ord(char) in known else "□" for char in words)
