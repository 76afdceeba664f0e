"""The events of an SWF history, as objects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from nbflow.services.swf import shapes
from nbflow.services.swf.errors import HistoryBroken
from nbflow.services.swf.shapes import Data, attributes_member
from nbflow.services.swf.wire import camel, read

_SUFFIX: Final = "EventAttributes"


class HistoryEvent(NamedTuple):
    """One event. Its attributes can be read by Python's names: ``event.scheduled_event_id``.

    Attributes:
        id: Its number in the history, from 1.
        at: When it was recorded, in seconds since the epoch.
        kind: The service's name of it, such as ``ActivityTaskScheduled``. It may be one that this
            version does not know.
        attributes: What it says, by the service's names.
    """

    id: int
    at: float
    kind: str
    attributes: Data

    def __getattr__(self, name: str) -> Any:
        """Give a member by its name in Python; None if this event leaves it out.

        Raises:
            AttributeError: No event of this kind has such a member.
        """
        member = camel(name)
        if member in self.attributes:
            return read(self.attributes[member])
        if name.startswith("__") or member not in _possible(self.kind):
            raise AttributeError(f"a {self.kind} event has no {name}")
        return None

    @property
    def known(self) -> bool:
        """Whether its kind is one that the installed botocore knows."""
        return self.kind in _kinds()

    def wire(self) -> Data:
        """Give it as it goes over the wire, with the time as a number."""
        member = attributes_member(self.kind, "Event")
        return {
            "eventId": self.id,
            "eventTimestamp": self.at,
            "eventType": self.kind,
            member: self.attributes,
        }


@cache
def _kinds() -> frozenset[str]:
    return frozenset(shapes.enumeration("EventType"))


@cache
def _possible(kind: str) -> frozenset[str]:
    return frozenset(shapes.members(f"{kind}{_SUFFIX}")) if kind in _kinds() else frozenset()


def parse(wire: Data) -> HistoryEvent:
    """Make an event of what the service gave, also of a kind that this version does not know.

    Args:
        wire: One of ``events`` of an answer; its time may be a number or a `datetime.datetime`.

    Raises:
        HistoryBroken: It has no number, no kind or no time, or is not as the model says.
    """
    try:
        number, kind, at = wire["eventId"], wire["eventType"], wire["eventTimestamp"]
    except (KeyError, TypeError):
        raise HistoryBroken(f"this is no event of a history: {sorted(wire)}") from None
    member = attributes_member(kind, "Event")
    attributes = wire.get(member)
    if attributes is None:
        found = [value for name, value in wire.items() if name.endswith(_SUFFIX)]
        attributes = found[0] if found else {}
    when = at.timestamp() if isinstance(at, dt.datetime) else float(at)
    return HistoryEvent(number, when, kind, attributes)


def check(event: HistoryEvent) -> None:
    """See whether an event is as botocore's model says; of an unknown kind nothing is known.

    Raises:
        HistoryBroken: It is not.
    """
    found = shapes.problems(f"{event.kind}{_SUFFIX}", event.attributes) if event.known else []
    if found:
        raise HistoryBroken(f"event {event.id}, {event.kind}: {shapes.message(found)}")


def parsed(wires: Iterable[Data]) -> Iterator[HistoryEvent]:
    """Make events of what the service gave, each when it is asked for."""
    return map(parse, wires)
