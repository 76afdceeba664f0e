"""A store that shows what it is told and when, and an executor that a test drives by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nbflow.core.events import Event, RunStarted
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Job, run_job
from nbflow.store.base import RunRow, Store
from nbflow.store.cached import ResultCache
from nbflow.store.lease import Lease
from nbflow.store.memory import MemoryStore


class Watched:
    """A store around another one.

    Attributes:
        before: Called with the events before each append; what it raises, the append raises.
        diary: ``("written", event)`` for each event once it is written; tests add entries.
        appends: How many events each append had.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or MemoryStore()
        self.path = self.store.path
        self.before: Callable[[Sequence[Event]], object] = lambda _: None
        self.diary: list[tuple[str, Any]] = []
        self.appends: list[int] = []

    def create(self, run: str, event: RunStarted) -> None:
        self.store.create(run, event)
        self.diary.append(("written", event))

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        self.before(events)
        self.store.append(run, events, sync=sync)
        self.diary.extend(("written", event) for event in events)
        self.appends.append(len(events))

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        return self.store.events(run, after)

    @property
    def cache(self) -> ResultCache:
        return self.store.cache

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
        return self.store.hold(run, lease, force=force)

    def release(self, run: str, lease: Lease) -> None:
        self.store.release(run, lease)

    def holder(self, run: str) -> Lease | None:
        return self.store.holder(run)

    def runs(self, limit: int | None = None) -> list[RunRow]:
        return self.store.runs(limit)

    def put(self, *parts: Any, sync: bool = True) -> str:
        return self.store.put(*parts, sync=sync)

    def open(self, digest: str) -> int | None:
        return self.store.open(digest)

    def get(self, digest: str) -> bytes:
        return self.store.get(digest)

    def close(self) -> None:
        self.store.close()

    def note(self, what: str, of: Any) -> None:
        """Add an entry to the diary."""
        self.diary.append((what, of))

    def written(self, kind: Any, call: str) -> int:
        """Give where in the diary an event of that kind of that call is."""
        (found,) = [
            n
            for n, (what, event) in enumerate(self.diary)
            if what == "written" and isinstance(event, kind) and event.call == call
        ]
        return found


class ByHand:
    """An executor whose attempts begin and end when the test says so.

    Attributes:
        jobs: What was submitted, with its inbox, in order.
        given_up: What was given up, in order.
        stops: What `give_up` says.
    """

    name = "by-hand"
    in_process = True

    def __init__(self, slots: int = 1, *, stops: bool = False) -> None:
        self.slots = slots
        self.stops = stops
        self.jobs: list[tuple[Job, Inbox]] = []
        self.given_up: list[Job] = []
        self._change = threading.Condition()

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        with self._change:
            self.jobs.append((job, inbox))
            self._change.notify_all()

    def give_up(self, job: Job, /) -> bool:
        self.given_up.append(job)
        return self.stops

    def close(self) -> None:
        pass

    def job(self, number: int) -> tuple[Job, Inbox]:
        """Wait for the job of that number, from 0."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.jobs) > number, 10), "no such job"
            return self.jobs[number]

    def begin(self, number: int, at: float = 0.0) -> None:
        """Say that a job has begun."""
        job, inbox = self.job(number)
        inbox.began(job, "hand-1", at)

    def end(self, number: int) -> None:
        """Run a job and answer."""
        job, inbox = self.job(number)
        inbox.ended(job, run_job(job, "hand-1"))
