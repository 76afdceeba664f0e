"""What activities measured of themselves, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbflow.viz.wording import clean, columns, cut, duration, fill, many

if TYPE_CHECKING:
    from nbflow.core.metrology import Measured, MeasureSummary
    from nbflow.core.profile import Profile

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_METADATA: Final = 5


def size(number: float) -> str:
    """Write a number of bytes for people, by powers of 1,000.

    Example:
        >>> [size(n) for n in (0, 999, 1500, 734003200)]
        ['0 B', '999 B', '1.5 kB', '734 MB']
    """
    amount, unit = float(number), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    digits = 1 if unit and amount < 99.95 else 0
    return f"{amount:,.{digits}f} {_UNITS[unit]}"


def measured_text(block: Measured | MeasureSummary) -> str:
    """Write on one line how long a block took, and what it read and wrote."""
    words = [duration(block.seconds)]
    if block.times > 1:
        words.append(many(block.times, "block"))
    words += _amount("read", block.read_bytes, block.read_records, block.read_rate)
    words += _amount("wrote", block.wrote_bytes, block.wrote_records, block.write_rate)
    if block.failed:
        words.append("failed" if block.failed is True else f"{block.failed:,} failed")
    metadata = getattr(block, "metadata", {})
    shown = [f"{key}={value}" for key, value in list(metadata.items())[:_METADATA]]
    more = ["…"] if len(metadata) > _METADATA else []
    return " · ".join([*words, *shown, *more])


def _amount(verb: str, amount: int, records: int, rate: float | None) -> list[str]:
    if not amount and not records:
        return []
    parts = [size(amount)] if amount else []
    if records:
        parts.append(many(records, "record"))
    speed = f" ({size(rate)}/s)" if rate is not None else ""
    return [f"{verb} {', '.join(parts)}{speed}"]


def measures_table(profile: Profile, width: int, most: int) -> list[str]:
    """Write a line a step that activities measured, the one with the most time first."""
    summaries = profile.measures()
    if not summaries or most < 2:
        return []
    shown = summaries if len(summaries) < most else summaries[: most - 2]
    names = [f"{clean(s.activity)}: {clean(s.name)}" for s in shown]
    label = min(width // 2, max([8, *map(columns, names)]))
    found = [fill("measured", label)]
    found += [
        cut(f"{fill(name, label)} {clean(measured_text(s))}", width)
        for name, s in zip(names, shown, strict=True)
    ]
    if len(shown) < len(summaries):
        found.append(f"… {many(len(summaries) - len(shown), 'more step')}")
    return found
