"""Reads large values without copies that nobody needs."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nbflow.core.buffers import Bytes
    from nbflow.store.base import Store

MAPPED_BYTES: Final = 1024 * 1024
"""Bytes from which on a value is mapped from its file: below, a map costs more than a copy."""


class BlobReader:
    """Gives what a store keeps beside its log: what `unpack` and executors fetch blobs with.

    Args:
        store: It has the blobs.

    Attributes:
        open: `Store.open`.

    Example:
        >>> reader = BlobReader(store)
        >>> reader(store.put(b"some bytes"))
        b'some bytes'
    """

    __slots__ = ("_get", "open")

    def __init__(self, store: Store) -> None:
        self._get = store.get
        self.open = store.open

    def __call__(self, digest: str) -> bytes:
        """Give the bytes of a blob."""
        return self._get(digest)

    def own(self, digest: str) -> Bytes:
        """Give the bytes of a blob, in memory that nobody else uses if it is a memoryview."""
        opened = self.open(digest)
        if opened is None:
            return self._get(digest)
        with os.fdopen(opened, "rb", buffering=0) as file:
            size = os.fstat(opened).st_size
            if size < MAPPED_BYTES:
                return file.readall()
            return memoryview(mmap.mmap(opened, size, access=mmap.ACCESS_COPY))
