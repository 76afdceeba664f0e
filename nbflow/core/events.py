"""The log: one immutable class for each kind of thing that can happen in a run.

Events are facts. They are appended in order, never edited, and everything that anyone shows or
decides about a run is a fold over them. Every event begins with `seq`, its place in the log from
1, and `at`, when it happened in seconds since the epoch. Fields are only ever added, at the end
and with defaults, so that old logs stay readable; events of a kind that this version does not
know are passed over.

They are named tuples because a run of many small calls makes three for each: a frozen dataclass
takes four times as long to make, and the JSON encoder writes tuples without any help from Python.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, get_args

from nbflow.core.failure import Failure, Frame
from nbflow.core.payload import UNCHECKED, Ref, Stored, from_json, to_json
from nbflow.core.seals import Seal, is_pickled, may_hold_pickles, with_checks, with_seals

RULES: Final = 1
"""The version of the scheduling rules that new runs are started with."""


class Report(NamedTuple):
    """What a worker measured of one attempt.

    Durations are whole nanoseconds: a small integer is written and read many times faster than a
    float, and a log has three for every call.

    Attributes:
        worker: Name of the thread, process or host slot that ran it.
        started: When the activity's code began, in seconds since the epoch.
        run_ns: How long it ran until it returned or raised.
        cpu_ns: Processor time used.
        packing_ns: What turning the result into its stored form took.
        size: Length of the stored result, in bytes.
        memory: Peak memory of the worker so far, in bytes; 0 where it is not known.
    """

    worker: str
    started: float
    run_ns: int = 0
    cpu_ns: int = 0
    packing_ns: int = 0
    size: int = 0
    memory: int = 0

    @classmethod
    def between(
        cls,
        worker: str,
        started: float,
        ended: float,
        *,
        cpu: float = 0.0,
        packing: float = 0.0,
        size: int = 0,
        memory: int = 0,
    ) -> Report:
        """Make one of times in seconds."""
        run = max(0, round((ended - started) * 1e9))
        return cls(worker, started, run, round(cpu * 1e9), round(packing * 1e9), size, memory)

    @property
    def ended(self) -> float:
        """When it returned or raised, in seconds since the epoch."""
        return self.started + self.run_ns * 1e-9

    @property
    def cpu(self) -> float:
        """Seconds of processor time used."""
        return self.cpu_ns * 1e-9

    @property
    def packing(self) -> float:
        """Seconds spent on turning the result into its stored form."""
        return self.packing_ns * 1e-9


class RunStarted(NamedTuple):
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

    seq: int
    at: float
    workflow: str
    args: tuple[Stored, ...]
    kwargs: dict[str, Stored]
    on: str = "threads"
    rules: int = RULES
    code: str = ""
    source: str = ""
    captured: tuple[str, ...] = ()


class RunResumed(NamedTuple):
    """A run that had stopped is driven again; calls that failed or were cancelled run anew.

    Attributes:
        reason: Why, as far as somebody said.
        again: Calls that run anew though they may have succeeded, in call order.
        allowed: Those of them that somebody asked for by name: they may run once more even if
            they are ``once=True`` and had begun, or had been running when the process died.
    """

    seq: int
    at: float
    reason: str = ""
    again: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


class CallScheduled(NamedTuple):
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

    seq: int
    at: float
    call: str
    activity: str
    args: tuple[Stored, ...] = ()
    kwargs: dict[str, Stored] | None = None
    deps: tuple[str, ...] = ()
    turn: int = 0
    after: tuple[str, ...] = ()
    code: str = ""


class CallStarted(NamedTuple):
    """An attempt was seen to run, since `at` by the worker's own clock.

    One that ended before anybody looked has no such event: its report says when it began.
    """

    seq: int
    at: float
    call: str
    attempt: int
    worker: str


class CallSucceeded(NamedTuple):
    """An attempt gave a result. The call is settled.

    The fields from `worker` on are those of `Report`, in its order.
    """

    seq: int
    at: float
    call: str
    attempt: int
    result: Stored
    worker: str
    started: float
    run_ns: int = 0
    cpu_ns: int = 0
    packing_ns: int = 0
    size: int = 0
    memory: int = 0

    @property
    def report(self) -> Report:
        """What the worker measured."""
        return Report._make(self[5:])


class CallReused(NamedTuple):
    """A call was answered by the result of an earlier one that was the same. It is settled.

    Attributes:
        call: The call's id.
        key: What the two have in common, see `nbflow.core.reasons.Key`.
        source: The run and the call that computed the result, as ``run/call``.
        result: The result, stored.
        made: When it was computed (seconds, epoch).
        run_ns: How long that took.
    """

    seq: int
    at: float
    call: str
    key: str
    source: str
    result: Stored
    made: float = 0.0
    run_ns: int = 0

    @property
    def attempt(self) -> int:
        """Which attempt it was: none."""
        return 0


class CallMissed(NamedTuple):
    """A call of a ``cache=True`` activity runs: no earlier result answers it.

    `key` is what its result will be kept under, "" where it cannot be. `reasons` say why, each as
    `nbflow.core.reasons.Reason` writes it: ``code: K: 5 -> 50``.
    """

    seq: int
    at: float
    call: str
    key: str = ""
    reasons: tuple[str, ...] = ()


class CallFailed(NamedTuple):
    """An attempt failed.

    Attributes:
        call: The call's id.
        attempt: Which attempt, from 1.
        error: The exception.
        retry_at: When the next attempt is due (seconds, epoch); None: the call is settled.
        report: What the worker measured; None if it never answered.
        abandoned: The attempt could not be stopped and may still be running.
    """

    seq: int
    at: float
    call: str
    attempt: int
    error: Failure
    retry_at: float | None = None
    report: Report | None = None
    abandoned: bool = False


class CallCancelled(NamedTuple):
    """A call was given up on request; `abandoned` as in `CallFailed`."""

    seq: int
    at: float
    call: str
    reason: str = ""
    abandoned: bool = False


class CallWrote(NamedTuple):
    """An attempt printed or logged something.

    Attributes:
        call: The call's id.
        attempt: Which attempt, from 1.
        channel: ``stdout``, ``stderr``, or ``log`` and a level: ``log:WARNING``.
        text: What it wrote, whole lines where it wrote lines.
    """

    seq: int
    at: float
    call: str
    attempt: int
    channel: str
    text: str


class TimerStarted(NamedTuple):
    """The workflow asked to be woken at `due` (seconds, epoch)."""

    seq: int
    at: float
    timer: str
    due: float


class TimerFired(NamedTuple):
    """A timer came due."""

    seq: int
    at: float
    timer: str


class TimerCancelled(NamedTuple):
    """The workflow no longer needs a timer."""

    seq: int
    at: float
    timer: str


class CancelRequested(NamedTuple):
    """Somebody asked that the run be cancelled."""

    seq: int
    at: float
    reason: str = ""


class RunClosed(NamedTuple):
    """The run ended.

    Attributes:
        status: ``completed``, ``failed`` or ``cancelled``.
        result: The workflow's result, stored.
        error: What a failed run failed with.
        call: The call whose error that was; "" where the workflow's own code raised it.
    """

    seq: int
    at: float
    status: str
    result: Stored = None
    error: Failure | None = None
    call: str = ""


Event = (
    RunStarted
    | RunResumed
    | CallScheduled
    | CallStarted
    | CallSucceeded
    | CallReused
    | CallMissed
    | CallFailed
    | CallCancelled
    | CallWrote
    | TimerStarted
    | TimerFired
    | TimerCancelled
    | CancelRequested
    | RunClosed
)
"""Something that happened. Every kind begins with `seq` and `at`."""

KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Event)}


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
    sealed = seal is not None and may_hold_pickles(text)
    for name, fields in _DECODER.decode(text):
        if (kind := KINDS.get(name)) is not None:
            # A newer version may have added fields at the end.
            known = kind._fields[: len(fields)]
            event = kind(*[_value(name, v) for name, v in zip(known, fields, strict=False)])
            yield with_checks(event, run, seal) if sealed else event


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
