"""Places to die at: around all that a run writes, and all that it does."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, cast

from nbflow.core.events import Event, RunStarted
from nbflow.engine.brief import Gain
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job
from nbflow.executors.threads import Threads
from nbflow.store.lease import Lease
from nbflow.store.sqlite import SqliteStore


class Points:
    """Counts the points that a process passes, and kills it at one of them.

    Args:
        kill_at: At the how-manieth, from 1; 0: at none.
        die: Is called there with the point's label.
        near: Count only points whose label has this, and behind a colon that at its end.
    """

    def __init__(self, kill_at: int, die: Callable[[str], object], near: str = "") -> None:
        self._kill_at = kill_at
        self._die = die
        self._what, _, self._side = near.partition(":")
        self._passed = itertools.count(1)

    def at(self, label: str) -> None:
        """Pass a point."""
        if self._what not in label or not label.endswith(self._side):
            return
        if next(self._passed) == self._kill_at:
            self._die(label)


def _stay(label: str) -> None:
    raise AssertionError(label)


NOWHERE = Points(0, _stay)


def kill(tell: Callable[..., object]) -> Callable[[str], None]:
    """Give what ends this process, having told why."""

    def die(label: str) -> None:
        tell("killed", label)
        os.kill(os.getpid(), signal.SIGKILL)

    return die


class PointStore(SqliteStore):
    """The store, with a point before and after all that it writes."""

    def __init__(self, directory: str, points: Points, **options: Any) -> None:
        self.points = points
        super().__init__(directory, **options)
        self.cache.add = self._around("keep", self.cache.add)  # type: ignore[method-assign]
        extend = self.cache.extend
        self.cache.extend = self._around("keep", extend)  # type: ignore[method-assign]
        self.mail.drop = self._around("drop", self.mail.drop)  # type: ignore[method-assign]

    def _around(self, label: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        def around(*args: Any, **kwargs: Any) -> Any:
            self.points.at(f"{label}:before")
            found = fn(*args, **kwargs)
            self.points.at(f"{label}:after")
            return found

        return around

    def create(self, run: str, event: RunStarted) -> None:
        self._around("create", super().create)(run, event)

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        kinds = sorted({type(event).__name__ for event in events})
        label = f"append {'+'.join(kinds)}"
        self._around(label, super().append)(run, events, sync=sync)

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
        found: Lease | None = self._around("hold", super().hold)(run, lease, force=force)
        return found

    def release(self, run: str, lease: Lease) -> None:
        self._around("release", super().release)(run, lease)

    def put(self, *parts: Any, sync: bool = True, name: str = "") -> str:
        found: str = self._around("put", super().put)(*parts, sync=sync, name=name)
        return found


class PointInbox:
    """Where answers go to, with a point before and after."""

    def __init__(self, inbox: Inbox, points: Points) -> None:
        self.inbox = inbox
        self.points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inbox, name)

    def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:
        self.points.at("answer:before")
        self.inbox.ended(job, answer, more=more)
        self.points.at("answer:after")

    def gave(self, job: Job, gain: Gain, more: bool) -> None:
        self.points.at("answer:before")
        self.inbox.gave(job, gain, more)  # type: ignore[attr-defined] # not every inbox has it
        self.points.at("answer:after")


class PointThreads(Threads):
    """The threads, with points around what goes in and out."""

    def __init__(self, slots: int, points: Points) -> None:
        super().__init__(slots)
        self.points = points

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        self.points.at("submit:before")
        super().submit(job, cast("Inbox", PointInbox(inbox, self.points)))
        self.points.at("submit:after")

    def submit_all(self, jobs: list[Job], inbox: Inbox, /) -> None:
        for job in jobs:
            self.submit(job, inbox)


def point_files(points: Points) -> None:
    """Put points around the syncing of blobs, in this process for good."""
    sync = os.fsync

    def fsync(file: int) -> None:
        points.at("fsync:before")
        sync(file)
        points.at("fsync:after")

    os.fsync = fsync  # type: ignore[assignment]
