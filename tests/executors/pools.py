"""What tests of the pool share: an inbox, gates in other processes, and waiting for their ends."""

from __future__ import annotations

import itertools
import os
import select
import signal
import threading
import time
from pathlib import Path

from nbflow.core import payload
from nbflow.core.payload import Ref
from nbflow.engine.job import Code, Job

SOON = 20

_ids = itertools.count(1)


class Box:
    """An inbox that keeps what it is told, and lets a test wait for it."""

    def __init__(self):
        self._changed = threading.Condition()
        self.workers = {}
        self.answers = {}
        self.texts = []
        self.told = []

    def began(self, job, worker, at):
        with self._changed:
            self.workers[job.key] = worker
            self.told.append(("began", job.key))
            self._changed.notify_all()

    def wrote(self, job, channel, text, dropped=0):
        with self._changed:
            self.texts.append((job.key, channel, text, dropped))
            self._changed.notify_all()

    def beat(self, job, beat):
        with self._changed:
            self.told.append(("beat", job.key))

    def ended(self, job, answer, *, more=False):
        with self._changed:
            self.answers[job.key] = answer
            self.told.append(("ended", job.key))
            self._changed.notify_all()

    def worker(self, job):
        with self._changed:
            assert self._changed.wait_for(lambda: job.key in self.workers, SOON)
            return self.workers[job.key]

    def seen(self, job, or_if=bool):
        """Wait until it is known that a job has begun or ended, or until `or_if` is true."""
        with self._changed:
            known = lambda: job.key in self.workers or job.key in self.answers or or_if()  # noqa: E731
            assert self._changed.wait_for(known, SOON)

    def answer(self, job):
        with self._changed:
            assert self._changed.wait_for(lambda: job.key in self.answers, SOON), job.call
            return self.answers[job.key]

    def value(self, job):
        return value_of(self.answer(job))

    def error(self, job):
        failure = self.answer(job).error
        assert failure is not None
        return failure.rebuild()


class Gate:
    """A place where an activity in another process waits for the test, and the test for it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"gate-{next(_ids)}"
        self.path.mkdir()
        for name in ("in", "out"):
            os.mkfifo(self.path / name)

    def arrived(self) -> str:
        """Wait until the activity is there; what it says."""
        return (self.path / "in").read_text()

    def open(self) -> None:
        """Let it go on."""
        (self.path / "out").write_text("")


def wait_at(gate: str, say="") -> str:
    """Wait at a gate, in another process."""
    Path(gate, "in").write_text(say)
    Path(gate, "out").read_text()
    return "passed"


def job(fn, *args, kwargs=None, inputs=None, blobs=None, attempt=1) -> Job:
    """Make a job of a function, or of code that is shared with others."""
    name = getattr(fn, "__name__", "fn")
    return Job(
        run="run",
        call=f"{name}-{next(_ids)}",
        attempt=attempt,
        code=fn if isinstance(fn, Code) else Code(name, fn),
        args=tuple(payload.pack(a, "argument", _ref_of) for a in args),
        kwargs=kwargs,
        inputs=inputs,
        live=None,
        timeout=None,
        fetch=(blobs or {}).__getitem__,
    )


def _ref_of(value) -> str | None:
    return value.call if isinstance(value, Ref) else None


def value_of(answer):
    """Give the value that an answer holds."""
    assert answer.error is None, answer.error
    return payload.unpack(answer.result, _nothing, _nothing)


def _nothing(key):
    raise KeyError(key)


class Exits:
    """Waits for the ends of processes that need not be this one's children."""

    def __init__(self, *pids) -> None:
        self._poll = {}
        for pid in pids:
            fd = os.pidfd_open(pid)
            self._poll[pid] = fd

    def left_after(self, seconds: float) -> list[int]:
        """Give those that are still there after that time."""
        end = time.monotonic() + seconds
        left = []
        for pid, fd in self._poll.items():
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                left.append(pid)
            os.close(fd)
        return left


def add(a, b=1):
    """Be an activity."""
    return a + b


def pids_of(pool) -> list[int]:
    """Give the processes that a pool has now."""
    return [lane.child.pid for lane in pool._dispatch._lanes if lane.child is not None]


def marks(folder, number, crash=None):
    """Leave a mark that it ran, and do as told."""
    with Path(folder, str(number)).open("a") as file:
        file.write(".")
    if crash == "exit":
        os._exit(3)
    if crash == "wait":
        signal.pause()
    return number


def runs_of(folder, number) -> int:
    """Give how often it ran."""
    path = folder / str(number)
    return len(path.read_text()) if path.exists() else 0
