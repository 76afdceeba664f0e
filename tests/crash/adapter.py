"""apsw in the place of `sqlite3`, as far as nbflow's store uses that."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from tests.crash.disk import VFS


class Rows:
    """What a statement gave."""

    def __init__(self, rows: list[Any], rowcount: int, lastrowid: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount
        self.lastrowid = lastrowid

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def fetchmany(self, size: int) -> list[Any]:
        return [row for _, row in zip(range(size), self._rows, strict=False)]

    def close(self) -> None:
        self._rows = iter(())


class Connection:
    """A connection through the file system that takes notes."""

    def __init__(self, path: str) -> None:
        self._db = apsw.Connection(path, vfs=VFS)
        # A file system of Python's has no shared memory, which several connections would need.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        try:
            rows = self._db.execute(statement, tuple(values)).fetchall()
        except apsw.ConstraintError as error:
            raise sqlite3.IntegrityError(str(error)) from error
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        return Rows(rows, self._db.changes(), self._db.last_insert_rowid())

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        self._db.close()


class Sqlite:
    """Stands for the module."""

    Error = sqlite3.Error
    DatabaseError = sqlite3.DatabaseError
    OperationalError = sqlite3.OperationalError
    IntegrityError = sqlite3.IntegrityError
    Connection = Connection

    @staticmethod
    def connect(path: Any, **_: Any) -> Any:
        return Connection(str(path))
