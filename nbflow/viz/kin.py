"""Child runs in the panel of their parent: each that is opened there is followed as well.

What is told of a child goes over the parent's line, in an envelope that says which call it is;
so a child's own children come in two envelopes, and nobody needs to know how deep they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from nbflow.viz.board import State
from nbflow.viz.outbox import Sink

MOST: Final = 16
"""So many child runs are followed in one panel at once."""


class Followed(Protocol):
    """A follower of a child run."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""

    def hear(self, content: object) -> None:
        """Take a message from the browser."""

    def company(self) -> int:
        """Count it and those of its own children."""


class Envelope:
    """A sink that sends on what is told of a child.

    Args:
        row: The row of the call that the child is, among its parent's.
        tell: Sends a message of the parent.
    """

    def __init__(self, row: int, tell: Callable[[State, list[bytes]], object]) -> None:
        self._row = row
        self._tell = tell

    def full(self, state: State) -> None:
        """Send a whole state on."""
        self._tell({"kind": "child", "call": self._row, "state": state}, [])

    def tell(self, message: State, buffers: list[bytes]) -> None:
        """Send a message on."""
        self._tell({"kind": "child", "call": self._row, "message": message}, buffers)

    def allow(self, actions: list[str]) -> None:
        """Offer nothing: a child run is cancelled and tried again as its parent's call."""


class Kin:
    """The children of one run that are open in its panel.

    Args:
        follow: Makes a follower of the child run that a call is, which tells a sink; None if the
            call is none, or has not begun.
        tell: Sends a message of the parent.
    """

    def __init__(
        self,
        follow: Callable[[str, Sink], Followed | None],
        tell: Callable[[State, list[bytes]], object],
    ) -> None:
        self._follow = follow
        self._tell = tell
        self._open: dict[int, Followed] = {}

    def hear(self, row: int, call: str, content: Any) -> None:
        """Take a message about a child, None to close it; the first one opens it.

        Raises:
            ValueError: It is no child, or too many are open.
        """
        known = self._open.get(row)
        if content is None:
            if known is not None:
                self._open.pop(row).stop()
            return
        if known is None:
            known = self._opened(row, call)
        known.hear(content)

    def _opened(self, row: int, call: str) -> Followed:
        if len(self._open) >= MOST:
            message = f"{MOST} child runs are open in this panel already: close one of them"
            raise ValueError(message)
        found = self._follow(call, Envelope(row, self._tell))
        if found is None:
            message = f"{call} is no child run, or has not begun"
            raise ValueError(message)
        self._open[row] = found
        found.start()
        return found

    def company(self) -> int:
        """Count the children that are followed, and theirs."""
        return sum(child.company() for child in list(self._open.values()))

    def close(self) -> None:
        """Follow none of them any longer."""
        for child in list(self._open.values()):
            child.stop()
        self._open.clear()
