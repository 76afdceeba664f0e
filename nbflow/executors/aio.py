"""An event loop on a thread of its own, for ``async def`` activities."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from nbflow.engine.executor import Inbox
from nbflow.engine.job import (
    Answer,
    Job,
    _context,
    answer,
    arguments,
    failed,
    keywords,
    run_job,
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
        self._lock = threading.Lock()
        self._limit = asyncio.Semaphore(self.slots)
        self._lanes = list(range(self.slots, 0, -1))

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Hand a job to the loop."""
        private_loop().call_soon_threadsafe(self._begin, job, inbox)

    def _begin(self, job: Job, inbox: Inbox) -> None:
        with self._lock:
            if job.dropped:
                return
            self._tasks[id(job)] = asyncio.ensure_future(self._run(job, inbox))

    async def _run(self, job: Job, inbox: Inbox) -> None:
        try:
            async with self._limit:
                lane = self._lanes.pop()
                try:
                    worker = f"{self.name}-{lane}"
                    inbox.began(job, worker, time.time())
                    result = await _attempt(job, worker)
                finally:
                    self._lanes.append(lane)
            with self._lock:
                wanted = self._tasks.pop(id(job), None) is not None
            if wanted:
                inbox.ended(job, result)
        finally:
            self._tasks.pop(id(job), None)

    def give_up(self, job: Job, /) -> bool:
        """Cancel the job's task; the activity sees `asyncio.CancelledError` where it awaits."""
        with self._lock:
            task = self._tasks.pop(id(job), None)
            if task is None:
                return True
        private_loop().call_soon_threadsafe(task.cancel)
        return True

    def close(self) -> None:
        """Cancel all tasks. The loop itself is shared and stays."""
        with self._lock:
            tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            private_loop().call_soon_threadsafe(task.cancel)


async def _attempt(job: Job, worker: str) -> Answer:
    fn: Any = job.code.fn
    if not asyncio.iscoroutinefunction(fn):
        return run_job(job, worker)
    _context.set(job)
    started, clock = time.time(), time.perf_counter()
    # Processor time cannot be told apart among tasks of one thread: 0.
    try:
        value = await fn(*arguments(job), **keywords(job))
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return failed(error, worker, (started, started + time.perf_counter() - clock, 0.0))
    except BaseException as error:  # noqa: BLE001 - nothing an activity raises may end the loop
        return failed(error, worker, (started, started + time.perf_counter() - clock, 0.0))
    times = (started, started + time.perf_counter() - clock, 0.0)
    return answer(job, value, worker, times, shared=True)
