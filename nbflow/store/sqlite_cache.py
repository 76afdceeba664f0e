"""Kept results in the file of an SQLite store."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol

from nbflow.store.cached import GRACE, CacheRow, blobs_in, read_stored, write_stored
from nbflow.store.schema import transaction

_COLUMNS: Final = "key, activity, code, inputs, run, call, at, run_ns, size, result, parts"
_MANY: Final = 500


class Database(Protocol):
    """What a cache needs of its store.

    Attributes:
        db: The connection, to be used within `using` only.
        blobs: The directory of the blobs.
    """

    @property
    def db(self) -> sqlite3.Connection: ...
    @property
    def blobs(self) -> Path: ...

    def using(self, *, write: bool) -> AbstractContextManager[None]:
        """Have the connection for oneself; what SQLite raises becomes a StoreError."""


class SqliteCache:
    """The table ``cache``; see `ResultCache`."""

    def __init__(self, store: Database) -> None:
        self._store = store

    def get(self, key: str) -> CacheRow | None:
        """See `ResultCache.get`."""
        found = self._select("WHERE key = ?", (key,))
        return found[0] if found else None

    def add(self, row: CacheRow, *, replace: bool = False) -> bool:
        """See `ResultCache.add`."""
        how = "REPLACE" if replace else "IGNORE"
        values = (
            *(row.key, row.activity, row.code, row.inputs, row.run, row.call, row.at),
            *(row.run_ns, row.size, write_stored(row.result), row.parts),
        )
        with self._store.using(write=True):
            statement = f"INSERT OR {how} INTO cache({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
            return self._store.db.execute(statement, values).rowcount == 1

    def near(self, activity: str, inputs: str, besides: str, limit: int) -> list[CacheRow]:
        """See `ResultCache.near`."""
        alike = self._select(
            "WHERE activity = ? AND inputs = ? AND run <> ? ORDER BY at DESC LIMIT ?",
            (activity, inputs, besides, limit),
        )
        others = self._select(
            "WHERE activity = ? AND inputs <> ? AND run <> ? ORDER BY at DESC LIMIT ?",
            (activity, inputs, besides, limit - len(alike)),
        )
        return alike + others

    def rows(self, activity: str | None = None) -> list[CacheRow]:
        """See `ResultCache.rows`."""
        if activity is None:
            return self._select("ORDER BY at DESC", ())
        return self._select("WHERE activity = ? ORDER BY at DESC", (activity,))

    def remove(self, keys: Iterable[str]) -> int:
        """See `ResultCache.remove`."""
        wanted = list(keys)
        with self._store.using(write=True), transaction(self._store.db):
            return sum(
                self._store.db.execute("DELETE FROM cache WHERE key = ?", (key,)).rowcount
                for key in wanted
            )

    def sweep(self, grace: float = GRACE) -> tuple[int, int]:
        """See `ResultCache.sweep`.

        Nobody can write meanwhile. What a run has put beside the log and not yet named in it is
        young: `put` sees to that for one that was there already, too.
        """
        number = size = 0
        with self._store.using(write=True), transaction(self._store.db):
            used = self._used()
            old = time.time() - grace
            for path in self._store.blobs.glob("*/*"):
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    if path.name not in used and found.st_mtime <= old:
                        path.unlink()
                        number, size = number + 1, size + found.st_size
        return number, size

    def _used(self) -> set[str]:
        used: set[str] = set()
        for statement in ("SELECT events FROM log", "SELECT result FROM cache"):
            cursor = self._store.db.execute(statement)
            while page := cursor.fetchmany(_MANY):
                for (text,) in page:
                    used.update(blobs_in(text))
        return used

    def _select(self, where: str, values: tuple[Any, ...]) -> list[CacheRow]:
        with self._store.using(write=False):
            statement = f"SELECT {_COLUMNS} FROM cache {where}"  # noqa: S608 - ours
            found = self._store.db.execute(statement, values).fetchall()
        names = _COLUMNS.split(", ")
        rows = [dict(zip(names, values, strict=True)) for values in found]
        return [CacheRow(**{**row, "result": read_stored(row["result"])}) for row in rows]
