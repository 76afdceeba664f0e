"""Two runs side by side, drawn: what there is to draw, and the SVG of it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import Final

from nbflow.core.profile import Profile
from nbflow.viz.compare import NOTHING, Comparison, Difference, Half
from nbflow.viz.compare_text import named, signed, state, summary, written
from nbflow.viz.lanes import lanes, span
from nbflow.viz.palette import FAINT, INK, RULE, STATUS_COLORS, activity_colors, tint
from nbflow.viz.pen import Fragment, document, n, rect, room, text
from nbflow.viz.svg_gantt import WIDTH, Chart, measure, profile_fragment
from nbflow.viz.wording import clean, cut_id

MOST: Final = 12
"""How many calls are drawn as bars of their differences."""

_ROW: Final = 19.0
_LEFT, _MIDDLE, _RIGHT = 180.0, 420.0, 700.0
"""Where the bars of differences begin, have their zero, and end."""
_SHARES: Final = {"s": 1.5, "%": 1.1, "": 0.75}
"""How wide a figure is, by its unit."""
LONGER: Final = STATUS_COLORS["failed"]
SHORTER: Final = STATUS_COLORS["done"]


@dataclass(frozen=True, slots=True)
class Box:
    """A filled box."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text on its base line, cut to so many pixels."""

    x: float
    y: float
    text: str
    size: float = 12.0
    fill: str = INK
    bold: bool = False
    end: bool = False
    pixels: float | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Boxes and words, and how much room they take."""

    marks: tuple[Box | Words, ...]
    height: float
    width: float = WIDTH


def figures_sheet(comparison: Comparison) -> Sheet:
    """Give the head: which runs, what differs in words, and the figures of both."""
    marks: list[Box | Words] = [
        Words(0, 16, f"A  {named(comparison.a)}", 14, bold=True, pixels=WIDTH / 2 - 20),
        Words(WIDTH / 2, 16, f"B  {named(comparison.b)}", 14, bold=True, pixels=WIDTH / 2),
    ]
    y = 38.0
    for line in textwrap.wrap(summary(comparison), room(WIDTH, 12.5))[:6]:
        marks.append(Words(0, y, line, 12.5))
        y += 17
    y += 6
    x, parts = 0.0, sum(_SHARES[total.unit] for total in comparison.totals)
    for total in comparison.totals:
        a, b, change = written(total)
        wide = WIDTH * _SHARES[total.unit] / parts
        marks.append(Words(x, y, total.name, 10.5, FAINT, pixels=wide - 6))
        marks.append(Words(x, y + 16, f"{a} → {b}", 11, bold=True, pixels=wide - 6))
        marks.append(Words(x, y + 31, change, 10.5, FAINT, pixels=wide - 6))
        x += wide
    return Sheet(tuple(marks), y + 40)


def differences_sheet(comparison: Comparison) -> Sheet:
    """Give the calls that differ most, each as a bar to the side of more or of less time."""
    found = [d for d in comparison.differences if d.restated or _largest(d) > NOTHING][:MOST]
    if not found:
        return Sheet((Words(0, 16, "No call differs.", 12, FAINT),), 26)
    marks: list[Box | Words] = [
        Words(0, 14, "Largest differences", 13, bold=True),
        Words(_MIDDLE - 8, 14, "← shorter in B", 10.5, FAINT, end=True),
        Words(_MIDDLE + 8, 14, "longer in B →", 10.5, FAINT),
    ]
    most = max(map(_largest, found)) or 1.0
    for i, difference in enumerate(found):
        marks += _bars(difference, 24 + i * _ROW, most)
    bottom = 24 + len(found) * _ROW
    marks.append(Box(_MIDDLE - 0.5, 20, 1, bottom - 20, RULE))
    note = "full bars: time that it ran; pale ones: time that it queued"
    marks.append(Words(_LEFT, bottom + 14, note, 10.5, FAINT))
    return Sheet(tuple(marks), bottom + 22)


def _bars(difference: Difference, y: float, most: float) -> list[Box | Words]:
    name = cut_id(clean(difference.call), room(_LEFT - 14, 11))
    marks: list[Box | Words] = [Words(0, y + 12, name, 11)]
    scale = (_RIGHT - _MIDDLE - 100) / most
    for amount, top, high, part in (
        (difference.seconds, y + 2, 9.0, 1.0),
        (difference.queued, y + 11, 5.0, 0.45),
    ):
        if abs(amount) > NOTHING:
            wide = max(1.0, abs(amount) * scale)
            x = _MIDDLE if amount > 0 else _MIDDLE - wide
            marks.append(Box(x, top, wide, high, tint(LONGER if amount > 0 else SHORTER, part)))
    reach = max(difference.seconds, difference.queued, 0.0) * scale
    if _largest(difference) > NOTHING:
        marks.append(Words(_MIDDLE + reach + 6, y + 11, _told(difference), 10.5, FAINT))
    marks.append(Words(_RIGHT, y + 12, state(difference), 10.5, FAINT, pixels=WIDTH - _RIGHT))
    return marks


def _largest(difference: Difference) -> float:
    return max(abs(difference.seconds), abs(difference.queued))


def _told(difference: Difference) -> str:
    """Write the larger of the two changes: of the time that a call ran, or queued."""
    queued = abs(difference.queued) > abs(difference.seconds)
    return f"{signed(difference.queued)} queued" if queued else signed(difference.seconds)


# ---------------------------------------------------------------------- both charts


@dataclass(frozen=True, slots=True)
class Charts:
    """Both profiles, ready to be drawn below each other on one axis of time."""

    profiles: tuple[Profile, Profile]
    measures: tuple[Chart, Chart]
    colors: dict[str, str]


def charts(comparison: Comparison) -> Charts:
    """Measure both charts so that equal times and lengths lie below each other."""
    a, b = _ended(comparison.a, "A"), _ended(comparison.b, "B")
    first, second = measure(a, lanes(a)), measure(b, lanes(b))
    length = max(first.end - first.begin, second.end - second.begin)
    left = max(first.left, second.left)
    measures = tuple(
        replace(chart, left=left, width=WIDTH - left - 4, end=chart.begin + length)
        for chart in (first, second)
    )
    colors = activity_colors(bar.activity for bar in [*a.bars, *b.bars])
    return Charts((a, b), (measures[0], measures[1]), colors)


def _ended(half: Half, name: str) -> Profile:
    """Give a profile whose bars reach no further than to the run's own end.

    A bar that has no end is drawn to the end of its chart, and here that is the longer run's.
    """
    profile = half.profile
    _, end = span(profile)
    bars = [bar if bar.ended is not None else bar._replace(ended=end) for bar in profile.bars]
    ended = profile.latest if profile.ended is None else profile.ended
    title = f"{name}  {clean(half.run, 80)}"
    return Profile(title, profile.begun, ended, profile.latest, bars)


def compare_svg(comparison: Comparison) -> str:
    """Draw a comparison as an SVG document."""
    both = charts(comparison)
    parts = [
        _fragment(figures_sheet(comparison)),
        *(
            profile_fragment(profile, both.colors, chart)
            for profile, chart in zip(both.profiles, both.measures, strict=True)
        ),
        _fragment(differences_sheet(comparison)),
    ]
    title = f"{comparison.a.run} and {comparison.b.run}: {summary(comparison)}"
    return document(parts, title)


def _fragment(sheet: Sheet) -> Fragment:
    return Fragment("".join(map(_element, sheet.marks)), sheet.width, sheet.height)


def _element(mark: Box | Words) -> str:
    if isinstance(mark, Box):
        return rect(mark.x, mark.y, mark.width, mark.height, mark.fill)
    return text(
        float(n(mark.x)),
        mark.y,
        mark.text,
        mark.size,
        fill=mark.fill,
        anchor="end" if mark.end else "start",
        weight=600 if mark.bold else 400,
        pixels=mark.pixels,
    )
