"""The events of calls, and what workers measure of their attempts. See `nbflow.core.events`."""

from __future__ import annotations

from typing import NamedTuple

from nbflow.core.failure import Failure
from nbflow.core.payload import Stored


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
