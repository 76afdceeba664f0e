"""What a run came to, in a few words, without running a line of anybody's code.

A stored value that JSON holds is read and cut. Of a pickled one only the size is told, and its
class where the pickle begins with it: to unpickle it would be to run code.
"""

from __future__ import annotations

import pickletools
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.errors import NbflowError, RunError
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.payload import Blob, Packed, Ref, Stored
from nbflow.core.redact import redact
from nbflow.viz.wording import clean

_RESULT: Final = 400
_ERROR: Final = 2000
_FRAMES: Final = 20
_PARTS: Final = 10
_OWN: Final = str(Path(__file__).parents[1])


class _Short(reprlib.Repr):
    """The repr of exact builtin values, cut."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdict = 12
        self.maxstring = self.maxother = 120
        self.maxlong = 60

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Keep the order in which the keys came."""
        if not x:
            return "{}"
        if level <= 0:
            return "{...}"
        shown = list(x.items())[: self.maxdict]
        parts = [f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in shown]
        return "{" + ", ".join(parts + ["..."] * (len(x) > len(shown))) + "}"


class _Result:
    """Stands for the result of a call in a value that holds it."""

    def __init__(self, call: str) -> None:
        self._call = call

    def __repr__(self) -> str:
        return self._call


def value_of(stored: Stored) -> str:
    """Describe an argument or a result on one line; the result of a call by the call's id."""
    match stored:
        case Packed(codec="json", data=str() as data) if len(data) <= payload.BLOB_BYTES:
            try:
                value = payload.unpack(Packed("json", redact(data)), _Result, _no_blob)
            except (NbflowError, ValueError, RecursionError):
                return f"a value of {_bytes(len(data))}"
        case Packed(codec="pickle", data=b""):
            return "a value that was left out"
        case Packed(codec="pickle", data=bytes() as data):
            return f"{_kind(data) or 'a value'}, {_bytes(len(data))} pickled"
        case Packed() | Blob():
            return f"a value of {_bytes(stored.size)}"
        case Held():
            return "a value in memory only (persist=False)"
        case Ref():
            return clean(stored.call, _RESULT)
        case str():
            value = redact(stored)
        case _:
            value = stored
    return clean(_Short().repr(value), _RESULT)


def error_of(failure: Failure | None) -> str:
    """Describe an exception in a few lines, from what the log says of it; "" if there is none."""
    if failure is None:
        return ""
    name = failure.kind.rpartition(".")[2]
    message = redact(failure.message.strip())
    lines = (f"{name}: {message}" if message else name)[:_ERROR].splitlines()
    return "\n".join(clean(line) for line in lines[:12])


def trace_of(failure: Failure | None, cause: Failure | None = None) -> list[str]:
    """Write the traceback of an exception as Python does, the innermost 20 lines of code of it.

    Args:
        failure: The exception; nbflow's own lines are left out where there are others.
        cause: The failure of the call that a run failed with: its lines follow.
    """
    if failure is None:
        return []
    frames = [*failure.frames, *(cause.frames if cause else ())]
    frames = [frame for frame in frames if not frame.file.startswith(_OWN)] or frames
    lines: list[str] = []
    for frame in frames[-_FRAMES:]:
        lines.append(clean(f'File "{frame.file}", line {frame.line}, in {frame.function}'))
        if frame.source:
            lines.append("  " + clean(redact(frame.source)))
    return lines + error_of(failure).splitlines()


def parts_of(failure: Failure | None, failed: Iterable[tuple[str, Failure]]) -> list[str]:
    """Say what single calls have failed with, where a run has failed with an error of several.

    Args:
        failure: What the run failed with; an exception that is no group of others has no parts.
        failed: The ids of calls that have failed, each with its error; ten of them are told.
    """
    if failure is None or not any(kind.endswith("ExceptionGroup") for kind in failure.bases):
        return []
    calls = list(failed)
    found = [
        clean(f"{call}: {error_of(error).partition(chr(10))[0]}", _RESULT)
        for call, error in calls[:_PARTS]
    ]
    more = len(calls) - _PARTS
    return [*found, f"… and {more:,} more"] if more > 0 else found


def _kind(data: bytes) -> str:
    """Read the name of a pickled value's class, where the pickle begins with a class."""
    words: list[str] = []
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(data)):
            if code.name == "STACK_GLOBAL" and len(words) == 2:
                return clean(words[1], 60) if words[1][:1].isupper() else ""
            if code.name in {"SHORT_BINUNICODE", "BINUNICODE"}:
                words.append(str(argument))
            elif code.name not in {"PROTO", "FRAME", "MEMOIZE"} or count > 12:
                return ""
    except ValueError:
        pass
    return ""


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _no_blob(digest: str) -> bytes:
    message = f"the value refers to blob {digest}"
    raise RunError(message)
