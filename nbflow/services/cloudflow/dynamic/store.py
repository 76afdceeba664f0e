"""The store that whoever drives a run on CloudFlow writes to: the logs are the service's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nbflow.core.buffers import Bytes
from nbflow.core.events import Event, RunStarted
from nbflow.core.pickling import joined
from nbflow.services.cloudflow.dynamic.logs import ServiceLogs
from nbflow.services.cloudflow.dynamic.mail import ServiceMail
from nbflow.services.cloudflow.dynamic.names import Flows
from nbflow.services.cloudflow.dynamic.values import DirectoryValues, Values
from nbflow.store.base import RunRow
from nbflow.store.cached import MemoryCache
from nbflow.store.lease import Lease
from nbflow.store.marks import FileMarks, Marks, MemoryMarks


class ServiceSide:
    """A store on CloudFlow. See `nbflow.store.base.Store`.

    Args:
        client: A `CloudFlow`.
        flows: The flows of its runs.
        values: Where large values are.
        pace: Seconds between two questions to the service for what is new.
    """

    def __init__(self, client: Any, flows: Flows, values: Values, pace: float = 1.0) -> None:
        self.path = f"cloudflow {flows.namespace}"
        self.client, self.flows, self.values = client, flows, values
        self.logs = ServiceLogs(client, flows, values, pace)
        self.mail = ServiceMail(client, flows, values, self.logs.heard, 2 * pace)
        self.cache = MemoryCache({}, {}, list)
        self.marks: Marks = MemoryMarks()
        if isinstance(values, DirectoryValues):
            self.marks = FileMarks(Path(values.path) / "steps")

    def create(self, run: str, event: RunStarted) -> None:
        """See `Store.create`."""
        self.logs.create(run, event)

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:  # noqa: ARG002
        """See `Store.append`."""
        self.logs.append(run, events)

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Store.events`."""
        return self.logs.events(run, after, soon=True)

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> None:
        """Claim a run: the message that speaks of it is the claim, and the log refuses others."""

    def release(self, run: str, lease: Lease) -> None:
        """See `hold`."""

    def holder(self, run: str) -> None:
        """See `hold`."""

    def runs(self, limit: int | None = None) -> list[RunRow]:  # noqa: ARG002
        """List none: what was started from a machine is noted there."""
        return []

    def put(self, *parts: Bytes, sync: bool = True) -> str:  # noqa: ARG002 - others keep them
        """See `Store.put`."""
        return self.values.put(joined(parts))

    def open(self, digest: str) -> None:
        """See `Store.open`."""

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        return self.values.get(digest)

    def close(self) -> None:
        """Nothing to let go of."""
