"""Colours and shapes of a status or an activity, the same in every picture.

The status colours are Okabe and Ito's, which people of every colour vision can tell apart, and
each status has a mark of its own shape as well. Colours of activities are none of those.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from nbflow.viz.standing import STATES

Stroke = tuple[tuple[float, float], ...]

STATUS_COLORS: Final = {
    "waiting": "#b0b0b0",
    "queued": "#8d99a6",
    "running": "#e69f00",
    "retrying": "#c98500",
    "done": "#009e73",
    "failed": "#d55e00",
    "skipped": "#a3a3a3",
    "cancelled": "#7d7d7d",
    "cached": "#56b4e9",
    "completed": "#009e73",
}
"""The colour of each status of a call or a run."""

ANSI: Final = {
    "waiting": "90",
    "queued": "90",
    "running": "33",
    "retrying": "33",
    "done": "32",
    "failed": "31",
    "skipped": "90",
    "cancelled": "90",
    "stopped": "33",
    "cached": "36",
    "completed": "32",
}
"""The terminal's colour code for each status."""

MARKS: Final = {
    "waiting": "·",
    "queued": "○",
    "running": "▶",
    "retrying": "↻",
    "done": "✓",
    "failed": "✗",
    "skipped": "»",
    "cancelled": "■",
    "stopped": "□",
    "cached": "=",
    "completed": "✓",
}
"""One character for each status, for text."""

ICONS: Final[dict[str, tuple[Stroke, ...]]] = {
    "waiting": (((-0.45, 0), (-0.44, 0)), ((0, 0), (0.01, 0)), ((0.44, 0), (0.45, 0))),
    "queued": (((0, -0.5), (0, 0.04), (0.36, 0.26)),),
    "running": (((-0.28, -0.46), (0.5, 0), (-0.28, 0.46), (-0.28, -0.46)),),
    "retrying": (
        (
            (0.42, 0.2),
            (0.2, 0.42),
            (-0.2, 0.42),
            (-0.46, 0.1),
            (-0.4, -0.26),
            (-0.1, -0.46),
            (0.26, -0.4),
            (0.46, -0.1),
        ),
        ((0.5, -0.5), (0.46, -0.1), (0.08, -0.12)),
    ),
    "done": (((-0.48, 0.02), (-0.12, 0.4), (0.5, -0.36)),),
    "failed": (((-0.38, -0.38), (0.38, 0.38)), ((-0.38, 0.38), (0.38, -0.38))),
    "skipped": (((-0.48, -0.4), (-0.08, 0), (-0.48, 0.4)), ((0.06, -0.4), (0.46, 0), (0.06, 0.4))),
    "cancelled": (((-0.36, -0.36), (0.36, -0.36), (0.36, 0.36), (-0.36, 0.36), (-0.36, -0.36)),),
    "cached": (((-0.42, -0.2), (0.42, -0.2)), ((-0.42, 0.2), (0.42, 0.2))),
}
"""Strokes of each status's icon, inside a circle of radius 1; a closed one is filled."""

DASHED: Final = frozenset({"waiting", "queued", "skipped", "cancelled"})
"""Statuses whose box has a dashed rim: nothing has come of that call."""

ACTIVITY_COLORS: Final = (
    "#0072b2",
    "#cc79a7",
    "#8a8a2e",
    "#6a51a3",
    "#3f9fa8",
    "#882255",
    "#88aadd",
    "#a0703c",
)
OTHER_COLOR: Final = "#6b7680"

INK: Final = "#1f2933"
FAINT: Final = "#5d6975"
RULE: Final = "#e3e7eb"
EDGE: Final = "#7b8794"
PAPER: Final = "#ffffff"

LOOK: Final[dict[str, Any]] = {
    "colors": STATUS_COLORS,
    "icons": ICONS,
    "dashed": sorted(DASHED),
    "activities": [*ACTIVITY_COLORS, OTHER_COLOR],
    "statuses": list(STATES),
}
"""What the panel shares with every other picture, and the order that numbers statuses."""


def icon(status: str) -> tuple[Stroke, ...]:
    """Give the strokes of a status's icon."""
    return ICONS.get("done" if status == "completed" else status, ICONS["waiting"])


def activity_colors(names: Iterable[str]) -> dict[str, str]:
    """Give a colour to each activity by its place; those past the last colour share one grey."""
    names = [name for name in dict.fromkeys(names) if name]
    colors = [*ACTIVITY_COLORS, *[OTHER_COLOR] * len(names)]
    return dict(zip(names, colors, strict=False))


def tint(color: str, part: float) -> str:
    """Mix a colour with white: `part` of the colour, the rest white."""
    mixed = (round(255 - (255 - int(color[i : i + 2], 16)) * part) for i in (1, 3, 5))
    return "#" + "".join(f"{value:02x}" for value in mixed)
