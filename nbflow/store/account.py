"""What came of looking after a store: figures, problems and notes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from nbflow.core.errors import NbflowError

_MOST: Final = 50


@dataclass(slots=True)
class Account:
    """What was found or done.

    Attributes:
        what: What it is about.
        figures: Counts by name.
        problems: What is wrong, or was lost.
        notes: What else one should know.
    """

    what: str
    figures: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def add(self, name: str, count: int = 1) -> None:
        """Count."""
        self.figures[name] = self.figures.get(name, 0) + count

    def problem(self, text: str) -> None:
        """Say what is wrong."""
        self.problems.append(text)

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    @contextlib.contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Go on after an error that what is damaged gives, having noted it."""
        try:
            yield
        except (sqlite3.Error, NbflowError, ValueError, TypeError, LookupError) as error:
            self.problem(f"{what} cannot be read: {type(error).__name__}: {error}")

    def __str__(self) -> str:
        """Give lines: the figures, the problems, the notes."""
        figures = ", ".join(
            f"{name} {_size(count) if 'bytes' in name else format(count, ',')}"
            for name, count in self.figures.items()
        )
        state = "" if self.ok else f" - {len(self.problems)} problem(s)"
        lines = [f"{self.what}: {figures or 'nothing in it'}{state}"]
        for found in (self.problems, self.notes):
            lines += [f"  {text}" for text in found[:_MOST]]
            if len(found) > _MOST:
                lines.append(f"  … and {len(found) - _MOST:,} more")
        return "\n".join(lines)

    __repr__ = __str__


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - steps of units
            return f"{count:,.0f}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
