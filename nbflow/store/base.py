"""What a store is: the logs of runs, and blobs beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nbflow.core.buffers import Bytes
from nbflow.core.events import Event, RunStarted
from nbflow.store.cached import ResultCache
from nbflow.store.lease import Lease

Durability = Literal["process", "power"]
"""What an ordinary append survives: the end of the process, or that of the power as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it stands in the list of runs. Times are seconds since the epoch.

    Attributes:
        run: Its id.
        workflow: Name of its workflow.
        status: ``running``, ``completed``, ``failed``, ``cancelled`` or ``continued`` (in another
            run); in lists for people also
            ``stopped``: not over, and driven by no process.
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
        cache: The results of ``cache=True`` activities that it keeps for later runs.
    """

    path: str

    @property
    def cache(self) -> ResultCache:
        """See above."""

    def create(self, run: str, event: RunStarted) -> None:
        """Begin a run's log with its first event.

        Raises:
            StoreConflict: A run of that id exists.
        """

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        """Add events, all of them or none.

        Once this returns they survive the end of the process. With `sync`, or where they end the
        run, they survive the end of the machine's power as well.

        Raises:
            StoreConflict: The first one's seq is not the next: somebody else wrote to the run.
            StoreError: They could not be written. Nothing was.
        """

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
        """Claim a run, or renew a claim to it.

        Args:
            run: Its id.
            lease: The claim; the one that there is of the same token is renewed by it.
            force: Take the run from whoever has it.

        Returns:
            The claim of another process that is still there, in which case nothing has changed;
            None if the run is claimed.
        """

    def release(self, run: str, lease: Lease) -> None:
        """Give up a claim; one that is no longer there is no error."""

    def holder(self, run: str) -> Lease | None:
        """Give the claim to a run of a process that is still there, or None."""

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """List runs, the latest first."""

    def put(self, *parts: Bytes, sync: bool = True) -> str:
        """Keep bytes, and give the digest under which `get` finds them. Keeps equal ones once.

        Args:
            parts: The bytes, in one part or several. They may change once this has returned.
            sync: Whether they have to survive the end of the power once this returns, as they
                survive that of the process; otherwise they do so soon, and in any case before
                the next event that does.
        """

    def get(self, digest: str) -> bytes:
        """Give the bytes of a digest.

        Raises:
            StoreError: They are missing, or are not what they were.
        """

    def open(self, digest: str) -> int | None:
        """Give a descriptor of a file that holds the bytes of a digest, for the caller to close.

        Returns:
            None where there is no such file, or none that may be mapped into memory.

        Raises:
            StoreError: As of `get`.
        """

    def close(self) -> None:
        """Let go of files. May be called twice."""
