"""What the signature of a pickled value covers, and where pickled values are in an event.

A signature is good for one place: one field of one event of one run. A value that is copied to
another place, by whoever can write to the file but does not have the key, is refused there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from nbflow.core.failure import Failure
from nbflow.core.payload import Blob, Packed

T = TypeVar("T")

_MARKS = ('"$pickle"', '"$blob"', '"pickled"')
LEFT_OUT = "it was left out when the run was exported"
_KINDS = frozenset({Packed, Blob, Failure})


class Seal(Protocol):
    """Signs, and tells its own signatures from others."""

    def sign(self, claim: bytes) -> str:
        """Give the signature of a claim."""

    def refusal(self, claim: bytes, sig: str) -> str:
        """Say why a signature is no good for a claim; "" if it is."""


def is_pickled(value: object) -> bool:
    """Whether a field of an event holds a pickle, which a signature has to vouch for."""
    if isinstance(value, Failure):
        return value.pickled is not None
    return isinstance(value, Packed | Blob) and value.codec != "json"


def may_hold_pickles(text: str) -> bool:
    """Whether written events may hold a pickle. Much quicker than a look at each event."""
    return any(mark in text for mark in _MARKS)


def claim(where: tuple[object, ...], value: Packed | Blob | Failure) -> bytes:
    """Write what a signature says: this value is what stands there.

    Args:
        where: Run, number and kind of the event, call and field, or the like of another place.
        value: The value.
    """
    if isinstance(value, Failure):
        found = ("pickle", hashlib.sha256(value.pickled or b"").hexdigest())
    elif isinstance(value, Blob):
        found = (f"blob {value.codec}", value.digest)
    else:
        data = value.data.encode() if isinstance(value.data, str) else value.data
        found = (value.codec, hashlib.sha256(data).hexdigest())
    # Two different claims are never written alike: `ascii` quotes and escapes each part.
    return ascii(("nbflow 1", *where, *found)).encode()


def sealed(where: tuple[object, ...], value: Any, seal: Seal) -> Any:
    """Give a value with its signature for a place. One that is refused gets none.

    So nothing becomes trusted by being handed on: from one call to the next, or to another run.
    """
    if not isinstance(value, Packed | Blob | Failure) or not is_pickled(value):
        return value
    sig = "" if value.refused or is_left_out(value) else seal.sign(claim(where, value))
    if type(value) is Packed:  # the most frequent by far, and `replace` takes its time
        return Packed(value.codec, value.data, value.refused, sig)
    return replace(value, sig=sig)


def checked(where: tuple[object, ...], value: Any, seal: Seal) -> Any:
    """Give a value that was read from a place, allowed or refused as its signature says."""
    if not isinstance(value, Packed | Blob | Failure) or not is_pickled(value):
        return value
    if is_left_out(value):
        return replace(value, refused=LEFT_OUT)
    refused = seal.refusal(claim(where, value), value.sig)
    if type(value) is Packed:
        return Packed(value.codec, value.data, refused, value.sig)
    return replace(value, refused=refused)


def is_left_out(value: Packed | Blob | Failure) -> bool:
    """Whether only the place of a pickle is there: exports leave pickles out."""
    return isinstance(value, Packed) and not value.data


def left_out(value: T) -> T:
    """Give a value without what is pickled in it, to be shown to others."""
    if isinstance(value, Failure):
        return replace(value, pickled=None, refused="", sig="")
    if isinstance(value, Packed) and is_pickled(value):
        return replace(value, data=b"", refused=LEFT_OUT, sig="")
    if isinstance(value, Blob) and is_pickled(value):
        return replace(value, refused=LEFT_OUT, sig="")
    return value


def vouched(value: T) -> T:
    """Give a value as one that may be loaded, because somebody who can know says so."""
    if isinstance(value, Packed | Blob | Failure) and is_pickled(value):
        return replace(value, refused=LEFT_OUT if is_left_out(value) else "")
    return value


def mapped(event: Any, fn: Callable[[Any], Any]) -> Any:
    """Give an event with `fn` applied to each value that may be pickled."""
    return _mapped(event, "", lambda _, value: fn(value))


def with_seals(event: Any, run: str, seal: Seal) -> Any:
    """Give an event with a signature on everything that is pickled in it."""
    return _mapped(event, run, lambda where, value: sealed(where, value, seal))


def with_checks(event: Any, run: str, seal: Seal) -> Any:
    """Give an event with everything that is pickled in it allowed or refused."""
    return _mapped(event, run, lambda where, value: checked(where, value, seal))


def _mapped(event: Any, run: str, fn: Callable[[tuple[object, ...], Any], Any]) -> Any:
    base = (run, event.seq, type(event).__name__, getattr(event, "call", ""))
    fields = []
    for name, value in zip(event._fields, event, strict=True):
        kind = type(value)
        if kind in _KINDS:
            fields.append(fn((*base, name), value))
        elif kind is tuple:
            fields.append(tuple(fn((*base, f"{name}.{n}"), v) for n, v in enumerate(value)))
        elif kind is dict:
            fields.append({k: fn((*base, f"{name}.{k}"), v) for k, v in value.items()})
        else:
            fields.append(value)
    return type(event)._make(fields)


def pickles_in(event: Any) -> list[Packed | Blob | Failure]:
    """Give everything in an event that is pickled."""
    found: list[Any] = []
    for value in event:
        kind = type(value)
        parts = value if kind is tuple else value.values() if kind is dict else (value,)
        found += [part for part in parts if type(part) in _KINDS and is_pickled(part)]
    return found
