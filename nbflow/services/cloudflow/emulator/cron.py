"""Time tables: six fields with the seconds first, or ``@every``. Pure; the time is UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_BOUNDS: Final = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES: Final[dict[int, list[str]]] = {
    4: ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    5: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_FIELDS: Final = ("seconds", "minutes", "hours", "days", "months", "days of the week")
_UNITS: Final = {"h": 3600, "m": 60, "s": 1}
_YEARS: Final = 8
"""How far ahead is looked: a leap day at a century's end is 8 years away."""


class Table:
    """A time table.

    Args:
        text: Such as ``0 30 9 * * 1-5`` or ``@every 1h30m``.

    Raises:
        ValueError: It is none.

    Example:
        >>> Table("0 30 9 * * *").after(0.0)
        34200.0
    """

    def __init__(self, text: str) -> None:
        self.every = _every(text)
        self._fields: list[frozenset[int]] = []
        if self.every is None:
            parts = text.lower().split()
            if len(parts) != len(_BOUNDS):
                raise ValueError(f"{text!r:.80} is no time table: six fields, seconds first")
            self._fields = [_field(part, i) for i, part in enumerate(parts)]
            # As everywhere with such tables: with both kinds of days given, either will do.
            self._either = not any(parts[i].startswith(("*", "?")) for i in (3, 5))

    def after(self, when: float) -> float | None:
        """Give the next time after one, both in seconds since the epoch; None if never."""
        if self.every is not None:
            return when + self.every
        at = datetime.fromtimestamp(int(when) + 1, UTC)
        end = at + timedelta(days=366 * _YEARS)
        seconds, minutes, hours, _, months, _ = self._fields
        while at < end:
            if at.month not in months:
                at = (at.replace(day=1) + timedelta(days=32)).replace(
                    day=1, hour=0, minute=0, second=0
                )
            elif not self._day(at):
                at = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif at.hour not in hours:
                at = at.replace(minute=0, second=0) + timedelta(hours=1)
            elif at.minute not in minutes:
                at = at.replace(second=0) + timedelta(minutes=1)
            elif at.second not in seconds:
                at += timedelta(seconds=1)
            else:
                return at.timestamp()
        return None

    def _day(self, at: datetime) -> bool:
        month = at.day in self._fields[3]
        week = at.isoweekday() % 7 in self._fields[5]
        return (month or week) if self._either else (month and week)


def _every(text: str) -> float | None:
    if not text.startswith("@every "):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text.removeprefix("@every ").strip() or seconds <= 0:
        raise ValueError(f"{text!r:.80} is no time table: write @every 1h30m or @every 90s")
    return seconds


def _field(text: str, index: int) -> frozenset[int]:
    low, high = _BOUNDS[index]
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        every = _number(step, index) if step else 1
        first, dash, last = span.partition("-")
        if span in {"*", "?"}:
            begin, end = low, high
        else:
            begin = _number(first, index)
            end = _number(last, index) if dash else high if step else begin
        if not low <= begin <= end <= high or every < 1:
            raise ValueError(f"{part!r:.40} does not fit the {_FIELDS[index]}, {low} to {high}")
        found |= set(range(begin, end + 1, every))
    # Sunday is 0, and 7 too.
    return frozenset(n % 7 for n in found) if index == len(_BOUNDS) - 1 else frozenset(found)


def _number(text: str, index: int) -> int:
    names = _NAMES.get(index, [])
    if text and text in names:
        return names.index(text)
    if not text.isdecimal():
        raise ValueError(f"{text!r:.40} is none of the {_FIELDS[index]}")
    return int(text)
