"""Queues in the place of Message Service: workers take from them, renew and remove.

Only the emulator has these requests. What a worker of another service's queues needs is the same:
a message that is not removed in time is handed out again, with the same token.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from nbflow.services.cloudflow.client.checks import name as checked_name
from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.emulator.world import World
from nbflow.services.injection import Injections
from nbflow.services.loopback import Answered

LONGEST: Final = 30.0
"""Seconds that a request for a message is held at most."""
REDELIVER: Final = ("redeliver",)
"""What can befall a message: it is handed out a second time while the first still has it."""
_VISIBILITY: Final = 30.0
_DAY: Final = 86_400.0


@dataclass(eq=False, slots=True)
class Waiter:
    """A request for a message that waits for one."""

    queue: str
    visibility: float
    until: float
    answered: Answered


class Queues:
    """The queues. There is no need to create one."""

    def __init__(self, world: World, injections: Injections) -> None:
        self._world = world
        self._injections = injections
        self._waiters: list[Waiter] = []

    def send(self, queue: str, body: str, delay: float = 0.0) -> str:
        """Put a message into a queue; give its number.

        Raises:
            Fault: That is no name of a queue.
        """
        message = self._world.store.send(_named(queue), body, self._world.now + delay)
        self._world.changed()
        return str(message)

    def receive(self, given: Data) -> tuple[Data | None, Waiter | None]:
        """Take a message; if there is none, give who waits for it.

        Raises:
            Fault: A number is none.
        """
        queue = _named(given.get("queue"))
        visibility = _seconds(given, "visibility", _VISIBILITY, _DAY / 2)
        wait = _seconds(given, "wait", 0.0, LONGEST)
        message = self._take(queue, visibility)
        if message is not None or not wait:
            return {"message": message}, None
        return None, Waiter(queue, visibility, self._world.now + wait, lambda _: None)

    def hold(self, waiter: Waiter) -> None:
        """Let a request wait."""
        self._waiters.append(waiter)
        self._world.changed()

    def forget(self, waiter: Waiter) -> None:
        """Give nothing to a request whose client is gone."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _take(self, queue: str, visibility: float) -> Data | None:
        now, store = self._world.now, self._world.store
        again = self._injections.befalls(queue, REDELIVER)
        until = now if again else now + visibility
        return store.receive(queue, now, until, str(uuid.uuid4()))

    def renew(self, given: Data) -> Data:
        """Hide a message that was taken for longer.

        Raises:
            Fault: It was handed out again, or removed.
        """
        queue, receipt = _named(given.get("queue")), str(given.get("receipt"))
        until = self._world.now + _seconds(given, "visibility", _VISIBILITY, _DAY / 2)
        if not self._world.store.hide(queue, receipt, until):
            raise Fault("TaskNotExists", receipt)
        self._world.changed()
        return {}

    def remove(self, given: Data) -> Data:
        """Remove a message that was taken.

        Raises:
            Fault: It was handed out again, or removed.
        """
        queue, receipt = _named(given.get("queue")), str(given.get("receipt"))
        if not self._world.store.drop(queue, receipt):
            raise Fault("TaskNotExists", receipt)
        return {}

    def serve(self) -> list[tuple[Waiter, Data]]:
        """Give the requests that have their answer by now: a message, or that none came."""
        answered = []
        for waiter in list(self._waiters):
            message = self._take(waiter.queue, waiter.visibility)
            if message is not None or waiter.until <= self._world.now:
                self._waiters.remove(waiter)
                answered.append((waiter, {"message": message}))
        return answered

    def next_due(self) -> float | None:
        """Say when a request that waits is to be looked at."""
        due = [waiter.until for waiter in self._waiters]
        for queue in {waiter.queue for waiter in self._waiters}:
            visible = self._world.store.next_visible(queue)
            due += [visible] if visible is not None else []
        return min(due, default=None)


def _named(queue: object) -> str:
    try:
        return checked_name(queue)
    except ValueError as error:
        raise wrong(f"queue: {error}") from None


def _seconds(given: Data, name: str, usual: float, most: float) -> float:
    value = given.get(name, usual)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        raise wrong(f"{name} is a number of 0 to {most:g} seconds")
    return float(value)
