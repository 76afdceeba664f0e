"""Bytes in files beside the log, each under the digest of what it holds."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from nbflow.core import payload
from nbflow.core.errors import StoreError


class Blobs:
    """The directory ``blobs`` of a store. For any thread and process.

    Args:
        directory: Where it is.
        path: The store, for messages.
    """

    def __init__(self, directory: Path, path: str) -> None:
        self.directory = directory
        self._path = path

    def put(self, data: bytes) -> str:
        """See `Store.put`. The file is whole and on the disk before this returns."""
        name = payload.digest(data)
        path = self.file(name)
        with contextlib.suppress(OSError):
            os.utime(path)  # it is in use again: `SqliteCache.sweep` leaves young ones alone
            if path.read_bytes() == data:  # else it was damaged, and is written anew
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
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            message = f"a value of {len(data)} bytes cannot be kept in {self._path}: {error}"
            raise StoreError(message) from error
        return name

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        try:
            data = self.file(digest).read_bytes()
        except OSError as error:
            message = f"blob {digest} is missing from {self._path}: {error}"
            raise StoreError(message) from error
        if payload.digest(data) != digest:
            message = f"blob {digest} in {self._path} is damaged"
            raise StoreError(message)
        return data

    def file(self, digest: str) -> Path:
        """Give the file of a digest, which may come from anywhere."""
        if not (digest.isalnum() and digest.isascii()):
            message = f"{digest!r:.60} is not the name of a blob"
            raise StoreError(message)
        return self.directory / digest[:2] / digest

    def names(self) -> Iterator[str]:
        """Give the digests of all that are there."""
        return (path.name for path in self.directory.glob("*/*") if "." not in path.name)


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
