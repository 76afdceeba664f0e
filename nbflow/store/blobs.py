"""Bytes in files beside the log, each under the digest of what it holds."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nbflow.core import payload
from nbflow.core.errors import StoreError

_LARGE: Final = 256 * 1024
"""Bytes from which to read a file twice, or to digest it again, costs more than to ask for its
times."""
_MOST: Final = 10_000
_Mark = tuple[int, int, int, int]


class Blobs:
    """The directory ``blobs`` of a store. For any thread and process.

    Args:
        directory: Where it is.
        path: The store, for messages.
    """

    def __init__(self, directory: Path, path: str) -> None:
        self.directory = directory
        self._path = path
        # What large files looked like when they were known to be whole. Whoever changes a file
        # changes its times, and on Unix nobody can set the last of them.
        self._whole: dict[str, _Mark] = {}

    def put(self, data: bytes) -> str:
        """See `Store.put`. The file is whole and on the disk before this returns."""
        name = payload.digest(data)
        path = self.file(name)
        with contextlib.suppress(OSError):
            whole = self._whole.get(name, ()) == _mark(path)
            os.utime(path)  # it is in use again: `SqliteCache.sweep` leaves young ones alone
            if whole or path.read_bytes() == data:  # else it was damaged, and is written anew
                self._note(name, _mark(path))
                return name
        temporary = path.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}")
        try:
            _make(self.directory)
            _make(path.parent)
            with open(temporary, "wb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync(path.parent)
            self._note(name, _mark(path))
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            message = f"a value of {len(data)} bytes cannot be kept in {self._path}: {error}"
            raise StoreError(message) from error
        return name

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        path = self.file(digest)
        try:
            before = _mark(path)
            data = path.read_bytes()
            whole = before == self._whole.get(digest) == _mark(path)
        except OSError as error:
            message = f"blob {digest} is missing from {self._path}: {error}"
            raise StoreError(message) from error
        if not whole:
            if payload.digest(data) != digest:
                message = f"blob {digest} in {self._path} is damaged"
                raise StoreError(message)
            self._note(digest, before)
        return data

    def _note(self, digest: str, mark: _Mark) -> None:
        """Note what a file looks like that is whole."""
        if mark[1] >= _LARGE:
            if len(self._whole) >= _MOST:
                self._whole.clear()
            self._whole[digest] = mark

    def file(self, digest: str) -> Path:
        """Give the file of a digest, which may come from anywhere."""
        if not (digest.isalnum() and digest.isascii()):
            message = f"{digest!r:.60} is not the name of a blob"
            raise StoreError(message)
        return self.directory / digest[:2] / digest

    def names(self) -> Iterator[str]:
        """Give the digests of all that are there."""
        return (path.name for path in self.directory.glob("*/*") if "." not in path.name)


def _mark(path: Path) -> _Mark:
    """Give what changes when somebody changes a file."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make(directory: Path) -> None:
    if not directory.exists():
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync(directory.parent)


def _sync(directory: Path) -> None:
    """Put the names in a directory on the disk: syncing a file does not do that everywhere."""
    with contextlib.suppress(OSError):  # not every system can
        opened = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
