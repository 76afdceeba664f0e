"""The logs of executions that are not over: events are appended here, and timers kept."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from nbflow.services.cloudflow.emulator.calling import Caller
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.emulator.world import World
from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.interpret import api

Machines: TypeAlias = Callable[[FlowDefinition, api.ExecutionInfo], api.MachineLike]


@dataclass(slots=True)
class Live:
    """An execution that is not over."""

    number: int
    data: Data
    machine: api.MachineLike
    last: int = 0
    timers: dict[str, int] = field(default_factory=dict)
    """The number of each timer that is wanted, by what it appends."""


class Logs:
    """Executions that are not over, each with its log and its timers.

    Args:
        world: What there is.
        caller: Calls what flows call.
        machine: Makes the machine of an execution.
    """

    def __init__(self, world: World, caller: Caller, machine: Machines) -> None:
        self._world, self._caller, self._machine = world, caller, machine
        self._live: dict[int, Live] = {}
        self._ready: deque[int] = deque()
        self._timers: list[tuple[float, int, int, api.Record | None]] = []
        self._numbers = itertools.count()

    def _append(self, live: Live, record: api.Record) -> int:
        event: Data = {
            "id": live.last + 1,
            "type": record.type,
            "time": self._world.now,
            "step": record.step,
            "schedule": record.schedule,
            "detail": json.dumps(dict(record.detail), separators=(",", ":")),
        }
        self._world.store.append(live.number, event["id"], event)
        self._apply(live, event)
        return live.last

    def _apply(self, live: Live, event: Data) -> None:
        live.last = event["id"]
        detail = json.loads(event["detail"])
        live.machine.apply(api.Event(**{**event, "detail": detail}))

    def _become(self, live: Live, task: int, kind: str, detail: Data) -> int:
        record = api.Record(type=kind, step=self._step(live, task), schedule=task, detail=detail)
        number = self._append(live, record)
        if live.number not in self._ready:
            self._ready.append(live.number)
        self._world.changed()
        return number

    def _step(self, live: Live, task: int) -> str:
        events = self._world.store.events(live.number, task, 1)
        return str(events[0]["step"]) if events else ""

    def _fitting(self, kind: str, detail: Data) -> tuple[str, Data]:
        most = self._world.limits.data
        size = len(json.dumps(detail).encode())
        if most and size > most:
            cause = f"the output has {size:,} bytes, and may have {most:,}"
            return "TaskFailed", {"error": "FnF.DataLimitExceeded", "cause": cause}
        return kind, detail

    def _set(self, live: Live, timer: api.StartTimer) -> None:
        number = live.timers[key_of(timer.then)] = next(self._numbers)
        heapq.heappush(self._timers, (timer.due, number, live.number, timer.then))

    def next_due(self) -> float | None:
        """Say when something is due next, in seconds since the epoch."""
        while self._timers and not self._wanted(self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _wanted(self, timer: tuple[float, int, int, api.Record | None]) -> bool:
        _, number, execution, record = timer
        live = self._live.get(execution)
        return live is not None and (record is None or live.timers.get(key_of(record)) == number)

    def _overdue(self) -> Iterator[tuple[float, int, int, api.Record | None]]:
        while (due := self.next_due()) is not None and due <= self._world.now:
            yield heapq.heappop(self._timers)


def key_of(record: api.Record) -> str:
    """Give what a timer is known by: what it appends."""
    return f"{record.type} {record.step} {record.schedule} {json.dumps(dict(record.detail))}"
