"""Faults on purpose: what networks and busy services do, when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from nbflow.services.swf.emulator.faults import invalid
from nbflow.services.swf.shapes import Data, enumeration, operations

KINDS: Final = ("throttle", "unavailable", "lost", "duplicate", "delay")


@dataclass(slots=True, kw_only=True)
class Injection:
    """Something that is to go wrong.

    Attributes:
        operation: Which requests it befalls; "" for all.
        kind: ``throttle``: refused with "Rate exceeded"; ``unavailable``: refused with HTTP 500;
            ``lost``: carried out, but the connection ends without an answer; ``duplicate``:
            carried out twice, and the second answer is given, or, for a poll, the same task is
            given to the next poll as well; ``delay``: answered later.
        times: How many requests.
        skip: How many go well before.
        seconds: How much later.
    """

    kind: str
    operation: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, given: Data) -> Injection:
        """Make one of plain data.

        Raises:
            Fault: There is no such kind or operation, or a number is no number.
        """
        names = {field.name for field in fields(cls)}
        if given.get("kind") not in KINDS or not set(given) <= names:
            raise invalid(f"An injection has a kind of {', '.join(KINDS)} and {sorted(names)}")
        if given.get("operation") and given["operation"] not in operations():
            raise invalid(f"There is no operation {given['operation']}")
        for name in ("times", "skip", "seconds"):
            value = given.get(name, 0)
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise invalid(f"{name} must be a number of 0 or more")
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

    def befalls(self, operation: str) -> Injection | None:
        """Give what befalls the next request of an operation, if anything does."""
        for injection in self._left:
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


def causes(given: Data) -> tuple[str, list[str]]:
    """Read which decision is to be refused, with what cause and how often.

    Raises:
        Fault: There is no such decision, or it never fails with that cause.
    """
    decision: Any = given.get("decision")
    if decision not in enumeration("DecisionType"):
        raise invalid(f"There is no decision {decision}")
    possible = enumeration(f"{decision}FailedCause")
    if given.get("cause") not in possible:
        raise invalid(f"{decision} fails with one of {', '.join(possible)}")
    return decision, [given["cause"]] * int(given.get("times", 1))
