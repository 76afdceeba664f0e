"""The short way of most attempts: small values go in, and one small value comes out.

What a worker does around such an attempt costs more than the attempt, so it makes one tuple of
what the log is to have, and looks at most of its clocks once for all attempts of a moment.
"""

from __future__ import annotations

import time
from time import perf_counter_ns, thread_time_ns
from types import CoroutineType
from typing import Any

from nbflow.core.events import Report
from nbflow.core.payload import WORD, is_plain
from nbflow.engine.job import (
    _BRIEF,
    Answer,
    Job,
    _awaited,
    _caught,
    _context,
    answer,
    failed,
    measured,
    peak_memory,
)

Gain = tuple[Any, ...]
"""What an attempt gave and what its worker measured: the fields of `CallSucceeded` from `result`
on."""
_FRESH = 200_000
"""Nanoseconds for which what a worker read from its clocks is good."""


class Gauge:
    """The clocks of one worker, as they were a moment ago.

    To ask for the time of day, a thread's processor time and the process's memory takes half a
    microsecond. All but the first follow from one clock that is quick, as long as the worker does
    not rest meanwhile; a rest is longer than the moment for which that is believed.

    Args:
        worker: The worker's name.
    """

    __slots__ = ("_at", "_cpu", "day", "memory", "until", "worker")

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.day = 0.0
        """What is to be added to `time.perf_counter` to get the seconds since the epoch."""
        self.memory = 0
        """Peak memory of the process, in bytes."""
        self.until = -1
        """Up to when that is good, in nanoseconds of `time.perf_counter_ns`."""
        self._at = self._cpu = 0

    def look(self) -> int:
        """Read all clocks; give `time.perf_counter_ns`."""
        self.memory = peak_memory()
        self._cpu = thread_time_ns()
        day, now = time.time(), perf_counter_ns()
        self.day, self._at, self.until = day - now * 1e-9, now, now + _FRESH
        return now

    def spent(self, began: int, ran: int) -> int:
        """Give the processor time of an attempt that has just ended, in nanoseconds."""
        if ran <= _BRIEF:
            return ran  # asking takes longer than that
        return max(0, min(ran, thread_time_ns() - self._cpu - (began - self._at)))


def run_brief(job: Job, gauge: Gauge) -> Gain | Answer:
    """Run one attempt that may go the short way, as `run_job` does for all.

    One may that has plain arguments, no time limit, and a result that is to be stored.

    Args:
        job: The attempt.
        gauge: The clocks of whoever runs it.

    Returns:
        What it gave, if that is small too and nothing else is to be told; else an answer.
    """
    _context.set(job)
    began = perf_counter_ns()
    if began > gauge.until:
        began = gauge.look()
    job.began = started = gauge.day + began * 1e-9
    try:
        value = job.code.fn(*job.args)
        if type(value) is CoroutineType:
            value, raised = _awaited(_caught(value))
            if raised is not None:
                raise raised  # noqa: TRY301 - here, so that its frames are the activity's own
    except BaseException as error:  # noqa: BLE001 - SystemExit of an activity must not end a worker
        ran = perf_counter_ns() - began
        times = (started, ran, gauge.spent(began, ran))
        return measured(job, failed(error, gauge.worker, times))
    finally:
        _context.set(None)
    ended = perf_counter_ns()
    ran = ended - began
    cpu = ran if ran <= _BRIEF else gauge.spent(began, ran)
    if job.blocks is None and (
        (type(value) is int and -WORD < value < WORD) or is_plain(value)  # most are small numbers
    ):
        memory = gauge.memory if ended < gauge.until else peak_memory()
        return (value, gauge.worker, started, ran, cpu, 0, 0, memory, "")
    found = answer(job, value, gauge.worker, (started, ran, cpu), shared=True)
    return measured(job, found)


def as_answer(gain: Gain) -> Answer:
    """Give the answer that says the same, for inboxes that know no gains."""
    return Answer(Report._make(gain[1:]), gain[0])
