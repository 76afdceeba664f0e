"""What runs on a Dask cluster: attempts in its workers, and a plugin in its scheduler.

An attempt's answer goes home as an event of the cluster, by the stream that every worker has to
the scheduler and the scheduler to each client, so that no small result has to be asked for. A
result above the limit stays with the worker, and only what is known of it goes home.
"""

from __future__ import annotations

import functools
import pickle
import sys
import threading
import time
from typing import Any, Final, NamedTuple

from nbflow.core import payload
from nbflow.core.payload import Packed, Stored
from nbflow.engine import streams
from nbflow.engine.job import Answer, Code, Job, no_blobs, run_job
from nbflow.engine.output import Piece, Rules
from nbflow.engine.timekeeper import timekeeper
from nbflow.executors.pipe import reply

PREFIX: Final = "nbflow."
"""What the keys of attempts begin with; those of code and data do not."""
BEGAN: Final = "began"
ENDED: Final = "ended"
HEAVY: Final = "heavy"
"""Its answer is too large to be told: it is to be fetched."""
EVENT_BYTES: Final = 16 * 1024
"""Answers above this size are fetched rather than sent: the scheduler keeps the latest events."""
_ANNOUNCE_SECONDS = 0.1


class Sent(NamedTuple):
    """An attempt on its way to a worker.

    Attributes:
        key: What it is called on the cluster.
        topic: Where its client listens.
        code: The activity's name and the digest of its code.
        job: Run, call and attempt.
        args: As in `Job`; so are the next two, without what comes as a value of the cluster.
        kwargs: Keyword arguments.
        inputs: Results of other calls.
        limit: Bytes up to which the result goes home.
        hurry: Whether it is to be told at once that the attempt has begun.
        rules: What becomes of what activities write.
    """

    key: str
    topic: str
    code: tuple[str, str]
    job: tuple[str, str, int]
    args: tuple[Stored, ...]
    kwargs: dict[str, Stored] | None
    inputs: dict[str, Stored] | None
    limit: int
    hurry: bool
    rules: Rules


class Home(NamedTuple):
    """An answer on its way home.

    Attributes:
        reply: Report, result and error.
        worker: Who gives it.
        kept: Codec and size of a result that stays on the cluster.
        pieces: What the attempt wrote.
        dropped: How many characters of that were not kept.
        cut_on: The channel of the first of them.
    """

    reply: tuple[object, ...]
    worker: str
    kept: tuple[str, int] | None
    pieces: list[Piece]
    dropped: int
    cut_on: str


def code(blob: bytes) -> bytes:
    """Be the code of an activity, which each worker gets once."""
    return blob


def attempt(sent: bytes, blob: bytes, values: dict[str, Packed]) -> bytes | Packed:
    """Run an attempt in a worker of the cluster.

    Args:
        sent: A `Sent`, pickled.
        blob: The code of the activity.
        values: What is on the cluster: results by call, and ``@`` and a digest for a blob.

    Returns:
        A `Home`, pickled; or the result, where it stays on the cluster.
    """
    told: Sent = payload.loads(sent)
    name, log = _worker()
    _presence.enter(told.key, _Telling(log, told.topic, told.key, name, told.hurry))
    try:
        job = Job(*told.job, _Loaded(*told.code, blob), *_given(told, values), None, None, no_blobs)
        answer, wrote = _run(job, name, told.rules)
    finally:
        _presence.leave(told.key)
    return _home(told, answer, name, log, wrote)


def _run(job: Job, name: str, rules: Rules) -> tuple[Answer, tuple[list[Piece], int, str]]:
    if not rules.log:
        return run_job(job, name, shared=False), ([], 0, "")
    with streams.recording(job, rules) as recorder:
        answer = run_job(job, name, shared=False)
    words = recorder.words
    return answer, ([], 0, "") if words is None else (words.rest(), words.dropped, words.cut_on)


def _given(told: Sent, values: dict[str, Packed]) -> tuple[Any, Any, Any]:
    """Put what was on the cluster back among the arguments."""
    if not values:
        return told.args, told.kwargs, told.inputs

    def put(stored: Stored) -> Stored:
        if isinstance(stored, payload.Blob):
            return values["@" + stored.digest]
        return stored

    inputs = {call: put(stored) for call, stored in (told.inputs or {}).items()}
    inputs |= {call: value for call, value in values.items() if not call.startswith("@")}
    kwargs = {name: put(stored) for name, stored in (told.kwargs or {}).items()}
    return tuple(put(stored) for stored in told.args), kwargs, inputs


def _home(
    told: Sent, answer: Answer, name: str, log: Any, wrote: tuple[list[Piece], int, str]
) -> bytes | Packed:
    result, kept = answer.result, None
    if isinstance(result, Packed) and result.size > told.limit:
        answer.result, kept = None, (result.codec, result.size)
    home = pickle.dumps(Home(reply(answer, 0), name, kept, *wrote), pickle.HIGHEST_PROTOCOL)
    if len(home) <= EVENT_BYTES or kept is not None:
        log(told.topic, (ENDED, told.key, home))
    else:
        log(told.topic, (HEAVY, told.key))
    if kept is None:
        return home
    assert isinstance(result, Packed)  # noqa: S101 - only such are kept
    return result


def _worker() -> tuple[str, Any]:
    """Give the worker's name, one for each of its threads, and its way of telling clients."""
    from distributed import get_worker

    worker = get_worker()
    name = f"dask-{worker.name}"
    if worker.state.nthreads > 1:
        name += f"/{threading.current_thread().name.rpartition('-')[2]}"
    return name, worker.log_event


class _Loaded(Code):
    """Code that came as bytes; an error in reading them is the call's own."""

    __slots__ = ("_bytes",)

    def __init__(self, name: str, digest: str, blob: bytes) -> None:
        self.name = name
        self.digest = digest
        self.held = ""
        self._blob = None
        self._bytes = blob

    @property
    def fn(self) -> Any:  # type: ignore[override]
        """The function."""
        return _function(self._bytes)


@functools.lru_cache(maxsize=256)
def _function(blob: bytes) -> Any:
    return payload.loads(blob)


class _Telling(NamedTuple):
    """What is told when an attempt has begun."""

    log: Any
    topic: str
    key: str
    worker: str
    hurry: bool

    def tell(self, began: float) -> None:
        self.log(self.topic, (BEGAN, self.key, self.worker, began))


class _Presence:
    """The attempts that run in this process; those that take long enough are told of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: dict[str, tuple[float, _Telling]] = {}
        self._ticking = False

    def enter(self, key: str, telling: _Telling) -> None:
        now = time.time()
        if telling.hurry:
            telling.tell(now)
            return
        with self._lock:
            self._new[key] = now, telling
            ticking, self._ticking = self._ticking, True
        if not ticking:
            timekeeper.after(_ANNOUNCE_SECONDS, self._tick)

    def leave(self, key: str) -> None:
        with self._lock:
            self._new.pop(key, None)

    def _tick(self) -> None:
        due = time.time() - _ANNOUNCE_SECONDS / 2
        with self._lock:
            old = [key for key, (began, _) in self._new.items() if began <= due]
            told = [self._new.pop(key) for key in old]
            for began, telling in told:  # with the lock: not after the attempt has ended
                telling.tell(began)
            self._ticking = bool(self._new)
        if self._ticking:
            timekeeper.after(_ANNOUNCE_SECONDS, self._tick)


_presence = _Presence()


class OneAttempt:
    """Keeps Dask's scheduler from running an attempt a second time of its own accord.

    A worker that dies fails the attempt that it ran, and a result that is lost is lost: whether
    either is run again is nbflow's to say, which writes it down. Other people's keys are left
    alone.
    """

    name = "nbflow-one-attempt"
    idempotent = True

    def __init__(self) -> None:
        self._scheduler: Any = None

    async def start(self, scheduler: Any) -> None:
        """Take note of the scheduler that this is in."""
        self._scheduler = scheduler

    def transition(self, key: Any, _start: str, finish: str, *_: Any, **__: Any) -> None:
        """See an attempt sent to a worker, or its result there."""
        if finish not in {"processing", "memory"} or not str(key).startswith(PREFIX):
            return
        known = self._scheduler.tasks.get(key)
        if known is None:
            return
        if finish == "processing":
            known.suspicious = max(known.suspicious, self._scheduler.allowed_failures)
        else:
            known.run_spec = None


def plugin() -> Any:
    """Make the plugin for a scheduler."""
    from distributed import SchedulerPlugin

    return type("OneAttemptPlugin", (OneAttempt, SchedulerPlugin), {"__module__": __name__})()


def about() -> dict[str, str]:
    """Give what has to be the same where code is sent and where it runs."""
    from nbflow.__about__ import __version__  # noqa: PLC0415 - asked once a connection

    return {
        "Python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "nbflow": __version__,
        "cloudpickle": _major("cloudpickle"),
    }


def _major(package: str) -> str:
    from importlib.metadata import version  # noqa: PLC0415 - asked once a connection

    return version(package).partition(".")[0]
