"""A profile as rows of bars: what a Gantt chart draws, whatever it is drawn with."""

from __future__ import annotations

import math
import re
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from nbflow.core.profile import Bar, Profile, Step
from nbflow.viz.wording import duration, many

_NUMBERS = re.compile(r"([0-9]{1,18})")
_TOUCH = 1e-4
"""Seconds by which bars of one lane may overlap: clocks are not better than that."""


@dataclass(slots=True)
class Lane:
    """Bars, one after the other.

    Attributes:
        worker: Where they ran.
        slot: Which of the worker's lanes; a worker that runs several calls at once has several.
        bars: In the order in which they started.
    """

    worker: str
    slot: int = 0
    bars: list[Bar] = field(default_factory=list)


def lanes(profile: Profile, most: int = 240) -> list[Lane]:
    """Put the bars in lanes, worker by worker, so that those of a lane do not overlap.

    Where that gives more than `most` lanes, neighbouring ones are laid over each other.
    """
    workers = sorted(profile.workers(), key=_natural)
    by_worker: dict[str, list[Bar]] = {worker: [] for worker in workers}
    for bar in profile.bars:
        by_worker[bar.worker].append(bar)
    found = [lane for worker, bars in by_worker.items() for lane in _slots(worker, bars)]
    if len(found) <= most:
        return found
    merged = [Lane("") for _ in range(most)]
    for i, lane in enumerate(found):
        into = merged[i * most // len(found)]
        into.worker = into.worker or lane.worker
        into.bars.extend(lane.bars)
    for lane in merged:
        lane.bars.sort(key=lambda bar: bar.started)
    return merged


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort ``worker-10`` after ``worker-9``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in _NUMBERS.split(name)]


def _slots(worker: str, bars: list[Bar]) -> list[Lane]:
    """Give each bar the lane that has been free for the shortest time, or a new one."""
    found: list[Lane] = []
    free: list[tuple[float, int]] = []
    for bar in sorted(bars, key=lambda b: b.started):
        fitting = bisect_right(free, (bar.started + _TOUCH, 0))
        if fitting:
            slot = -free.pop(fitting - 1)[1]
        else:
            slot = len(found)
            found.append(Lane(worker, slot))
        found[slot].bars.append(bar)
        insort(free, (bar.ended if bar.ended is not None else math.inf, -slot))
    return found


def span(profile: Profile) -> tuple[float, float]:
    """Give when the chart begins and ends; clocks of workers may be a little off the run's."""
    begins = [min(bar.ready, bar.started) for bar in profile.bars]
    begin = min([*begins, profile.begun] if profile.begun else begins, default=0.0)
    ends = [bar.ended + bar.packing for bar in profile.bars if bar.ended is not None]
    end = max([profile.latest, begin, *ends])
    return begin, end if end > begin else begin + 1e-3


def ticks(length: float, most: int) -> list[tuple[float, str]]:
    """Give at most `most` round times from 0 to `length`, and how they are written.

    Example:
        >>> ticks(1.3, 4)
        [(0.0, '0'), (0.5, '0.5 s'), (1.0, '1 s')]
    """
    step = _step(length / max(1, most - 1))
    count = int(length / step + 1e-9) + 1
    return [(i * step, _tick(i * step, step)) for i in range(count)]


def _step(rough: float) -> float:
    if rough > 20:
        for step in (30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0):
            if step >= rough:
                return step
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-6)))
    return next(power * digit for digit in (1, 2, 5, 10, 20) if power * digit >= rough * 0.999999)


def _tick(value: float, step: float) -> str:
    if not value:
        return "0"
    if step < 0.1 and value < 1:
        return f"{value * 1000:.{1 if step < 1e-3 else 0}f} ms"
    if step < 30:
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{value:.{digits}f} s"
    return duration(value)


@dataclass(frozen=True, slots=True)
class Bin:
    """A stretch of a lane, in columns: what took most of it, and how much of it was work.

    Attributes:
        start: Its first column.
        end: The column after its last.
        activity: The activity with the most time in it; "" where an attempt failed.
        level: 1 to 3: up to a third, two thirds, all of the time was work.
    """

    start: int
    end: int
    activity: str
    level: int


def bins(bars: Sequence[Bar], begin: float, end: float, columns: int) -> list[Bin]:
    """Sum up a lane in columns of equal length; equal neighbours are one `Bin`."""
    wide = (end - begin) / columns
    shares: list[defaultdict[str, float] | None] = [None] * columns
    for bar in bars:
        stop = bar.ended if bar.ended is not None else end
        first = min(columns - 1, max(0, int((bar.started - begin) / wide)))
        last = min(columns - 1, max(first, math.ceil((stop - begin) / wide - 1e-6) - 1))
        key = "" if bar.status == "failed" else bar.activity
        for c in range(first, last + 1):
            low, high = begin + c * wide, begin + (c + 1) * wide
            share = shares[c]
            if share is None:
                share = shares[c] = defaultdict(float)
            share[key] += max(0.0, min(stop, high) - max(bar.started, low)) / wide
    return _runs(shares)


def _runs(shares: Sequence[dict[str, float] | None]) -> list[Bin]:
    found: list[Bin] = []
    for c, share in enumerate(shares):
        if share is None:
            continue
        busy = sum(share.values())
        level = 3 if busy > 0.66 else 2 if busy > 0.33 else 1
        activity = "" if "" in share else max(share, key=lambda a: share[a])
        last = found[-1] if found else None
        if last and last.end == c and (last.activity, last.level) == (activity, level):
            found[-1] = Bin(last.start, c + 1, activity, level)
        else:
            found.append(Bin(c, c + 1, activity, level))
    return found


def figures(profile: Profile) -> list[str]:
    """Say in a few words each how long the run took, and with what."""
    calls = len({bar.call for bar in profile.bars})
    found = [
        f"{duration(profile.wall())} wall",
        many(calls, "call"),
        many(len(profile.workers()), "worker"),
    ]
    again = len(profile.bars) - calls
    return [*found, many(again, "attempt") + " again"] if again else found


def totals(profile: Profile, steps: Sequence[Step] | None = None) -> list[str]:
    """Say in a few words each how much work it was and how well the workers were used.

    Args:
        profile: The profile.
        steps: Its critical path, if somebody has it already.
    """
    if not profile.bars:
        return []
    path = profile.critical_path() if steps is None else steps
    wall = profile.wall()
    found = [f"work {duration(profile.busy())}"]
    if path:
        busy = sum(step.bar.seconds(profile.latest) for step in path)
        part = f" ({min(1.0, busy / wall):.0%} of the run)" if wall else ""
        found.append(f"critical path {duration(busy)}{part}")
    idle = sum(profile.idle().values())
    return [*found, f"{profile.efficiency():.0%} efficient", f"idle {duration(idle)}"]
