"""What every SVG picture is made of: texts that cannot break out, boxes, icons, a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nbflow.viz.layered import Curve
from nbflow.viz.palette import FAINT, INK, PAPER, RULE, STATUS_COLORS, icon
from nbflow.viz.wording import clean, columns, cut, markup

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_MARGIN = 16.0
BOLD = 1.13
"""How much wider bold letters are."""
_LETTER = 0.57
"""The width of a letter as a part of the font size: an upper mean, so that texts stay inside."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A drawing without its document: elements between (0, 0) and (width, height)."""

    body: str
    width: float
    height: float


def document(fragments: Sequence[Fragment], title: str) -> str:
    """Put drawings below each other on a sheet of light paper.

    Saved notebooks show SVG as an image, out of reach of the page's theme: the paper makes it
    read the same on a light and on a dark page.
    """
    width = max([320.0, *(f.width for f in fragments)]) + 2 * _MARGIN
    y, body = _MARGIN, []
    for fragment in fragments:
        body.append(f'<g transform="translate({n(_MARGIN)} {n(y)})">{fragment.body}</g>')
        y += fragment.height + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{n(width)}" height="{n(y)}"'
        f' viewBox="0 0 {n(width)} {n(y)}" role="img" font-family="{_FONT}"'
        f' style="max-width:100%;height:auto"><title>{escape(title)}</title>'
        f'<rect x=".5" y=".5" width="{n(width - 1)}" height="{n(y - 1)}" rx="10"'
        f' fill="{PAPER}" stroke="{RULE}"/>{"".join(body)}</svg>'
    )


def escape(text: str) -> str:
    """Make any text safe inside an element or a quoted attribute, and not too long for a hint."""
    return markup(cut(clean(text), 160))


def n(value: float) -> str:
    """Write a coordinate shortly."""
    return f"{value:.1f}".removesuffix(".0")


def room(pixels: float, size: float) -> int:
    """Give how many columns of text of a font size fit."""
    return max(0, int(pixels / (size * _LETTER)))


def text_width(text: str, size: float) -> float:
    """Give about how many pixels a text takes."""
    return columns(clean(text)) * size * _LETTER


def text(
    x: float,
    y: float,
    words: str,
    size: float,
    *,
    fill: str = INK,
    anchor: str = "start",
    weight: int = 400,
    pixels: float | None = None,
) -> str:
    """Write one line of text, cut to so many pixels."""
    words = clean(words)
    if pixels is not None:
        words = cut(words, room(pixels, size * (BOLD if weight > 400 else 1)))
    if not words:
        return ""
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += f' font-weight="{weight}"' if weight != 400 else ""
    return (
        f'<text x="{n(x)}" y="{n(y)}" font-size="{n(size)}" fill="{fill}"{more}>'
        f"{markup(words)}</text>"
    )


def rect(
    x: float, y: float, width: float, height: float, fill: str, *, rx: float = 0, more: str = ""
) -> str:
    """Draw a box."""
    corner = f' rx="{n(rx)}"' if rx else ""
    return (
        f'<rect x="{n(x)}" y="{n(y)}" width="{max(width, 0.2):.4g}" height="{n(height)}"'
        f'{corner} fill="{fill}"{more}/>'
    )


def path(curve: Curve) -> str:
    """Write the data of a curve's path."""
    (x, y), rest = curve[0], curve[1:]
    return f"M{n(x)} {n(y)}C" + " ".join(f"{n(a)} {n(b)}" for a, b in rest)


def status_icon(x: float, y: float, radius: float, status: str) -> str:
    """Draw the mark of a status in a disk of its colour."""
    color = STATUS_COLORS.get(status, FAINT)
    strokes = []
    filled = False
    for stroke in icon(status):
        points = [f"{n(x + a * radius)} {n(y + b * radius)}" for a, b in stroke]
        strokes.append("M" + "L".join(points))
        filled = filled or (len(stroke) > 2 and stroke[0] == stroke[-1])
    inside = PAPER if filled else "none"
    return (
        f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}" fill="{color}"/>'
        f'<path d="{"".join(strokes)}" fill="{inside}" stroke="{PAPER}"'
        f' stroke-width="{radius * 0.26:.2g}" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def chips(x: float, y: float, counts: Iterable[tuple[str, int]], size: float = 11.5) -> str:
    """Write counts of statuses in a row, each behind its icon: the picture's legend too."""
    found = []
    for status, count in counts:
        words = f"{count:,} {status}"
        found.append(status_icon(x + 6, y - 4, 6, status))
        found.append(text(x + 16, y, words, size, fill=FAINT))
        x += 16 + text_width(words, size) + 14
    return "".join(found)
