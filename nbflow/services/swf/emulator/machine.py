"""The service as a state machine: a request and the time in, an answer out. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from nbflow.core.errors import InternalError
from nbflow.services.swf import shapes
from nbflow.services.swf.emulator import registration, runs, tasks, timeouts
from nbflow.services.swf.emulator.execution import Event
from nbflow.services.swf.emulator.faults import Fault, invalid
from nbflow.services.swf.emulator.journal import settle
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.world import Queue, World
from nbflow.services.swf.shapes import Data

POLLS: Final = {"PollForDecisionTask": "decision", "PollForActivityTask": "activity"}
"""The operations that wait, each with the kind of task that it waits for."""
_OPERATIONS: Final[dict[str, Callable[[World, Data], Data | None]]] = {
    **registration.OPERATIONS,
    **runs.OPERATIONS,
    **tasks.OPERATIONS,
}


class Machine:
    """The whole service. Give it requests and the time, in the order in which they come.

    Args:
        limits: Its quotas.
        seed: What ids of runs and tokens are made of: the same requests at the same times of two
            machines of one seed give the same answers.
        region: What the names of resources say.

    Example:
        >>> machine = Machine()
        >>> retention = {"workflowExecutionRetentionPeriodInDays": "1"}
        >>> machine.call("RegisterDomain", {"name": "d", **retention}, now=0.0)
        {}
    """

    def __init__(
        self, limits: Limits | None = None, *, seed: str = "", region: str = "us-east-1"
    ) -> None:
        self.world = World(timeouts.follow, limits, seed=seed, region=region)

    def call(self, operation: str, given: Data, now: float) -> Data | None:
        """Answer a request; None: a poll for which there is nothing yet.

        Args:
            operation: Its name, one of the 39.
            given: The request.
            now: The time in seconds since the epoch. It does not go back.

        Raises:
            Fault: The service says no. Nothing has changed.
        """
        self.advance(now)
        if operation not in _OPERATIONS:
            raise Fault("UnknownOperationException", f"There is no operation {operation}")
        request, answer = shapes.operations()[operation]
        found = shapes.problems(request, given)
        if found:
            raise invalid(shapes.message(found))
        self.world.requests[operation] += 1
        made = _OPERATIONS[operation](self.world, _without_nothing(given))
        self._settle()
        self.advance(now)
        if made is not None and answer is not None:
            _check(answer, made)
        return made

    def advance(self, now: float) -> None:
        """Let time pass: everything that was due by then happens at its own time, in order."""
        for when, do in self.world.overdue(now):
            self.world.now = max(self.world.now, when)
            do()
            self._settle()
        self.world.now = max(self.world.now, now)

    def next_due(self) -> float | None:
        """When something will happen of itself, in seconds since the epoch; None: never."""
        return self.world.next_due()

    def fresh(self) -> Iterator[Queue]:
        """Give the task lists that got a task since this was last asked."""
        while self.world.fresh:
            yield self.world.fresh.pop()

    def _settle(self) -> None:
        touched = self.world.touched
        while touched:
            # The first one first: those that began first get their decision task first.
            settle(self.world, touched.pop(next(iter(touched))))


def _without_nothing(given: Data) -> Data:
    return {name: value for name, value in given.items() if value is not None}


def _check(shape: str, answer: Data) -> None:
    """See to it that an answer is as the model says. Its events were looked at when recorded."""
    events = answer.get("events", ())
    found = shapes.problems(shape, {**answer, "events": []} if "events" in answer else answer)
    if found or not all(isinstance(event, Event) for event in events):
        raise InternalError(f"the emulator made a wrong {shape}: {shapes.message(found)}")
