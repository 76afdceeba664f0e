"""Finds runs by what people remember of their ids."""

from __future__ import annotations

import difflib
import time
from dataclasses import replace

from nbflow.core.errors import RunNotFound
from nbflow.store.base import RunRow, Store


class RunList(list[RunRow]):
    """Runs, the latest first; shown as a table."""

    def __repr__(self) -> str:
        """Give a line a run."""
        if not self:
            return "no runs"
        rows = [("run", "status", "on", "started", "took"), *(_row(row) for row in self)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def _row(row: RunRow) -> tuple[str, str, str, str, str]:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.created))
    took = "" if row.closed is None else f"{row.closed - row.created:.1f} s"
    return row.run, row.status, row.on, started, took


def standing(row: RunRow, store: Store) -> RunRow:
    """Say of a run that is not over whether anybody drives it: ``stopped`` if nobody does."""
    lost = row.status == "running" and store.holder(row.run) is None
    return replace(row, status="stopped") if lost else row


def complete(run: str, store: Store) -> str:
    """Give the one id that `run` is, or begins.

    Raises:
        RunNotFound: None does, or several do.
    """
    ids = [row.run for row in store.runs()]
    if run in ids:
        return run
    found = [i for i in ids if i.startswith(run)] if run else []
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{run!r} begins {len(found)} run ids: {', '.join(found[:5])}"
        raise RunNotFound(message)
    near = difflib.get_close_matches(run, ids, 3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    message = f"no run {run!r} among the {len(ids)} runs in {store.path}.{hint}"
    raise RunNotFound(message)
