"""Everything that the emulator holds: domains, types, executions, task lists and what is due."""

from __future__ import annotations

import base64
import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from nbflow.services.swf.emulator.execution import Event, Execution
from nbflow.services.swf.emulator.faults import Fault, execution_text, type_text, unknown
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.shapes import Data

DAY: Final = 86_400.0
Queue: TypeAlias = tuple[str, str, str]
"""A task list: ``decision`` or ``activity``, its domain, its name."""
Due: TypeAlias = Callable[[], object]
Follow: TypeAlias = Callable[["World", Execution, Event], None]
"""Puts a task into its list and sets the time limits that an event brings with it."""


@dataclass(slots=True)
class Registered:
    """A registered type."""

    name: str
    version: str
    given: Data
    created: float
    deprecated: float | None = None


@dataclass(slots=True)
class Domain:
    """A domain.

    Attributes:
        name: Its name.
        given: What it was registered with.
        created: When, in seconds since the epoch.
        deprecated: Whether it may be used for nothing new.
        tags: Its tags.
        types: Registered types, by ``Activity`` or ``Workflow``, and then name and version.
        executions: Those it still keeps, by run id, in the order of their starts.
        open: The open ones, by workflow id.
    """

    name: str
    given: Data
    created: float
    deprecated: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    types: dict[str, dict[tuple[str, str], Registered]] = field(
        default_factory=lambda: {"Activity": {}, "Workflow": {}}
    )
    executions: dict[str, Execution] = field(default_factory=dict)
    open: dict[str, Execution] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """What a Lambda function will do: give a result, fail, or never answer (`hangs`)."""

    result: str | None = None
    reason: str | None = None
    details: str | None = None
    hangs: bool = False
    echo: bool = False


class World:
    """The state of the emulated service. It is told the time; it never looks."""

    def __init__(
        self,
        follow: Follow,
        limits: Limits | None = None,
        *,
        seed: str = "",
        region: str = "us-east-1",
    ) -> None:
        self.follow = follow
        self.limits = limits or Limits()
        self.region = region
        self.now = 0.0
        self.secret = hashlib.sha256(b"token" + seed.encode()).digest()
        self.domains: dict[str, Domain] = {}
        self.runs: dict[str, Execution] = {}
        self.functions: dict[str, Answer] = {}
        self.causes: dict[str, list[str]] = {}
        self.touched: dict[str, Execution] = {}
        self.fresh: set[Queue] = set()
        self.requests: Counter[str] = Counter()
        self.recorded: Counter[str] = Counter()
        self.served = 0
        self._seed = seed
        self._queues: dict[Queue, list[tuple[int, int, str, int]]] = {}
        self._due: list[tuple[float, int, Due]] = []
        self._numbers = itertools.count(1)
        self._runs = itertools.count(1)

    def new_run_id(self) -> str:
        """Make the id of a new run, which looks like one of the service's."""
        made = hashlib.sha256(f"{self._seed}:{next(self._runs)}".encode()).digest()
        return "22" + base64.b32encode(made)[:44].decode().replace("=", "")

    # What is there

    def domain(self, name: str, *, fit: bool = False) -> Domain:
        """Give a domain; with `fit`, one that may be used for something new.

        Raises:
            Fault: There is none of that name, or it is deprecated.
        """
        found = self.domains.get(name)
        if found is None:
            raise unknown(f"Unknown domain: {name}")
        if fit and found.deprecated:
            raise Fault("DomainDeprecatedFault", name)
        return found

    def type(self, domain: Domain, kind: str, given: Data) -> Registered:
        """Give a registered type, deprecated or not.

        Raises:
            Fault: There is none of that name and version.
        """
        key = given["name"], given["version"]
        found = domain.types[kind].get(key)
        if found is None:
            raise unknown(f"Unknown type: {type_text(kind, *key)}")
        return found

    def execution(self, domain: Domain, name: Data) -> Execution:
        """Give the execution of that workflow id and run id, open or closed.

        Raises:
            Fault: There is none.
        """
        found = domain.executions.get(name["runId"])
        if found is None or found.workflow_id != name["workflowId"]:
            raise unknown(execution_text(name["workflowId"], name["runId"]))
        return found

    def find_open(self, domain: Domain, workflow_id: str, run_id: str = "") -> Execution | None:
        """Give the open execution of that workflow id, if there is one and it is that run."""
        found = domain.open.get(workflow_id)
        return None if found is None or (run_id and found.run_id != run_id) else found

    # Task lists

    def put(self, queue: Queue, priority: int, execution: Execution, scheduled: int) -> None:
        """Put a task into a task list. A higher priority is handed out first."""
        entry = (-priority, next(self._numbers), execution.run_id, scheduled)
        heapq.heappush(self._queues.setdefault(queue, []), entry)
        self.fresh.add(queue)

    def take(self, queue: Queue) -> tuple[Execution, int] | None:
        """Take the first task of a list that still waits."""
        entries = self._queues.get(queue, [])
        while entries:
            _, _, run_id, scheduled = heapq.heappop(entries)
            if self._waits(queue, run_id, scheduled):
                return self.runs[run_id], scheduled
        return None

    def waiting(self, queue: Queue) -> int:
        """Count the tasks of a list that wait."""
        return sum(
            1 for _, _, run, task in self._queues.get(queue, []) if self._waits(queue, run, task)
        )

    def _waits(self, queue: Queue, run_id: str, scheduled: int) -> bool:
        execution = self.runs.get(run_id)
        if execution is None or not execution.open:
            return False
        if queue[0] == "decision":
            task = execution.decision
            return task is not None and task.scheduled == scheduled and not task.started
        activity = execution.activities.get(scheduled)
        return activity is not None and not activity.started

    # What is due

    def at(self, when: float, do: Due) -> None:
        """Have something done at a time. It looks for itself whether there is still a reason."""
        heapq.heappush(self._due, (when, next(self._numbers), do))

    def next_due(self) -> float | None:
        """When something is due next, in seconds since the epoch."""
        return self._due[0][0] if self._due else None

    def overdue(self, now: float) -> Iterator[tuple[float, Due]]:
        """Give what is due by then, in order, each with its time; what it adds is given, too."""
        while self._due and self._due[0][0] <= now:
            when, _, do = heapq.heappop(self._due)
            yield when, do

    def stats(self) -> Data:
        """Give what was counted: requests by operation, events recorded and events served."""
        return {
            "requests": dict(self.requests),
            "recorded": dict(self.recorded),
            "eventsServed": self.served,
        }
