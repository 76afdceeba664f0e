"""The workflow's own thread: one call at a time, in order, under a debugger if you like."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
from collections import deque
from typing import Any

from nbflow.core.errors import NbflowError
from nbflow.core.future import current
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Job, run_job
from nbflow.engine.loop import nested_loops


class Inline:
    """Runs attempts in the thread of the workflow's code, whenever that code waits.

    With it a run is driven by the thread that starts it, so ``breakpoint()`` in an activity works.

    Args:
        nested: Run ``async def`` activities in the caller's own thread even where an event loop
            is running already (a notebook cell), so that a debugger and context variables
            behave. This patches that loop with nest-asyncio, for good; only for debugging.

    Raises:
        NbflowError: `nested` is asked for on a kernel that nest-asyncio would stop for good, and
            nest-asyncio2 is not installed.
    """

    name = "inline"
    in_process = True
    slots = 1

    def __init__(self, *, nested: bool = False) -> None:
        self._queue: deque[tuple[Job, Inbox]] = deque()
        if nested:
            _patch_loop()

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Keep a job until the workflow waits."""
        self._queue.append((job, inbox))

    def work(self) -> bool:
        """Run one queued job, if there is one, in the calling thread; tell whether there was."""
        try:
            job, inbox = self._queue.popleft()
        except IndexError:
            return False
        inbox.began(job, self.name, 0.0)
        token = current.set(None)  # an activity's code is not workflow code
        try:
            answer = run_job(job, self.name)
        finally:
            current.reset(token)
        if not job.dropped:
            inbox.ended(job, answer, more=bool(self._queue))
        return True

    def give_up(self, job: Job, /) -> bool:
        """Drop a queued job. One that runs is running in this very thread: it cannot be stopped."""
        for item in list(self._queue):
            if item[0] is job:
                with contextlib.suppress(ValueError):
                    self._queue.remove(item)
                return True
        return False

    def close(self) -> None:
        """Drop what is queued."""
        self._queue.clear()


def _patch_loop() -> None:
    """Let the loop that runs in this thread be run again inside itself."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # no loop to be in the way
    if id(loop) not in nested_loops:
        _patcher().apply(loop)
        nested_loops.add(id(loop))


def _patcher() -> Any:
    """Give the package that can do it: nest-asyncio stops ipykernel 7.1 and later for good."""
    if _safe_kernel():
        return importlib.import_module("nest_asyncio")
    try:
        return importlib.import_module("nest_asyncio2")
    except ImportError:
        message = (
            "with this version of ipykernel (7.1 or later), nest-asyncio would stop the kernel: "
            "pip install nest-asyncio2, or leave nested=True out"
        )
        raise NbflowError(message) from None


def _safe_kernel() -> bool:
    try:
        version = importlib.metadata.version("ipykernel")
    except importlib.metadata.PackageNotFoundError:
        return True
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) < (7, 1)
