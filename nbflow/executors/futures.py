"""Any `concurrent.futures.Executor`: the standard library's, loky, ipyparallel's, Dask's..."""

from __future__ import annotations

import concurrent.futures as cf
import functools
import os
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from nbflow.core import payload
from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.engine import streams
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Code, Job, inlined, no_blobs, run_job
from nbflow.engine.output import Piece, Rules
from nbflow.engine.timekeeper import timekeeper

POLL_SECONDS = 0.1
"""How often a pool of processes is asked which attempts it has begun."""
_POLL_SHARE = 20
AHEAD = 4
"""So many attempts for each worker are with a pool that cannot tell what it has begun."""


class Futures:
    """Runs attempts on somebody else's executor.

    What it cannot do, nbflow cannot do with it: a running attempt is abandoned rather than
    stopped, and keeps its worker until it returns; in a stock process pool a worker that dies
    takes the pool with it. Pools of processes do not tell when an attempt begins, so they are
    asked every `POLL_SECONDS`; a time limit then includes the start of the worker, if it has to
    be started first.

    Of those whose `cancel` says of a running attempt, too, that it was cancelled, no more than
    `AHEAD` attempts a worker are with the pool; the others wait here, where they can be taken back.

    Args:
        pool: The executor. It is not shut down by nbflow: whoever made it owns it.
        slots: How many attempts it runs at once, where the pool does not say.
    """

    def __init__(self, pool: cf.Executor, slots: int | None = None) -> None:
        self.pool = pool
        self.name = type(pool).__name__
        self.in_process = isinstance(pool, cf.ThreadPoolExecutor)
        # A foreign process has no way to tell anything before its answer.
        self.hears = self.in_process
        known = getattr(pool, "_max_workers", None)
        self.slots = slots or (known if isinstance(known, int) else os.cpu_count() or 1)
        # The Futures that are not done, given up or not, oldest first.
        self._futures: dict[int, cf.Future[Any]] = {}
        self._unwanted: set[int] = set()
        # Jobs that a pool of processes was not seen to begin, and those of which the inbox is
        # being told just now that they did: with their Future, if that is done meanwhile.
        self._queued: dict[int, tuple[Job, Inbox]] = {}
        self._telling: dict[int, cf.Future[Any] | None] = {}
        self._polling = False
        # What a foreign pool's `cancel` says is known of these kinds only.
        self._certain = isinstance(pool, cf.ThreadPoolExecutor | cf.ProcessPoolExecutor) or (
            type(pool).__module__.partition(".")[0] == "loky"
        )
        self._waiting: OrderedDict[int, tuple[Job, Inbox]] = OrderedDict()
        self._lock = threading.Lock()

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Submit a job and answer when its Future is done."""
        if not self._certain:
            with self._lock:
                if len(self._futures) >= AHEAD * self.slots:
                    self._waiting[id(job)] = job, inbox
                    return
        self._hand_over(job, inbox)

    def _hand_over(self, job: Job, inbox: Inbox) -> None:
        try:
            future = self._submitted(job, inbox)
        except Exception as error:  # noqa: BLE001 - a foreign pool may refuse in any way
            inbox.ended(job, _died(error))
            return
        with self._lock:
            self._futures[id(job)] = future
            if not self.in_process:
                self._queued[id(job)] = (job, inbox)
                self._poll_later(POLL_SECONDS)
        future.add_done_callback(functools.partial(self._done, job, inbox))

    def _submitted(self, job: Job, inbox: Inbox) -> cf.Future[Any]:
        if self.in_process:
            return self.pool.submit(_here, job, inbox)
        return self.pool.submit(there, shipped(job), streams.rules())

    def _poll_later(self, seconds: float) -> None:
        if self._queued and not self._polling:
            self._polling = True
            timekeeper.after(seconds, self._poll)

    def _poll(self) -> None:
        """Tell of the jobs that have begun since the last time."""
        clock = time.perf_counter()
        with self._lock:
            # Pools call those running, too, that they have fetched for a worker to run next.
            running = (key for key, future in self._futures.items() if future.running())
            keys = [key for key in islice(running, self.slots) if key in self._queued]
            begun = [(key, *self._queued.pop(key)) for key in keys]
            self._telling.update(dict.fromkeys(keys))
        now = time.time()
        for key, job, inbox in begun:
            inbox.began(job, self.name, now)
            with self._lock:
                done = self._telling.pop(key)
            if done is not None:
                self._done(job, inbox, done)
        with self._lock:
            self._polling = False
            # Many jobs take long to look through: no more than a small share of the time.
            self._poll_later(max(POLL_SECONDS, _POLL_SHARE * (time.perf_counter() - clock)))

    def _done(self, job: Job, inbox: Inbox, future: cf.Future[Any]) -> None:
        with self._lock:
            if id(job) in self._telling:
                self._telling[id(job)] = future
                return
            self._queued.pop(id(job), None)
            del self._futures[id(job)]
            unwanted = id(job) in self._unwanted
            self._unwanted.discard(id(job))
            following = self._waiting.popitem(last=False)[1] if self._waiting else None
        if following is not None:
            self._hand_over(*following)
        if unwanted:
            return
        try:
            answer = future.result()
        except BaseException as error:  # noqa: BLE001 - also that somebody else cancelled it
            answer = _died(error)
        if type(answer) is Spoken:
            answer = answer.tell(job, inbox)
        inbox.ended(job, answer, more=len(self._futures) > self.slots)

    def give_up(self, job: Job, /) -> bool:
        """Cancel the Future; what runs already cannot be stopped."""
        with self._lock:
            if self._waiting.pop(id(job), None) is not None:
                return True
            self._queued.pop(id(job), None)
            future = self._futures.get(id(job))
            if future is None:
                return True
            self._unwanted.add(id(job))
        return future.cancel() and self._certain

    def close(self) -> None:
        """Leave the pool to its owner."""


def shipped(job: Job) -> Job:
    """Give a job as it can be sent to a worker that has no store.

    The code travels as bytes, so that the pool's own pickler never sees the function.

    Raises:
        Unserialisable: Its code or a value cannot be sent.
    """
    return replace(
        job,
        code=Shipped(job.code.name, job.code.blob()),
        args=tuple(inlined(a, job) for a in job.args),
        kwargs={k: inlined(a, job) for k, a in (job.kwargs or {}).items()},
        inputs={k: inlined(a, job) for k, a in (job.inputs or {}).items()},
        live=None,
        fetch=no_blobs,
    )


class Shipped(Code):
    """Code as bytes, unpickled in the worker when it is first wanted."""

    __slots__ = ("_bytes",)

    def __init__(self, name: str, blob: bytes) -> None:
        self.name = name
        self._bytes = blob
        self.digest = ""
        self._blob = blob

    @property
    def fn(self) -> Any:  # type: ignore[override]
        """The function."""
        return _function(self._bytes)

    def __reduce__(self) -> tuple[type[Shipped], tuple[str, bytes]]:
        """Travel as name and bytes."""
        return Shipped, (self.name, self._bytes)


@functools.lru_cache(maxsize=256)
def _function(blob: bytes) -> Any:
    return payload.loads(blob)


def _here(job: Job, inbox: Inbox) -> Answer:
    worker = threading.current_thread().name
    inbox.began(job, worker, 0.0)
    return run_job(job, worker)


class Spoken(NamedTuple):
    """An answer, with what the attempt wrote: there is no other way home for that."""

    answer: Answer
    pieces: list[Piece]
    dropped: int
    cut_on: str

    def tell(self, job: Job, inbox: Inbox) -> Answer:
        """Tell what it wrote, and give the answer."""
        for channel, text in self.pieces:
            inbox.wrote(job, channel, text)
        if self.dropped:
            inbox.wrote(job, self.cut_on, "", self.dropped)
        return self.answer


def there(job: Job, rules: Rules) -> Answer | Spoken:
    """Run an attempt in a process that hears and says nothing meanwhile."""
    worker = f"process {os.getpid()}"
    if not rules.log:
        return run_job(job, worker, shared=False)
    with streams.recording(job, rules) as recorder:
        answer = run_job(job, worker, shared=False)
    words = recorder.words
    if words is None:
        return answer
    return Spoken(answer, words.rest(), words.dropped, words.cut_on)


def _died(error: BaseException) -> Answer:
    now = time.time()
    report = Report(worker="?", started=now)
    if isinstance(error, NbflowError):
        return Answer(report, error=Failure.of(error))
    message = f"the pool could not run it: {type(error).__name__}: {error}"
    return Answer(report, error=Failure.of(WorkerDied(message)))
