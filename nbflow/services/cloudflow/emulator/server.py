"""Requests to the emulator, and those that wait. One thread; knows nothing of sockets."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nbflow.services.cloudflow.client.answers import OVER
from nbflow.services.cloudflow.client.base import MissingParameter, parsed
from nbflow.services.cloudflow.client.requests import OPERATIONS
from nbflow.services.cloudflow.client.transport import EMULATOR_KEY, VERSION
from nbflow.services.cloudflow.emulator import answers, executions, flows, schedules, signing
from nbflow.services.cloudflow.emulator.actions import Actions, Function
from nbflow.services.cloudflow.emulator.calling import Caller
from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.hosting import Host
from nbflow.services.cloudflow.emulator.limits import Buckets, Limits
from nbflow.services.cloudflow.emulator.queues import REDELIVER, Queues
from nbflow.services.cloudflow.emulator.replies import (
    internal,
    json_reply,
    new_number,
    read,
    refused,
    written,
)
from nbflow.services.cloudflow.emulator.store import Data, Store
from nbflow.services.cloudflow.emulator.world import World
from nbflow.services.cloudflow.interpret.machine import Machine
from nbflow.services.injection import Injections, injection_of, on_its_way
from nbflow.services.loopback import Answered, Clock, Forget, Reply, Request

CONTROL: Final = "/nbflow/"
"""What the paths of requests to the emulator itself begin with."""
MARK: Final = "x-nbflow-emulator"
"""A header that those have, so that no page in a browser can send one."""
_THREADS: Final = 16
_PATIENCE: Final = 10.0
_POLL: Final = 0.002


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _work(operation: str) -> Callable[[World, Data], Data]:
    name = _snake(operation)
    places = (flows, schedules, executions)
    return next(getattr(place, name) for place in places if hasattr(place, name))  # type: ignore[no-any-return]


_WORK: Final = {operation: _work(operation) for operation in OPERATIONS}


@dataclass(eq=False, slots=True)
class Held:
    """A request that waits for the end of an execution."""

    execution: int
    until: float
    made: Callable[[Data], Data]
    answered: Callable[[Data], None]


class Server:
    """The emulator.

    Args:
        path: Where its data is kept; None for in memory only.
        limits: Its quotas.
        functions: What `FC:InvokeFunction` calls, by name: callables or commands.
        keys: The secret of each access key.
        verify: Whether signatures are checked.
        frozen: Whether time passes only by request.
        seed: What chance is made of.

    Attributes:
        most: Bytes of a request.
    """

    def __init__(
        self,
        path: Path | None = None,
        limits: Limits | None = None,
        *,
        functions: Mapping[str, Function] | None = None,
        keys: Mapping[str, str] | None = None,
        verify: bool = True,
        frozen: bool = False,
        seed: str = "",
    ) -> None:
        self.limits = limits or Limits()
        self.most = self.limits.request + 65_536 if self.limits.request else 1 << 30
        self.clock = Clock(frozen=frozen)
        self.injections = Injections()
        self._keys = dict(keys or {EMULATOR_KEY: EMULATOR_KEY})
        self._verify = verify
        self._buckets = Buckets(self.limits)
        self._world = World(Store(path), self.limits, self.clock, seed)
        self._queues = Queues(self._world, self.injections)
        self._pool = ThreadPoolExecutor(_THREADS, "nbflow-cloudflow-function")
        self._caller = Caller(Actions(functions or {}), self._queues, self._pool, self._post)
        self._host = Host(self._world, self._caller, Machine)
        self._world.host = self._host
        self._caller.heard = self._host.heard
        self._held: list[Held] = []
        self._counted: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moving: set[asyncio.Task[None]] = set()

    # Life

    def begin(self) -> None:
        """Go on with what is kept, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        with self._world.store.transaction():
            self._host.load()
        self._settle()

    def stop(self) -> None:
        """Let nothing more happen; what is kept stays."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._moving:
            task.cancel()
        self._loop = None
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._world.store.close()

    def _post(self, do: Callable[[], None]) -> None:
        """Have something done by the emulator's thread, and what follows from it."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._take_in, do)

    def _take_in(self, do: Callable[[], None]) -> None:
        if self._loop is None:
            return
        with self._world.store.transaction():
            do()
        self._settle()

    # Requests

    def refusal(self, status: int, message: str) -> Reply:
        """Say no to what is no request at all."""
        fault = Fault("EntityTooLarge", self.limits.request) if status == 413 else wrong(message)  # noqa: PLR2004
        return refused(fault, new_number())

    def handle(self, request: Request, answered: Answered) -> Forget | None:
        """Answer a request, now or later; give what has one for a message take none."""
        number, forget = new_number(), None
        try:
            if request.target.startswith(CONTROL):
                forget = self._control(request, answered)
            else:
                self._serve(request, number, answered)
        except Fault as fault:
            answered(refused(fault, number))
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer, not a hang
            answered(refused(internal(error), number))
        self._settle()
        return forget

    def _serve(self, request: Request, number: str, answered: Answered) -> None:
        method, target, headers, body = request
        sent = signing.take_apart(method, target, headers, body)
        action = headers.get("x-acs-action") or sent.query.get("Action") or ""
        if not action:
            raise Fault("MissingRequiredParams", "Action")
        version = headers.get("x-acs-version") or sent.query.get("Version")
        if version != VERSION:
            raise Fault("APIVersionNotSupported", version)
        if action not in OPERATIONS:
            raise Fault("ActionNotSupported", action)
        if self._verify:
            signing.check(sent, self._keys, time.time(), self.limits.skew_seconds)
        elif "x-acs-action" not in headers:
            # A browser sends no such header to another place unless it is asked.
            raise Fault("MissingRequiredHeader", "x-acs-action")
        self._counted[action] += 1
        self._throttled(action)
        self._befallen(action, {**sent.query, **sent.form}, number, answered)

    def _throttled(self, action: str) -> None:
        wait = self._buckets.take(action, self.clock.now())
        if wait:
            raise Fault("ResourceThrottled", action, after=max(1, round(wait * 1000)))

    def _befallen(
        self, action: str, params: dict[str, str], number: str, answered: Answered
    ) -> None:
        befallen = self.injections.befalls(action)
        kind = befallen.kind if befallen else ""
        if kind == "throttle":
            raise Fault("ResourceThrottled", action, after=10)
        if kind == "unavailable":
            raise Fault("InternalServerError")
        answered = on_its_way(answered, befallen)
        try:
            given = parsed(OPERATIONS[action], params)
        except MissingParameter as error:
            raise Fault("MissingRequiredParams", error) from None
        except ValueError as error:
            raise wrong(str(error)) from None
        self._sized(given)
        if kind == "duplicate":
            self._carry_out(action, given)
        self._answer(action, given, lambda data: answered(written(data, number)))

    def _sized(self, given: Data) -> None:
        most = self.limits.data
        for name in ("input", "output", "payload"):
            if most and len((given.get(name) or "").encode()) > most:
                raise Fault("EntityTooLarge", most)

    def _carry_out(self, action: str, given: Data) -> Data:
        with self._world.store.transaction():
            answer = _WORK[action](self._world, given)
            self._host.pump()
        return answer

    def _answer(self, action: str, given: Data, answered: Callable[[Data], None]) -> None:
        answer = self._carry_out(action, given)
        if action == "StartSyncExecution":
            until = self.clock.now() + self.limits.express_seconds + 1
            self._hold(answer["id"], until, executions.sync_answer, answered)
        elif action == "DescribeExecution" and given.get("wait_time_seconds"):
            wait = min(given["wait_time_seconds"], self.limits.wait or 60)
            number = executions.find(self._world, given)["id"]
            self._hold(number, self.clock.now() + wait, answers.execution, answered)
        else:
            answered(answer)

    def _hold(
        self,
        execution: int,
        until: float,
        made: Callable[[Data], Data],
        answered: Callable[[Data], None],
    ) -> None:
        self._held.append(Held(execution, until, made, answered))

    # What follows

    def _settle(self) -> None:
        """Do what can be done now, answer who waits for it, and set the timer."""
        if self._loop is None:
            return
        with self._world.store.transaction():
            self._host.pump()
            given = self._queues.serve()
        for waiter, message in given:
            waiter.answered(json_reply(message))
        for held in list(self._held):
            self._look(held)
        self._rearm()

    def _look(self, held: Held) -> None:
        data = self._world.store.execution(held.execution)
        if data is None:
            self._held.remove(held)
            held.answered({"Status": "Stopped"})
        elif data["status"] in OVER or held.until <= self.clock.now():
            self._held.remove(held)
            held.answered(held.made(data))

    def _next_due(self) -> float | None:
        due = [
            self._host.next_due(),
            self._queues.next_due(),
            schedules.next_due(self._world),
            *(held.until for held in self._held),
        ]
        return min((when for when in due if when is not None), default=None)

    def tick(self) -> None:
        """Let happen what is due."""
        with self._world.store.transaction():
            self._host.tick()
            schedules.start_due(self._world)
        self._settle()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._next_due()
        if due is not None and not self.clock.frozen and self._loop is not None:
            # A day at most: the event loop's own waits are bounded.
            wait = min(max(0.0, due - self.clock.now()), 86_400.0)
            self._timer = self._loop.call_later(wait, self.tick)

    # What is asked of the emulator itself

    def _control(self, request: Request, answered: Answered) -> Forget | None:
        if MARK not in request.headers:
            raise Fault("MissingRequiredHeader", MARK)
        name, given = request.target.removeprefix(CONTROL), read(request.body)
        if name == "advance":
            self._advance(given, answered)
        elif name == "queue/receive":
            with self._world.store.transaction():
                message, waiter = self._queues.receive(given)
            if waiter is None:
                answered(json_reply(message or {}))
            else:
                waiter.answered = answered
                self._queues.hold(waiter)
                return partial(self._queues.forget, waiter)
        else:
            with self._world.store.transaction():
                answer = self._own(name, given)
            answered(json_reply(answer))
        return None

    def _own(self, name: str, given: Data) -> Data:
        if name == "clock":
            return {"now": self.clock.now()}
        if name == "stats":
            return {"requests": dict(self._counted)}
        if name == "queue/send":
            queue, body = given.get("queue", ""), given.get("body", "")
            return {"id": self._queues.send(queue, str(body))}
        if name == "queue/renew":
            return self._queues.renew(given)
        if name == "queue/remove":
            return self._queues.remove(given)
        if name == "inject":
            self._inject(given)
        elif name == "calm":
            self.injections.clear()
        else:
            raise Fault("ActionNotSupported", name)
        return {}

    def _inject(self, given: Data) -> None:
        try:
            self.injections.add(injection_of(given, OPERATIONS, REDELIVER))
        except ValueError as error:
            raise wrong(str(error)) from None

    def _advance(self, given: Data, answered: Answered) -> None:
        seconds = given.get("seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise wrong("seconds must be a number of 0 or more")

        async def move() -> None:
            await self._move(self.clock.now() + seconds)
            answered(json_reply({"now": self.clock.now()}))

        task = asyncio.get_running_loop().create_task(move())
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    async def _move(self, end: float) -> None:
        """Let it be that time, one thing that is due after the other."""
        while True:
            await self._quiet()
            due = self._next_due()
            if due is None or due > end:
                break
            self.clock.reach(due)
            self.tick()
        self.clock.reach(end)
        self.tick()
        await self._quiet()

    async def _quiet(self) -> None:
        """Wait until no function runs: what it gives belongs before what is due later."""
        end = time.monotonic() + _PATIENCE
        while self._caller.busy and time.monotonic() < end:  # noqa: ASYNC110 - bounded and rare
            await asyncio.sleep(_POLL)
