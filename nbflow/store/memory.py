"""Logs that live as long as the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from nbflow.core.buffers import Bytes
from nbflow.core.digests import digest
from nbflow.core.errors import RunNotFound, StoreConflict, StoreError
from nbflow.core.events import (
    CallScheduled,
    CallSucceeded,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.core.pickling import joined
from nbflow.store.base import RunRow
from nbflow.store.cached import MemoryCache
from nbflow.store.lease import Lease
from nbflow.store.mail import MemoryMail
from nbflow.store.marks import MemoryMarks


class MemoryStore:
    """Keeps everything in this process: for tests, trials, and runs that nobody will resume."""

    path = ":memory:"

    def __init__(self) -> None:
        self._logs: dict[str, list[Event | tuple[Any, ...]]] = {}
        """Calls that were asked for as plain tuples of their fields: those that hold nothing but
        strings and numbers are left alone by the garbage collector, which looks at named tuples
        again and again."""
        self._rows: dict[str, RunRow] = {}
        self._blobs: dict[str, bytes] = {}
        self._put_at: dict[str, float] = {}
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self.mail = MemoryMail()
        self.marks = MemoryMarks()
        self.cache = MemoryCache(self._blobs, self._put_at, self._referring)

    def _referring(self) -> list[Iterable[Event]]:
        """Give all that may refer to blobs: logs, and letters."""
        return [self.mail.all(), *(self.events(run) for run in list(self._logs))]

    def create(self, run: str, event: RunStarted) -> None:
        """See `Store.create`."""
        with self._lock:
            if run in self._logs:
                message = f"a run {run} exists already"
                raise StoreConflict(message)
            self._logs[run] = [event]
            self._rows[run] = RunRow(
                run=run, workflow=event.workflow, status="running", on=event.on, created=event.at
            )

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:  # noqa: ARG002
        """See `Store.append`; the power is not survived."""
        with self._lock:
            log = self._logs.get(run) or self._log(run)
            first = events[0]
            if first[0] != len(log) + 1:  # its seq, at half the cost
                message = f"run {run} is at event {len(log)}: somebody else wrote to it"
                raise StoreConflict(message)
            if len(events) == 1 and type(first) is CallSucceeded:
                log.append(first)
                return
            last = events[-1]
            log.extend([tuple(e) if type(e) is CallScheduled else e for e in events])
            if isinstance(last, RunClosed):
                self._rows[run] = replace(self._rows[run], status=last.status, closed=last.at)
            elif isinstance(first, RunResumed):
                self._rows[run] = replace(self._rows[run], status="running", closed=None)

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Store.events`."""
        return map(_event, self._log(run)[after:])

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
        """See `Store.hold`; nobody else can be there."""
        with self._lock:
            self._log(run)
            held = self._leases.get(run)
            if held is not None and not force and held.blocks(lease, time.time()):
                return held
            self._leases[run] = lease
            return None

    def release(self, run: str, lease: Lease) -> None:
        """See `Store.release`."""
        with self._lock:
            held = self._leases.get(run)
            if held is not None and held.token == lease.token:
                del self._leases[run]

    def holder(self, run: str) -> Lease | None:
        """See `Store.holder`."""
        return self._leases.get(run)

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """See `Store.runs`."""
        return list(reversed(self._rows.values()))[:limit]

    def put(self, *parts: Bytes, sync: bool = True) -> str:  # noqa: ARG002 - as long as it lives
        """See `Store.put`."""
        data = joined(parts)
        name = digest(data)
        self._put_at[name] = time.time()  # the time first: `sweep` leaves young ones alone
        self._blobs.setdefault(name, data)
        return name

    def open(self, digest: str) -> None:
        """See `Store.open`."""

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        try:
            return self._blobs[digest]
        except KeyError:
            message = f"blob {digest} is not in this store"
            raise StoreError(message) from None

    def close(self) -> None:
        """Nothing to let go of."""

    def _all(self) -> Iterator[Iterator[Event]]:
        return (self.events(run) for run in list(self._logs))

    def _log(self, run: str) -> list[Event | tuple[Any, ...]]:
        try:
            return self._logs[run]
        except KeyError:
            message = f"no run {run} in this store"
            raise RunNotFound(message) from None


def _event(kept: Event | tuple[Any, ...]) -> Event:
    return CallScheduled._make(kept) if type(kept) is tuple else kept  # type: ignore[return-value]
