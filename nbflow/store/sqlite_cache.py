"""Kept results in the file of an SQLite store."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from nbflow.core.payload import SCALARS
from nbflow.core.seals import Seal, checked, sealed
from nbflow.store.cached import GRACE, CacheRow, Earlier, blobs_in, read_stored, write_stored
from nbflow.store.letters import waiting
from nbflow.store.schema import transaction

_COLUMNS: Final = ", ".join(CacheRow._fields)
_INTO: Final = f"INTO cache({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_EARLIER: Final = "run, call, at, inputs, parts"
_LATEST: Final = (
    f"SELECT {_EARLIER} FROM cache WHERE activity = ? AND run <> ? ORDER BY at DESC LIMIT ?"  # noqa: S608 - ours
)
_ALIKE: Final = (
    f"SELECT {_EARLIER} FROM (SELECT {_EARLIER}, "  # noqa: S608 - ours
    "row_number() OVER (PARTITION BY inputs ORDER BY at DESC) AS place "
    "FROM cache WHERE activity = ? AND run <> ? AND inputs IN ({})) WHERE place <= ?"
)
_MANY: Final = 500


class SqliteCache:
    """The table ``cache``; see `ResultCache`.

    Args:
        db: The store's connection, used only while one of the next two holds.
        reading: Has the connection for oneself; what SQLite raises becomes a `StoreError`.
        writing: The same, for writing what the message of the error names.
        blobs: The directory of the blobs.
        seal: Signs and checks what is pickled.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        reading: Callable[[], AbstractContextManager[None]],
        writing: Callable[[str], AbstractContextManager[None]],
        blobs: Path,
        seal: Seal,
    ) -> None:
        self._db = db
        self._reading = reading
        self._writing = writing
        self._blobs = blobs
        self._seal = seal

    def get(self, key: str) -> CacheRow | None:
        """See `ResultCache.get`."""
        found = self._select("WHERE key = ?", (key,))
        return found[0] if found else None

    def find(self, keys: Sequence[str]) -> dict[str, CacheRow]:
        """See `ResultCache.find`."""
        found: list[CacheRow] = []
        for first in range(0, len(keys), _MANY):
            some = tuple(keys[first : first + _MANY])
            found += self._select(f"WHERE key IN ({','.join('?' * len(some))})", some)
        return {row.key: row for row in found}

    def add(self, row: CacheRow, *, replace: bool = False) -> bool:
        """See `ResultCache.add`."""
        how, values = "REPLACE" if replace else "IGNORE", self._values(row)
        with self._writing("the cache"):
            return self._db.execute(f"INSERT OR {how} {_INTO}", values).rowcount == 1

    def extend(self, rows: Sequence[CacheRow]) -> None:
        """See `ResultCache.extend`."""
        values = [self._values(row) for row in rows]
        with self._writing("the cache"), transaction(self._db):
            self._db.executemany(f"INSERT OR IGNORE {_INTO}", values)

    def _values(self, row: CacheRow) -> tuple[Any, ...]:
        result = sealed(place_of(row.key), row.result, self._seal)
        return (
            *(row.key, row.activity, row.code, row.inputs, row.run, row.call, row.at),
            *(row.run_ns, row.size, write_stored(result), row.parts),
        )

    def alike(
        self, activity: str, inputs: Sequence[str], besides: str, limit: int
    ) -> list[Earlier]:
        """See `ResultCache.alike`."""
        found: list[Earlier] = []
        for first in range(0, len(inputs), _MANY):
            some = inputs[first : first + _MANY]
            statement = _ALIKE.format(",".join("?" * len(some)))
            found += self._earlier(statement, (activity, besides, *some, limit))
        return found

    def latest(self, activity: str, besides: str, limit: int) -> list[Earlier]:
        """See `ResultCache.latest`."""
        return self._earlier(_LATEST, (activity, besides, limit))

    def _earlier(self, statement: str, values: tuple[Any, ...]) -> list[Earlier]:
        with self._reading():
            rows = self._db.execute(statement, values).fetchall()
        return [Earlier(*row) for row in rows]

    def rows(self, activity: str | None = None) -> list[CacheRow]:
        """See `ResultCache.rows`."""
        if activity is None:
            return self._select("ORDER BY at DESC", ())
        return self._select("WHERE activity = ? ORDER BY at DESC", (activity,))

    def remove(self, keys: Iterable[str]) -> int:
        """See `ResultCache.remove`."""
        wanted = list(keys)
        with self._writing("the cache"), transaction(self._db):
            return sum(
                self._db.execute("DELETE FROM cache WHERE key = ?", (key,)).rowcount
                for key in wanted
            )

    def sweep(self, grace: float = GRACE) -> tuple[int, int]:
        """See `ResultCache.sweep`.

        Nobody can write meanwhile. What a run has put beside the log and not yet named in it is
        young: `put` sees to that for one that was there already, too.
        """
        number = size = 0
        with self._writing("the cache"), transaction(self._db):
            used = self._used()
            old = time.time() - grace
            for path in self._blobs.glob("*/*"):
                if path.name not in used and (found := _deleted(path, old)) is not None:
                    number, size = number + 1, size + found
        return number, size

    def _used(self) -> set[str]:
        used: set[str] = set()
        for letter in waiting(self._blobs.parent):
            used.update(blobs_in(letter.text))
        for statement in ("SELECT events FROM log", "SELECT result FROM cache"):
            cursor = self._db.execute(statement)
            while page := cursor.fetchmany(_MANY):
                for (text,) in page:
                    used.update(blobs_in(text))
        return used

    def _select(self, where: str, values: tuple[Any, ...]) -> list[CacheRow]:
        with self._reading():
            statement = f"SELECT {_COLUMNS} FROM cache {where}"  # noqa: S608 - ours
            found = self._db.execute(statement, values).fetchall()
        return [self._row(*values) for values in found]

    def _row(self, *values: Any) -> CacheRow:
        *before, text, parts = values
        result = read_stored(text)
        if type(result) not in SCALARS:
            result = checked(place_of(before[0]), result, self._seal)
        return CacheRow._make((*before, result, parts))


def place_of(key: str) -> tuple[object, ...]:
    """Give what the signature of a kept result is good for; see `nbflow.core.seals.claim`."""
    return ("cache", key)


def _deleted(path: Path, old: float) -> int | None:
    """Delete a file that was last put there before `old`; give its size, or None if it stays."""
    if "." in path.name:  # one that is being written, or was when its process died
        old = min(old, time.time() - GRACE)
    aside = path.with_name(f"{path.name.partition('.')[0]}.old")
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_mtime > old:
            return None
        path.rename(aside)  # so that nobody finds it from now on
        found = aside.stat()
        if found.st_mtime > old:  # somebody did, just before
            aside.rename(path)
            return None
        aside.unlink()
        return found.st_size
    return None
