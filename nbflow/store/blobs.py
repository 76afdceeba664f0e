"""Bytes in files beside the log, each under the digest of what it holds."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nbflow.core.buffers import Bytes
from nbflow.core.digests import digest, fits
from nbflow.core.errors import StoreError
from nbflow.store.syncing import Syncing, put_on_disk

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
        self._later = Syncing()

    def put(self, *parts: Bytes, sync: bool = True, name: str = "") -> str:
        """See `Store.put`. The file is whole before this returns, and with `sync` on the disk.

        `name` is its digest, if that was made by another version of nbflow.
        """
        name = name or digest(*parts)
        path = self.file(name)
        with contextlib.suppress(OSError, StoreError):  # it is not there, or damaged
            os.close(self.open(name))
            os.utime(path)  # it is in use again: `SqliteCache.sweep` leaves young ones alone
            self._note(name, _mark(path))
            if sync:
                self._later.settle()
            return name
        temporary = path.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}")
        try:
            _make(self.directory)
            _make(path.parent)
            with open(temporary, "wb", opener=_private, buffering=0) as file:
                for part in parts:
                    _write(file.fileno(), part)
                if sync:
                    os.fsync(file.fileno())
            temporary.replace(path)
            if sync:
                put_on_disk(path.parent)
            else:
                self._later.later(path, sum(map(len, parts)))
            # Parts may be memory that another thread has changed meanwhile: whoever reads it looks.
            if len(parts) == 1:
                self._note(name, _mark(path))
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            size = sum(map(len, parts))
            message = f"a value of {size} bytes cannot be kept in {self._path}: {error}"
            raise StoreError(message) from error
        return name

    def settle(self) -> None:
        """Return once all that was put is on the disk."""
        self._later.settle()

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        path = self.file(digest)
        try:
            before = _mark(path)
            data = path.read_bytes()
            whole = before == self._whole.get(digest) == _mark(path)
        except OSError as error:
            raise self._missing(digest, error) from error
        if not whole:
            self._check(digest, data)
            self._note(digest, before)
        return data

    def open(self, digest: str) -> int:
        """Give a descriptor of the file that holds these bytes, to be closed by the caller.

        Raises:
            StoreError: As of `get`.
            OSError: It cannot be mapped into memory.
        """
        try:
            opened = os.open(self.file(digest), os.O_RDONLY)
        except OSError as error:
            raise self._missing(digest, error) from error
        try:
            mark = _mark_of(os.fstat(opened))
            data = _mapped(opened) if mark[1] else b""  # in any case: not every system can
            if mark != self._whole.get(digest):
                self._check(digest, data)
                self._note(digest, mark)
        except BaseException:
            os.close(opened)
            raise
        return opened

    def _missing(self, digest: str, error: OSError) -> StoreError:
        return StoreError(f"blob {digest} is missing from {self._path}: {error}")

    def _check(self, digest: str, data: Bytes) -> None:
        if not fits(digest, data):
            message = f"blob {digest} in {self._path} is damaged"
            raise StoreError(message)

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
    return _mark_of(path.stat())


def _mark_of(found: os.stat_result) -> _Mark:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _mapped(opened: int) -> memoryview:
    return memoryview(mmap.mmap(opened, 0, access=mmap.ACCESS_READ))


def _write(fd: int, data: Bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make(directory: Path) -> None:
    if not directory.exists():
        directory.mkdir(mode=0o700, exist_ok=True)
        put_on_disk(directory.parent)
