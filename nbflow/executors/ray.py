"""A Ray cluster: each slot is a process of Ray's that runs one attempt after another.

Ray runs nothing again by itself here: a process that dies fails the attempt that it ran, and
another one takes its place.
"""

from __future__ import annotations

import importlib.util
import logging
import pickle
import socket
import threading
import time
from collections import OrderedDict
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.errors import DefinitionError, NbflowError, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.engine import streams
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Code, Job, refused
from nbflow.executors.dask_worker import about
from nbflow.executors.futures import Shipped, Spoken, shipped
from nbflow.executors.ray_worker import Worker

INLINE_BYTES: Final = 64 * 1024
"""Code up to this size travels with each attempt; larger code lies in Ray's store."""
_JOIN_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 20.0
_MISSING: Final = (
    "there is no Ray here: pip install 'jupyter-nbflow[ray]'. Nothing was started; "
    'on="processes" needs no such package'
)
_NAMES: Final = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}

_logger = logging.getLogger(__name__)
_using = 0
_where: str | None = None
_use_lock = threading.Lock()


class Ray:
    """Runs attempts on a Ray cluster. It is connected to when it is first needed.

    A Ray that this process has connected to already is used as it is, and left alone at the end.
    Attempts are answered when they end: heartbeats are not heard, and what an activity prints
    comes home with its answer. One that is given up ends with its process, which is replaced;
    what that has started itself goes on.

    Args:
        address: Of a cluster, as ``ray.init`` takes it; None: one of this machine, which ends
            with the last executor that uses it.
        max_workers: How many attempts run at once; by default as many as the cluster has room for.
        resources: What each of them needs, as in ``{"GPU": 1}``; by default a processor.

    Raises:
        DefinitionError: There is no Ray, or an option makes no sense.

    Example:
        >>> run = flow.on("ray", max_workers=4).start()
    """

    name = "ray"
    in_process = False
    hears = False

    def __init__(
        self,
        address: str | None = None,
        *,
        max_workers: int | None = None,
        resources: dict[str, float] | None = None,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise DefinitionError(_MISSING)
        if max_workers is not None and max_workers < 1:
            message = f"max_workers is {max_workers}: it takes at least one"
            raise DefinitionError(message)
        self._address, self._most = address, max_workers
        self._needs = {"CPU": 1.0, **(resources or {})}
        self._connecting = threading.Lock()
        self._slots = 0
        self._ours = False
        # Guards all that follows; lanes wait at it for jobs.
        self._change = threading.Condition()
        self._queue: OrderedDict[int, tuple[Job, Inbox]] = OrderedDict()
        self._lane_of: dict[int, _Lane] = {}
        self._lanes: list[_Lane] = []
        self._codes: dict[str, Any] = {}
        self._closed = False

    @property
    def slots(self) -> int:
        """How many attempts the cluster runs at once; it is connected to for that."""
        with self._connecting:
            if not self._slots:
                self._ours = _connect(self._address, self._most)
                self._slots = self._most or _room(self._needs)
            return self._slots

    @slots.setter
    def slots(self, number: int) -> None:
        self._slots = number

    # ------------------------------------------------------------ the engine's side

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Queue a job for whichever process is free first."""
        try:
            most = self.slots
        except NbflowError as error:
            inbox.ended(job, _failed(error))
            return
        with self._change:
            if not self._closed:
                self._queue[id(job)] = job, inbox
                if len(self._lanes) < min(most, len(self._queue) + len(self._lane_of)):
                    lane = _Lane(self, len(self._lanes) + 1)
                    self._lanes.append(lane)
                    lane.start()
                self._change.notify()
                return
        inbox.ended(job, refused(self.name))

    def give_up(self, job: Job, /) -> bool:
        """Drop a queued job, or end the process that runs it."""
        with self._change:
            if self._queue.pop(id(job), None) is None:
                lane = self._lane_of.get(id(job))
                if lane is not None:
                    lane.given_up = True
                    lane.kill()
        return True

    def close(self) -> None:
        """Give all up, and end the cluster if it is nbflow's own and nobody else uses it."""
        with self._change:
            closed, self._closed = self._closed, True
            self._queue.clear()
            for lane in self._lane_of.values():
                lane.given_up = True
            for lane in self._lanes:
                lane.kill()
            self._change.notify_all()
        for lane in self._lanes:
            if lane is not threading.current_thread():
                lane.join(_JOIN_SECONDS)
        self._codes.clear()
        if self._ours and not closed:
            _disconnect()

    # ------------------------------------------------------------ for lanes

    def wanted(self) -> bool:
        """Wait until there is something to do; False: never again."""
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closed)
            return not self._closed

    def take(self, lane: _Lane) -> tuple[Job, Inbox] | None:
        """Give the next job to a lane that is ready for it; None: others were quicker."""
        with self._change:
            if not self._queue:
                return None
            key, item = self._queue.popitem(last=False)
            self._lane_of[key] = lane
            return item

    def done(self, lane: _Lane, job: Job) -> bool:
        """Take note that a lane is through with a job; give whether its answer is wanted."""
        with self._change:
            del self._lane_of[id(job)]
            wanted, lane.given_up = not lane.given_up, False
            return wanted and not job.dropped

    def born(self, lane: _Lane, actor: Any) -> None:
        """Take note of a lane's new process, which need not be there yet."""
        with self._change:
            lane.actor = actor
            if self._closed:
                lane.kill()

    def has_more(self) -> bool:
        """Whether jobs are waiting."""
        return bool(self._queue)

    def options(self) -> dict[str, Any]:
        """Give what Ray is told of a lane's process."""
        known = {_NAMES[name]: n for name, n in self._needs.items() if name in _NAMES}
        others = {name: n for name, n in self._needs.items() if name not in _NAMES}
        return known | {"resources": others, "max_restarts": 0, "max_task_retries": 0}

    def code(self, code: Code) -> Any:
        """Give the code of an activity: its bytes, or where they are in Ray's store."""
        blob = code.blob()
        if len(blob) <= INLINE_BYTES:
            return blob
        with self._change:
            if code.digest not in self._codes:
                self._codes[code.digest] = _ray().put(blob)
            return self._codes[code.digest]


class _Lane(threading.Thread):
    """One slot: a thread that hands jobs to a process of Ray's, one after another."""

    def __init__(self, pool: Ray, number: int) -> None:
        self.worker = f"ray-{number}"
        super().__init__(name=f"nbflow-{self.worker}", daemon=True)
        self.given_up = False
        self._pool = pool
        self.actor: Any = None

    def kill(self) -> None:
        """End the process, if there is one. With the pool's lock held."""
        actor, self.actor = self.actor, None
        if actor is not None:
            try:
                _ray().kill(actor)
            except Exception:
                _logger.debug("%s could not be killed", self.worker, exc_info=True)

    def run(self) -> None:
        """Serve until the pool is closed."""
        while self._pool.wanted():
            error: BaseException | None = None
            try:
                actor = self._ready()
            except (Exception, SystemExit) as why:  # noqa: BLE001 - which Ray raises at its end
                error, actor, self.actor = why, None, None
            item = self._pool.take(self)
            if item is None:
                continue
            job, inbox = item
            answer = _failed(_why(job, error)) if error else self._answer(actor, job, inbox)
            wanted = self._pool.done(self, job)
            if wanted:
                _tell(inbox, job, answer, more=self._pool.has_more())
            # Let go of the job and its values before waiting for the next one.
            del item, job, inbox, answer, actor

    def _ready(self) -> Any:
        """Give a process that is there and speaks as this one does."""
        actor = self.actor
        if actor is None:
            actor = _ray().remote(Worker).options(**self._pool.options()).remote()
            self._pool.born(self, actor)
            there, here = _ray().get(actor.about.remote()), about()
            wrong = [f"{k} {there[k]} rather than {here[k]}" for k in here if there[k] != here[k]]
            if wrong:
                message = (
                    f"a worker of the Ray cluster has {', '.join(wrong)}: what is sent could not "
                    "be read there. Have the same versions in both places. Nothing was sent"
                )
                raise DefinitionError(message)
        return actor

    def _answer(self, actor: Any, job: Job, inbox: Inbox) -> Answer:
        """Have a job run, and give what came of it."""
        try:
            code = self._pool.code(job.code)
            sent = shipped(job)
            sent.code = Shipped(job.code.name, b"")
            data = pickle.dumps((sent, streams.rules()), pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # noqa: BLE001 - pickling runs code of the user's
            return _failed(error)
        _tell_begun(inbox, job, self.worker)
        try:
            found = payload.loads(_ray().get(actor.run.remote(data, job.code.name, code)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the process, or Ray, may be gone
            self.actor = None
            return _failed(_why(job, error))
        answer: Answer = found
        if type(found) is Spoken:
            answer = found.answer if self.given_up else found.tell(job, inbox)
        answer.report = answer.report._replace(worker=self.worker)
        return answer


def _ray() -> Any:
    import ray

    return ray


def _connect(address: str | None, workers: int | None) -> bool:
    """Connect to Ray; give whether that is ours to undo.

    Raises:
        DefinitionError: There is no such cluster.
    """
    global _using, _where  # noqa: PLW0603 - Ray is one a process, however many executors use it
    ray = _ray()
    with _use_lock:
        if ray.is_initialized() and address not in {None, _where}:
            message = (
                f"this process is connected to Ray already, so not to {address}: leave address "
                "out, or call ray.shutdown() before. Nothing was started"
            )
            raise DefinitionError(message)
        if ray.is_initialized() and not _using:
            return False
        if not _using:
            how: dict[str, Any] = {"address": address}
            if address is None:
                how = {"address": "local", "num_cpus": workers, "include_dashboard": False}
            try:
                _reach(address or "")
                ray.init(**how, log_to_driver=False, logging_level="ERROR")
            except Exception as error:
                message = (
                    f"no Ray cluster at {address or 'this machine'}: {type(error).__name__}: "
                    f'{error}. Nothing was started; start one with "ray start --head", or use '
                    'on="ray" without an address'
                )
                raise DefinitionError(message) from error
            _where = address
        _using += 1
        return True


def _reach(address: str) -> None:
    """See that somebody answers at a host and port: Ray itself would ask for minutes.

    Raises:
        OSError: Nobody does.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


def _disconnect() -> None:
    global _using  # noqa: PLW0603 - as above
    with _use_lock:
        _using -= 1
        if not _using:
            _ray().shutdown()


def _room(needs: dict[str, float]) -> int:
    """Count how many attempts with such needs the cluster has room for; 1 at least."""
    there = _ray().cluster_resources()
    room = (there.get(name, 0) / n for name, n in needs.items() if n)
    return max(1, int(min(room, default=there.get("CPU", 1))))


def _why(job: Job, error: BaseException) -> BaseException:
    """Give the error of an attempt that did not come to its end."""
    if isinstance(error, NbflowError):
        return error.with_traceback(None)
    first = str(error).strip().partition("\n")[0]
    message = f"{job.call}, attempt {job.attempt}: {type(error).__name__} of Ray: {first}"
    return WorkerDied(message)


def _failed(error: BaseException) -> Answer:
    """Answer for an attempt that never came to its end."""
    return Answer(Report("ray", time.time()), error=Failure.of(error))


def _tell_begun(inbox: Inbox, job: Job, worker: str) -> None:
    try:
        inbox.began(job, worker, time.time())
    except Exception:
        _logger.exception("it could not be noted that %s began", job.call)


def _tell(inbox: Inbox, job: Job, answer: Answer, *, more: bool) -> None:
    """Answer. A fault of the run's is its own: the lane goes on with the jobs of others."""
    try:
        inbox.ended(job, answer, more=more)
    except Exception:
        _logger.exception("the answer to %s could not be taken", job.call)
