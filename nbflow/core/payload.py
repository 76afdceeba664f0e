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
import hashlib
import io
import json
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from nbflow.core import buffers
from nbflow.core.byname import pickler
from nbflow.core.culprit import culprit
from nbflow.core.errors import PickleRefused, Unserialisable
from nbflow.core.held import GONE, Held
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
    data: str | bytes
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

RefOf = Callable[[object], "str | None"]
"""Gives the call id of a Future, and None for anything else."""
ValueOf = Callable[[str], Any]
"""Gives the value of a settled call by its id."""
Fetch = Callable[[str], bytes]
"""Gives the bytes of a blob by its digest."""


Bytes = bytes | bytearray | memoryview  # values live in a memoryview: see `buffers.loaded`


class _NotJson(Exception):
    """This value has no exact JSON form."""


def no_ref(_: object) -> None:
    """Know no futures: for values that come from outside a workflow."""


def pickles_allowed() -> bool:
    """Whether values may be kept as pickle: unless ``NBFLOW_ALLOW_PICKLE`` says no."""
    return os.environ.get("NBFLOW_ALLOW_PICKLE", "").strip().lower() not in {"0", "no", "false"}


def pack(value: object, what: str, ref: RefOf = no_ref, *, kept: bool = True) -> Stored:
    """Give the stored form of `value`.

    Args:
        value: Any value; futures in it, at any depth, become references.
        what: What the value is, for the error: ``"argument rows of fetch-1"``.
        ref: Tells futures from other things.
        kept: Whether it is for a log; what stays in this process may be pickled in any case.

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
        return Packed("pickle", dumps(value, what, ref))


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
            return _read_json(stored.data, value_of)
        case Packed():
            check(stored.refused)
            return _load(stored.data, value_of)  # type: ignore[arg-type]
        case Blob(codec="json"):
            return _read_json(fetch(stored.digest), value_of)
        case Blob():
            check(stored.refused)
            return _load(fetch(stored.digest), value_of)
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


def digest(data: bytes) -> str:
    """Give the name under which bytes are kept."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def spill(stored: Stored, put: Callable[[bytes], str] = digest) -> Stored:
    """Move a large packed value to where `put` keeps bytes; give others back as they are."""
    if type(stored) is not Packed or stored.size <= BLOB_BYTES:
        return stored
    data = stored.data.encode() if isinstance(stored.data, str) else stored.data
    return Blob(stored.codec, put(data), len(data), stored.refused)


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


def dumps(value: object, what: str, ref: RefOf = no_ref) -> bytes:
    """Pickle `value` by cloudpickle; futures in it become persistent references.

    Raises:
        Unserialisable: It cannot be pickled. The message names the value and the cause.
    """
    stop: Exception | None = None

    class Pickler(pickler()):  # type: ignore[misc]
        def persistent_id(self, obj: object) -> str | None:
            nonlocal stop
            try:
                return ref(obj)
            except Exception as error:
                stop = error
                raise

    def dumped(part: object) -> bytes:
        writer = buffers.Writer()
        (pickler() if ref is no_ref else Pickler)(writer).dump(part)
        return writer.finished()

    try:
        return dumped(value)
    except Exception as error:
        if stop is not None:
            raise stop from None
        message = f"{what} cannot be stored: {type(error).__name__}: {error}"
        raise Unserialisable(message + _where(value, error, dumped)) from error


def _where(value: object, error: Exception, dumped: Callable[[object], bytes]) -> str:
    """Say which part of a value cannot be pickled, and what to do."""
    if isinstance(error, RecursionError) or isinstance(error.__context__, RecursionError):
        return ". It is nested too deeply: keep it flat, as a list of pairs or rows"

    def fails(part: object) -> bool:
        try:
            dumped(part)
        except Exception:  # noqa: BLE001 - pickling runs code of the value's own
            return True
        return False

    path, kind = culprit(value, fails)
    if not path:
        return ". Leave it out, or make it where it is used"
    return f". The culprit is {path}, of type {kind}: leave it out, or make it where it is used"


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: Bytes, value_of: ValueOf, **more: Any) -> None:
        super().__init__(io.BytesIO(data), **more)
        self._value_of = value_of

    def persistent_load(self, pid: str) -> object:
        return self._value_of(pid)


def loads(data: Bytes) -> Any:
    """Unpickle what this process has pickled, or one that it started and is joined to.

    Never for bytes that were stored: those are for `unpack`.

    Raises:
        Unserialisable: The bytes do not give a value here.
    """
    return _load(data, None)


def _load(data: Bytes, value_of: ValueOf | None) -> Any:
    """Unpickle: the one place where nbflow does so."""
    try:
        if value_of is None:
            return pickle.loads(data)  # noqa: S301 - see the two callers
        return buffers.loaded(data, lambda read, **more: _Unpickler(read, value_of, **more).load())
    except Exception as error:
        message = f"a stored value cannot be read back: {type(error).__name__}: {error}"
        raise Unserialisable(message) from error


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
