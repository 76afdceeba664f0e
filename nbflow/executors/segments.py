"""Large values on their way between the pool and its workers: in memory that both of them see.

A segment is a file without a name, in memory where the system has such, or the file in which a
store keeps the value. Its descriptor travels over a connection of its own, and the bytes do not
travel at all. Nothing else of it is left once nobody has it open, however the processes end.
"""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
import threading
import weakref
from collections import OrderedDict
from typing import Final, NamedTuple

from nbflow.core import payload
from nbflow.core.buffers import Bytes
from nbflow.core.payload import Blob, Packed
from nbflow.store.reading import BlobReader

LEAST: Final = 1024 * 1024
"""Bytes from which on a pickled value travels in a segment."""
KEPT_BYTES: Final = 256 * 1024 * 1024
"""So much is kept for calls to come, and the latest in any case."""


class Far(NamedTuple):
    """Stands in a message for a value whose segment is sent beside it.

    Attributes:
        size: Its bytes.
        refused: As in `Packed`.
    """

    size: int
    refused: str = ""


class Segment:
    """Memory that holds one pickled value, and does not change any more.

    Attributes:
        fd: Its descriptor, as long as this object is there.
        size: Its bytes.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        weakref.finalize(self, os.close, fd)

    @classmethod
    def of(cls, *parts: Bytes) -> Segment:
        """Make one that holds these bytes, which come in one part or several.

        Raises:
            OSError: There is no room for it.
        """
        made = cls(_anonymous(), sum(map(len, parts)))
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(made.fd, view) :]
        return made

    def own(self) -> memoryview:
        """Give what it holds, in memory that may be written to without anybody else seeing it."""
        return memoryview(mmap.mmap(self.fd, self.size, access=mmap.ACCESS_COPY))

    def data(self) -> bytes:
        """Give a copy of what it holds."""
        with mmap.mmap(self.fd, self.size, access=mmap.ACCESS_READ) as seen:
            return seen[:]

    def seen(self) -> memoryview:
        """Give what it holds, where it is."""
        return memoryview(mmap.mmap(self.fd, self.size, access=mmap.ACCESS_READ))

    # ------------------------------------------------------------ where a `Held` has its value

    def there(self) -> bool:
        """Whether it can be had: as long as this process lives."""
        return True

    def fetch(self) -> Packed:
        """Give the stored form of its value."""
        return Packed("pickle", self.data())


def _anonymous() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("nbflow", os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix="nbflow-")  # macOS
    os.unlink(path)  # noqa: PTH108 - as it is given
    return fd


class Side:
    """The connection that descriptors travel over, beside that of messages. For one thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, segment: Segment) -> None:
        """Send a segment; its `Far` is in the message that is sent next.

        Raises:
            OSError: The other end is closed.
        """
        socket.send_fds(self._sock, [b"s"], [segment.fd])

    def receive(self, size: int) -> Segment:
        """Take the next segment, whose `Far` was in the message that has come.

        Raises:
            EOFError: The other end is closed.
            OSError: The connection broke, or no more files can be opened here.
        """
        _, found, flags, _ = socket.recv_fds(self._sock, 1, 1)
        if len(found) != 1:
            if flags & socket.MSG_CTRUNC:
                message = "too many files are open here to take another value"
                raise OSError(message)
            raise EOFError
        os.set_inheritable(found[0], False)  # noqa: FBT003 - it takes nothing else
        return Segment(found[0], size)

    def close(self) -> None:
        """Close this end."""
        self._sock.close()


class Shelf:
    """Segments of values of the store that calls have taken, for the next ones that take them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Segment] = OrderedDict()
        self._bytes = 0

    def of(self, blob: Blob, fetch: payload.Fetch) -> Segment:
        """Give the segment of a blob: the store's own file, or else a copy that is kept here.

        Raises:
            NbflowError: The store does not have it.
            OSError: There is no room for it.
        """
        opened = fetch.open(blob.digest) if isinstance(fetch, BlobReader) else None
        if opened is not None:
            return Segment(opened, blob.size)  # the system keeps it in memory
        with self._lock:
            found = self._kept.get(blob.digest)
            if found is not None:
                self._kept.move_to_end(blob.digest)
                return found
        made = Segment.of(fetch(blob.digest))
        with self._lock:
            if blob.digest not in self._kept:
                self._kept[blob.digest] = made
                self._bytes += made.size
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].size
            return made

    def clear(self) -> None:
        """Let go of all of them."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0
