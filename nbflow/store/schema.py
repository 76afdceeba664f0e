"""The tables of an SQLite store: made, checked, and brought up to date."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

from nbflow.core.errors import StoreUnusable

SCHEMA: Final = 4
"""The version of the tables, kept in the file as ``user_version``."""

SEQ_BITS: Final = 36
"""A row of ``log`` has the key ``run << SEQ_BITS | seq of its first event``.

So the table is one tree that grows at the end of each run, and an append changes one page of it.
"""

_APPLICATION: Final = 0x6E62666C  # "nbfl": tells our files from other SQLite files
_RUN: Final = """
CREATE TABLE run(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    place TEXT NOT NULL,
    status TEXT NOT NULL,
    created REAL NOT NULL,
    closed REAL
)"""
_LOG: Final = """
CREATE TABLE log(
    key INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    events TEXT NOT NULL
)"""
_LEASE: Final = """
CREATE TABLE lease(
    run INTEGER PRIMARY KEY REFERENCES run(id),
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    born INTEGER NOT NULL,
    token TEXT NOT NULL,
    since REAL NOT NULL,
    seen REAL NOT NULL
)"""
_CACHE: Final = """
CREATE TABLE cache(
    key TEXT PRIMARY KEY,
    activity TEXT NOT NULL,
    code TEXT NOT NULL,
    inputs TEXT NOT NULL,
    run TEXT NOT NULL,
    call TEXT NOT NULL,
    at REAL NOT NULL,
    run_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    result TEXT NOT NULL,
    parts TEXT NOT NULL
)"""
_CACHE_BY_TIME: Final = "CREATE INDEX cache_by_time ON cache(activity, at)"
_CACHE_BY_INPUTS: Final = "CREATE INDEX cache_by_inputs ON cache(activity, inputs, at)"
_MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "ALTER TABLE log RENAME TO old_log",
        _LOG,
        "INSERT INTO log SELECT run << 36 | first, last, events FROM old_log",
        "DROP TABLE old_log",
    ),
    2: (_LEASE,),
    3: (_CACHE, _CACHE_BY_TIME, _CACHE_BY_INPUTS),
}
"""By version, what makes the tables of the next one."""


def set_up(db: sqlite3.Connection, path: str) -> None:
    """See to it that the tables are those of this version.

    Args:
        db: The open file.
        path: The store, for messages.

    Raises:
        StoreUnusable: It is a file of something else, or of a newer nbflow. Nothing is changed.
    """
    (version,) = _pragma(db, "user_version")
    if version == 0:
        with transaction(db):
            _create(db, path)
    elif _pragma(db, "application_id") != (_APPLICATION,):
        raise _foreign(path)
    elif version > SCHEMA:
        message = (
            f"the store {path} has schema {version}, and this nbflow knows schemas up to "
            f"{SCHEMA}: upgrade with pip install -U jupyter-nbflow, or use another store"
        )
        raise StoreUnusable(message)
    elif version < SCHEMA:
        with transaction(db):
            _migrate(db)
    db.execute("PRAGMA journal_mode=WAL")


def _create(db: sqlite3.Connection, path: str) -> None:
    if _pragma(db, "user_version") != (0,):
        return  # another process was quicker
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise _foreign(path)
    for statement in (_RUN, _LOG, _LEASE, _CACHE, _CACHE_BY_TIME, _CACHE_BY_INPUTS):
        db.execute(statement)
    db.execute(f"PRAGMA application_id={_APPLICATION}")
    db.execute(f"PRAGMA user_version={SCHEMA}")


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = _pragma(db, "user_version")  # another process may have been quicker
    for old in range(version, SCHEMA):
        for statement in _MIGRATIONS[old]:
            db.execute(statement)
    db.execute(f"PRAGMA user_version={SCHEMA}")


def _pragma(db: sqlite3.Connection, name: str) -> tuple[int, ...]:
    return db.execute(f"PRAGMA {name}").fetchone()  # type: ignore[no-any-return]


def _foreign(path: str) -> StoreUnusable:
    message = f"{path} holds an SQLite file of something else: use another store"
    return StoreUnusable(message)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing.

    IMMEDIATE: a transaction that reads before it writes fails at once otherwise when another
    process writes in between, whatever the time limit.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
