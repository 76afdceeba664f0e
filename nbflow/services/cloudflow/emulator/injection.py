"""Faults on purpose: what networks and busy services do, when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from nbflow.services.cloudflow.client.requests import OPERATIONS
from nbflow.services.cloudflow.emulator.faults import wrong

KINDS: Final = ("throttle", "unavailable", "lost", "duplicate", "delay", "redeliver")


@dataclass(slots=True, kw_only=True)
class Injection:
    """Something that is to go wrong.

    Attributes:
        kind: ``throttle``: refused as too many; ``unavailable``: refused with HTTP 500; ``lost``:
            carried out, but the connection ends without an answer; ``duplicate``: carried out
            twice, and the second answer is given; ``delay``: answered later; ``redeliver``: a
            message of a queue is handed out a second time while the first still has it.
        operation: Which requests it befalls, "" for all; of ``redeliver`` the queue.
        times: How many requests.
        skip: How many go well before.
        seconds: Of a delay.
    """

    kind: str
    operation: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, given: dict[str, Any]) -> Injection:
        """Make one of plain data.

        Raises:
            Fault: There is no such kind or operation, or a number is no number.
        """
        names = {field.name for field in fields(cls)}
        if given.get("kind") not in KINDS or not set(given) <= names:
            raise wrong(f"An injection has a kind of {', '.join(KINDS)}, and {sorted(names)}")
        operation = given.get("operation") or ""
        if given["kind"] != "redeliver" and operation and operation not in OPERATIONS:
            raise wrong(f"There is no operation {operation}")
        for name in ("times", "skip", "seconds"):
            value = given.get(name, 0)
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise wrong(f"{name} must be a number of 0 or more")
        return cls(**given)


class Injections:
    """Those that are still to come."""

    def __init__(self) -> None:
        self._left: list[Injection] = []

    def add(self, injection: Injection) -> None:
        """Have something go wrong from now on."""
        self._left.append(injection)

    def clear(self) -> None:
        """Have everything go well from now on."""
        self._left.clear()

    def befalls(self, operation: str, *, queue: bool = False) -> Injection | None:
        """Give what befalls the next request of an operation, or message of a queue."""
        for injection in self._left:
            if (injection.kind == "redeliver") != queue:
                continue
            if injection.operation not in {"", operation}:
                continue
            if injection.skip > 0:
                injection.skip -= 1
                continue
            injection.times -= 1
            if injection.times <= 0:
                self._left.remove(injection)
            return injection
        return None
