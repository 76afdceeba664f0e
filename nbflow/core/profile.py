"""Where the time of a run went, folded from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self

from nbflow.core import metrology
from nbflow.core.activitysummary import ActivitySummary, summary
from nbflow.core.critical import before_each, cause_of
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallHeartbeat,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    Report,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.core.metrology import Measured, MeasureSummary

Because = Literal["start", "dependency", "worker", "retry", "workflow"]


class Bar(NamedTuple):
    """One attempt of a call in time. Times are seconds since the epoch.

    A named tuple for the reason that events are: a run makes one a call, while it runs.

    Attributes:
        call: The call's id.
        activity: Its activity.
        attempt: Which attempt, from 1.
        worker: Where it ran.
        ready: When it could have started: its dependencies were there, its back-off was over.
        started: When the activity's code began.
        ended: When it returned or raised; None while it runs.
        packing: Seconds after `ended` that storing the result took.
        cpu: Seconds of processor time.
        size: Bytes of the stored result.
        memory: Peak memory of the worker so far, in bytes; 0 where it is not known.
        status: ``running``, ``done``, ``failed`` or ``cancelled``.
        deps: The calls whose results it took.
        after: The calls that the workflow's code had read just before it asked for this one.
        details: What it said last by a heartbeat.
        done: How much of `total` it said is done; None: it did not say.
        total: How much there is to be done.
        measured: The blocks that the activity measured.
    """

    call: str
    activity: str
    attempt: int
    worker: str
    ready: float
    started: float
    ended: float | None = None
    packing: float = 0.0
    cpu: float = 0.0
    size: int = 0
    memory: int = 0
    status: str = "running"
    deps: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    details: str = ""
    done: float | None = None
    total: float | None = None
    measured: tuple[Measured, ...] = ()

    def seconds(self, now: float) -> float:
        """How long it ran, or has run by `now`."""
        return max(0.0, (self.ended if self.ended is not None else now) - self.started)

    @property
    def queued(self) -> float:
        """Seconds between being ready and being started."""
        return max(0.0, self.started - self.ready)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bar of the critical path, and what it had to wait for before it started."""

    bar: Bar
    because: Because


class _Open:
    """What is known of a call that was asked for."""

    __slots__ = ("activity", "after", "deps", "missing", "ready")

    def __init__(
        self, activity: str, ready: float, deps: tuple[str, ...], after: tuple[str, ...]
    ) -> None:
        self.activity = activity
        self.ready = ready
        self.deps = deps
        self.missing = 0
        self.after = after


@dataclass(slots=True)
class Profile:
    """Attempts in time, and the figures that follow from them.

    Attributes:
        name: The workflow's name.
        begun: When the run was created.
        ended: When it closed; None while it runs.
        latest: The time of the latest event.
        bars: Every attempt that has started, in the order of the log.
        changed: Places in `bars` of those that are new or differ since somebody last emptied
            this set.

    Example:
        >>> profile = Profile.of(run.events())
        >>> profile.wall(), profile.efficiency()
        (1.34, 0.78)
    """

    name: str = ""
    begun: float = 0.0
    ended: float | None = None
    latest: float = 0.0
    bars: list[Bar] = field(default_factory=list)
    changed: set[int] = field(default_factory=set, repr=False)
    _running: dict[str, int] = field(default_factory=dict, repr=False)
    _calls: dict[str, _Open] = field(default_factory=dict, repr=False)
    _done: dict[str, float] = field(default_factory=dict, repr=False)
    _beats: dict[str, CallHeartbeat] = field(default_factory=dict, repr=False)
    _groups: dict[int, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _dependents: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list), repr=False
    )

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Fold a whole log."""
        self = cls()
        for event in events:
            self.apply(event)
        return self

    def apply(self, event: Event) -> None:
        """Learn one more event."""
        self.latest = max(self.latest, event.at)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def wall(self, now: float | None = None) -> float:
        """Seconds from the run's start to its end, or to `now`."""
        end = self.ended if self.ended is not None else now if now is not None else self.latest
        return max(0.0, end - self.begun)

    def busy(self) -> float:
        """Seconds of work in all: the bars' lengths together."""
        return sum(bar.seconds(self.latest) for bar in self.bars)

    def reached(self) -> tuple[int, int]:
        """How many calls there are, and how many of them have a result, whether they ran or not."""
        return len(self._calls), len(self._done)

    def workers(self) -> list[str]:
        """Names of the workers that ran anything, in the order of their first bar."""
        return list(dict.fromkeys(bar.worker for bar in self.bars))

    def parallelism(self) -> float:
        """How many calls ran at once, on the average over the run."""
        wall = self.wall()
        return self.busy() / wall if wall else 0.0

    def efficiency(self) -> float:
        """Which part of the workers' time was work, 0 to 1."""
        workers = len(self.workers())
        return min(1.0, self.parallelism() / workers) if workers else 0.0

    def idle(self) -> dict[str, float]:
        """Seconds that each worker had nothing to do."""
        wall = self.wall()
        work: dict[str, float] = defaultdict(float)
        for bar in self.bars:
            work[bar.worker] += bar.seconds(self.latest)
        return {worker: max(0.0, wall - work[worker]) for worker in self.workers()}

    def by_activity(self) -> list[ActivitySummary]:
        """Sum up each activity, the one with the most work first."""
        groups: dict[str, list[Bar]] = defaultdict(list)
        for bar in self.bars:
            groups[bar.activity].append(bar)
        found = [summary(name, bars, self.latest) for name, bars in groups.items()]
        return sorted(found, key=lambda s: (-s.total, s.activity))

    def measures(self) -> list[MeasureSummary]:
        """Sum up what activities measured of themselves, the one with the most time first.

        Of every attempt that reported, those that failed included.

        Example:
            >>> [(m.activity, m.name, m.read_bytes, m.read_rate) for m in run.profile.measures()]
            [('fetch', 'download', 734003200, 61166933.3)]
        """
        return metrology.sum_up((bar.activity, m) for bar in self.bars for m in bar.measured)

    def critical_path(self) -> list[Step]:
        """Give the chain of bars that the run's length is made of, first to last.

        Going back from the bar that ended last: what let a bar start is the latest of the end of
        a dependency, the end of a call that the workflow's code was waiting for, the end of the
        bar before it on the same worker, and the end of the back-off after an attempt before it.
        """
        ended = sorted((b for b in self.bars if b.ended is not None), key=lambda b: b.ended or 0.0)
        if not ended:
            return []
        last = {bar.call: bar for bar in ended}
        attempts = {(bar.call, bar.attempt): bar for bar in ended}
        before = before_each(ended)
        path, bar, seen = [], ended[-1], set[int]()
        while True:
            earlier = attempts.get((bar.call, bar.attempt - 1))
            found = cause_of(bar, last, before.get(id(bar)), earlier)
            if found is None or id(found[0]) in seen:
                path.append(Step(bar=bar, because="start"))
                return path[::-1]
            path.append(Step(bar=bar, because=found[1]))
            seen.add(id(bar))
            bar = found[0]

    # ------------------------------------------------------------------ one method an event

    def _run_started(self, event: RunStarted) -> None:
        self.name, self.begun = event.workflow, event.at

    def _run_resumed(self, event: RunResumed) -> None:
        self.ended = None
        self._interrupt(event.at)
        for call in event.again:
            self._done.pop(call, None)
        self._dependents.clear()
        for call, known in self._calls.items():
            if call not in self._done:  # nobody was there to start it before
                known.ready = max(known.ready, event.at)
                known.missing = 0
                self._await(call, known)

    def _run_closed(self, event: RunClosed) -> None:
        self.ended = event.at
        self._interrupt(event.at)

    def _scheduled(self, event: CallScheduled) -> None:
        if event.after:
            self._groups[event.turn] = event.after
        after = self._groups.get(event.turn, ())
        if not event.deps:
            self._calls[event.call] = _Open(event.activity, event.at, (), after)
            return
        deps = tuple(dict.fromkeys(event.deps))
        call = self._calls[event.call] = _Open(event.activity, event.at, deps, after)
        self._await(event.call, call)

    def _await(self, call: str, known: _Open) -> None:
        """Note what a call waits for, and since when it does not."""
        done = self._done
        for dep in known.deps:
            if dep in done:
                known.ready = max(known.ready, done[dep])
            else:
                known.missing += 1
                self._dependents[dep].append(call)

    def _started(self, event: CallStarted) -> None:
        self._begin(event.call, event.attempt, event.worker, event.at)

    def _succeeded(self, event: CallSucceeded) -> None:
        self._reported(event.call, event.attempt, event, "done")  # it has a report's fields
        self._reused(event)

    def _reused(self, event: CallSucceeded | CallReused | CallFailed) -> None:
        """Let those go on that wait for a call; one that did not run has no bar."""
        self._done[event.call] = event.at
        for other in self._dependents.pop(event.call, ()):
            call = self._calls[other]
            call.missing -= 1
            call.ready = max(call.ready, event.at)

    def _failed(self, event: CallFailed) -> None:
        if event.report is not None:
            self._reported(event.call, event.attempt, event.report, "failed")
        else:
            self._ended(event.call, event.at, "failed")
        if event.retry_at is not None:
            self._calls[event.call].ready = event.retry_at
        elif event.ignored:
            self._reused(event)

    def _cancelled(self, event: CallCancelled) -> None:
        self._ended(event.call, event.at, "cancelled")

    def _begin(self, call: str, attempt: int, worker: str, started: float) -> None:
        known = self._calls[call]
        index = self._running[call] = len(self.bars)
        ready = min(known.ready, started)
        self.bars.append(
            Bar(
                call=call,
                activity=known.activity,
                attempt=attempt,
                worker=worker,
                ready=ready,
                started=started,
                deps=known.deps,
                after=known.after,
            )
        )
        self.changed.add(index)

    def _reported(
        self, call: str, attempt: int, report: Report | CallSucceeded, status: str
    ) -> None:
        """End the bar of an attempt, which nobody may have seen begin, as its worker tells."""
        known, bars = self._calls[call], self.bars
        index, ready = self._running.pop(call, -1), known.ready
        if index < 0:
            index = len(bars)
            bars.append(_NO_BAR)
        else:
            attempt, ready = bars[index].attempt, bars[index].ready
        started = report.started
        bars[index] = Bar(  # by place: names cost as much again, and this is done for every call
            call,
            known.activity,
            attempt,
            report.worker,
            min(ready, started),
            started,
            started + report.run_ns * 1e-9,
            report.packing_ns * 1e-9,
            report.cpu_ns * 1e-9,
            report.size,
            report.memory,
            status,
            known.deps,
            known.after,
        )
        if report.measured:
            bars[index] = bars[index]._replace(measured=metrology.read(report.measured))
        if self._beats and (beat := self._beats.pop(call, None)) is not None:
            bars[index] = _told(bars[index], beat)
        self.changed.add(index)

    def _beat(self, event: CallHeartbeat) -> None:
        """Keep what an attempt said last, on its bar if it has one yet."""
        self._beats[event.call] = event
        index = self._running.get(event.call, -1)
        if index >= 0:
            self.bars[index] = _told(self.bars[index], event)
            self.changed.add(index)

    def _ended(self, call: str, at: float, status: str) -> None:
        """End the bar of an attempt that did not report."""
        self._beats.pop(call, None)
        index = self._running.pop(call, -1)
        if index >= 0:
            bar = self.bars[index]
            self.bars[index] = bar._replace(ended=max(at, bar.started), status=status)
            self.changed.add(index)

    def _interrupt(self, at: float) -> None:
        """End the bars of attempts that will never report."""
        for call in list(self._running):
            self._ended(call, at, "cancelled")


def _told(bar: Bar, beat: CallHeartbeat) -> Bar:
    return bar._replace(details=beat.details, done=beat.done, total=beat.total)


_NO_BAR: Final = Bar("", "", 0, "", 0.0, 0.0)
_HANDLERS: Final[dict[type[Event], Any]] = {
    RunStarted: Profile._run_started,  # noqa: SLF001 - the class's own table
    RunResumed: Profile._run_resumed,  # noqa: SLF001
    RunClosed: Profile._run_closed,  # noqa: SLF001
    CallScheduled: Profile._scheduled,  # noqa: SLF001
    CallStarted: Profile._started,  # noqa: SLF001
    CallSucceeded: Profile._succeeded,  # noqa: SLF001
    CallReused: Profile._reused,  # noqa: SLF001
    CallFailed: Profile._failed,  # noqa: SLF001
    CallCancelled: Profile._cancelled,  # noqa: SLF001
    CallHeartbeat: Profile._beat,  # noqa: SLF001
}
