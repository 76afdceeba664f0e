"""Two runs side by side, in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

from nbflow.viz.compare import NOTHING, Comparison, Difference, Half, Side, Total
from nbflow.viz.wording import clean, columns, cut, cut_id, duration, fill, many

_MOST = 3
"""How many calls a sentence names."""
_PART = 0.05
"""The part of the whole difference below which a call is not named."""
_SAME = 0.01
"""Runs whose lengths differ by less than this part took the same time."""
_NAME = 40


def summary(comparison: Comparison) -> str:
    """Say in a sentence or a few what differs most."""
    told = [*_standing(comparison), _lengths(comparison), *_endings(comparison)]
    alone = [
        f"{many(len(sides), 'call')} only in {run} ({duration(_work(sides))} of work)"
        for run, sides in (("A", comparison.only_a), ("B", comparison.only_b))
        if sides
    ]
    if alone:
        told.append(f"There {'is' if alone[0].startswith('1 ') else 'are'} {' and '.join(alone)}.")
    return " ".join(told)


def _standing(comparison: Comparison) -> Iterable[str]:
    a, b = comparison.a, comparison.b
    names = [clean(half.graph.name, _NAME) for half in (a, b)]
    if a.graph.name != b.graph.name:
        yield f"The runs are of different workflows, {names[0]} and {names[1]}."
    for which, half in (("A", a), ("B", b)):
        if half.graph.status == "running":
            yield f"{which} is not over: it is compared as far as it is."


def _lengths(comparison: Comparison) -> str:
    """Tell the difference of the runs' lengths, and the calls that account for most of it."""
    wall = comparison.totals[0]
    if not comparison.a.profile.bars and not comparison.b.profile.bars:
        return "Neither run has begun a call."
    if abs(wall.change) <= max(NOTHING, _SAME * max(wall.a, wall.b)):
        return f"Both took about {duration(wall.b)}."
    times = f"({duration(wall.a)} and {duration(wall.b)})"
    whole = f"B took {_change(wall.change)} than A {times}"
    reasons = contributors(comparison)
    told = f"{whole}: {', '.join(reasons)}." if reasons else f"{whole}; no one call stands out."
    a, b = (len(half.profile.workers()) for half in (comparison.a, comparison.b))
    return told if a == b or not (a and b) else f"{told} B had {many(b, 'worker')}, A {a:,}."


_Part = tuple[bool, float, str]
"""Whether a call is off the critical path, minus its share in seconds, and what to say of it."""


def contributors(comparison: Comparison) -> list[str]:
    """Say of each of the few calls that made the second run longer, or shorter, by how much.

    Calls on the critical path of either run come first: what others take does not show in the
    length of the run. Calls queue at the same time, so of those only one is named.
    """
    change = comparison.totals[0].change
    sign, least = math.copysign(1.0, change), max(NOTHING, _PART * abs(change))
    found: list[_Part] = []
    waits: list[_Part] = []
    for d in comparison.differences:
        name = cut_id(clean(d.call), _NAME)
        if d.seconds * sign >= least:
            found.append((not d.critical, -abs(d.seconds), f"{name} {_ran(d)}"))
        if d.queued * sign >= least and d.critical:
            waits.append((False, -abs(d.queued), f"{name} queued {_change(d.queued)}"))
    which, sides = ("B", comparison.only_b) if change > 0 else ("A", comparison.only_a)
    for side in sides:
        if side.seconds >= least:
            name = cut_id(clean(side.call), _NAME)
            words = f"{name} ran only in {which} ({duration(side.seconds)})"
            found.append((not side.critical, -side.seconds, words))
    return [words for _, _, words in sorted([*found, *sorted(waits)[:1]])[:_MOST]]


def _ran(d: Difference) -> str:
    """Say how much longer a call ran."""
    if d.b.cached:
        return f"was answered by an earlier result ({duration(d.a.seconds)} in A)"
    if not d.b.attempts:
        return f"did not run ({duration(d.a.seconds)} in A)"
    if not d.a.attempts:
        return f"ran {duration(d.b.seconds)}, and not in A"
    if d.a.attempts == d.b.attempts:
        return f"ran {_change(d.seconds)}"
    return f"ran {_change(d.seconds)} ({many(d.b.attempts, 'attempt')}, {d.a.attempts} in A)"


def _endings(comparison: Comparison) -> Iterable[str]:
    changed = [d for d in comparison.differences if d.restated]
    if not changed:
        return
    said = [f"{cut_id(clean(d.call), _NAME)} {d.b.status} ({d.a.status} in A)" for d in changed]
    more = f" and {many(len(said) - _MOST, 'other call')}" if len(said) > _MOST else ""
    yield f"In B: {', '.join(said[:_MOST])}{more}."


def _change(seconds: float) -> str:
    return f"{duration(abs(seconds))} {'longer' if seconds > 0 else 'less'}"


def _work(sides: Sequence[Side]) -> float:
    return sum(side.seconds for side in sides)


# ---------------------------------------------------------------------- numbers


def written(total: Total) -> tuple[str, str, str]:
    """Write a figure of both runs, and how it changed."""
    match total.unit:
        case "s":
            part = (
                f" ({total.change / total.a:+.0%})"
                if min(total.a, abs(total.change)) > NOTHING
                else ""
            )
            return duration(total.a), duration(total.b), signed(total.change) + part
        case "%":
            points = round(total.b * 100) - round(total.a * 100)
            return f"{total.a:.0%}", f"{total.b:.0%}", f"{points:+d} points" if points else "="
    return f"{total.a:,.0f}", f"{total.b:,.0f}", f"{total.change:+,.0f}" if total.change else "="


def signed(seconds: float) -> str:
    """Write a difference of times.

    Example:
        >>> [signed(s) for s in (1.2, -0.03, 0.0)]
        ['+1.20 s', '-30 ms', '=']
    """
    if abs(seconds) < NOTHING:
        return "="
    return f"{'+' if seconds > 0 else '-'}{duration(abs(seconds))}"


def state(d: Difference) -> str:
    """Write what is to be said of a call besides its times."""
    parts = [f"{d.a.status} → {d.b.status}" if d.restated else d.b.status]
    if d.a.cached != d.b.cached:
        parts.append(f"cached in {'A' if d.a.cached else 'B'}")
    elif d.a.attempts != d.b.attempts:
        parts.append(f"attempts {d.a.attempts} → {d.b.attempts}")
    if d.other_arguments:
        parts.append("other arguments")
    if d.matched == "order":
        parts.append(f"is {clean(d.b.call, _NAME)} in B")
    if d.critical:
        parts.append("critical")
    return ", ".join(parts)


def named(half: Half) -> str:
    """Name a run and how it stands."""
    return f"{clean(half.run, 80)}, {half.graph.status}"


# ---------------------------------------------------------------------- the table


def compare_text(comparison: Comparison, *, width: int = 100, lines: int = 40) -> str:
    """Write a comparison for a terminal, see `Comparison.text`."""
    width = max(72, width)
    head = [
        *(f"{which}  {cut(named(half), width - 3)}" for which, half in _halves(comparison)),
        *textwrap.wrap(summary(comparison), width),
        "",
        *_totals(comparison),
    ]
    foot = [*_alone("A", comparison.only_a, width), *_alone("B", comparison.only_b, width)]
    room = max(4, lines - len(head) - len(foot) - 3)
    return "\n".join([*head, *_calls(comparison, width, room), *foot])


def _halves(comparison: Comparison) -> tuple[tuple[str, Half], tuple[str, Half]]:
    return ("A", comparison.a), ("B", comparison.b)


def _totals(comparison: Comparison) -> list[str]:
    found = [f"{'':13} {'A':>10} {'B':>10}  change"]
    for total in comparison.totals:
        a, b, change = written(total)
        found.append(f"{total.name:13} {a:>10} {b:>10}  {change}")
    return found


def _calls(comparison: Comparison, width: int, room: int) -> list[str]:
    differences = comparison.differences
    shown = differences if len(differences) <= room else differences[: room - 1]
    if not shown:
        return ["", "no call is in both"]
    names = [cut_id(clean(d.call), _NAME) for d in shown]
    label = min(width // 3, max(4, *map(columns, names)))
    found = ["", f"{fill('call', label)} {'A ran':>9} {'B ran':>9} {'change':>9} {'queued':>9}"]
    for name, d in zip(names, shown, strict=True):
        times = f"{duration(d.a.seconds):>9} {duration(d.b.seconds):>9}"
        changes = f"{signed(d.seconds):>9} {signed(d.queued):>9}"
        line = f"{fill(name, label)} {times} {changes}  {state(d)}"
        found.append(cut(line, width).rstrip())
    if len(shown) < len(differences):
        found.append(f"… {many(len(differences) - len(shown), 'more call')}")
    return found


def _alone(which: str, sides: Sequence[Side], width: int) -> list[str]:
    if not sides:
        return []
    names = ", ".join(cut_id(clean(side.call), _NAME) for side in sides[:20])
    more = f", … {len(sides) - 20:,} more" if len(sides) > 20 else ""
    return ["", *textwrap.wrap(f"only in {which}: {names}{more}", width)]
