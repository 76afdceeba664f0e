"""Threads of this process: the default place. Cheap, and every value is at hand."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from threading import get_ident

from nbflow.engine.brief import Gain, Gauge, as_answer, run_brief
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, refused, run_job

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
        self._queue: deque[_Item | None] = deque()
        """What is to be run; None ends the thread that takes it. A thread that is at work takes
        the next one without any lock, which a `queue` has."""
        self._idle: deque[_Thread] = deque()
        """The threads that wait for something to be in the queue, each at its own gate."""
        self._lock = threading.Lock()
        self._free = deque(range(1, self.slots + 1))
        self._most = self.slots
        self._spare: list[int] = []
        """Numbers of threads that were lent and are not needed now."""
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
        self._put((job, inbox))

    def submit_all(self, jobs: list[Job], inbox: Inbox, /) -> None:
        """Queue several jobs: as `submit` for each of them, with one look at who is there."""
        self.submit(jobs[0], inbox)
        if self._closed:
            for job in jobs[1:]:
                inbox.ended(job, refused(self.name))
            return
        self._queue.extend([(job, inbox) for job in jobs[1:]])
        for _ in range(min(len(jobs) - 1, len(self._idle) + len(self._free))):
            self._wake()

    def _put(self, item: _Item | None) -> None:
        """Queue something, and see to it that a thread takes it.

        First the item, then a look at who waits: a thread that begins to wait says so first, and
        then looks at the queue, so one of the two sees the other.
        """
        self._queue.append(item)
        if self._idle or self._free:
            self._wake()

    def _wake(self) -> None:
        """Have one thread more look at the queue, if there may be one."""
        try:
            thread = self._idle.pop()
        except IndexError:
            if self._free:
                self._start()
        else:
            thread.gate.put(None)

    def next(self, thread: _Thread) -> _Item | None:
        """Give the next item, waiting for it; None ends the thread."""
        queue, idle = self._queue, self._idle
        while True:
            idle.append(thread)
            if queue:
                try:
                    idle.remove(thread)
                except ValueError:
                    thread.gate.get()  # it was woken meanwhile: that wake-up is to be used up
            else:
                thread.gate.get()
            try:
                return queue.popleft()
            except IndexError:
                continue  # another one was quicker

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
        if self._queue:
            self._start()

    def take_back(self) -> None:
        """Have one thread less again: one that was not needed, or the next that is idle."""
        with self._lock:
            if self._free:
                self._spare.append(self._free.pop())
                return
        self._put(None)

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
        if self._queue:
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
            self._put(None)


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
        gate: Where it waits for something to do.
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
        self.gate: SimpleQueue[None] = SimpleQueue()
        self.abandoned = self.answering = False
        self.job: Job | None = None
        self.kept: _Item | None = None
        self._gauge = Gauge(self.label)

    def run(self) -> None:
        pool, work = self.pool, self._work
        queue = pool._queue  # noqa: SLF001 - two halves of one thing
        pool._own[get_ident()] = self  # noqa: SLF001
        while not self.abandoned:
            item = self.kept
            if item is not None:
                self.kept = None
            else:
                try:
                    item = queue.popleft()
                except IndexError:
                    item = pool.next(self)
            if item is None:
                break
            job, inbox = item
            work(job, inbox)
            del item, job  # let go of its values before waiting for the next one
        if self.kept is not None:
            pool._put(self.kept)  # noqa: SLF001
        pool._ended(self)  # noqa: SLF001

    def _work(self, job: Job, inbox: Inbox) -> None:
        """Run a job, and say how it ended."""
        found: Gain | Answer
        self.job = job
        if job.dropped or self.pool._closed:  # noqa: SLF001 - two halves of one thing
            self.job = None
            return
        if job.plain and job.timeout is None and not job.code.held:
            found = run_brief(job, self._gauge)
        else:
            if job.timeout is not None:
                inbox.began(job, self.label, 0.0)
            found = run_job(job, self.label)
        self.job = None
        if self.abandoned:
            return
        more = bool(self.pool._queue)  # noqa: SLF001
        self.answering = True
        if isinstance(found, Answer):
            inbox.ended(job, found, more=more)
        elif (gave := getattr(inbox, "gave", None)) is not None:
            gave(job, found, more)
        else:
            inbox.ended(job, as_answer(found), more=more)
        self.answering = False
