"""Puts files on the disk that nobody waits for."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 32 * 1024 * 1024
"""So much may be on its way to the disk when more is written."""


class Syncing:
    """Syncs files in a thread of its own, which is there as long as there are any.

    Of any thread. What it cannot sync is not there any more, or not to be helped: whoever needs
    to know asks for a sync and waits for it.

    Example:
        >>> syncing = Syncing()
        >>> syncing.later(Path("blobs/4f/4f02"), 70_000)
        >>> syncing.settle()
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: deque[tuple[Path, int]] = deque()
        self._bytes = 0
        self._busy = False

    def later(self, path: Path, size: int) -> None:
        """Have a file of so many bytes, and its name, put on the disk soon.

        Waits while much is on its way: systems slow down whoever writes more than the disk takes.
        """
        with self._lock:
            self._lock.wait_for(lambda: self._bytes < MOST_BYTES)
            self._waiting.append((path, size))
            self._bytes += size
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._work, name="nbflow-sync", daemon=True).start()

    def settle(self) -> None:
        """Return once there is nothing to be synced."""
        with self._lock:
            self._lock.wait_for(lambda: not self._busy)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    self._lock.notify_all()
                    return
                path, size = self._waiting.popleft()
            put_on_disk(path)
            put_on_disk(path.parent)
            with self._lock:
                self._bytes -= size
                self._lock.notify_all()


def put_on_disk(path: Path) -> None:
    """Sync a file, or the names in a directory, which syncing the files does not do everywhere.

    Not every system can do the second.
    """
    with contextlib.suppress(OSError):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
