"""Events as JSON text, as logs hold them, with signatures on what is pickled in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, Final

from nbflow.core.events import (
    KINDS,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    Report,
)
from nbflow.core.failure import Failure, Frame
from nbflow.core.payload import UNCHECKED, Ref, from_json, to_json
from nbflow.core.seals import Seal, is_pickled, may_hold_pickles, with_checks, with_seals


def encode(events: Iterable[Event], run: str = "", seal: Seal | None = None) -> str:
    """Write events as one JSON text: ``[[kind, [field, ...]], ...]``, fields in their order.

    Args:
        events: The events.
        run: Whose they are; signatures are good for this run only.
        seal: Signs what is pickled in them.
    """
    events = events if isinstance(events, list) else [*events]
    if (text := _quick(events)) is not None:
        return text
    named = [(type(event).__name__, event) for event in events]
    if seal is None:
        return _write(named)
    try:
        return _write_plain(named)
    except _Pickled:
        return _write([(name, with_seals(event, run, seal)) for name, event in named])


def _quick(events: list[Event]) -> str | None:
    """Write what most turns are made of by the quick writer; None: the slow one has to.

    The quick one has no word for numbers that are not finite and writes ``null`` for them, so
    they are looked for. What else it cannot write, whole numbers of more than 64 bits and halves
    of characters, it refuses. It escapes no letters, and a log is plain ASCII.
    """
    rows: list[tuple[str, tuple[Any, ...]]] = []
    for event in events:
        if type(event) is CallSucceeded:
            result = event.result
            if type(result) is float and not isfinite(result):
                return None
            rows.append(("CallSucceeded", event[:]))  # a plain tuple, which it knows
        elif type(event) is CallScheduled:
            args, kwargs = event.args, event.kwargs
            if (float in map(type, args) and not _finite(args)) or (
                kwargs and not _finite(kwargs.values())
            ):
                return None
            rows.append(("CallScheduled", event[:]))
        elif type(event) is CallReused:
            result = event.result
            if type(result) is float and not isfinite(result):
                return None
            rows.append(("CallReused", event[:]))
        elif type(event) is CallStarted:
            rows.append(("CallStarted", event[:]))
        else:
            return None
    return _write_quickly(rows)


def _finite(values: Iterable[object]) -> bool:
    return all(type(value) is not float or isfinite(value) for value in values)


def _write_quickly(rows: list[tuple[str, tuple[Any, ...]]]) -> str | None:
    """Have orjson write, which takes a tenth of the time."""
    import orjson  # noqa: PLC0415 - a process that writes no log on a disk needs none

    try:
        data = orjson.dumps(rows, _plain_default, orjson.OPT_PASSTHROUGH_DATACLASS)
    except orjson.JSONEncodeError:
        return None
    return data.decode() if data.isascii() else None


def decode(text: str, run: str = "", seal: Seal | None = None) -> Iterator[Event]:
    """Read what `encode` wrote, by this version or an older one.

    Without the `seal` that it was signed by, or for another run, what is pickled is refused.
    """
    sealed = seal if seal is not None and may_hold_pickles(text) else None
    for name, fields in _DECODER.decode(text):
        found = _READERS.get(name)
        if found is None:
            continue
        kind, width, places = found
        if width != len(fields) or places is None:
            event = kind(*_read(kind, fields))
        else:
            for place in places:
                value = fields[place]
                if type(value) is list:
                    fields[place] = tuple(value)
            event = _new(kind, fields)
        yield with_checks(event, run, sealed) if sealed is not None else event


def _read(kind: type[Event], fields: list[Any]) -> list[Any]:
    """Give the fields of an event as they were written, by whatever version."""
    known = kind._fields[: len(fields)]  # a newer one may have added some at the end
    return [_value(name, value) for name, value in zip(known, fields, strict=False)]


def _value(name: str, value: Any) -> Any:
    if type(value) is list:
        return Report(*value) if name == "report" else tuple(value)
    if name == "error" and value is not None:
        return _failure(value)
    return value


def _failure(fields: dict[str, Any]) -> Failure:
    return Failure(
        kind=fields["kind"],
        bases=tuple(fields["bases"]),
        message=fields["message"],
        frames=tuple(Frame(*frame) for frame in fields["frames"]),
        pickled=base64.b64decode(fields["pickled"]) if fields["pickled"] else None,
        refused=UNCHECKED if fields["pickled"] else "",
        sig=fields.get("sig", ""),
    )


def _default(value: object) -> object:
    if type(value) is Ref:  # by far the most frequent
        return {"$ref": value.call}
    if isinstance(value, Failure):
        return {
            "kind": value.kind,
            "bases": value.bases,
            "message": value.message,
            "frames": [[f.file, f.line, f.function, f.source] for f in value.frames],
            "pickled": base64.b64encode(value.pickled).decode() if value.pickled else None,
            **({"sig": value.sig} if value.sig else {}),
        }
    return to_json(value)


class _Pickled(Exception):
    """There is something to be signed."""


def _plain_default(value: object) -> object:
    if type(value) is not Ref and is_pickled(value):
        raise _Pickled
    return _default(value)


def _reader(kind: type[Event]) -> tuple[type[Event], int, tuple[int, ...] | None]:
    """Give what it takes to read most events of a kind without a look at each of their fields.

    That is how many fields they have, and at which places tuples stand, which JSON makes lists;
    None where fields are made of others.
    """
    if {"report", "error"} & {*kind._fields}:
        return kind, len(kind._fields), None
    hints = kind.__annotations__
    places = [n for n, name in enumerate(kind._fields) if "tuple[" in str(hints[name])]
    return kind, len(kind._fields), tuple(places)


_new: Any = tuple.__new__
_READERS: Final = {name: _reader(kind) for name, kind in KINDS.items()}


def _writer(default: Callable[[object], object]) -> Callable[[object], str]:
    """Give a function that writes JSON.

    `json.JSONEncoder` makes an encoder in C anew for each text; here it is made once, where there
    is one and it is made as in the Pythons of today.
    """
    slow = json.JSONEncoder(separators=(",", ":"), default=default, check_circular=False)
    found: Any = json.encoder
    try:
        text = found.c_encode_basestring_ascii
        write = found.c_make_encoder(None, default, text, None, ":", ",", *_SWITCHES)
        if "".join(write([_PROBE], 0)) != slow.encode([_PROBE]):
            return slow.encode
    except (AttributeError, TypeError):
        return slow.encode
    return lambda value: "".join(write(value, 0))


_SWITCHES: Final = (False, False, True)
"""Keys sorted, keys of other kinds left out, numbers such as infinity written: as by default."""
_PROBE: Final = {"a": [1, 2.5, None, True, '\u00e9"']}
_write_plain: Final = _writer(_plain_default)
_write: Final = _writer(_default)
_DECODER: Final = json.JSONDecoder(object_hook=from_json)
