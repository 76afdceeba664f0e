"""What an interpreter needs from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nbflow.core.call import CallState

if TYPE_CHECKING:
    from nbflow.core.events import SignalReceived, SignalSent
    from nbflow.core.markers import Marker


class Driver(Protocol):
    """What is done with what workflow code asks for, and how it waits."""

    def ask(self, state: CallState) -> None:
        """Take a call that workflow code asks for; it may be known from the log already."""

    def timer(self, state: CallState, seconds: float) -> None:
        """Settle `state` after so many seconds."""

    def mark(self, state: CallState, marker: Marker) -> None:
        """Have a marker's value made and written; that settles `state`."""

    def expect(self, state: CallState) -> None:
        """Learn that the code may wait for this signal."""

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:
        """Send a signal and have it written that it was; that settles `state`."""

    def cancel(self, state: CallState, reason: str) -> None:
        """Give up a call or a timer."""

    def answer(self, *, refused: bool) -> None:
        """Learn what the code makes of the request to cancel the run, which it has now heard."""

    def block(self, state: CallState | None, position: int) -> None:
        """Return once `state` is settled, or, with None, once more than `position` calls are."""

    def restore(self, state: CallState) -> CallState:
        """Have a result computed again that was in memory only; return the call that has done so.

        Code that may not run anything is stopped, by `ValueGone`.
        """

    @property
    def stopped(self) -> BaseException | None:
        """What stops the code for good, whatever it makes of that."""

    def take_in(self) -> None:
        """Return once the history knows all that the code has asked for."""

    def visible(self) -> int:
        """How many settled calls the code may see: those whose settling is in the log."""
