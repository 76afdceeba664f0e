"""The log: one frozen class for each kind of thing that can happen in a run.

Events are facts. They are appended in order, never edited, and everything that anyone shows or
decides about a run is a fold over them. Fields are only ever added, with defaults, so that old
logs stay readable; events of a kind that this version does not know are passed over.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from nbflow.core.failure import Failure, Frame
from nbflow.core.payload import Stored, from_json, to_json

RULES: Final = 1
"""The version of the scheduling rules that new runs are started with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker measured of one attempt. Times are seconds since the epoch.

    Attributes:
        worker: Name of the thread, process or host slot that ran it.
        started: When the activity's code began.
        ended: When it returned or raised.
        cpu: Seconds of processor time used.
        packing: Seconds spent on turning the result into its stored form.
        size: Length of the stored result, in bytes.
        memory: Peak memory of the worker so far, in bytes; 0 where it is not known.
    """

    worker: str
    started: float
    ended: float
    cpu: float = 0.0
    packing: float = 0.0
    size: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: its place in the log, from 1, and when (seconds, epoch)."""

    seq: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run was created.

    Attributes:
        workflow: Name of the workflow.
        args: Its positional arguments, stored.
        kwargs: Its keyword arguments, stored.
        on: Where its calls run unless an activity says otherwise.
        rules: The scheduling rules it obeys.
        code: Digest of the workflow's source and of what it reaches.
        source: The workflow's source text, where it is to be had.
        captured: Names of the notebook's globals that were copied for this run, as
            ``name: description``.
    """

    workflow: str
    args: tuple[Stored, ...] = ()
    kwargs: dict[str, Stored]
    on: str = "threads"
    rules: int = RULES
    code: str = ""
    source: str = ""
    captured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed(Event):
    """A run that had stopped is driven again; calls that failed or were cancelled run anew."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallScheduled(Event):
    """The workflow asked for a call.

    Attributes:
        call: Its id, ``name-N`` in call order.
        activity: Name of the activity.
        args: Positional arguments; a `Ref` stands where a Future stood.
        kwargs: Keyword arguments, likewise.
        deps: Calls whose results it takes, in the order of its arguments.
        turn: How many times the workflow had stopped to read results before it asked.
        after: The calls it read just before, on the first call of a turn only: the control
            edges of every call of that turn.
        code: Digest of the activity's source.
    """

    call: str
    activity: str
    args: tuple[Stored, ...] = ()
    kwargs: dict[str, Stored] | None = None
    deps: tuple[str, ...] = ()
    turn: int = 0
    after: tuple[str, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """A worker began an attempt; `at` is the worker's own clock."""

    call: str
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSucceeded(Event):
    """An attempt gave a result. The call is settled."""

    call: str
    attempt: int
    result: Stored
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed(Event):
    """An attempt failed.

    Attributes:
        call: The call's id.
        attempt: Which attempt, from 1.
        error: The exception.
        retry_at: When the next attempt is due (seconds, epoch); None: the call is settled.
        report: What the worker measured; None if it never answered.
        abandoned: The attempt could not be stopped and may still be running.
    """

    call: str
    attempt: int
    error: Failure
    retry_at: float | None = None
    report: Report | None = None
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCancelled(Event):
    """A call was given up on request; `abandoned` as in `CallFailed`."""

    call: str
    reason: str = ""
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerStarted(Event):
    """The workflow asked to be woken at `due` (seconds, epoch)."""

    timer: str
    due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Event):
    """A timer came due."""

    timer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerCancelled(Event):
    """The workflow no longer needs a timer."""

    timer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(Event):
    """Somebody asked that the run be cancelled."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClosed(Event):
    """The run ended: `status` is ``completed``, ``failed`` or ``cancelled``."""

    status: str
    result: Stored = None
    error: Failure | None = None
    call: str = ""
    """The call whose error failed the run, where it was one's."""


KINDS: Final[dict[str, type[Event]]] = {
    kind.__name__: kind
    for kind in (
        RunStarted,
        RunResumed,
        CallScheduled,
        CallStarted,
        CallSucceeded,
        CallFailed,
        CallCancelled,
        TimerStarted,
        TimerFired,
        TimerCancelled,
        CancelRequested,
        RunClosed,
    )
}

_FIELDS: Final = {
    kind: tuple((f.name, f.default) for f in fields(kind) if f.name not in {"seq", "at"})
    for kind in KINDS.values()
}
_TUPLES: Final = {"args", "deps", "after", "captured"}


def encode(events: Iterable[Event]) -> str:
    """Write consecutive events as one JSON text, in one go for speed.

    Each event is ``[kind, at, {field: value}]``; empty fields are left out. The first event's
    `seq` is for the store to keep; the others follow from it.
    """
    rows = [[type(event).__name__, event.at, _body(event)] for event in events]
    return _ENCODER.encode(rows)


def decode(text: str, first: int) -> Iterator[Event]:
    """Read what `encode` wrote; `first` is the seq of the first event in it."""
    for seq, (kind, at, body) in enumerate(_DECODER.decode(text), first):
        if known := KINDS.get(kind):
            yield known(seq=seq, at=at, **_read(known, body))


def _body(event: Event) -> dict[str, object]:
    kind = type(event)
    body = {}
    for name, default in _FIELDS[kind]:
        value = getattr(event, name)
        if value is not default:
            body[name] = value
    return body


def _read(kind: type[Event], body: dict[str, Any]) -> dict[str, Any]:
    known = {name for name, _ in _FIELDS[kind]}
    return {name: _value(name, value) for name, value in body.items() if name in known}


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - any field of any event
    if name in _TUPLES:
        return tuple(value)
    if name == "report":
        return Report(**value)
    if name == "error":
        frames = tuple(Frame(*frame) for frame in value["frames"])
        pickled = base64.b64decode(value["pickled"]) if value["pickled"] else None
        return Failure(
            type=value["type"],
            bases=tuple(value["bases"]),
            message=value["message"],
            frames=frames,
            pickled=pickled,
        )
    return value


def _default(value: object) -> object:
    match value:
        case Report():
            return {name: getattr(value, name) for name in Report.__slots__}
        case Failure():
            return {
                "type": value.type,
                "bases": value.bases,
                "message": value.message,
                "frames": [[f.file, f.line, f.function, f.source] for f in value.frames],
                "pickled": base64.b64encode(value.pickled).decode() if value.pickled else None,
            }
    return to_json(value)


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=_default)
_DECODER: Final = json.JSONDecoder(object_hook=from_json)
