"""The names of what is kept: digests of bytes."""

from __future__ import annotations

import hashlib
from typing import Final

from nbflow.core.buffers import Bytes

LARGE: Final = 1024 * 1024
"""Bytes from which BLAKE3 is used, which takes a fifth of the time of BLAKE2b."""
_SIZE: Final = 20
"""Bytes of a digest by BLAKE3. One by BLAKE2b has 16, so a name says how it was made."""


def digest(*parts: Bytes) -> str:
    """Give the name under which bytes are kept, which come in one part or several.

    Example:
        >>> digest(b"some ", b"bytes") == digest(b"some bytes")
        True
    """
    return (_quick if sum(map(len, parts)) >= LARGE else _usual)(parts)


def fits(name: str, data: Bytes) -> bool:
    """Whether bytes are those that are kept under a name, made by this version or another."""
    return name == (_quick if len(name) == 2 * _SIZE else _usual)((data,))


def _usual(parts: tuple[Bytes, ...]) -> str:
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        made.update(part)
    return made.hexdigest()


def _quick(parts: tuple[Bytes, ...]) -> str:
    import blake3  # noqa: PLC0415 - many never need it

    made = blake3.blake3()
    for part in parts:
        made.update(part)
    return made.hexdigest(_SIZE)
