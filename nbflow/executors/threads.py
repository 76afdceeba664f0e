"""Threads of this process: the default place. Cheap, and every value is at hand."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from threading import get_ident

from nbflow.engine.executor import Inbox
from nbflow.engine.job import Job, refused, run_job

_Item = tuple[Job, Inbox]


class Threads:
    """Runs attempts on daemon threads, which are started when they are first needed.

    A thread cannot be stopped. One whose attempt was given up is abandoned: it ends by itself
    when the activity returns, what it returns is dropped, and another takes its place.

    Args:
        max_workers: How many attempts run at once; by default as in `concurrent.futures`.
    """

    name = "threads"
    in_process = True

    def __init__(self, max_workers: int | None = None) -> None:
        self.slots = max_workers or min(32, (os.cpu_count() or 1) + 4)
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = deque(range(1, self.slots + 1))
        self._most = self.slots
        self._spare: list[int] = []
        """Numbers of threads that were lent and are not needed now."""
        self._idle = 0
        self._threads: dict[_Thread, None] = {}
        """Those that were started and have not ended."""
        self._own: dict[int, _Thread] = {}
        """The same, by what Python calls them."""
        self._closed = False

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Queue a job; start a thread for it if none is free and there may be one more.

        A job that follows from the answer of one of the pool's own threads is kept by that thread
        for itself, the first one at least: waking another costs more than a small activity takes.
        """
        thread = self._own.get(get_ident())
        if thread is not None and thread.answering and thread.kept is None:
            thread.kept = (job, inbox)
            return
        if self._closed:
            inbox.ended(job, refused(self.name))
            return
        self._queue.put((job, inbox))
        # More queued than threads waiting: one more thread could help. Read without the lock,
        # since once all threads are there it is always false.
        if self._free and self._queue.qsize() > self._idle:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._free and not self._closed:
                thread = _Thread(self, self._free.popleft())
                self._threads[thread] = None
                thread.start()

    def lend(self) -> None:
        """Have one thread more, while the attempt of one of them waits for other attempts."""
        with self._lock:
            if not self._spare:
                self._most += 1
                self._spare.append(self._most)
            self._free.append(self._spare.pop())
        if self._queue.qsize():
            self._start()

    def take_back(self) -> None:
        """Have one thread less again: one that was not needed, or the next that is idle."""
        with self._lock:
            if self._free:
                self._spare.append(self._free.pop())
                return
        self._queue.put(None)

    def _ended(self, thread: _Thread) -> None:
        with self._lock:
            self._threads.pop(thread, None)
            self._own.pop(get_ident(), None)
            if not thread.abandoned:
                self._spare.append(thread.slot)

    def give_up(self, job: Job, /) -> bool:
        """Drop a queued job; abandon the thread of a running one."""
        with self._lock:
            thread = next((one for one in self._threads if one.job is job), None)
            if thread is None:
                return True  # not begun: `job.dropped` keeps it from beginning
            if not thread.abandoned:
                thread.abandoned = True
                self._free.append(thread.slot)
        if self._queue.qsize():
            self._start()
        return False

    def running(self) -> list[tuple[Job, str, float]]:
        """Give job, thread and time of beginning of what runs now."""
        with self._lock:
            threads = list(self._threads)
        return [(job, t.label, job.began) for t in threads if (job := t.job) and job.began]

    def close(self) -> None:
        """Drop what is queued, and let every thread end once its present attempt does."""
        with self._lock:
            self._closed = True
            threads = self._most - len(self._spare) - len(self._free)
        for _ in range(threads):
            self._queue.put(None)


@contextlib.contextmanager
def lent() -> Iterator[None]:
    """Let another thread work inside this, if this one is at an attempt, which is to wait.

    Else the attempts that it waits for might find all threads of the pool waiting for them.
    """
    thread = threading.current_thread()
    if not isinstance(thread, _Thread):
        yield
        return
    thread.pool.lend()
    try:
        yield
    finally:
        thread.pool.take_back()


class _Thread(threading.Thread):
    """One thread of a pool.

    Attributes:
        label: Its name, which as `name` is a property, and asked for at each call.
        job: What it runs.
        answering: Whether it says how that ended, and so may be handed what follows.
        kept: What it was handed then.
        abandoned: Whether nobody waits for it any more.
    """

    def __init__(self, pool: Threads, slot: int) -> None:
        self.label = f"thread-{slot}"
        super().__init__(name=self.label, daemon=True)
        self.pool = pool
        self.slot = slot
        self.abandoned = self.answering = False
        self.job: Job | None = None
        self.kept: _Item | None = None

    def run(self) -> None:
        pool, get = self.pool, self.pool._queue.get  # noqa: SLF001 - two halves of one thing
        pool._own[get_ident()] = self  # noqa: SLF001
        while not self.abandoned:
            pool._idle += 1  # noqa: SLF001 - a hint: a lost update only starts a thread early
            item = get()
            pool._idle -= 1  # noqa: SLF001
            if item is None:
                break
            self._work(*item)
            item = None  # let go of the job and its values before waiting for the next one
        if self.kept is not None:
            pool._queue.put(self.kept)  # noqa: SLF001
        pool._ended(self)  # noqa: SLF001

    def _work(self, job: Job, inbox: Inbox) -> None:
        """Run a job, and those that follow from it and are kept here."""
        pool, queue, name = self.pool, self.pool._queue, self.label  # noqa: SLF001
        while True:
            self.job = job
            if not (job.dropped or pool._closed):  # noqa: SLF001
                if job.timeout is not None:
                    inbox.began(job, name, 0.0)
                answer = run_job(job, name)
                self.job = None
                if self.abandoned:
                    return
                self.answering = True
                inbox.ended(job, answer, more=not queue.empty())
                self.answering = False
            else:
                self.job = None
            kept = self.kept
            if kept is None or self.abandoned:
                return
            self.kept = None
            job, inbox = kept
