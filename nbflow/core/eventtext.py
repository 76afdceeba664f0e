"""Events as JSON text, as logs hold them, with signatures on what is pickled in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from nbflow.core.events import KINDS, Event, Report
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
    named = [(type(event).__name__, event) for event in events]
    if seal is None:
        return _ENCODER.encode(named)
    try:
        return _PLAIN_ENCODER.encode(named)
    except _Pickled:
        return _ENCODER.encode([(name, with_seals(event, run, seal)) for name, event in named])


def decode(text: str, run: str = "", seal: Seal | None = None) -> Iterator[Event]:
    """Read what `encode` wrote, by this version or an older one.

    Without the `seal` that it was signed by, or for another run, what is pickled is refused.
    """
    sealed = seal if seal is not None and may_hold_pickles(text) else None
    for name, fields in _DECODER.decode(text):
        if (kind := KINDS.get(name)) is not None:
            # A newer version may have added fields at the end.
            known = kind._fields[: len(fields)]
            event = kind(*[_value(name, v) for name, v in zip(known, fields, strict=False)])
            yield with_checks(event, run, sealed) if sealed is not None else event


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


_PLAIN_ENCODER: Final = json.JSONEncoder(
    separators=(",", ":"), default=_plain_default, check_circular=False
)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=_default, check_circular=False)
_DECODER: Final = json.JSONDecoder(object_hook=from_json)
