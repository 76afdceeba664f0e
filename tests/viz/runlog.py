"""Logs of runs that never ran, written event by event."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Collection, Iterable, Sequence

from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    Report,
    RunClosed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.payload import Ref

Call = tuple[str, tuple[str, ...]]


class RunLog:
    """Events of one run; times are seconds after its start."""

    def __init__(self, name: str = "revenue", begun: float = 1000.0) -> None:
        self.begun = begun
        self.events: list[Event] = []
        self._add(RunStarted, 0.0, workflow=name, args=(), kwargs={})

    def _add(self, kind: Callable[..., Event], at: float, **fields: object) -> None:
        self.events.append(kind(seq=len(self.events) + 1, at=self.begun + at, **fields))

    def asked(
        self,
        call: str,
        deps: Sequence[str] = (),
        *,
        args: Sequence[str] = (),
        activity: str | None = None,
        at: float = 0.0,
        turn: int = 0,
        after: Sequence[str] = (),
    ) -> None:
        """Schedule a call that takes the results of `deps`."""
        self._add(
            CallScheduled,
            at,
            call=call,
            activity=activity or call.rpartition("-")[0],
            args=(*args, *map(Ref, deps)),
            deps=tuple(deps),
            turn=turn,
            after=tuple(after),
        )

    def started(self, call: str, at: float, worker: str = "w-1", attempt: int = 1) -> None:
        """Start an attempt."""
        self._add(CallStarted, at, call=call, attempt=attempt, worker=worker)

    def succeeded(
        self,
        call: str,
        started: float,
        ended: float,
        worker: str = "w-1",
        attempt: int = 1,
        packing: float = 0.0,
    ) -> None:
        """End an attempt well."""
        self._add(
            CallSucceeded,
            ended + packing,
            call=call,
            attempt=attempt,
            result=1,
            worker=worker,
            started=self.begun + started,
            run_ns=round((ended - started) * 1e9),
            packing_ns=round(packing * 1e9),
        )

    def failed(
        self,
        call: str,
        started: float,
        ended: float,
        worker: str = "w-1",
        attempt: int = 1,
        retry_at: float | None = None,
        message: str = "unknown region 'mars'",
    ) -> None:
        """End an attempt badly."""
        report = Report.between(worker, self.begun + started, self.begun + ended)
        self._add(
            CallFailed,
            ended,
            call=call,
            attempt=attempt,
            error=Failure(kind="ValueError", bases=("ValueError",), message=message),
            retry_at=None if retry_at is None else self.begun + retry_at,
            report=report,
        )

    def cancelled(self, call: str, at: float) -> None:
        """Give a call up."""
        self._add(CallCancelled, at, call=call)

    def closed(self, at: float, status: str = "completed") -> None:
        """End the run."""
        self._add(RunClosed, at, status=status)


def simulate(
    calls: Iterable[Call], *, workers: int = 4, failing: Collection[str] = (), name: str = "revenue"
) -> list[Event]:
    """Run calls, each listed after those it needs, on so many workers, without running anything."""
    dice, log = random.Random(0), RunLog(name)
    free = [(0.01, f"thread-{i}") for i in range(workers)]
    ended: dict[str, float] = {}
    dead: set[str] = set()
    story: list[tuple[float, int, str, str, float, float]] = []
    for call, deps in calls:
        log.asked(call, deps, args=() if deps else ("eu",))
        if not dead.isdisjoint(deps):
            dead.add(call)
            continue
        since, worker = heapq.heappop(free)
        start = max([since, *(ended[dep] for dep in deps)]) + 0.001
        end = ended[call] = start + dice.uniform(0.05, 0.5)
        heapq.heappush(free, (end, worker))
        story += [(start, 1, call, worker, start, end), (end, 0, call, worker, start, end)]
        if call in failing:
            dead.add(call)
    for at, begins, call, worker, start, end in sorted(story):
        if begins:
            log.started(call, at, worker)
        elif call in failing:
            log.failed(call, start, end, worker)
        else:
            log.succeeded(call, start, end, worker)
    log.closed(max(ended.values(), default=0.0) + 0.01, "failed" if dead else "completed")
    return log.events


def revenue(regions: int) -> list[Call]:
    """List the calls of a small report: fetch and convert each region, add up."""
    calls: list[Call] = []
    for i in range(1, regions + 1):
        calls += [(f"fetch-{i}", ()), (f"convert-{i}", (f"fetch-{i}",))]
    calls.append(("total-1", tuple(f"convert-{i}" for i in range(1, regions + 1))))
    return calls


HOSTILE = "<img src=x onerror=alert(1)>\"'&\x00\x1b[31m\u202e\u2028\n\r\t]]>$x_1$\ud800 漢字"
"""A name with all that could do something other than be read."""


def hostile() -> list[Event]:
    """Give a run in which every text that a user can choose is hostile."""
    log = RunLog(HOSTILE)
    log.asked(f"{HOSTILE}-1", args=(HOSTILE,), activity=HOSTILE)
    log.asked(f"{HOSTILE}-2", (f"{HOSTILE}-1",), activity=HOSTILE)
    log.asked("other-1", args=(HOSTILE,))
    log.started(f"{HOSTILE}-1", 0.1, HOSTILE)
    log.failed(f"{HOSTILE}-1", 0.1, 0.5, HOSTILE, message=HOSTILE)
    log.started("other-1", 0.2, HOSTILE + "2")
    return log.events
