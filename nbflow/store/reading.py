"""Reads large values without copies that nobody needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbflow.core.buffers import Bytes
    from nbflow.store.base import Store


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
        try:
            data = memoryview(bytearray(os.fstat(opened).st_size))
            left = data
            while left and (count := os.readv(opened, [left])):
                left = left[count:]
            return data
        finally:
            os.close(opened)
