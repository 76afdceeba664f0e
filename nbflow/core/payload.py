"""How values are stored: as themselves, as exact JSON, or as pickle.

A *stored* value is what an event holds. Small scalars stand for themselves. Lists, tuples and
dicts of them become JSON text when that gives back exactly the same types; everything else is
pickled by cloudpickle, so that classes and functions of a notebook travel too. Whoever unpacks
gets a fresh copy, so no consumer can change what another one sees.

To unpickle is to run code. What is stored as pickle is unpickled only where it was made in this
process, or where a store has seen by its signature that this user's own nbflow wrote it there
(see `nbflow.core.seals`); everything else is *refused*, and can be looked at but not loaded.
"""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from nbflow.core.buffers import Bytes
from nbflow.core.digests import digest
from nbflow.core.errors import PickleRefused, Unserialisable
from nbflow.core.held import GONE, Held
from nbflow.core.pickling import RefOf as RefOf  # noqa: PLC0414 - what stored values need is here
from nbflow.core.pickling import ValueOf as ValueOf  # noqa: PLC0414
from nbflow.core.pickling import dumps as dumps  # noqa: PLC0414
from nbflow.core.pickling import joined, load, no_ref, parts
from nbflow.core.pickling import loads as loads  # noqa: PLC0414
from nbflow.core.secret import Secret

BLOB_BYTES = 64 * 1024
"""Packed values above this size leave the log and go to the store's blobs."""

SCALARS: frozenset[type] = frozenset({type(None), bool, int, float, str})
"""Types that stand for themselves in an event."""

UNCHECKED: Final = "it was read without a key that could show who wrote it"
"""Why a pickle is refused that nobody has looked at the signature of."""
JSON_ONLY: Final = (
    "NBFLOW_ALLOW_PICKLE=0 is set: values are kept as JSON only (numbers, text, booleans, None, "
    "and lists, tuples and dicts of them)"
)


@dataclass(slots=True, unsafe_hash=True)
class Ref:
    """Stands where a Future stood among the arguments of a call. Not to be changed.

    Nothing enforces that: a frozen dataclass takes three times as long to make, and there is one
    of these for every edge.
    """

    call: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A value as text (codec ``json``) or as bytes (codec ``pickle``).

    Attributes:
        codec: How it is written.
        data: What is written.
        refused: Why it may not be unpickled; "" if it may.
        sig: The signature that it was read with.
    """

    codec: str
    data: str | Bytes
    refused: str = field(default="", compare=False, repr=False)
    sig: str = field(default="", compare=False, repr=False)

    @property
    def size(self) -> int:
        """Length of the data, in characters or bytes."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Blob:
    """A packed value that is kept beside the log, under the digest of its bytes.

    `refused` and `sig` are as in `Packed`.
    """

    codec: str
    digest: str
    size: int
    refused: str = field(default="", compare=False, repr=False)
    sig: str = field(default="", compare=False, repr=False)


# JSON is read back by int(), which refuses more than 4,300 digits.
_LOW: Final = -(1 << 10_000)
_HIGH: Final = 1 << 10_000


WORD: Final = 1 << 63
"""Whole numbers between this and its negative are plain: where calls are many, that is looked at
before `is_plain` is asked."""


def is_plain(value: object) -> bool:
    """Whether a value stands for itself in an event: a scalar, and a small one."""
    kind = type(value)
    if kind is int:
        return _LOW < value < _HIGH  # type: ignore[operator]
    if kind is str:
        return len(value) <= BLOB_BYTES  # type: ignore[arg-type]
    return kind in SCALARS


Stored = None | bool | int | float | str | Ref | Packed | Blob | Held
"""What an event holds in the place of a value."""

Fetch = Callable[[str], bytes]
"""Gives the bytes of a blob by its digest."""


class Put(Protocol):
    """Keeps bytes, and gives the digest under which they are found."""

    def __call__(self, *parts: Bytes) -> str:
        """Keep the parts as one."""


class _NotJson(Exception):
    """This value has no exact JSON form."""


def pickles_allowed() -> bool:
    """Whether values may be kept as pickle: unless ``NBFLOW_ALLOW_PICKLE`` says no."""
    return os.environ.get("NBFLOW_ALLOW_PICKLE", "").strip().lower() not in {"0", "no", "false"}


def pack(
    value: object, what: str, ref: RefOf = no_ref, *, kept: bool = True, put: Put | None = None
) -> Stored:
    """Give the stored form of `value`.

    Args:
        value: Any value; futures in it, at any depth, become references.
        what: What the value is, for the error: ``"argument rows of fetch-1"``.
        ref: Tells futures from other things.
        kept: Whether it is for a log; what stays in this process may be pickled in any case.
        put: Keeps what is large, before this returns; without it the stored form holds all of it.

    Raises:
        Unserialisable: The value cannot be stored.

    Example:
        >>> pack([1, 2], "example")
        Packed(codec='json', data='[1,2]')
    """
    if is_plain(value):
        return value  # type: ignore[return-value]
    if (call := ref(value)) is not None:
        return Ref(call)
    try:
        return Packed("json", json.dumps(_exact(value, ref), separators=(",", ":")))
    except (_NotJson, RecursionError):
        if kept and not pickles_allowed():
            message = f"{what}, of type {type(value).__name__}, cannot be stored: {JSON_ONLY}"
            raise Unserialisable(message) from None
        pieces = parts(value, what, ref)
        if put is not None and (size := sum(map(len, pieces))) > BLOB_BYTES:
            return Blob("pickle", put(*pieces), size)
        return Packed("pickle", joined(pieces))


def unpack(stored: Stored, value_of: ValueOf, fetch: Fetch) -> Any:
    """Give a fresh copy of what was stored, with references replaced by values.

    Raises:
        Unserialisable: The bytes do not give a value here.
        PickleRefused: It is a pickle that may not be loaded.
    """
    match stored:
        case Ref():
            return value_of(stored.call)
        case Packed(codec="json"):
            return _read_json(stored.data, value_of)  # type: ignore[arg-type]
        case Packed():
            check(stored.refused)
            return load(stored.data, value_of)  # type: ignore[arg-type]
        case Blob(codec="json"):
            return _read_json(fetch(stored.digest), value_of)
        case Blob():
            check(stored.refused)
            # Who can gives memory that nobody else uses: large buffers are not copied from that.
            return load(getattr(fetch, "own", fetch)(stored.digest), value_of)
        case Held():
            return _held(stored, value_of, fetch)
        case _:
            return stored


def _held(held: Held, value_of: ValueOf, fetch: Fetch) -> Any:
    if not held.there:
        raise Unserialisable(GONE)
    return unpack(held.form(), value_of, fetch) if held.copied else held.value


def shipped(held: Held, what: str) -> Stored:
    """Give the stored form of a value that is held here, for another process that needs it.

    Raises:
        Unserialisable: It is not here, or cannot be pickled.
    """
    if not held.there:
        raise Unserialisable(GONE)
    return held.form() if held.copied else pack(held.value, what, kept=False)


def check(refused: str) -> None:
    """Refuse a stored pickle that may not be loaded.

    Args:
        refused: Why not; "" if nothing is known against it.

    Raises:
        PickleRefused: It may not.
    """
    if refused:
        message = f"a pickled value is not loaded, since that would run code: {refused}"
        raise PickleRefused(message)
    if not pickles_allowed():
        message = f"a pickled value is not loaded: {JSON_ONLY}"
        raise PickleRefused(message)


def spill(stored: Stored, put: Callable[[bytes], str] = digest) -> Stored:
    """Move a large packed value to where `put` keeps bytes; give others back as they are."""
    if type(stored) is not Packed or stored.size <= BLOB_BYTES:
        return stored
    data = stored.data.encode() if isinstance(stored.data, str) else stored.data
    kept = put(data)  # type: ignore[arg-type] # only a store of this process meets a memoryview
    return Blob(stored.codec, kept, len(data), stored.refused)


def _exact(value: object, ref: RefOf) -> object:
    """Give a structure that JSON brings back exactly, or raise `_NotJson`."""
    kind = type(value)
    if kind in SCALARS:
        if kind is float and not math.isfinite(value):  # type: ignore[arg-type]
            raise _NotJson
        if kind is int and not _LOW < value < _HIGH:  # type: ignore[operator]
            raise _NotJson
        return value
    if kind is list:
        return [_exact(item, ref) for item in value]  # type: ignore[attr-defined]
    if kind is tuple:
        return {"$tuple": [_exact(item, ref) for item in value]}  # type: ignore[attr-defined]
    if kind is dict:
        return {_key(k): _exact(v, ref) for k, v in value.items()}  # type: ignore[attr-defined]
    if (call := ref(value)) is not None:
        return {"$ref": call}
    if kind is Secret:
        return {"$secret": value.reference}  # type: ignore[attr-defined]
    raise _NotJson


def _key(key: object) -> str:
    if type(key) is str and not key.startswith("$"):
        return key
    raise _NotJson


def _read_json(text: str | bytes, value_of: ValueOf) -> object:
    def hook(found: dict[str, Any]) -> object:
        if len(found) == 1:
            if "$tuple" in found:
                return tuple(found["$tuple"])
            if "$ref" in found:
                return value_of(found["$ref"])
            if "$secret" in found:
                return Secret(found["$secret"])
        return found

    return json.loads(text, object_hook=hook)


def to_json(stored: object) -> object:
    """Give the JSON form of a stored value, for `json.dumps(default=...)`."""
    match stored:
        case Ref():
            return {"$ref": stored.call}
        case Packed(codec="json"):
            return {"$json": stored.data}
        case Packed(data=bytes() as data):
            return _signed({"$pickle": base64.b64encode(data).decode("ascii")}, stored.sig)
        case Blob():
            return _signed({"$blob": [stored.codec, stored.digest, stored.size]}, stored.sig)
        case Held():
            return {"$held": True}
    message = f"{type(stored).__name__} is not a stored value"
    raise TypeError(message)


def _signed(form: dict[str, object], sig: str) -> dict[str, object]:
    return {**form, "sig": sig} if sig else form


def from_json(found: dict[str, Any]) -> object:
    """Undo `to_json`, as an `object_hook` of `json.loads`. Pickles are refused until checked."""
    if len(found) == 1:
        ((tag, value),) = found.items()
        match tag:
            case "$ref":
                return Ref(value)
            case "$json":
                return Packed("json", value)
            case "$held":
                return Held()
    if len(found) == 1 or (len(found) == 2 and "sig" in found):  # noqa: PLR2004
        sig = found.get("sig", "")
        if "$pickle" in found:
            return Packed("pickle", base64.b64decode(found["$pickle"]), UNCHECKED, sig)
        if "$blob" in found:
            codec, name, size = found["$blob"]
            return Blob(codec, name, size, "" if codec == "json" else UNCHECKED, sig)
    return found
