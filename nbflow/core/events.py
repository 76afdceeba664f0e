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

from typing import Any, Final, NamedTuple, get_args

from nbflow.core.failure import Failure
from nbflow.core.payload import Stored

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
        measured: The blocks that the activity measured, as `nbflow.core.metrology` writes them.
    """

    worker: str
    started: float
    run_ns: int = 0
    cpu_ns: int = 0
    packing_ns: int = 0
    size: int = 0
    memory: int = 0
    measured: str = ""

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
        seed: What the random numbers of the workflow's code are derived from.
        parent: The run that called the workflow, "" if none did.
        call: The call of the parent that this run is.
        tags: Words that it is found by.
        continues: The run that it goes on from, see `RunContinued`.
        program: Its code, pickled; or text that says why it is not kept; None in older logs. See
            `nbflow.core.recorded`.
        python: The kind of Python that this was pickled by.
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
    seed: str = ""
    parent: str = ""
    call: str = ""
    tags: tuple[str, ...] = ()
    continues: str = ""
    program: Stored = None
    python: str = ""


class RunResumed(NamedTuple):
    """A run that had stopped is driven again; calls that failed or were cancelled run anew.

    Attributes:
        reason: Why, as far as somebody said.
        again: Calls that run anew though they may have succeeded, in call order.
        allowed: Those of them that somebody asked for by name: they may run once more even if
            they are ``once=True`` and had begun, or had been running when the process died.
        code: With which code: ``new``, as it was then, or ``recorded``, that of `RunStarted`.
    """

    seq: int
    at: float
    reason: str = ""
    again: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    code: str = "new"


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
        group: Names of the groups and chains that it was asked for in, outermost first, with a
            ``/`` between two.
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
    group: str = ""


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
    measured: str = ""

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


class CallRepeated(NamedTuple):
    """A result that was in memory only is needed, and is computed again by a call of its own.

    Attributes:
        call: The call whose result it was.
        by: Id of the call that computes it again; it was scheduled just before.
        needed: The call that needs it; "" where the workflow's own code does.
    """

    seq: int
    at: float
    call: str
    by: str
    needed: str = ""


class CallFailed(NamedTuple):
    """An attempt failed.

    Attributes:
        call: The call's id.
        attempt: Which attempt, from 1.
        error: The exception.
        retry_at: When the next attempt is due (seconds, epoch); None: the call is settled.
        report: What the worker measured; None if it never answered.
        abandoned: The attempt could not be stopped and may still be running.
        ignored: The call is settled and its result is None: nobody is to be stopped by this.
        timeout: Which time limit it was, as in `ActivityTimeout.kind`; "" if it was none.
    """

    seq: int
    at: float
    call: str
    attempt: int
    error: Failure
    retry_at: float | None = None
    report: Report | None = None
    abandoned: bool = False
    ignored: bool = False
    timeout: str = ""

    @property
    def result(self) -> None:
        """What those get that take its result though it failed."""
        return


class CallCancelled(NamedTuple):
    """A call was given up on request; `abandoned` as in `CallFailed`."""

    seq: int
    at: float
    call: str
    reason: str = ""
    abandoned: bool = False


class CallHeartbeat(NamedTuple):
    """An attempt said that it is alive, and how far it is: the latest of a second at the most.

    Attributes:
        call: The call's id.
        attempt: Which attempt, from 1.
        details: What it said, as text: JSON where it was no text.
        done: How much of `total` is done, where it said so.
        total: How much there is to be done; None: not known.
    """

    seq: int
    at: float
    call: str
    attempt: int
    details: str = ""
    done: float | None = None
    total: float | None = None


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
    """The workflow asked to be woken at `due` (seconds, epoch).

    `turn` and `after` are as in `MarkerRecorded`.
    """

    seq: int
    at: float
    timer: str
    due: float
    turn: int = 0
    after: tuple[str, ...] = ()


class TimerFired(NamedTuple):
    """A timer came due."""

    seq: int
    at: float
    timer: str

    @property
    def result(self) -> None:
        """What comes of it: nothing."""
        return


class TimerCancelled(NamedTuple):
    """A timer is no longer needed: `reason` is "" if the workflow's own code said so."""

    seq: int
    at: float
    timer: str
    reason: str = ""

    @property
    def result(self) -> None:
        """What comes of it: nothing."""
        return


class MarkerRecorded(NamedTuple):
    """A helper gave workflow code a value from outside. A replay gives it the same one.

    Attributes:
        name: Which one: ``side_effect-N`` in the order of asking, or ``patched:ID``.
        value: The value, stored.
        of: Name of the function that made it, where one did.
        turn: How many times the workflow had stopped to read results before it asked.
        after: The calls that it had read since it last asked for a call.
    """

    seq: int
    at: float
    name: str
    value: Stored = None
    of: str = ""
    turn: int = 0
    after: tuple[str, ...] = ()


class MarkerFailed(NamedTuple):
    """The function of a side effect raised; the other fields are as in `MarkerRecorded`."""

    seq: int
    at: float
    name: str
    error: Failure
    of: str = ""
    turn: int = 0
    after: tuple[str, ...] = ()


class ChildStarted(NamedTuple):
    """A call is a run of its own, which is created next. How that ends, ends the call.

    Attributes:
        call: The call's id.
        run: Id of the child run.
    """

    seq: int
    at: float
    call: str
    run: str


class SignalReceived(NamedTuple):
    """Somebody told the run something.

    Attributes:
        name: Of the signal.
        number: The how-manieth of that name it is, from 1.
        result: What was told, stored.
        id: Which signal it is, if the sender said: one of the same id is taken once.
        sender: The run that sent it, "" if none did.
        propagate: Whether it is passed on to the child runs that are under way.
    """

    seq: int
    at: float
    name: str
    number: int
    result: Stored = None
    id: str = ""
    sender: str = ""
    propagate: bool = False

    @property
    def attempt(self) -> int:
        """Which attempt it was: none."""
        return 0


class SignalSent(NamedTuple):
    """The workflow told something to a run.

    Attributes:
        name: Which sending of the run it is, ``signal-N``.
        signal: Name of the signal.
        to: The run that was told.
        turn: How many times the workflow had stopped to read results before it asked.
        after: The calls that it had read since it last asked for a call.
    """

    seq: int
    at: float
    name: str
    signal: str
    to: str
    turn: int = 0
    after: tuple[str, ...] = ()

    @property
    def result(self) -> None:
        """What comes of it: nothing."""
        return


class RunContinued(NamedTuple):
    """The workflow ends here and goes on in a new run, with these arguments and an empty log.

    Attributes:
        run: Id of the new run.
        args: Its positional arguments, stored.
        kwargs: Its keyword arguments, stored.
        unread: Ids of the signals that go along.
    """

    seq: int
    at: float
    run: str
    args: tuple[Stored, ...] = ()
    kwargs: dict[str, Stored] | None = None
    unread: tuple[str, ...] = ()


class CancelRequested(NamedTuple):
    """Somebody asked that the run be cancelled."""

    seq: int
    at: float
    reason: str = ""


class CancelRefused(NamedTuple):
    """The workflow's code was asked whether the run may be cancelled, and refused."""

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
    | CallRepeated
    | CallFailed
    | CallCancelled
    | CallHeartbeat
    | CallWrote
    | TimerStarted
    | TimerFired
    | TimerCancelled
    | MarkerRecorded
    | MarkerFailed
    | ChildStarted
    | SignalReceived
    | SignalSent
    | RunContinued
    | CancelRequested
    | CancelRefused
    | RunClosed
)
"""Something that happened. Every kind begins with `seq` and `at`."""

KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Event)}
