"""A long log in outline: how its calls stand, counted, before any one of them can be looked at.

To fold a log of 100,000 calls so that each can be shown takes seconds; to count them takes a
fraction of that. So whoever opens a long run sees all of its counts at once, and the rest comes
after. Counts that might differ from those of the whole fold are never given: an outline that meets
something it cannot follow says so by `sure`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallRepeated,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CancelRefused,
    CancelRequested,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.viz.bundles import Group, Link, Summary, bundles
from nbflow.viz.standing import CACHED, STATES

__all__ = ["Outline"]

_GROUPS: Final = 60
_LINKS: Final = 150
"""Of more activities, or more that leads from one to another, a picture has to sum up further."""


class Outline:
    """How the calls of a run stand, by activity.

    Costs a log of 100,000 calls about as much as reading it does, and remembers of a settled call
    its activity only.

    Attributes:
        last: The seq of the last event applied.
        latest: The time of the latest one, seconds since the epoch.
        whole: Whether its reader has come to the end of the log.
        sure: Whether what it counts is what the whole fold would count.
        started: The event that created the run.
        closed: The event that ended it.
        cancelling: Whether it is to be cancelled.
        failed: What the calls that have failed failed with.

    Example:
        >>> outline = Outline()
        >>> for event in log.events(run):
        ...     outline.apply(event)
        >>> outline.counts() if outline.sure else None
        {'done': 99997, 'failed': 3}
    """

    def __init__(self) -> None:
        self.last = 0
        self.latest = 0.0
        self.whole = False
        self.sure = True
        self.started: RunStarted | None = None
        self.closed: RunClosed | None = None
        self.cancelling = False
        self.failed: dict[str, CallFailed] = {}
        self._activity: dict[str, str] = {}
        self._open: dict[str, tuple[str, ...]] = {}
        self._settled: dict[str, dict[str, int]] = {}
        self._seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}
        self._retrying: set[str] = set()
        self._ended: dict[str, str] = {}
        self._deps: dict[str, tuple[str, ...]] = {}
        self._links: dict[Link, int] = {}
        self._groups: dict[int, tuple[str, ...]] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._known_at = 0

    def apply(self, event: Event) -> None:
        """Learn one more event."""
        self.last = event.seq
        self.latest = max(self.latest, event.at)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            try:
                handler(self, event)
            except KeyError:  # the whole fold says what is wrong with the log
                self.sure = False

    @property
    def status(self) -> str:
        """The run's status, as its log has it."""
        return self.closed.status if self.closed else "running"

    @property
    def activities(self) -> list[str]:
        """The activities, by their first calls."""
        return list(self._settled)

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return len(self._activity)

    def counts(self) -> dict[str, int]:
        """Count the calls by status, those statuses that occur, in the order of `STATES`."""
        return _sum(self._standing().values())

    def summary(self) -> Summary:
        """Sum up the graph as far as it is known: a box an activity."""
        standing = self._standing()
        edges, inner = bundles(self._links)
        return Summary(
            name=self.started.workflow if self.started else "",
            status=self.status,
            counts=_sum(standing.values()),
            boxes=[
                Group(
                    id=name,
                    activity=name,
                    counts=_sum([counts]),
                    seconds=self._seconds[name],
                    inner=inner.get(name, 0),
                )
                for name, counts in standing.items()
            ],
            edges=edges,
        )

    # ------------------------------------------------------------------ how calls stand

    def _standing(self) -> dict[str, dict[str, int]]:
        if self._known_at != self.last:
            self._known_at, self._known = self.last, self._stand()
        return self._known

    def _stand(self) -> dict[str, dict[str, int]]:
        found = {name: dict(counts) for name, counts in self._settled.items()}
        dead = set(self._ended)
        for call, deps in self._open.items():  # in the order of asking: what is needed comes first
            if dead and not dead.isdisjoint(deps):
                dead.add(call)
                status = "skipped"
            elif call in self._retrying:
                status = "retrying"
            elif call in self._running:
                status = "running"
            else:
                status = "queued" if self._open.keys().isdisjoint(deps) else "waiting"
            counts = found[self._activity[call]]
            counts[status] = counts.get(status, 0) + 1
        return found

    def _settle(self, call: str, status: str, seconds: float) -> None:
        name = self._activity[call]
        self._open.pop(call)
        counts = self._settled[name]
        counts[status] = counts.get(status, 0) + 1
        self._seconds[name] += seconds
        if self._running:
            self._running.pop(call, None)
        if self._retrying:
            self._retrying.discard(call)

    # ------------------------------------------------------------------ one method an event

    def _run_started(self, event: RunStarted) -> None:
        self.started = event

    def _run_closed(self, event: RunClosed) -> None:
        self.closed = event

    def _run_resumed(self, event: RunResumed) -> None:
        """Take back the failures of a run that was over; what is rarer is not followed."""
        if event.again or self.cancelling:
            self.sure = False
        if self.closed is not None:
            for call, status in self._ended.items():
                self._settled[self._activity[call]][status] -= 1
            self.sure = self.sure and "cancelled" not in self._ended.values()
            self._take_back()
        self._running.clear()
        self.closed = None

    def _take_back(self) -> None:
        for call in self._ended:
            event = self.failed.pop(call, None)
            if event is not None and event.report is not None:
                self._seconds[self._activity[call]] -= _took(event)
        again = {**self._open, **{call: self._deps[call] for call in self._ended}}
        self._open = {call: again[call] for call in self._activity if call in again}
        self._ended.clear()
        self._deps.clear()

    def _scheduled(self, event: CallScheduled) -> None:
        call, name, deps = event.call, event.activity, event.deps
        if call in self._activity:  # anew after a resumption, perhaps differently
            self.sure = False
            return
        self._activity[call] = name
        self._open[call] = deps
        if name not in self._settled:
            self._settled[name] = {}
            self._seconds[name] = 0.0
            self.sure = self.sure and len(self._settled) <= _GROUPS
        if event.after:
            self._groups[event.turn] = event.after
        if len(deps) == 1:  # by far the most frequent
            self._count((self._activity[deps[0]], name, "data"))
        elif deps:
            self._link({self._activity[dep]: None for dep in deps}, name, "data")
        if self._groups and (group := self._groups.get(event.turn)):
            self._control(event, group)

    def _control(self, event: CallScheduled, group: tuple[str, ...]) -> None:
        """Count what the workflow had read before. What it takes as well has a line already."""
        read = (call for call in group if call not in event.deps)
        # Timers and markers are read as well; they are of no activity.
        names = dict.fromkeys(self._activity[c] for c in read if c in self._activity)
        self._link(names, event.activity, "control")

    def _link(self, sources: Iterable[str], target: str, kind: Any) -> None:
        for source in sources:
            self._count((source, target, kind))

    def _count(self, link: Link) -> None:
        known = self._links.get(link, 0)
        self._links[link] = known + 1
        if not known:
            self.sure = self.sure and len(self._links) <= _LINKS

    def _started(self, event: CallStarted) -> None:
        self._retrying.discard(event.call)
        self._running[event.call] = event.at

    def _succeeded(self, event: CallSucceeded) -> None:
        self._settle(event.call, "done", event.run_ns * 1e-9)

    def _reused(self, event: CallReused) -> None:
        self._settle(event.call, CACHED, 0.0)

    def _failed(self, event: CallFailed) -> None:
        call = event.call
        if event.retry_at is not None:
            self._running.pop(call, None)
            self._retrying.add(call)
            return
        deps = self._open[call]
        self._settle(call, "failed", _took(event))
        if not event.ignored:
            self.failed[call] = event
            self._ended[call] = "failed"
            self._deps[call] = deps

    def _cancelled(self, event: CallCancelled) -> None:
        call = event.call
        began, deps = self._running.get(call), self._open[call]
        self._settle(call, "cancelled", 0.0 if began is None else max(0.0, event.at - began))
        self._ended[call] = "cancelled"
        self._deps[call] = deps

    def _cancel_requested(self, _: CancelRequested) -> None:
        self.cancelling = True

    def _cancel_refused(self, _: CancelRefused) -> None:
        self.cancelling = False

    def _unsure(self, _: Event) -> None:
        self.sure = False


def _took(event: CallFailed) -> float:
    report = event.report
    return 0.0 if report is None else max(0.0, report.ended - report.started)


def _sum(standing: Iterable[dict[str, int]]) -> dict[str, int]:
    found = dict.fromkeys(STATES, 0)
    for counts in standing:
        for status, count in counts.items():
            found[status] += count
    return {status: count for status, count in found.items() if count}


_HANDLERS: Final[dict[type[Event], Any]] = {
    RunStarted: Outline._run_started,  # noqa: SLF001 - the class's own table
    RunResumed: Outline._run_resumed,  # noqa: SLF001
    RunClosed: Outline._run_closed,  # noqa: SLF001
    CallScheduled: Outline._scheduled,  # noqa: SLF001
    CallStarted: Outline._started,  # noqa: SLF001
    CallSucceeded: Outline._succeeded,  # noqa: SLF001
    CallReused: Outline._reused,  # noqa: SLF001
    CallFailed: Outline._failed,  # noqa: SLF001
    CallCancelled: Outline._cancelled,  # noqa: SLF001
    CallRepeated: Outline._unsure,  # noqa: SLF001
    CancelRequested: Outline._cancel_requested,  # noqa: SLF001
    CancelRefused: Outline._cancel_refused,  # noqa: SLF001
}
