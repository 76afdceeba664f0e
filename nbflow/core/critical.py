"""What let each attempt of a run start: the links of its critical path."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbflow.core.profile import Bar, Because


def before_each(ended: list[Bar]) -> dict[int, Bar]:
    """Give, for each bar by identity, the one before it on the same worker."""
    latest: dict[str, Bar] = {}
    found: dict[int, Bar] = {}
    for bar in sorted(ended, key=lambda b: b.started):
        if bar.worker in latest:
            found[id(bar)] = latest[bar.worker]
        latest[bar.worker] = bar
    return found


def cause_of(
    bar: Bar, last: dict[str, Bar], previous: Bar | None, earlier: Bar | None
) -> tuple[Bar, Because] | None:
    """Give the bar that let this one start, and how: by its value, its worker or its failure."""
    needed = [last[dep] for dep in bar.deps if dep in last]
    options: list[tuple[Bar, int, Because]] = [(b, 2, "dependency") for b in needed if b is not bar]
    if bar.after:
        read = [last[call] for call in bar.after if call in last]
        options.extend((other, 1, "workflow") for other in read if other is not bar)
    if previous is not None:
        options.append((previous, 0, "worker"))
    if earlier is not None:
        options.append((earlier, 3, "retry"))
    latest, first, found = bar.started + 1e-3, (-math.inf, 0), None
    for other, rank, because in options:
        at = bar.ready if rank == 3 else other.ended or 0.0  # noqa: PLR2004 - a retry's: see above
        if at <= latest and (at, rank) > first:
            first, found = (at, rank), (other, because)
    return found
