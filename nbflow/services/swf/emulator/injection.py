"""What the emulator lets go wrong with decisions; for requests, see `nbflow.services.injection`."""

from __future__ import annotations

from typing import Any

from nbflow.services.swf.emulator.faults import invalid
from nbflow.services.swf.shapes import Data, enumeration


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
