"""What emulators of services let go wrong on purpose: what networks and busy services do."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass, fields
from typing import Any, Final

from nbflow.services.loopback import Answered, Reply

KINDS: Final = ("throttle", "unavailable", "lost", "duplicate", "delay")
"""What can befall a request."""


@dataclass(slots=True, kw_only=True)
class Injection:
    """Something that is to go wrong.

    Attributes:
        kind: ``throttle``: refused as too many; ``unavailable``: refused with HTTP 500; ``lost``:
            carried out, but the connection ends without an answer; ``duplicate``: carried out
            twice, and the second answer is given, or, for a poll, the same task is given to the
            next poll as well; ``delay``: answered later; or a kind of the emulator's own.
        operation: Which requests it befalls; "" for all.
        times: How many requests.
        skip: How many go well before.
        seconds: Of a delay.
    """

    kind: str
    operation: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 0.0


def injection_of(
    given: dict[str, Any], operations: Container[str], others: tuple[str, ...] = ()
) -> Injection:
    """Make one of plain data.

    Args:
        given: Its attributes.
        operations: Those of the service.
        others: Kinds of the emulator's own; what they befall is no operation.

    Raises:
        ValueError: There is no such kind or operation, or a number is no number.
    """
    names, kinds = {field.name for field in fields(Injection)}, (*KINDS, *others)
    if given.get("kind") not in kinds or not set(given) <= names:
        raise ValueError(f"An injection has a kind of {', '.join(kinds)}, and {sorted(names)}")
    operation = given.get("operation") or ""
    if given["kind"] in KINDS and operation and operation not in operations:
        raise ValueError(f"There is no operation {operation}")
    for name in ("times", "skip", "seconds"):
        value = given.get(name, 0)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name} must be a number of 0 or more")
    return Injection(**given)


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

    def befalls(self, operation: str, kinds: tuple[str, ...] = KINDS) -> Injection | None:
        """Give what befalls the next request of an operation, if anything of these kinds does."""
        for injection in self._left:
            if injection.kind not in kinds or injection.operation not in {"", operation}:
                continue
            if injection.skip > 0:
                injection.skip -= 1
                continue
            injection.times -= 1
            if injection.times <= 0:
                self._left.remove(injection)
            return injection
        return None


def on_its_way(answered: Answered, befallen: Injection | None) -> Answered:
    """Give what becomes of an answer on its way: it comes, later if it is delayed, or is lost."""
    kind = befallen.kind if befallen is not None else ""
    if befallen is not None and kind == "delay":
        loop, seconds = asyncio.get_running_loop(), befallen.seconds

        def later(reply: Reply) -> None:
            loop.call_later(seconds, answered, reply)

        return later
    if kind == "lost":
        return lambda reply: answered(Reply(reply.status, None))
    return answered
