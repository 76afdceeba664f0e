"""Waiting for other writers of a store, and saying so when it takes long."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from nbflow.store.opening import BUSY_SECONDS, NOTICE_SECONDS, is_busy


class Patience:
    """How long a connection waits for others: briefly, then for long, with a notice in between.

    Args:
        db: The connection, which waits for `NOTICE_SECONDS`.
        file: The store's file.
        network: Whether it is on a network file system; then it waits for long in any case.

    Attributes:
        whom: For whom it had to wait last, in words.
    """

    def __init__(self, db: sqlite3.Connection, file: Path, *, network: bool) -> None:
        self._db = db
        self._file = file
        self._network = network
        self.whom = ""

    @contextlib.contextmanager
    def long(self) -> Iterator[None]:
        """Wait for long within this block."""
        self._db.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
        try:
            yield
        finally:
            if not self._network:
                self._db.execute(f"PRAGMA busy_timeout={NOTICE_SECONDS * 1000:.0f}")

    def again(self, error: sqlite3.Error, act: Callable[[], object]) -> None:
        """Try once more and for longer, having said so, if all that is in the way is a writer.

        Raises:
            sqlite3.Error: It failed for another reason, or again.
        """
        if not is_busy(error):
            raise error
        self.whom = self._holder()
        warnings.warn(
            f"{self.whom} keeps the store {self._file.parent} locked; waiting for up to "
            f"{BUSY_SECONDS:g} s",
            RuntimeWarning,
            stacklevel=2,
        )
        with self.long():
            act()

    def _holder(self) -> str:
        """Say who is in the way, as far as that can be known."""
        holder = _lock_holder(self._file)
        if holder:
            return f"process {holder}"
        drivers: list[int] = []
        with contextlib.suppress(sqlite3.Error):
            drivers = [pid for (pid,) in self._db.execute("SELECT DISTINCT pid FROM lease")]
        others = [str(pid) for pid in drivers if pid != os.getpid()]
        return f"likely process {', '.join(others)}" if others else "another process"


def _lock_holder(file: Path) -> int:
    """Give the process that holds a lock to write, from Linux's list of locks; 0 if unknown."""
    inodes = set()
    for name in (file.name, f"{file.name}-shm"):
        with contextlib.suppress(OSError):
            inodes.add(str(file.with_name(name).stat().st_ino))
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if "WRITE" in fields and fields[5].rpartition(":")[2] in inodes:
                pid = int(fields[4])
                if pid not in {os.getpid(), -1, 0}:
                    return pid
    return 0
