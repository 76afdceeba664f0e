"""A profile by matplotlib: the Gantt chart of the SVG picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from nbflow.core.profile import Bar, Profile
from nbflow.viz.lanes import bins, figures, lanes, ticks, totals
from nbflow.viz.layered import Point
from nbflow.viz.mpl_brush import Box, Brush
from nbflow.viz.palette import FAINT, INK, OTHER_COLOR, PAPER, RULE, STATUS_COLORS, tint
from nbflow.viz.pen import room, text_width
from nbflow.viz.svg_gantt import (
    BARS,
    CELLS,
    HEAD,
    OUTLINE_WIDTH,
    QUEUED,
    WIDTH,
    Chart,
    bar_colors,
    bar_label,
    bin_color,
    legend_items,
    measure,
    part_items,
)
from nbflow.viz.wording import clean, cut_start, no_bars

_FAILED = STATUS_COLORS["failed"]
_CANCELLED = STATUS_COLORS["cancelled"]


class GanttPainter:
    """Measures a profile, then paints it.

    Args:
        profile: The profile.
        colors: The colours of its activities, as in the graph beside it.
        chart: Its measures, as in another chart beside it.
        critical: Whether the bars of the critical path are outlined.
    """

    width = WIDTH

    def __init__(
        self,
        profile: Profile,
        colors: Mapping[str, str] | None = None,
        chart: Chart | None = None,
        *,
        critical: bool = True,
    ) -> None:
        self.profile = profile
        self.steps = profile.critical_path()
        self.critical = critical and bool(self.steps)
        self.colors = colors or bar_colors(profile)
        self.rows = lanes(profile)
        self.chart = chart or measure(profile, self.rows)
        self.lanes_height = len(self.rows) * self.chart.lane
        self.legend = self._legend_places()
        self.height = HEAD + self.lanes_height + 66 + (self.legend[-1][1] if self.legend else 0)

    def _legend_places(self) -> list[tuple[float, float, str, str]]:
        """Give the x, y, colour and words of each item of the legend."""
        items = legend_items(self.profile, self.colors)
        items += part_items(self.profile, self.chart, critical=self.critical)
        found, x, y = [], 0.0, 0.0
        for color, words in items:
            width = 29 + text_width(words, 12)
            if x and self.chart.left + x + width > WIDTH:
                x, y = 0.0, y + 18
            found.append((x, y, color, words))
            x += width
        return found

    def paint(self, brush: Brush) -> None:
        """Draw everything."""
        name = clean(self.profile.name) or "workflow"
        brush.text(0, 15, f"{name} in time", 16, bold=True, pixels=600)
        brush.text(0, 35, " · ".join(figures(self.profile)), 12, fill=FAINT)
        inside = brush.moved(0, HEAD)
        self._axis(inside)
        self._names(inside)
        if len(self.profile.bars) > BARS:
            self._binned(inside)
        else:
            self._bars(inside)
        self._legend(brush.moved(self.chart.left, HEAD + self.lanes_height + 36))

    def _axis(self, brush: Brush) -> None:
        chart, foot = self.chart, self.lanes_height + 4
        lines: list[list[Point]] = [[(chart.left, foot), (chart.left + chart.width, foot)]]
        for value, word in ticks(chart.end - chart.begin, 9):
            x = chart.x(chart.begin + value)
            lines.append([(x, -4), (x, foot)])
            near_end = x > chart.left + chart.width - 20
            anchor = "right" if near_end else "center"
            brush.text(x, foot + 13, word, 10.5, fill=FAINT, anchor=anchor)
        brush.lines(lines, RULE)

    def _names(self, brush: Brush) -> None:
        chart = self.chart
        workers = list(dict.fromkeys(lane.worker for lane in self.rows))
        shaded = set(workers[::2])
        last = -100.0
        strips: list[Box] = []
        for i, lane in enumerate(self.rows):
            y = chart.y(i)
            if lane.worker in shaded:
                strips.append((chart.left, y, chart.width, chart.lane))
            if not lane.slot and y - last >= 11.5:
                name = cut_start(clean(lane.worker), room(chart.left - 9, 10.4))
                middle = y + chart.lane / 2 + 3.5
                brush.text(chart.left - 7, middle, name, 9.5, fill=FAINT, anchor="right")
                last = y
        brush.boxes(strips, "#f6f8fa")

    # ------------------------------------------------------------------ bars

    def _bars(self, brush: Brush) -> None:
        """Draw all bars, one collection for each way a bar can look."""
        chart = self.chart
        critical = {id(step.bar) for step in self.steps} if self.critical else set[int]()
        looks: defaultdict[tuple[str, str], list[Box]] = defaultdict(list)
        waits: list[list[Point]] = []
        packing: defaultdict[str, list[Box]] = defaultdict(list)
        outlined: list[Box] = []
        for i, lane in enumerate(self.rows):
            for bar in lane.bars:
                box = self._box(bar, i)
                x, y, width, height = box
                color = self.colors.get(bar.activity, OTHER_COLOR)
                looks[bar.status, color].append(box)
                ready = chart.x(bar.ready)
                if x - ready > 1:
                    waits.append([(ready, y + height / 2), (x, y + height / 2)])
                after = chart.x((bar.ended or chart.end) + bar.packing) - x - width
                if after > 0.4:
                    box_after = (x + width, y + height * 0.2, after, height * 0.6)
                    packing[tint(color, 0.4)].append(box_after)
                if id(bar) in critical:
                    outlined.append(box)
        brush.lines(waits, QUEUED, 1.6)
        for (status, color), boxes in looks.items():
            self._look(brush, status, color, boxes)
        for color, boxes in packing.items():
            brush.boxes(boxes, color)
        brush.boxes(outlined, "none", rim=INK, line=OUTLINE_WIDTH)
        self._labels(brush)

    def _box(self, bar: Bar, row: int) -> Box:
        chart = self.chart
        stop = bar.ended if bar.ended is not None else chart.end
        x = chart.x(bar.started)
        width = max(1.0, chart.x(stop) - x)
        return x, chart.y(row) + chart.lane * 0.14, width, chart.lane * 0.72

    def _look(self, brush: Brush, status: str, color: str, boxes: list[Box]) -> None:
        match status:
            case "failed":
                brush.boxes(boxes, tint(_FAILED, 0.22), rim=_FAILED, hatch="////")
            case "cancelled":
                brush.boxes(boxes, tint(_CANCELLED, 0.25), rim=_CANCELLED, dash=True)
            case "running":
                brush.boxes(boxes, tint(color, 0.35), rim=color, dash=True)
            case _:
                brush.boxes(boxes, color, rim=PAPER, line=0.5)

    def _labels(self, brush: Brush) -> None:
        marked: defaultdict[str, list[Point]] = defaultdict(list)
        radius = min(6.0, self.chart.lane * 0.27)
        for i, lane in enumerate(self.rows):
            for bar in lane.bars:
                x, y, width, height = self._box(bar, i)
                inset = 5.0
                if height <= 11:
                    continue
                if bar.status in {"failed", "running", "cancelled"} and width > 16:
                    marked[bar.status].append((x + radius + 3, y + height / 2))
                    inset = 2 * radius + 6
                fill = INK if bar.status in {"running", "cancelled", "failed"} else "#ffffff"
                label = bar_label(bar, room(width - inset - 3, 11))
                if label and bar.status == "failed":
                    under = (x + inset - 1, y + 2, text_width(label, 11) + 2, height - 4)
                    brush.boxes([under], PAPER)
                brush.text(x + inset, y + height / 2 + 3.5, label, 10, fill=fill)
        for status, centres in marked.items():
            brush.icons(centres, radius, status)

    def _binned(self, brush: Brush) -> None:
        chart = self.chart
        columns = max(24, min(int(chart.width), CELLS // max(1, len(self.rows))))
        step = chart.width / columns
        drawn: defaultdict[str, list[Box]] = defaultdict(list)
        for i, lane in enumerate(self.rows):
            y, height = chart.y(i) + chart.lane * 0.1, chart.lane * 0.8
            for piece in bins(lane.bars, chart.begin, chart.end, columns):
                x, width = chart.left + piece.start * step, (piece.end - piece.start) * step
                drawn[bin_color(piece, self.colors)].append((x, y, width, height))
        for color, boxes in drawn.items():
            brush.boxes(boxes, color)

    def _legend(self, brush: Brush) -> None:
        if not self.profile.bars:
            why = no_bars(*self.profile.reached(), over=self.profile.ended is not None)
            brush.text(0, 0, why, 12, fill=FAINT)
            return
        for x, y, color, words in self.legend:
            self._sample(brush, x, y, color)
            brush.text(x + 16, y, words, 11, fill=FAINT)
        last = self.legend[-1][1] if self.legend else 0.0
        words = " · ".join(totals(self.profile, self.steps))
        brush.text(0, last + 22, words, 12, fill=INK)

    def _sample(self, brush: Brush, x: float, y: float, color: str) -> None:
        match color:
            case "outline":
                brush.boxes([(x, y - 9, 11, 11)], "none", rim=INK, line=OUTLINE_WIDTH)
            case "line":
                brush.lines([[(x, y - 3.5), (x + 11, y - 3.5)]], QUEUED, 1.6)
            case "pale":
                brush.boxes([(x, y - 7.5, 11, 8)], tint(OTHER_COLOR, 0.4))
            case _:
                brush.boxes([(x, y - 9, 11, 11)], color)
