"""What let each attempt of a run start: the links of its critical path."""

from __future__ import annotations

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
    options: list[tuple[float, int, Bar, Because]] = []
    needed = [last[dep] for dep in bar.deps if dep in last and last[dep] is not bar]
    options.extend((other.ended or 0.0, 2, other, "dependency") for other in needed)
    read = [last[call] for call in bar.after if call in last and last[call] is not bar]
    options.extend((other.ended or 0.0, 1, other, "workflow") for other in read)
    if previous is not None:
        options.append((previous.ended or 0.0, 0, previous, "worker"))
    if earlier is not None:
        options.append((bar.ready, 3, earlier, "retry"))
    options = [o for o in options if o[0] <= bar.started + 1e-3]
    if not options:
        return None
    _, _, other, because = max(options, key=lambda o: o[:2])
    return other, because
