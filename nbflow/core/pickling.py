"""Writes values as pickles, and reads them: the one place where nbflow unpickles."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from nbflow.core import buffers
from nbflow.core.buffers import Bytes
from nbflow.core.byname import pickler
from nbflow.core.culprit import culprit
from nbflow.core.errors import Unserialisable

RefOf = Callable[[object], "str | None"]
"""Gives the call id of a Future, and None for anything else."""
ValueOf = Callable[[str], Any]
"""Gives the value of a settled call by its id."""


def no_ref(_: object) -> None:
    """Know no futures: for values that come from outside a workflow."""


def dumps(value: object, what: str, ref: RefOf = no_ref) -> bytes:
    """Pickle `value` by cloudpickle; futures in it become persistent references.

    Raises:
        Unserialisable: It cannot be pickled. The message names the value and the cause.
    """
    return joined(parts(value, what, ref))


def joined(pieces: tuple[Bytes, ...]) -> bytes:
    """Give the bytes that come in parts."""
    first = pieces[0]
    return first if len(pieces) == 1 and type(first) is bytes else b"".join(pieces)


def parts(value: object, what: str, ref: RefOf = no_ref) -> tuple[Bytes, ...]:
    """Give the bytes of `dumps` in parts, as `buffers.Writer.finished` does.

    Large ones are the memory of the value itself, so they are to be used up before it can change.

    Raises:
        Unserialisable: As of `dumps`.
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

    def dumped(part: object) -> tuple[Bytes, ...]:
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


def _where(value: object, error: Exception, dumped: Callable[[object], object]) -> str:
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
    return load(data, None)


def load(data: Bytes, value_of: ValueOf | None) -> Any:
    """Unpickle: the one place where nbflow does so."""
    try:
        if value_of is None:
            return pickle.loads(data)  # noqa: S301 - see the two callers
        return buffers.loaded(data, lambda read, **more: _Unpickler(read, value_of, **more).load())
    except Exception as error:
        message = f"a stored value cannot be read back: {type(error).__name__}: {error}"
        raise Unserialisable(message) from error
