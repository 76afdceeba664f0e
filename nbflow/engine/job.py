"""What travels to a worker, and the one function that runs it there, whichever worker it is."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter_ns, thread_time_ns
from types import CoroutineType
from typing import Any, Literal

from nbflow.core import metrology, payload
from nbflow.core.errors import NbflowError, Unserialisable, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.metrology import Measured
from nbflow.core.payload import SCALARS, WORD, Blob, Packed, Ref, Stored, is_plain
from nbflow.engine.loop import nested_loops, private_loop

try:
    import resource
except ImportError:  # Windows has none: peak memory is then not known
    resource = None  # type: ignore[assignment]

LIVE_BYTES = 1024 * 1024
"""Results of at least this size are handed on in the same process without a copy."""

Times = tuple[float, int, int]
"""When an attempt began (seconds, epoch), how long it ran and its processor time (nanoseconds)."""

_new = tuple.__new__
_BRIEF = 20_000
"""Nanoseconds up to which an attempt's processor time is taken to be its run time."""
_PEAK_KEPT = 1_000_000
"""Nanoseconds for which the peak of the process's memory is taken to be what it was."""
_ITERATORS = frozenset({"builtins", "itertools"})
"""Where Python's own iterators are from; a class of somebody's may be both, as `io.BytesIO` is."""
_peak = 0
_peak_until = -1
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(slots=True)
class Code:
    """An activity's function as it is shipped: the function itself, and its pickle on demand.

    Attributes:
        name: The activity's name.
        fn: The function, for workers in this process.
        digest: Of the pickled bytes; workers keep functions they have seen under it.
        held: Whether what it gives stays in memory: ``as it is``, or a ``copy`` for each consumer;
            "" if it is stored.
        stay: Whether a large result may stay where it was computed, since computing it again
            does no harm.
    """

    name: str
    fn: Callable[..., Any]
    digest: str = ""
    held: Literal["", "as it is", "copy"] = ""
    stay: bool = False
    _blob: bytes | None = None

    def blob(self) -> bytes:
        """Give the pickled function: by name if it can be imported, else by value.

        Raises:
            Unserialisable: It cannot be pickled.
        """
        if self._blob is None:
            import hashlib  # noqa: PLC0415 - only needed where code is shipped

            blob = payload.dumps(self.fn, f"the code of activity {self.name}")
            # The digest first: other threads may see the blob as soon as it is there.
            self.digest = hashlib.blake2b(blob, digest_size=16).hexdigest()
            self._blob = blob
        return self._blob


@dataclass(slots=True, eq=False)
class Job:
    """One attempt of a call, as an executor gets it.

    Attributes:
        run: Id of the run.
        call: Id of the call.
        attempt: Which attempt, from 1.
        code: What to run.
        args: Positional arguments, stored; references stand for `inputs`.
        kwargs: Keyword arguments, likewise.
        inputs: The stored results of the calls that the arguments refer to.
        live: Results among them that are handed on as they are, in the same process only.
        timeout: Seconds the attempt may take. The engine keeps the time; executors only need to
            be able to give a job up.
        fetch: Gives the bytes of a blob.
        plain: Whether `args` are the values themselves and there is nothing else.
        put: Takes a large result, if the one who runs it has a place for it.
    """

    run: str
    call: str
    attempt: int
    code: Code
    args: tuple[Stored, ...]
    kwargs: dict[str, Stored] | None
    inputs: dict[str, Stored] | None
    live: dict[str, Any] | None
    timeout: float | None
    fetch: payload.Fetch
    plain: bool = False
    began: float = 0.0
    """When its code began here (seconds, epoch); 0 before."""
    dropped: bool = False
    """Set when nobody wants the answer any more: a worker that has not begun need not."""
    put: payload.Put | None = None
    blocks: list[Measured] | None = None
    """What the activity has measured so far, where it runs; None: nothing."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies the attempt."""
        return self.run, self.call, self.attempt


@dataclass(slots=True)
class Answer:
    """What a worker sends back: a stored result or a failure, and what it measured."""

    report: Report
    result: Stored = None
    error: Failure | None = None
    live: Any = None
    """The result itself, where it is to be handed on in the same process."""
    lost: tuple[str, ...] = ()
    """Calls whose results cannot be had any more, so that the attempt did not begin."""


_context: ContextVar[Job | None] = ContextVar("nbflow_job", default=None)


def run_job(job: Job, worker: str, *, shared: bool = True) -> Answer:
    """Run one attempt here and now. Never raises: what goes wrong is in the answer.

    Args:
        job: The attempt.
        worker: Name of the thread or process that runs it.
        shared: Whether the answer is used in this process, so that a large result need not be
            copied.
    """
    _context.set(job)
    started = job.began = time.time()
    cpu, clock = thread_time_ns(), perf_counter_ns()
    try:
        if job.plain:
            value = job.code.fn(*job.args)
        else:
            value = job.code.fn(*arguments(job), **keywords(job))
        if type(value) is CoroutineType:
            value, raised = _awaited(_caught(value))
            if raised is not None:
                raise raised  # noqa: TRY301 - here, so that its frames are the activity's own
    except BaseException as error:  # noqa: BLE001 - SystemExit of an activity must not end a worker
        ran = perf_counter_ns() - clock
        return measured(job, failed(error, worker, (started, ran, thread_time_ns() - cpu)))
    finally:
        _context.set(None)
    ran = perf_counter_ns() - clock
    # Asking takes longer than the smallest activities, which cannot have used more than all of it.
    cpu = thread_time_ns() - cpu if ran > _BRIEF else ran
    plain = (type(value) is int and -WORD < value < WORD) or is_plain(value)
    if plain and job.blocks is None and not (shared and job.code.held):
        peak = _peak if clock + ran < _peak_until else peak_memory()
        report = _new(Report, (worker, started, ran, cpu, 0, 0, peak, ""))
        return Answer(report, value)
    found = answer(job, value, worker, (started, ran, cpu), shared=shared)
    return found if job.blocks is None else measured(job, found)


def measured(job: Job, found: Answer) -> Answer:
    """Put the blocks that an activity measured into the report of its attempt."""
    if job.blocks is not None:
        found.report = found.report._replace(measured=metrology.write(job.blocks))
    return found


async def _caught(coroutine: Any) -> tuple[Any, BaseException | None]:
    """Give a coroutine's value, or its error: an exit that reaches a loop ends that loop."""
    try:
        return await coroutine, None
    except BaseException as error:  # noqa: BLE001 - raised again outside the loop
        own = error.__traceback__.tb_next if error.__traceback__ else None
        return None, error.with_traceback(own)


def _awaited(coroutine: Any) -> Any:
    """Run an ``async def`` activity to its end, without touching a loop that runs here."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    if id(loop) in nested_loops:
        return loop.run_until_complete(coroutine)  # the user asked for it: see `Inline`
    return asyncio.run_coroutine_threadsafe(coroutine, private_loop()).result()


def failed(error: BaseException, worker: str, times: Times) -> Answer:
    """Turn what an activity raised into an answer."""
    report = Report(worker, *times, 0, 0, peak_memory())
    return Answer(report, error=Failure.of(error, skip=1))


def refused(executor: str) -> Answer:
    """Answer for a job that came to an executor that is closed."""
    at = time.time()
    error = WorkerDied(f"the executor {executor} is closed: the call did not run")
    return Answer(Report(executor, at), error=Failure.of(error))


def answer(job: Job, value: object, worker: str, times: Times, *, shared: bool) -> Answer:
    """Turn an activity's value into an answer."""
    if shared and job.code.held == "as it is":
        return _kept(value, worker, times)
    if is_plain(value):
        report = _new(Report, (worker, *times, 0, 0, peak_memory(), ""))
        return Answer(report, value)  # type: ignore[arg-type]
    clock = perf_counter_ns()
    try:
        stored = payload.pack(_storable(value), f"the result of {job.call}", put=job.put)
    except BaseException as error:  # noqa: BLE001 - pickling runs code of the result's own
        error.add_note("The activity ran to its end, so its side effects have happened.")
        return failed(error, worker, times)
    size = stored.size if isinstance(stored, Packed | Blob) else 0
    packing = perf_counter_ns() - clock
    report = Report(worker, *times, packing, size, peak_memory())
    return Answer(report, stored, live=value if shared and size >= LIVE_BYTES else None)


def _kept(value: object, worker: str, times: Times) -> Answer:
    """Answer with a value that is stored nowhere, so that it need not be one that can be."""
    try:
        held = Held.of(_storable(value))
    except Unserialisable as error:
        error.add_note("The activity ran to its end, so its side effects have happened.")
        return failed(error, worker, times)
    return Answer(Report(worker, *times, 0, 0, peak_memory()), held)


def _storable(value: object) -> object:
    """Refuse what pickles but cannot be a result, saying what to do."""
    kind = type(value)
    generator = inspect.isgenerator(value) or inspect.isasyncgen(value)
    # Some can be pickled, but whoever reads one uses it up for the others.
    if generator or (hasattr(kind, "__next__") and kind.__module__ in _ITERATORS):
        what = "a generator" if generator else f"an iterator ({kind.__name__})"
        message = f"the result is {what}, which can be read only once: return list(...)"
        raise Unserialisable(message)
    return value


def arguments(job: Job) -> tuple[Any, ...]:
    """Give fresh positional arguments, references replaced by values."""
    return tuple([_value(job, a) for a in job.args])


def keywords(job: Job) -> dict[str, Any]:
    """Give fresh keyword arguments, likewise."""
    return {k: _value(job, a) for k, a in job.kwargs.items()} if job.kwargs else {}


def _value(job: Job, stored: Stored) -> Any:
    if type(stored) in SCALARS:
        return stored
    return payload.unpack(stored, lambda call: _input(job, call), job.fetch)


def _input(job: Job, call: str) -> Any:
    if job.live is not None and call in job.live:
        return job.live[call]
    stored = (job.inputs or {})[call]
    assert not isinstance(stored, Ref)  # noqa: S101 - results hold no references
    return payload.unpack(stored, _no_refs, job.fetch)


def _no_refs(call: str) -> object:
    message = f"the result of a call refers to {call}"
    raise Unserialisable(message)


def inlined(stored: Stored, job: Job) -> Stored:
    """Put the bytes of a blob in its place, for workers that have no store.

    Raises:
        Unserialisable: A value that is in this process only cannot be sent to another one.
    """
    if isinstance(stored, Held):
        return payload.shipped(stored, f"what {job.call} takes of a persist=False activity")
    if isinstance(stored, Blob):
        data = job.fetch(stored.digest)
        text = data.decode() if stored.codec == "json" else data
        return Packed(stored.codec, text, stored.refused)
    return stored


def no_blobs(digest: str) -> bytes:
    """Stand for `Job.fetch` where every blob was put in its place."""
    message = f"blob {digest} was not shipped with the call"
    raise NbflowError(message)


def peak_memory() -> int:
    """Give the most memory that this process has used so far, in bytes; 0 if it is not known.

    Asked anew at most every millisecond: asking takes longer than a small activity.
    """
    global _peak, _peak_until  # noqa: PLW0603 - a cache of one figure of the process
    now = perf_counter_ns()
    if now >= _peak_until and resource is not None:
        _peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        _peak_until = now + _PEAK_KEPT
    return _peak
