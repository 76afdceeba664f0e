"""Code of a flow as generators that wait for events, and go on in the order of the log.

A generator yields what it wants: an event to be appended, a call, a time, or further generators
to run beside each other. What it gets back is the event, or what those gave. As only events make
it go on, the same log leads to the same place.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from nbflow.services.cloudflow.interpret.api import (
    Cancel,
    Command,
    Event,
    Record,
    RunTask,
    StartFlow,
    StartTimer,
)

OUTCOMES: Final = frozenset({"TaskSucceeded", "TaskFailed", "TaskTimedOut", "TaskSubmitFailed"})


class FlowError(Exception):
    """Something in a flow failed, by a name that the flow can catch it by.

    Attributes:
        code: The error's name.
        detail: What happened.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class Ended(Exception):
    """The whole flow is over with an error, whatever stands around it.

    Attributes:
        code: The error's name.
        detail: What happened.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Call:
    """A wish: call something, for so many seconds at most; gives the event of its outcome."""

    command: RunTask | StartFlow
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """A wish: run these beside each other, so many at a time; gives what each gave.

    Where `tolerated` more may fail, a failure is given in the place of what one gave.
    """

    parts: Sequence[Code]
    most: int = 0
    tolerated: int = 0
    name: str = ""
    """Of a map run, whose limits may be changed while it runs."""


Wish: TypeAlias = Record | Call | StartTimer | Together
Code: TypeAlias = "Generator[Wish, Any, Any]"


@dataclass(slots=True, eq=False)
class Strand:
    """A generator that runs, and what it waits for."""

    code: Code
    parent: Strand | None = None
    place: int = 0
    waits: str = ""
    task: int = 0
    wish: Wish | None = None
    timer: StartTimer | None = None
    queue: deque[tuple[int, Code]] = field(default_factory=deque)
    children: list[Strand] = field(default_factory=list)
    results: dict[int, Any] = field(default_factory=dict)
    failures: int = 0
    most: int = 0
    tolerated: int = 0


class Loom:
    """All strands of an execution."""

    def __init__(self) -> None:
        self.now = 0.0
        self.result: Any = None
        self.failure: FlowError | Ended | None = None
        self.over = False
        self._commands: deque[Command] = deque()
        self._waiting: dict[str, deque[Strand]] = {}
        self._tasks: dict[int, Strand] = {}
        self._open: dict[int, RunTask | StartFlow] = {}

    def begin(self, code: Code) -> None:
        """Run a generator until it waits."""
        self._go(Strand(code))

    def take(self) -> list[Command]:
        """Give the commands that were not given before."""
        found = list(self._commands)
        self._commands.clear()
        return found

    @property
    def open(self) -> list[tuple[int, RunTask | StartFlow]]:
        """The calls that have no outcome yet, by their numbers."""
        return list(self._open.items())

    def apply(self, event: Event) -> None:
        """Let go on what waits for an event."""
        self.now = event.time
        if event.type in OUTCOMES and event.schedule in self._tasks:
            self._outcome(event)
        elif event.type == "MapRunUpdated":
            self._adjust(event)
        else:
            self._arrived(event)

    def _arrived(self, event: Event) -> None:
        line = self._waiting.get(_key(event.type, event.step, event.schedule, event.detail))
        if event.type == "TaskScheduled":
            line = self._waiting.get(_key(event.type, event.step, event.schedule, {}))
        if not line:
            return
        strand = line.popleft()
        strand.waits = ""
        self._given(strand, event)
        if isinstance(strand.wish, Call):
            self._scheduled(strand, strand.wish, event)
        else:
            self._go(strand, event)

    def _given(self, strand: Strand, event: Event) -> None:
        """Take back a command that the log had already."""
        for command in list(self._commands):
            record = command.then if isinstance(command, StartTimer) else command
            mine = strand.wish.command if isinstance(strand.wish, Call) else strand.wish
            if command is mine or (isinstance(record, Record) and _is(record, event)):
                self._commands.remove(command)
                return

    def _scheduled(self, strand: Strand, call: Call, event: Event) -> None:
        strand.task = event.id
        self._tasks[event.id] = strand
        self._open[event.id] = call.command
        if call.timeout:
            step = call.command.step
            then = Record(type="TaskTimedOut", step=step, schedule=event.id)
            strand.timer = StartTimer(due=event.time + call.timeout, then=then)
            self._commands.append(strand.timer)

    def _outcome(self, event: Event) -> None:
        strand = self._tasks.pop(event.schedule)
        self._open.pop(event.schedule, None)
        timer, strand.timer = strand.timer, None
        if timer is not None:
            self._drop(timer)
        if event.type == "TaskTimedOut":
            self._commands.append(Cancel(task=event.schedule))
        self._go(strand, event)

    def _drop(self, timer: StartTimer) -> None:
        if timer in self._commands:
            self._commands.remove(timer)
        else:
            self._commands.append(Cancel(timer=timer.then))

    # Strands

    def _go(self, strand: Strand, value: Any = None, error: Exception | None = None) -> None:
        """Let a strand go on until it waits for something, or is over."""
        try:
            wish = strand.code.throw(error) if error else strand.code.send(value)
        except StopIteration as end:
            self._ended(strand, end.value)
        except (FlowError, Ended) as failure:
            self._failed(strand, failure)
        else:
            self._wish(strand, wish)

    def _wish(self, strand: Strand, wish: Wish) -> None:
        strand.wish = wish
        if isinstance(wish, Together):
            self._together(strand, wish)
            return
        if isinstance(wish, Call):
            self._commands.append(wish.command)
            self._wait(strand, _key("TaskScheduled", wish.command.step, wish.command.schedule, {}))
            return
        record = wish.then if isinstance(wish, StartTimer) else wish
        strand.timer = wish if isinstance(wish, StartTimer) else None
        self._commands.append(wish)
        self._wait(strand, _key(record.type, record.step, record.schedule, record.detail))

    def _wait(self, strand: Strand, key: str) -> None:
        strand.waits = key
        self._waiting.setdefault(key, deque()).append(strand)

    def _together(self, strand: Strand, wish: Together) -> None:
        strand.queue = deque(enumerate(wish.parts))
        strand.children, strand.results, strand.failures = [], {}, 0
        strand.most, strand.tolerated = wish.most, wish.tolerated
        self._more(strand)

    def _more(self, strand: Strand) -> None:
        while strand.queue and (not strand.most or len(strand.children) < strand.most):
            place, code = strand.queue.popleft()
            child = Strand(code, strand, place)
            strand.children.append(child)
            wish = strand.wish
            self._go(child)
            if strand.wish is not wish:
                return  # a child failed, and the strand went on
        if not strand.queue and not strand.children and isinstance(strand.wish, Together):
            results = [strand.results[i] for i in range(len(strand.results))]
            strand.wish = None
            self._go(strand, results)

    def _ended(self, strand: Strand, value: Any) -> None:
        if strand.parent is None:
            self.result, self.over = value, True
            return
        strand.parent.children.remove(strand)
        strand.parent.results[strand.place] = value
        self._more(strand.parent)

    def _failed(self, strand: Strand, failure: FlowError | Ended) -> None:
        parent = strand.parent
        if parent is None:
            self.failure, self.over = failure, True
            return
        parent.children.remove(strand)
        if isinstance(failure, FlowError) and parent.failures < parent.tolerated:
            parent.failures += 1
            parent.results[strand.place] = failure
            self._more(parent)
            return
        for child in list(parent.children):
            self._end(child)
        parent.children, parent.queue = [], deque()
        parent.wish = None
        self._go(parent, error=failure)

    def _end(self, strand: Strand) -> None:
        """Give up a strand with all that it waits for."""
        for child in strand.children:
            self._end(child)
        if strand.waits:
            self._waiting[strand.waits].remove(strand)
        if strand.timer is not None:
            self._drop(strand.timer)
        if self._tasks.pop(strand.task, None) is not None:
            self._open.pop(strand.task, None)
            self._commands.append(Cancel(task=strand.task))
        wish = strand.wish.command if isinstance(strand.wish, Call) else strand.wish
        self._commands = deque(c for c in self._commands if c is not wish)
        strand.code.close()

    def _adjust(self, event: Event) -> None:
        """Change the limits of a map run."""
        strands = {id(s): s for line in self._waiting.values() for s in line}
        strands |= {id(s): s for s in self._tasks.values()}
        parents = {id(s.parent): s.parent for s in strands.values() if s.parent is not None}
        for parent in parents.values():
            if isinstance(parent.wish, Together) and parent.wish.name == event.step:
                parent.most = int(event.detail.get("concurrency", parent.most))
                count = event.detail.get("tolerated_failed_count", parent.tolerated)
                parent.tolerated = int(count)
                self._more(parent)


def _key(kind: str, step: str, schedule: int, detail: Any) -> str:
    return f"{kind} {step} {schedule} {json.dumps(dict(detail), sort_keys=True)}"


def _is(record: Record, event: Event) -> bool:
    ours = _key(record.type, record.step, record.schedule, record.detail)
    return ours == _key(event.type, event.step, event.schedule, event.detail)
