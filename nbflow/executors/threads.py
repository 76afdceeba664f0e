"""Threads of this process: the default place. Cheap, and every value is at hand."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue

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
        # By thread, while it gives an answer: the job that it keeps for itself.
        self._kept: dict[int, deque[_Item]] = {}
        self._closed = False

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Queue a job; start a thread for it if none is free and there may be one more.

        A job that follows from the answer of one of the pool's own threads is kept by that thread
        for itself, the first one at least: waking another costs more than a small activity takes.
        """
        kept = self._kept.get(threading.get_ident())
        if kept is not None and not kept:
            kept.append((job, inbox))
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
    def __init__(self, pool: Threads, slot: int) -> None:
        self.label = f"thread-{slot}"  # `name` is a property, and asked for twice a call
        super().__init__(name=self.label, daemon=True)
        self.pool = pool
        self.slot = slot
        self.abandoned = False
        self.job: Job | None = None

    def run(self) -> None:
        pool, get = self.pool, self.pool._queue.get  # noqa: SLF001 - two halves of one thing
        kept: deque[_Item] = deque(maxlen=1)
        while not self.abandoned:
            if kept:
                item: _Item | None = kept.popleft()
            else:
                pool._idle += 1  # noqa: SLF001 - a hint: a lost update only starts a thread early
                item = get()
                pool._idle -= 1  # noqa: SLF001
            if item is None:
                break
            self._work(*item, kept)
            item = None  # let go of the job and its values before waiting for the next one
        for left in kept:
            pool._queue.put(left)  # noqa: SLF001
        pool._ended(self)  # noqa: SLF001

    def _work(self, job: Job, inbox: Inbox, kept: deque[_Item]) -> None:
        pool = self.pool
        ident, name = self.ident or 0, self.label
        self.job = job
        if job.dropped or pool._closed:  # noqa: SLF001
            self.job = None
            return
        if job.timeout is not None:
            inbox.began(job, name, 0.0)
        answer = run_job(job, name)
        self.job = None
        if not self.abandoned:
            pool._kept[ident] = kept  # noqa: SLF001
            inbox.ended(job, answer, more=not pool._queue.empty())  # noqa: SLF001
            del pool._kept[ident]  # noqa: SLF001
