"""Requests to the machine, and polls that wait. One thread; knows nothing of sockets.

The event loop is the only one that touches the machine, so it needs no lock, however many
processes ask at the same time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from nbflow.services.swf.emulator import injection, tasks
from nbflow.services.swf.emulator.execution import Event
from nbflow.services.swf.emulator.faults import Fault, invalid
from nbflow.services.swf.emulator.injection import Injection, Injections
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.machine import POLLS, Machine
from nbflow.services.swf.emulator.world import Answer, Queue
from nbflow.services.swf.shapes import Data

SERVICE: Final = "SimpleWorkflowService."
CONTROL: Final = "NbflowEmulator."
"""What the targets of requests begin with: the service's own, and those to the emulator."""


class Reply(NamedTuple):
    """An answer on its way out; `body` None: the connection is ended without one."""

    status: int
    body: bytes | None


Answered: TypeAlias = Callable[[Reply], None]


@dataclass(eq=False, slots=True)
class Waiter:
    """A poll that waits; `answered` is None once it has its answer or its client is gone."""

    operation: str
    given: Data
    answered: Answered | None


class Clock:
    """The emulator's time: real, moved on by request, or standing still but for that.

    Args:
        frozen: Whether it stands still.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self._frozen = time.time() if frozen else None
        self._moved = 0.0

    @property
    def frozen(self) -> bool:
        """Whether time passes only by request."""
        return self._frozen is not None

    def now(self) -> float:
        """Give the time in seconds since the epoch."""
        return self._moved + (time.time() if self._frozen is None else self._frozen)

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self._moved += seconds


class Server:
    """A machine with a clock, polls that wait, and faults on purpose."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        seed: str = "",
        frozen: bool = False,
        machine: Machine | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.machine = machine or Machine(self.limits, seed=seed)
        self.clock = Clock(frozen=frozen)
        self.injections = Injections()
        self._again: dict[Queue, Data] = {}
        self._waiters: dict[Queue, deque[Waiter]] = {}
        self._ends: list[tuple[float, int, Queue, Waiter]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def handle(self, target: str, body: bytes, answered: Answered) -> Waiter | None:
        """Answer a request, now or later; give the poll if it waits."""
        try:
            given = _read(body)
            if target.startswith(CONTROL):
                answered(_written(self._control(target.removeprefix(CONTROL), given)))
                return None
            return self._request(_operation(target), given, answered)
        except Fault as fault:
            answered(_refused(fault))
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer, not a hang
            answered(_refused(Fault("InternalFailure", f"{type(error).__name__}: {error}")))
        finally:
            self._serve()
        return None

    def _request(self, operation: str, given: Data, answered: Answered) -> Waiter | None:
        befallen = self.injections.befalls(operation)
        kind = befallen.kind if befallen else ""
        if kind == "throttle":
            raise Fault("ThrottlingException", "Rate exceeded")
        if kind == "unavailable":
            raise Fault("InternalFailure", "The service is not available")
        if befallen and kind == "delay":
            loop = asyncio.get_running_loop()
            answered = _later(loop, befallen.seconds, answered)
        elif kind == "lost":
            answered = _losing(answered)
        if operation in POLLS:
            return self._poll(operation, given, answered, again=kind == "duplicate")
        if kind == "duplicate":
            self.machine.call(operation, given, self.clock.now())
        answer = self.machine.call(operation, given, self.clock.now())
        answered(_written(answer or {}))
        return None

    # Polls

    def _poll(
        self, operation: str, given: Data, answered: Answered, *, again: bool
    ) -> Waiter | None:
        answer = self._taken(operation, given)
        if answer is not None:
            if again:
                self._again[_queue(operation, given)] = answer
            answered(_written(answer))
            return None
        queue = _queue(operation, given)
        line = self._waiters.setdefault(queue, deque())
        if sum(w.answered is not None for w in line) >= self.limits.pollers:
            raise tasks.refused(queue[0])
        waiter = Waiter(operation, given, answered)
        line.append(waiter)
        end = self.clock.now() + self.limits.poll
        heapq.heappush(self._ends, (end, next(self._numbers), queue, waiter))
        return waiter

    def _taken(self, operation: str, given: Data) -> Data | None:
        answer = self.machine.call(operation, given, self.clock.now())
        if answer is None:
            return self._again.pop(_queue(operation, given), None)
        return answer

    def _serve(self) -> None:
        """Give tasks that have come to the polls that wait for them, the longest waiting first."""
        for queue in self.machine.fresh():
            line = self._waiters.get(queue, deque())
            while line:
                waiter = line[0]
                if waiter.answered is None:
                    line.popleft()
                    continue
                answer = self.machine.call(waiter.operation, waiter.given, self.clock.now())
                if answer is None:
                    break
                line.popleft()
                _finish(waiter, answer)
        self._rearm()

    def _end_polls(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, _, queue, waiter = heapq.heappop(self._ends)
            if waiter.answered is not None:
                self._waiters[queue].remove(waiter)
                _finish(waiter, tasks.NOTHING[waiter.operation])

    # Time

    def tick(self) -> None:
        """Let happen what is due."""
        now = self.clock.now()
        self.machine.advance(now)
        self._serve()
        self._end_polls(now)
        self._rearm()

    def stop(self) -> None:
        """Let nothing more happen of itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rearm(self) -> None:
        self.stop()
        due = [self.machine.next_due(), self._ends[0][0] if self._ends else None]
        soonest = min((when for when in due if when is not None), default=None)
        if soonest is not None and not self.clock.frozen:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, soonest - self.clock.now()), self.tick)

    # What is asked of the emulator itself

    def _control(self, name: str, given: Data) -> Data:
        if name == "Stats":
            return self.machine.world.stats()
        if name == "Clock":
            return {"now": self.clock.now()}
        if name == "Advance":
            self._advance(given)
        elif name == "Inject":
            self.injections.add(Injection.of(given))
        elif name == "Refuse":
            decision, causes = injection.causes(given)
            self.machine.world.causes.setdefault(decision, []).extend(causes)
        elif name == "Function":
            function = str(given.pop("name", ""))
            self.machine.world.functions[function] = _answer(given)
        elif name == "Calm":
            self.injections.clear()
            self.machine.world.causes.clear()
        else:
            raise Fault("UnknownOperationException", f"The emulator has no operation {name!r}")
        return {}

    def _advance(self, given: Data) -> None:
        seconds = given.get("seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise invalid("seconds must be a number of 0 or more")
        self.clock.advance(seconds)
        self.tick()


def _operation(target: str) -> str:
    if not target.startswith(SERVICE):
        raise Fault("UnknownOperationException", f"There is no operation {target!r}")
    return target.removeprefix(SERVICE)


def _queue(operation: str, given: Data) -> Queue:
    return POLLS[operation], given["domain"], given["taskList"]["name"]


def _answer(given: Data) -> Answer:
    try:
        return Answer(**given)
    except TypeError:
        raise invalid(f"A function has a name and {sorted(asdict(Answer()))}") from None


def _finish(waiter: Waiter, answer: Data) -> None:
    answered, waiter.answered = waiter.answered, None
    if answered is not None:
        answered(_written(answer))


def _later(loop: asyncio.AbstractEventLoop, seconds: float, answered: Answered) -> Answered:
    def later(reply: Reply) -> None:
        loop.call_later(seconds, answered, reply)

    return later


def _losing(answered: Answered) -> Answered:
    def lost(reply: Reply) -> None:
        answered(Reply(reply.status, None))

    return lost


def _read(body: bytes) -> Data:
    try:
        given: Any = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Fault("SerializationException", "The request is no JSON object")
    return given


def _written(answer: Data) -> Reply:
    events = answer.get("events")
    if events is None:
        return Reply(200, json.dumps(answer, separators=(",", ":")).encode())
    rest = {name: value for name, value in answer.items() if name != "events"}
    head = json.dumps(rest, separators=(",", ":"))[:-1]
    listed = ",".join(event.text for event in events if isinstance(event, Event))
    comma = "," if rest else ""
    return Reply(200, f'{head}{comma}"events":[{listed}]}}'.encode())


def _refused(fault: Fault) -> Reply:
    return Reply(fault.status, json.dumps(fault.body).encode())
