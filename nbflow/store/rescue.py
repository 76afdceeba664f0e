"""Saves the log of a run whose store was deleted or replaced while it was in use."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

from nbflow.core.errors import StoreError
from nbflow.store.schema import SEQ_BITS


def rescue(db: sqlite3.Connection, directory: Path, run: str, text: str) -> str:
    """Write the events of a run, and those that were about to be appended, to a file beside.

    The open connection still reaches a file that was deleted. What is written can be read by
    `nbflow.store.care.load`; see there for its form.

    Args:
        db: The connection.
        directory: Where the store was.
        run: The run; "" if nothing was about to be appended.
        text: The events that were about to be appended, as `encode` writes them.

    Returns:
        Where they are, or why they are not, to go on the end of a message.
    """
    if not text:
        return ""
    where = directory.parent if directory.parent.is_dir() else Path.cwd()
    file = where / f"{directory.name.lstrip('.') or 'store'}-rescued-{os.getpid()}-{time.time_ns()}"
    file = file.with_name(f"{file.name}.jsonl")
    try:
        lines = [json.dumps(found) for found in _lines(db, run)]
        lines.append(json.dumps({"of": run, "events": text}))
        with open(file, "w", encoding="utf-8", opener=_private) as out:
            out.write("\n".join(lines) + "\n")
    except (OSError, sqlite3.Error) as error:
        return f", and what run {run} had in memory could not be saved: {error}"
    return f". The events of run {run} are in {file}: %nbflow store import reads them"


def _lines(db: sqlite3.Connection, run: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [{"nbflow": "export", "version": 1}]
    columns = "id, name, workflow, place, status, created, closed"
    row = db.execute(f"SELECT {columns} FROM run WHERE name = ?", (run,)).fetchone()  # noqa: S608
    if row is None:
        return lines
    names = ("run", "workflow", "place", "status", "created", "closed")
    lines.append(dict(zip(names, row[1:], strict=True)))
    key = row[0] << SEQ_BITS
    rows = db.execute(
        "SELECT events FROM log WHERE key >= ? AND key < ? ORDER BY key",
        (key, key + (1 << SEQ_BITS)),
    )
    return lines + [{"of": run, "events": text} for (text,) in rows]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def gone(file: Path, saved: str) -> StoreError:
    """Give the error of a store whose file is not there any more; `saved` says what was saved."""
    return StoreError(f"{file} was deleted or replaced while it was in use{saved}")


def unwritable(path: str, why: str) -> StoreError:
    """Give the error of a store that can be looked at only."""
    return StoreError(
        f"the store {path} can be looked at only: {why}. Nothing was started: "
        "nbflow.configure(store=...) names another one"
    )
