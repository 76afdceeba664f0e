"""What a box of many calls says of them: in words, and as a bar."""

from __future__ import annotations

from typing import Final

from nbflow.viz.bundles import Group
from nbflow.viz.nested import GROUP_SIZE
from nbflow.viz.pen import room
from nbflow.viz.wording import duration

_LOUDEST_FIRST: Final = (
    *("failed", "running", "retrying", "done", "cached"),
    *("cancelled", "skipped", "waiting", "queued"),
)


def group_bar(group: Group, left: float, length: float) -> list[tuple[float, float, str]]:
    """Cut a bar in parts by status; give the left and the width of each, none too thin to see."""
    found, start = [], left
    for status, calls in group.counts.items():
        width = max(2.0, length * calls / max(1, group.calls))
        start = min(start, left + length - width)
        found.append((start, width, status))
        start += width
    return found


def group_words(group: Group) -> str:
    """Say how an activity's calls stand and how long they took together, as far as there is room.

    Failures come first. A count is never cut: what has no room is in the bar and in the hint.
    """
    told = [f"{group.counts[s]:,} {s}" for s in _LOUDEST_FIRST if s in group.counts]
    if group.seconds:
        told.append(duration(group.seconds))
    if group.inner:
        told.append("↻")
    found = told[:1]
    left = room(GROUP_SIZE[0] - 18, 10) - len(found[0]) if found else 0
    for i, word in enumerate(told[1:], 2):
        left -= len(word) + 3
        if left < (4 if i < len(told) else 0):
            return " · ".join([*found, "…"])
        found.append(word)
    return " · ".join(found)
