"""What a store is: the logs of runs, and blobs beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nbflow.core.events import Event, RunStarted


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it stands in the list of runs. Times are seconds since the epoch.

    Attributes:
        run: Its id.
        workflow: Name of its workflow.
        status: ``running``, ``completed``, ``failed`` or ``cancelled``.
        on: Where its calls run.
        created: When it was created.
        closed: When it ended, or None.
    """

    run: str
    workflow: str
    status: str
    on: str
    created: float
    closed: float | None = None


class Log(Protocol):
    """A log that can be read."""

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """Give a run's events in order, those with a seq above `after`.

        Raises:
            RunNotFound: There is no such run.
        """


class Store(Log, Protocol):
    """A log that can be written. Every method may be called from any thread.

    Attributes:
        path: Where it is, for messages; ``:memory:`` for none.
    """

    path: str

    def create(self, run: str, event: RunStarted) -> None:
        """Begin a run's log with its first event.

        Raises:
            StoreConflict: A run of that id exists.
        """

    def append(self, run: str, events: Sequence[Event]) -> None:
        """Add events, all of them or none, durably once this returns.

        Raises:
            StoreConflict: The first one's seq is not the next: somebody else wrote to the run.
            StoreError: They could not be written. Nothing was.
        """

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """List runs, the latest first."""

    def put(self, data: bytes) -> str:
        """Keep bytes, and give the digest under which `get` finds them. Keeps equal ones once."""

    def get(self, digest: str) -> bytes:
        """Give the bytes of a digest.

        Raises:
            StoreError: They are missing, or are not what they were.
        """

    def close(self) -> None:
        """Let go of files. May be called twice."""
