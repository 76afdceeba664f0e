"""A small table that shows itself in a notebook and in a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from nbflow.store.base import RunRow
from nbflow.viz.wording import clean, columns, cut, duration, markup

_CELL = 80


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under a head."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = "nothing"

    def text(self) -> str:
        """Write it in columns."""
        if not self.rows:
            return self.empty
        lines = [self.head, *(tuple(cut(clean(t), _CELL) for t in row) for row in self.rows)]
        widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                t + " " * (w - columns(t)) for t, w in zip(line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{markup(self.empty)}</p>"
        rows = "".join(f"<tr>{_cells('td', row)}</tr>" for row in self.rows)
        return (
            f"<table><thead><tr>{_cells('th', self.head)}</tr></thead><tbody>{rows}</tbody></table>"
        )


def _cells(tag: str, texts: tuple[str, ...]) -> str:
    style = ' style="text-align: left"'
    return "".join(f"<{tag}{style}>{markup(cut(clean(t), _CELL))}</{tag}>" for t in texts)


def of_runs(rows: Sequence[RunRow], empty: str) -> Table:
    """Make the table of runs."""
    shown = [(r.run, r.workflow, r.status, r.on, _clock(r.created), _took(r)) for r in rows]
    head = ("run", "workflow", "status", "on", "started", "took")
    return Table(head, shown, empty)


def _clock(at: float) -> str:
    then, now = time.localtime(at), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def _took(row: RunRow) -> str:
    return "" if row.closed is None else duration(row.closed - row.created)
