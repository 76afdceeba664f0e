"""An event loop on a thread of its own, for ``async def`` activities."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time

from nbflow.core.future import current
from nbflow.engine.executor import Inbox
from nbflow.engine.job import (
    Answer,
    Job,
    _context,
    answer,
    arguments,
    failed,
    keywords,
    measured,
    refused,
)
from nbflow.engine.loop import private_loop


class Asyncio:
    """Runs ``async def`` activities side by side on nbflow's own loop thread.

    Plain functions run there too, one at a time, and hold up the others while they do.

    Args:
        max_workers: How many attempts run at once.
    """

    name = "asyncio"
    in_process = True

    def __init__(self, max_workers: int | None = None) -> None:
        self.slots = max_workers or 100
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._plain: set[int] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._limit = asyncio.Semaphore(self.slots)
        self._lanes = list(range(self.slots, 0, -1))

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Hand a job to the loop."""
        if self._closed:
            inbox.ended(job, refused(self.name))
            return
        private_loop().call_soon_threadsafe(self._begin, job, inbox)

    def _begin(self, job: Job, inbox: Inbox) -> None:
        with self._lock:
            if job.dropped or self._closed:
                return
            self._tasks[id(job)] = asyncio.ensure_future(self._run(job, inbox))

    async def _run(self, job: Job, inbox: Inbox) -> None:
        try:
            async with self._limit:
                if not self._wanted(job):
                    return
                lane = self._lanes.pop()
                try:
                    worker = f"{self.name}-{lane}"
                    inbox.began(job, worker, time.time())
                    result = measured(job, await _attempt(job, worker))
                finally:
                    self._lanes.append(lane)
            with self._lock:
                wanted = self._tasks.pop(id(job), None) is not None
            if wanted:
                inbox.ended(job, result, more=len(self._tasks) > self.slots)
        finally:
            self._tasks.pop(id(job), None)
            self._plain.discard(id(job))

    def _wanted(self, job: Job) -> bool:
        with self._lock:
            if job.dropped or self._closed:
                return False
            if not asyncio.iscoroutinefunction(job.code.fn):
                self._plain.add(id(job))
            return True

    def give_up(self, job: Job, /) -> bool:
        """Cancel the job's task; the activity sees `asyncio.CancelledError` where it awaits.

        A plain function that has begun cannot be stopped, and holds up the others until it ends.
        """
        with self._lock:
            task = self._tasks.pop(id(job), None)
            if task is None:
                return True
            stopped = id(job) not in self._plain
        private_loop().call_soon_threadsafe(task.cancel)
        return stopped

    def close(self) -> None:
        """Cancel all tasks. The loop itself is shared and stays."""
        with self._lock:
            self._closed = True
            tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            private_loop().call_soon_threadsafe(task.cancel)


async def _attempt(job: Job, worker: str) -> Answer:
    _context.set(job)
    current.set(None)  # the task has the context of the workflow's thread, and is none of its code
    started, clock, cpu = time.time(), time.perf_counter_ns(), 0
    before = time.thread_time_ns()
    try:
        value = job.code.fn(*arguments(job), **keywords(job))
        if inspect.iscoroutine(value):
            value = await value  # its processor time cannot be told from that of other tasks: 0
        else:
            cpu = time.thread_time_ns() - before
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return failed(error, worker, (started, time.perf_counter_ns() - clock, cpu))
    except BaseException as error:  # noqa: BLE001 - nothing an activity raises may end the loop
        return failed(error, worker, (started, time.perf_counter_ns() - clock, cpu))
    times = (started, time.perf_counter_ns() - clock, cpu)
    return answer(job, value, worker, times, shared=True)
