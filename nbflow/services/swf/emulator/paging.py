"""Long answers, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from nbflow.services.swf.emulator.execution import Event, Execution
from nbflow.services.swf.emulator.tokens import seal, unseal
from nbflow.services.swf.emulator.world import World
from nbflow.services.swf.shapes import Data

T = TypeVar("T")

MOST: Final = 1000
"""How many entries a page may have, and has if nothing is said."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some entries of a list, and the token for more; "" if these were the last."""

    entries: Sequence[T]
    token: str = ""

    def answer(self, member: str) -> Data:
        """Give the answer of an operation that lists."""
        made: Data = {member: list(self.entries)}
        if self.token:
            made["nextPageToken"] = self.token
        return made


def page(world: World, given: Data, kind: str, entries: Sequence[T]) -> Page[T]:
    """Give the page of a list that a request asks for.

    Raises:
        Fault: Its page token is none of this list.
    """
    first = 0
    if given.get("nextPageToken"):
        (first,) = unseal(world.secret, kind, given["nextPageToken"])
    size = given.get("maximumPageSize") or MOST
    after = first + size
    token = seal(world.secret, kind, after) if after < len(entries) else ""
    return Page(entries[first:after], token)


def history_page(
    world: World,
    execution: Execution,
    given: Data,
    *,
    kind: str,
    first: int = 1,
    last: int | None = None,
) -> Page[Event]:
    """Give a page of a history.

    Args:
        world: Everything.
        execution: Whose history.
        given: The request.
        kind: What the page token is for: one of another run or operation is refused.
        first: Id of the first event.
        last: Id of the last one, by default of the latest.

    Raises:
        Fault: The page token is none of this history.
    """
    bounds = [first, last or len(execution.history)]
    if given.get("nextPageToken"):
        bounds = unseal(world.secret, kind, given["nextPageToken"])
    first, last = bounds
    size = given.get("maximumPageSize") or MOST
    token = ""
    if last - first >= size:
        rest = [first, last - size] if given.get("reverseOrder") else [first + size, last]
        first, last = (
            (last - size + 1, last) if given.get("reverseOrder") else (first, first + size - 1)
        )
        token = seal(world.secret, kind, *rest)
    events = execution.history[first - 1 : last]
    if given.get("reverseOrder"):
        events.reverse()
    world.served += len(events)
    return Page(events, token)
