"""Moves a store's write-ahead log into its file, so that an old fault of SQLite's cannot strike.

SQLite before 3.51.3 can damage a file if a connection begins a log anew while another one moves
the log into the file. By itself it does so after a commit, when any other process may commit.
Here it is done by a second connection while the first one holds the lock to write, so that nobody
can begin a log meanwhile.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from pathlib import Path
from typing import Final

PAGES: Final = 16_000
"""Pages of 2 KiB that the write-ahead log may grow to before they are moved into the file."""
_MENDED: Final = (3, 51, 3)
_PAGE_BITS: Final = 11


def by_hand(found: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has the fault, so that its own checkpoints are switched off."""
    return found < _MENDED


class Checkpoints:
    """Counts what is appended, and sees to it that the write-ahead log does not grow for ever.

    Args:
        db: The connection that writes, with its own checkpoints switched off.
        file: The store's file.
    """

    def __init__(self, db: sqlite3.Connection, file: Path) -> None:
        self._db = db
        self._file = file
        self._grown = 0
        self._limit = PAGES if by_hand() else math.inf

    def wrote(self, letters: int) -> None:
        """Note that a text of so many letters was appended; within a transaction or after it."""
        self._grown += 1 + (letters >> _PAGE_BITS)

    def look(self, letters: int = 0) -> None:
        """Move the log into the file if it has grown enough. Between transactions only.

        Where somebody else is writing, or reads what is old, it is done another time.

        Args:
            letters: Of the text that was appended just now.
        """
        if letters:
            self.wrote(letters)
        if self._grown < self._limit:
            return
        self._grown = 0
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                with contextlib.closing(sqlite3.connect(self._file, timeout=0)) as other:
                    other.execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                self._db.execute("ROLLBACK")
