"""A profile in SVG: a Gantt chart with a lane a worker."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from nbflow.core.profile import Bar, Profile, Step
from nbflow.viz.lanes import Bin, Lane, bins, figures, lanes, span, ticks, totals
from nbflow.viz.palette import (
    FAINT,
    INK,
    OTHER_COLOR,
    PAPER,
    RULE,
    STATUS_COLORS,
    activity_colors,
    tint,
)
from nbflow.viz.pen import Fragment, escape, n, rect, room, status_icon, text, text_width
from nbflow.viz.wording import clean, cut_id, cut_start, duration, no_bars

BARS = 1500
"""More bars than this are summed up by the pixel."""
WIDTH = 960.0
HEAD = 50.0
_MOST_HEIGHT = 760.0
CELLS = 12_000
QUEUED = "#aab4be"
OUTLINE_WIDTH = 2.2
_MOST_LETTERS = 380_000
_HINT = re.compile(r"<title>[^<]*</title>")

FAILED = STATUS_COLORS["failed"]
CANCELLED = STATUS_COLORS["cancelled"]


@dataclass(frozen=True, slots=True)
class Chart:
    """The measures of a chart: where a time and a lane are."""

    begin: float
    end: float
    left: float
    width: float
    lane: float

    def x(self, at: float) -> float:
        """Give the x of a time."""
        part = (at - self.begin) / (self.end - self.begin)
        return self.left + self.width * min(1.0, max(0.0, part))

    def y(self, number: int) -> float:
        """Give the top of a lane."""
        return number * self.lane


def measure(profile: Profile, rows: list[Lane], width: float = WIDTH) -> Chart:
    """Choose the measures of a chart for these lanes."""
    begin, end = span(profile)
    names = max((text_width(lane.worker, 10.5) for lane in rows), default=0.0)
    left = min(140.0, names + 12)
    return Chart(begin, end, left, width - left - 4, min(24.0, _MOST_HEIGHT / max(1, len(rows))))


def bar_colors(profile: Profile) -> dict[str, str]:
    """Give each activity its colour: by its first bar, as in a graph by its first call."""
    return activity_colors(bar.activity for bar in profile.bars)


def profile_fragment(
    profile: Profile,
    colors: Mapping[str, str] | None = None,
    chart: Chart | None = None,
    *,
    critical: bool = True,
) -> Fragment:
    """Draw a Gantt chart under a line that says whose it is, above a legend and its figures.

    Args:
        profile: The profile.
        colors: The colours of its activities, as in the graph beside it.
        chart: Where times and lanes are, if that is given.
        critical: Whether the bars of the critical path are outlined.
    """
    colors = colors or bar_colors(profile)
    rows = lanes(profile)
    chart = chart or measure(profile, rows)
    steps = profile.critical_path()
    height = len(rows) * chart.lane
    inside = _grid(chart, height) + _names(rows, chart)
    if len(profile.bars) > BARS:
        inside += _binned(rows, chart, colors)
    else:
        outlined = {id(step.bar) for step in steps} if critical else set[int]()
        bars = _bars(rows, chart, colors, outlined)
        inside += bars if len(bars) < _MOST_LETTERS else _HINT.sub("", bars)
    parts = part_items(profile, chart, critical=critical and bool(steps))
    foot, foot_height = _foot(profile, colors, steps, parts)
    body = (
        f"{_head(profile)}"
        f'<g transform="translate(0 {n(HEAD)})">{inside}</g>'
        f'<g transform="translate({n(chart.left)} {n(HEAD + height + 34)})">{foot}</g>'
    )
    return Fragment(body, WIDTH, HEAD + height + 34 + foot_height)


def _foot(
    profile: Profile, colors: Mapping[str, str], steps: list[Step], parts: list[Item]
) -> tuple[str, float]:
    """Draw the legend, and under it the figures; give the height of both."""
    if not profile.bars:
        why = no_bars(*profile.reached(), over=profile.ended is not None)
        return text(0, 0, why, 12, fill=FAINT), 8
    legend, y = _legend(profile, colors, parts)
    words = " · ".join(totals(profile, steps))
    return legend + text(0, y + 22, words, 12, fill=INK), y + 30


def _head(profile: Profile) -> str:
    return (
        text(0, 15, f"{clean(profile.name) or 'workflow'} in time", 16, weight=600, pixels=500)
        + text(0, 35, " · ".join(figures(profile)), 12, fill=FAINT)
        + (HATCH if any(bar.status == "failed" for bar in profile.bars) else "")
    )


HATCH = (
    '<defs><pattern id="nbflow-hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
    f' patternTransform="rotate(45)"><rect width="6" height="6" fill="{tint(FAILED, 0.22)}"/>'
    f'<rect width="2.4" height="6" fill="{FAILED}"/></pattern></defs>'
)


def _grid(chart: Chart, height: float) -> str:
    """Draw the lines and words of the time axis."""
    lines, words = [], []
    for value, word in ticks(chart.end - chart.begin, 9):
        x = chart.x(chart.begin + value)
        lines.append(f"M{n(x)} -4V{n(height + 4)}")
        near_end = x > chart.left + chart.width - 20
        words.append(
            text(x, height + 17, word, 10.5, fill=FAINT, anchor="end" if near_end else "middle")
        )
    base = f"M{n(chart.left)} {n(height + 4)}H{n(chart.left + chart.width)}"
    return f'<path d="{"".join(lines)}{base}" stroke="{RULE}" fill="none"/>{"".join(words)}'


def _names(rows: list[Lane], chart: Chart) -> str:
    """Write the workers' names, as many as there is room for, and shade every other worker."""
    found = []
    workers = list(dict.fromkeys(lane.worker for lane in rows))
    odd = {worker for i, worker in enumerate(workers) if i % 2 == 0}
    last = -100.0
    for i, lane in enumerate(rows):
        y = chart.y(i)
        if lane.worker in odd:
            found.append(rect(chart.left, y, chart.width, chart.lane, "#f6f8fa"))
        if not lane.slot and y - last >= 11.5:
            name = cut_start(clean(lane.worker), room(chart.left - 12, 10.5))
            middle = y + chart.lane / 2 + 3.5
            found.append(text(chart.left - 7, middle, name, 10.5, fill=FAINT, anchor="end"))
            last = y
    return "".join(found)


# ---------------------------------------------------------------------- bars one by one


def _bars(
    rows: list[Lane], chart: Chart, colors: Mapping[str, str], outlined: Collection[int]
) -> str:
    waits, found = [], []
    for i, lane in enumerate(rows):
        y, height = chart.y(i) + chart.lane * 0.14, chart.lane * 0.72
        for bar in lane.bars:
            start, ready = chart.x(bar.started), chart.x(bar.ready)
            if start - ready > 1:
                waits.append(f"M{n(ready)} {n(y + height / 2)}H{n(start)}")
            found.append(_bar(bar, chart, (y, height), colors, outlined=id(bar) in outlined))
    lead = f'<path d="{"".join(waits)}" stroke="{QUEUED}" stroke-width="1.6"/>' if waits else ""
    return lead + "".join(found)


def _bar(
    bar: Bar,
    chart: Chart,
    across: tuple[float, float],
    colors: Mapping[str, str],
    *,
    outlined: bool,
) -> str:
    y, height = across
    stop = bar.ended if bar.ended is not None else chart.end
    x, width = chart.x(bar.started), max(1.0, chart.x(stop) - chart.x(bar.started))
    color = colors.get(bar.activity, OTHER_COLOR)
    fill, more = _style(bar, color)
    if outlined:
        more = f' stroke="{INK}" stroke-width="{OUTLINE_WIDTH}"'
    body = rect(x, y, width, height, fill, rx=min(3.0, width / 3), more=more)
    packing = chart.x(stop + bar.packing) - x - width
    if packing > 0.4:
        body += rect(x + width, y + height * 0.2, packing, height * 0.6, tint(color, 0.4))
    inset = 5.0
    if bar.status in {"failed", "running", "cancelled"} and width > 16 and height > 11:
        radius = min(6.0, height * 0.38)
        body += status_icon(x + radius + 3, y + height / 2, radius, bar.status)
        inset = 2 * radius + 6
    if height > 11:
        body += _bar_text(bar, x + inset, y, width - inset - 3, height)
    return f"<g><title>{escape(bar_hint(bar, chart.end))}</title>{body}</g>"


def _bar_text(bar: Bar, x: float, y: float, width: float, height: float) -> str:
    """Write a bar's label; over the hatching of a failed one on paper."""
    label = bar_label(bar, room(width, 10))
    if not label:
        return ""
    fill, under = "#ffffff", ""
    if bar.status in {"running", "cancelled", "failed"}:
        fill = INK
    if bar.status == "failed":
        under = rect(x - 1, y + 2, text_width(label, 10) + 2, height - 4, PAPER, rx=2)
    return under + text(x, y + height / 2 + 3.5, label, 10, fill=fill)


def bar_label(bar: Bar, columns: int) -> str:
    """Write the call of a bar, and which attempt it is of one that was tried again."""
    again = f" #{bar.attempt}" if bar.attempt > 1 else ""
    name = cut_id(clean(bar.call), columns - len(again))
    return name + again if name else ""


def _style(bar: Bar, color: str) -> tuple[str, str]:
    """Give the fill of a bar, and what else its status asks for."""
    match bar.status:
        case "failed":
            return "url(#nbflow-hatch)", f' stroke="{FAILED}"'
        case "cancelled":
            return tint(CANCELLED, 0.25), f' stroke="{CANCELLED}" stroke-dasharray="3 2"'
        case "running":
            return tint(color, 0.35), f' stroke="{color}" stroke-dasharray="5 2"'
    return color, ""


def bar_hint(bar: Bar, now: float) -> str:
    """Say all that is known of a bar."""
    parts = [bar.call, bar.status, duration(bar.seconds(now)), f"on {bar.worker}"]
    if bar.attempt > 1:
        parts.insert(1, f"attempt {bar.attempt}")
    if bar.queued > 5e-4:
        parts.append(f"queued {duration(bar.queued)}")
    if bar.packing > 5e-4:
        parts.append(f"packing {duration(bar.packing)}")
    return ", ".join(parts)


# ---------------------------------------------------------------------- bars by the pixel


def _binned(rows: list[Lane], chart: Chart, colors: Mapping[str, str]) -> str:
    """Draw each colour as one path; the paler, the less of the time was work."""
    columns = max(24, min(int(chart.width), CELLS // max(1, len(rows))))
    step = chart.width / columns
    drawn: defaultdict[str, list[str]] = defaultdict(list)
    for i, lane in enumerate(rows):
        y, height = chart.y(i) + chart.lane * 0.1, chart.lane * 0.8
        for piece in bins(lane.bars, chart.begin, chart.end, columns):
            x, width = chart.left + piece.start * step, (piece.end - piece.start) * step
            box = f"M{n(x)} {n(y)}h{n(width)}v{n(height)}h-{n(width)}z"
            drawn[bin_color(piece, colors)].append(box)
    return "".join(f'<path d="{"".join(d)}" fill="{color}"/>' for color, d in drawn.items())


def bin_color(piece: Bin, colors: Mapping[str, str]) -> str:
    """Give the colour of a stretch of a lane."""
    color = colors.get(piece.activity, OTHER_COLOR) if piece.activity else FAILED
    return tint(color, (0.4, 0.7, 1.0)[piece.level - 1])


# ---------------------------------------------------------------------- legend


Item = tuple[str, str]
"""A colour and words; `OUTLINE`, `LINE` or `PALE` for what is no activity."""
OUTLINE, LINE, PALE = "outline", "line", "pale"


def legend_items(profile: Profile, colors: Mapping[str, str]) -> list[Item]:
    """Give the colour and the words of each activity that is named, those with most work first."""
    summaries = profile.by_activity()
    named = [(colors.get(s.activity, OTHER_COLOR), s.activity, s.total) for s in summaries[:10]]
    found = [(color, f"{clean(name)[:40]}  {duration(total)}") for color, name, total in named]
    if len(summaries) > 10:
        rest = sum(s.total for s in summaries[10:])
        found.append((OTHER_COLOR, f"{len(summaries) - 10:,} others  {duration(rest)}"))
    return found


def part_items(profile: Profile, chart: Chart, *, critical: bool) -> list[Item]:
    """Give what the legend says of the parts of bars that can be seen."""
    if len(profile.bars) > BARS:
        return []
    pixel = (chart.end - chart.begin) / chart.width
    queued = any(bar.queued > pixel for bar in profile.bars)
    packing = any(bar.packing > pixel * 0.4 for bar in profile.bars)
    items = [
        (OUTLINE, "critical path", critical),
        (LINE, "queued", queued),
        (PALE, "packing", packing),
    ]
    return [(color, words) for color, words, seen in items if seen]


def _legend(profile: Profile, colors: Mapping[str, str], parts: list[Item]) -> tuple[str, float]:
    """Draw what colours and shapes mean; give the y of the last line."""
    x = y = 0.0
    found = []
    for color, words in [*legend_items(profile, colors), *parts]:
        width = 17 + text_width(words, 11)
        if x and x + width > WIDTH - 150:
            x, y = 0.0, y + 18
        found.append(_sample(x, y, color) + text(x + 16, y, words, 11, fill=FAINT))
        x += width + 12
    return "".join(found), y


def _sample(x: float, y: float, color: str) -> str:
    match color:
        case "outline":
            more = f' stroke="{INK}" stroke-width="{OUTLINE_WIDTH}"'
            return rect(x, y - 9, 11, 11, "none", rx=2.5, more=more)
        case "line":
            return f'<path d="M{n(x)} {n(y - 3.5)}h11" stroke="{QUEUED}" stroke-width="1.6"/>'
        case "pale":
            return rect(x, y - 7.5, 11, 8, tint(OTHER_COLOR, 0.4))
    return rect(x, y - 9, 11, 11, color, rx=2.5)
