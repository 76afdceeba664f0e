"""Decisions in responses that SWF takes: not too many, not too long, the closing one last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from nbflow.services.swf.decisions import Decision, StartTimer
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.shapes import Data

DECISIONS: Final = 100
"""How many decisions a response may have; SWF says "varies", its own library keeps to this."""
BYTES: Final = 900_000
"""How long the decisions of a response may be together; SWF takes a request of a megabyte."""
MORE: Final = "nbflow-more"
"""The timer that brings the next decision task at once, where decisions are left over."""


class Batch(NamedTuple):
    """What is sent now, and what has to wait for the next decision task."""

    now: list[Decision]
    later: list[Decision]


def batch(decisions: Iterable[Decision], *, most: int = DECISIONS, size: int = BYTES) -> Batch:
    """Take as many decisions as a response may have, in order.

    Where some are left over, a timer of no seconds is added that brings the next decision task.
    Decisions that close the execution go out only as the last of all.

    Args:
        decisions: All that there are, in order.
        most: How many a response may have, 2 at least.
        size: How many bytes they may have together.

    Example:
        >>> from nbflow.services.swf.decisions import RecordMarker
        >>> found = batch([RecordMarker(marker_name=str(n)) for n in range(150)])
        >>> len(found.now), found.now[-1].type, len(found.later)
        (100, 'StartTimer', 51)
    """
    waiting = sorted(decisions, key=lambda decision: decision.closing)
    taken: list[Decision] = []
    length = 0
    for place, decision in enumerate(waiting):
        length += wire_length(decision)
        full = len(taken) == most or (len(taken) == most - 1 and place < len(waiting) - 1)
        if taken and (full or length > size):
            more = StartTimer(timer_id=MORE, start_to_fire_timeout=0)
            return Batch([*taken, more], waiting[place:])
        taken.append(decision)
    return Batch(taken, [])


def wire_length(decision: Decision) -> int:
    """Give how many bytes a decision has in a request."""
    return len(json.dumps(decision.wire())) + 1


def checked(decisions: Sequence[Decision]) -> list[Data]:
    """Give decisions as they go over the wire.

    Raises:
        Invalid: The service would refuse them as a whole.
    """
    if len(decisions) > DECISIONS:
        raise Invalid(
            f"{len(decisions)} decisions are too many for a response: {DECISIONS} at most"
        )
    if any(decision.closing for decision in decisions[:-1]):
        raise Invalid("a decision that closes the execution has to be the last one")
    wires = [decision.wire() for decision in decisions]
    size = len(json.dumps(wires))
    if size > BYTES:
        raise Invalid(f"decisions of {size} bytes are too long for a response: {BYTES} at most")
    return wires
