"""The figures of a run at a glance, from sums that are kept up as its attempts end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nbflow.core.graph import STATUSES
from nbflow.core.profile import Profile, Step
from nbflow.viz.rows import Rows

Figures = dict[str, float]

_OPEN: Final = [
    i for i, s in enumerate(STATUSES) if s in {"waiting", "queued", "running", "retrying"}
]
_ENOUGH: Final = 3
"""From fewer ended attempts nothing is concluded."""


def figures(
    rows: Rows, profile: Profile, path: Sequence[Step], *, paused: float, open_: bool
) -> Figures:
    """Give what is known; what is not known yet is left out.

    Args:
        rows: The tables of the run.
        profile: Its profile.
        path: Its critical path, empty if that is not known.
        paused: Seconds for which nobody drove it, before it was resumed.
        open_: Whether it goes on, so that it is worth saying how long.

    Returns:
        ``wall`` (without pauses), ``work``, ``critical`` and ``eta`` in seconds, ``idle`` seconds
        of all workers together, ``workers``, and ``efficiency`` from 0 to 1.
    """
    work = _work(rows, profile)
    wall = max(0.0, profile.wall() - paused)
    workers = len(rows.workers.numbers)
    found: Figures = {"wall": wall, "work": work, "workers": workers}
    if workers and wall > 0:
        found["efficiency"] = min(1.0, work / (wall * workers))
        found["idle"] = max(0.0, wall * workers - work)
    if path:
        found["critical"] = sum(step.bar.seconds(profile.latest) for step in path)
    if open_ and wall > 0:
        left = remaining(rows, profile)
        if left is not None:
            found["eta"] = left / (work / wall)
    return {name: round(value, 4) for name, value in found.items()}


def _work(rows: Rows, profile: Profile) -> float:
    ended = sum(spent.seconds for spent in rows.spent.values())
    return ended + sum(profile.bars[i].seconds(profile.latest) for i in rows.running)


def remaining(rows: Rows, profile: Profile) -> float | None:
    """Estimate the seconds of work that the calls asked for so far still need.

    An open call is taken to need what the ended attempts of its activity took on the average. If
    there is one of an activity of which nothing has ended yet, nobody can know.
    """
    if sum(spent.count for spent in rows.spent.values()) < _ENOUGH:
        return None
    left = 0.0
    for activity, counts in rows.counts.items():
        calls = sum(counts[i] for i in _OPEN)
        if not calls:
            continue
        spent = rows.spent.get(activity)
        if spent is None:
            return None
        left += calls * spent.seconds / spent.count
    for i in rows.running:
        bar = profile.bars[i]
        spent = rows.spent.get(bar.activity)
        if spent is not None:
            left -= min(bar.seconds(profile.latest), spent.seconds / spent.count)
    return left if left > 0 and _work(rows, profile) > 0 else None
