"""The tables of an SQLite store: made, checked, and brought up to date."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from nbflow.core.errors import StoreUnusable

SCHEMA: Final = 5
"""The version of the tables, kept in the file as ``user_version``."""

SEQ_BITS: Final = 36
"""A row of ``log`` has the key ``run << SEQ_BITS | seq of its first event``.

So the table is one tree that grows at the end of each run, and an append changes one page of it.
"""

_PAGE_BYTES: Final = 2048
"""A small append writes one page; the usual 4,096 bytes of it would be mostly the same again."""
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
    events TEXT NOT NULL,
    sum INTEGER
)"""
"""`sum` is what `checksum` gives for `events`; older rows have none."""
_LOG_2: Final = """
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
        _LOG_2,
        "INSERT INTO log SELECT run << 36 | first, last, events FROM old_log",
        "DROP TABLE old_log",
    ),
    2: (_LEASE,),
    3: (_CACHE, _CACHE_BY_TIME, _CACHE_BY_INPUTS),
    4: ("ALTER TABLE log ADD COLUMN sum INTEGER",),
}
"""By version, what makes the tables of the next one."""


def checksum(text: str) -> int:
    """Sum up the events of a row, to notice damage that SQLite itself does not look for."""
    return zlib.crc32(text.encode())


def set_up(db: sqlite3.Connection, path: str, *, readonly: bool = False, wal: bool = True) -> None:
    """See to it that the tables are those of this version.

    Args:
        db: The open file.
        path: The store, for messages.
        readonly: Whether nothing can be changed.
        wal: Whether the file system is one that a write-ahead log works on.

    Raises:
        StoreUnusable: It is a file of something else, or of a newer nbflow. Nothing is changed.
    """
    (version,) = _pragma(db, "user_version")
    if version == 0 and not readonly:
        db.execute(f"PRAGMA page_size={_PAGE_BYTES}")  # before there is anything in it
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
        if readonly:
            message = (
                f"the store {path} has schema {version}, which has to be brought to {SCHEMA} "
                "first, and it cannot be written to: open a copy of it"
            )
            raise StoreUnusable(message)
        _back_up(db, version)
        with transaction(db):
            _migrate(db)
    if not readonly:
        db.execute(f"PRAGMA journal_mode={'WAL' if wal else 'TRUNCATE'}")


def _back_up(db: sqlite3.Connection, version: int) -> None:
    """Copy the file as it is, to ``log.schema-N.sqlite`` beside it, whole or not at all."""
    file = next(Path(found) for _, name, found in db.execute("PRAGMA database_list") if found)
    target = file.with_name(f"{file.stem}.schema-{version}{file.suffix}")
    if target.exists():
        return  # of a migration that did not come to its end: it is what there was before
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600))
        with contextlib.closing(sqlite3.connect(temporary)) as copy:
            db.backup(copy)
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


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
def transaction(
    db: sqlite3.Connection, begin: Callable[[], object] | None = None
) -> Iterator[None]:
    """Do all of it or nothing.

    Args:
        db: The connection.
        begin: Does ``BEGIN IMMEDIATE``, if it is to be done in another way.

    IMMEDIATE: a transaction that reads before it writes fails at once otherwise when another
    process writes in between, whatever the time limit.
    """
    if begin is None:
        db.execute("BEGIN IMMEDIATE")
    else:
        begin()
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
