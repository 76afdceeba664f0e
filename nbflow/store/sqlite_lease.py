"""Who drives a run, in the table of an SQLite store."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, fields
from typing import Final

from nbflow.store.lease import Lease

_NAMES: Final = tuple(field.name for field in fields(Lease))
_READ: Final = f"SELECT {', '.join(_NAMES)} FROM lease WHERE run = ?"  # noqa: S608 - our own names


def held(db: sqlite3.Connection, row: int) -> Lease | None:
    """Give the lease of a run, by the number of its row; None if nobody drives it."""
    found = db.execute(_READ, (row,)).fetchone()
    return None if found is None else Lease(**dict(zip(_NAMES, found, strict=True)))


def keep(db: sqlite3.Connection, row: int, lease: Lease) -> None:
    """Write down who drives a run from now on, whoever did before; within a transaction."""
    db.execute("INSERT OR REPLACE INTO lease VALUES (?,?,?,?,?,?,?)", (row, *astuple(lease)))


def drop(db: sqlite3.Connection, row: int, lease: Lease) -> None:
    """Forget a lease, if it is still that one; within a transaction."""
    db.execute("DELETE FROM lease WHERE run = ? AND token = ?", (row, lease.token))
