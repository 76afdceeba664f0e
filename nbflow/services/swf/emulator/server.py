"""Requests to the machine, and polls that wait. One thread; knows nothing of sockets.

The event loop is the only one that touches the machine, so it needs no lock, however many
processes ask at the same time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from nbflow.services.injection import Injections, injection_of, on_its_way
from nbflow.services.loopback import Answered, Clock, Forget, Reply, Request
from nbflow.services.swf.emulator import injection, tasks
from nbflow.services.swf.emulator.execution import Event
from nbflow.services.swf.emulator.faults import Fault, invalid
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.machine import POLLS, Machine
from nbflow.services.swf.emulator.world import Answer, Queue
from nbflow.services.swf.shapes import Data, operations

SERVICE: Final = "SimpleWorkflowService."
CONTROL: Final = "NbflowEmulator."
"""What the targets of requests begin with: the service's own, and those to the emulator."""


TARGET: Final = "x-amz-target"
"""The header that says what is asked for; no page in a browser can send one to loopback."""
_TYPE: Final = ("Content-Type", "application/x-amz-json-1.0")
_TOO_LARGE: Final = 413
_NUMBERS: Final = itertools.count(1)


@dataclass(eq=False, slots=True)
class Waiter:
    """A poll that waits; `answered` is None once it has its answer or its client is gone."""

    operation: str
    given: Data
    answered: Answered | None

    def forget(self) -> None:
        """Take nothing any more: its client is gone."""
        self.answered = None


class Server:
    """A machine with a clock, polls that wait, and faults on purpose.

    Attributes:
        most: Bytes of a request.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        seed: str = "",
        frozen: bool = False,
        machine: Machine | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.most = self.limits.request
        self.machine = machine or Machine(self.limits, seed=seed)
        self.clock = Clock(frozen=frozen)
        self.injections = Injections()
        self._again: dict[Queue, Data] = {}
        self._waiters: dict[Queue, deque[Waiter]] = {}
        self._ends: list[tuple[float, int, Queue, Waiter]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Let happen what became due since the machine was last asked."""
        self.tick()

    def refusal(self, status: int, message: str) -> Reply:
        """Say no to what is no request at all."""
        large = status == _TOO_LARGE
        return _refused(Fault("RequestEntityTooLarge", message) if large else invalid(message))

    def handle(self, request: Request, answered: Answered) -> Forget | None:
        """Answer a request, now or later; give what has a poll that waits take nothing."""
        try:
            return self._answer(request, answered)
        except Fault as fault:
            answered(_refused(fault))
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer, not a hang
            answered(_refused(Fault("InternalFailure", f"{type(error).__name__}: {error}")))
        finally:
            self._serve()
        return None

    def _answer(self, request: Request, answered: Answered) -> Forget | None:
        if request.method != "POST":
            raise invalid("Requests are sent by POST")
        given, target = _read(request.body), request.headers.get(TARGET, "")
        if target.startswith(CONTROL):
            answered(_written(self._control(target.removeprefix(CONTROL), given)))
            return None
        waiter = self._request(_operation(target), given, answered)
        return None if waiter is None else waiter.forget

    def _request(self, operation: str, given: Data, answered: Answered) -> Waiter | None:
        befallen = self.injections.befalls(operation)
        kind = befallen.kind if befallen else ""
        if kind == "throttle":
            raise Fault("ThrottlingException", "Rate exceeded")
        if kind == "unavailable":
            raise Fault("InternalFailure", "The service is not available")
        answered = on_its_way(answered, befallen)
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
            self._inject(given)
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

    def _inject(self, given: Data) -> None:
        try:
            self.injections.add(injection_of(given, operations()))
        except ValueError as error:
            raise invalid(str(error)) from None

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
        return _reply(200, json.dumps(answer, separators=(",", ":")))
    rest = {name: value for name, value in answer.items() if name != "events"}
    head = json.dumps(rest, separators=(",", ":"))[:-1]
    listed = ",".join(event.text for event in events if isinstance(event, Event))
    comma = "," if rest else ""
    return _reply(200, f'{head}{comma}"events":[{listed}]}}')


def _refused(fault: Fault) -> Reply:
    return _reply(fault.status, json.dumps(fault.body))


def _reply(status: int, text: str) -> Reply:
    number = ("x-amzn-RequestId", f"emulated-{next(_NUMBERS)}")
    return Reply(status, text.encode(), (_TYPE, number))
