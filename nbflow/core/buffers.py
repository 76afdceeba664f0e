"""Pickles whose large buffers lie where they can be used without a copy.

An array or a frame of data is pickled as a few instructions and its buffers. What is written here
is an ordinary pickle, which `pickle.loads` reads, copying the buffers. But each large one begins at
an address that suits any processor, and behind the end of the pickle stands where they are. Whoever
has the bytes in memory that may be written to, as a private mapping of a file, gets values that
live in that memory (`loaded`).
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, Final

Bytes = bytes | bytearray | memoryview

ALIGNED: Final = 64
"""What the place of each is a multiple of, as the processor's cache has it."""
APART: Final = 1024 * 1024
"""Bytes from which a buffer is not copied into the pickle, but is a part of its own."""

_MARK: Final = b"\x00nbflow\x01"
_PLACE: Final = struct.Struct("<QQ?")
_END: Final = struct.Struct("<I8s")
_NEXT_BUFFER: Final = b"\x97"
_READONLY_BUFFER: Final = b"\x98"
# By the first byte of the instruction, how long it is before the bytes begin.
_HEADS: Final = {0x96: 9, 0x8E: 9, 0x42: 5}


class Writer:
    """What a pickler writes to.

    Example:
        >>> writer = Writer()
        >>> pickle.Pickler(writer, 5).dump([1])
        >>> data = b"".join(writer.finished())
    """

    def __init__(self) -> None:
        self._places: list[tuple[int, int, bool]] = []
        self._before: list[Bytes] = []
        self._length = 0
        self._text = io.BytesIO()

    def write(self, data: Any, /) -> int:
        """Take a piece of the pickle; a large buffer comes as a piece of its own."""
        if type(data) is not pickle.PickleBuffer:
            return self._text.write(data)
        raw = data.raw()
        self._align()
        place = self._length + self._text.tell()
        self._places.append((place, raw.nbytes, raw.readonly))
        if raw.nbytes < APART:
            return self._text.write(raw)
        self._before += (self._text.getvalue(), raw)
        self._length = place + raw.nbytes
        self._text = io.BytesIO()
        return raw.nbytes

    def _align(self) -> None:
        """Move the head of the coming buffer, which was just written, so that the rest fits."""
        text = self._text
        before = text.getbuffer()
        length = next(n for n in (9, 5) if _HEADS.get(before[-n]) == n)
        head = bytes(before[-length:])
        before.release()
        text.seek(-length, io.SEEK_END)
        room = -(self._length + text.tell() + length) % ALIGNED
        text.write(_nothing(room if room != 1 else room + ALIGNED) + head)

    def finished(self) -> tuple[Bytes, ...]:
        """Give all that was written, and behind it where the large buffers are.

        Returns:
            The parts of it. Those of `APART` bytes are the memory of the value itself, so they
            are to be used up before anybody can change it.
        """
        if self._places:
            for place in self._places:
                self._text.write(_PLACE.pack(*place))
            self._text.write(_END.pack(len(self._places), _MARK))
        return (*self._before, self._text.getvalue())


def _nothing(size: int) -> bytes:
    """Give instructions of that many bytes, not 1, that put something away and forget it."""
    odd = size % 2
    return b"K\x000" * odd + b"N0" * ((size - 3 * odd) // 2)


def loaded(data: bytes | bytearray | memoryview, unpickle: Callable[..., Any]) -> Any:
    """Give the value of a pickle.

    Args:
        data: The pickle. The large buffers of the value are those of a memoryview itself, which is
            to be of memory that nobody else uses; from bytes they are copied.
        unpickle: Called with the instructions, and with ``buffers=`` where there are such.
    """
    if type(data) is not memoryview or not (places := _places(data)):
        return unpickle(data)
    parts: list[bytes | memoryview] = []
    at = 0
    for start, size, readonly in places:
        parts += (data[at : _head(data, start)], _NEXT_BUFFER)
        if readonly:
            parts.append(_READONLY_BUFFER)
        at = start + size
    parts.append(data[at:])
    return unpickle(b"".join(parts), buffers=[data[a : a + size] for a, size, _ in places])


def _head(data: memoryview, start: int) -> int:
    """Give where the instruction begins whose bytes begin at `start`.

    Raises:
        pickle.UnpicklingError: There is none.
    """
    for length in (9, 5):
        if start >= length and _HEADS.get(data[start - length]) == length:
            return start - length
    message = "the places of its buffers are not in it"
    raise pickle.UnpicklingError(message)


def _places(data: memoryview) -> list[tuple[int, int, bool]]:
    if len(data) < _END.size:
        return []
    count, mark = _END.unpack_from(data, len(data) - _END.size)
    begin = len(data) - _END.size - count * _PLACE.size
    if mark != _MARK or begin < 0:
        return []
    return [_PLACE.unpack_from(data, begin + n * _PLACE.size) for n in range(count)]
