"""Processes of this machine: isolation, all cores, and attempts that can be stopped.

Each slot is a *lane*: a thread of this process and, once there is something to do, one worker
process, joined by one socket. The thread takes a job, makes the message, waits for the answer and
passes it on; so jobs do not wait for one another's pickling, and a process that dies takes only
its own call with it.

While calls are short, a lane sends the next jobs *early*, so that its process need not wait for
this one: so many in one message as take a few milliseconds. Each is answered by itself, before the
next one begins, so a process that dies still takes one call with it. Early jobs can be taken back
as long as they have not begun, and are: when their process dies or is killed, when a lane has
nothing else to do, or when the call before them turns out long.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections import deque
from functools import partial
from queue import SimpleQueue
from typing import Literal

from nbflow.core.errors import DefinitionError, NbflowError, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.core.secret import known_values
from nbflow.engine import streams
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, refused
from nbflow.executors.child import Child, Gone, here
from nbflow.executors.dispatch import Dispatch, Item
from nbflow.executors.pipe import CODES, Luggage, answer_of, early, fetched, request
from nbflow.executors.segments import Shelf
from nbflow.executors.voice import Ear

SHORT_SECONDS = 0.05
"""Jobs are sent early while calls take less than this on average."""
AHEAD_SECONDS = 0.08
"""With ``chunk="auto"``, so many are sent at once as take this long on average, or one."""
NAP_SECONDS = 0.04
"""A lane whose process has more to do leaves it alone for so long at most, and then takes several
answers at once: to be woken for each takes processor time from the processes."""
_LONG = 0.001
"""Seconds: calls that take less are answered in heaps in any case."""
MOST = 256
"""But no more than these."""

_CLOSE_SECONDS = 5.0

_logger = logging.getLogger(__name__)


class Processes:
    """Runs attempts in worker processes, which are started when they are first needed.

    A worker that dies fails the call it ran, with `WorkerDied`, and is replaced. One whose
    attempt is given up is killed, with all that the activity started. Workers end with this
    process, however it ends, and the stop button does not reach them.

    Args:
        max_workers: How many attempts run at once; by default one for each processor.
        chunk: How many short calls are sent to a busy worker at once; ``"auto"``: as many as take
            some milliseconds. What becomes of each does not depend on it.

    Raises:
        DefinitionError: This is Windows, which lacks what the pool is built on; or `chunk` is
            nothing of that kind.
        ValueError: `max_workers` is less than 1.

    Example:
        >>> run = flow.on("processes", max_workers=8, chunk="auto").start()
    """

    name = "processes"
    in_process = False

    def __init__(
        self, max_workers: int | None = None, *, chunk: int | Literal["auto"] = "auto"
    ) -> None:
        if not hasattr(os, "killpg"):
            message = (
                "the pool of processes needs Linux or macOS; on Windows, use threads, or hand "
                "over a concurrent.futures.ProcessPoolExecutor"
            )
            raise DefinitionError(message)
        if max_workers is not None and max_workers < 1:
            message = f"max_workers is {max_workers}: it takes at least one"
            raise ValueError(message)
        self.slots = max_workers or os.cpu_count() or 1
        # Lanes know the dispatch only, so that they do not keep alive a pool that nobody uses.
        make = partial(_Lane, most=_most(chunk), shelf=Shelf())
        self._dispatch: Dispatch[_Lane] = Dispatch(self.slots, make)
        self._drop = weakref.finalize(self, self._dispatch.drop)

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Hand a job to an idle lane, or queue it."""
        if not self._dispatch.submit((job, inbox)):
            inbox.ended(job, refused(self.name))

    def give_up(self, job: Job, /) -> bool:
        """Drop a queued job; kill the process of a running one."""
        self._dispatch.give_up(job)
        return True

    def close(self) -> None:
        """Kill the workers that are busy, end the others, and wait until they are gone."""
        self._drop.detach()
        end = time.monotonic() + _CLOSE_SECONDS
        for lane in self._dispatch.close():
            if lane is not threading.current_thread():
                lane.join(max(0.0, end - time.monotonic()))


def _most(chunk: object) -> int | None:
    """Give how many jobs are sent at once; None: it is up to how long they take."""
    if chunk == "auto":
        return None
    if type(chunk) is not int or not 1 <= chunk <= MOST:
        message = (
            f'chunk is {chunk!r:.60}: it is a number of calls, from 1 to {MOST}, or "auto", which '
            "goes by how long they take"
        )
        raise DefinitionError(message)
    return chunk


class _Lane(threading.Thread):
    """One slot: a thread that hands jobs to a process of its own, one after another."""

    def __init__(
        self,
        dispatch: Dispatch[_Lane],
        slot: int,
        most: int | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.worker = f"process-{slot}"
        super().__init__(name=f"nbflow-{self.worker}", daemon=True)
        self.child: Child | None = None
        self.wake: SimpleQueue[Item | None] = SimpleQueue()
        self.given_up = False
        self.early: deque[Item] = deque()
        self.unwanted: set[int] = set()
        self._dispatch = dispatch
        self._most = most
        self._shelf = shelf or Shelf()
        # Whether some were taken back that the process has yet to read. Until then no others may
        # be sent: their tickets could be taken for those of these.
        self._revoked = False
        # With so many early jobs left, the next ones are sent. The process has then read all
        # earlier ones, so there is room in the connection.
        self._few = 0
        self._mean = 1.0

    def kill(self) -> None:
        """Kill the process. With the dispatch's lock held, as the next two."""
        if self.child is not None:
            self.child.kill()

    def allow(self, count: int) -> None:
        """Put the tickets of early jobs."""
        if self.child is not None:
            self.child.put_tickets(count)

    def take_back(self, count: int) -> int:
        """Take the last ones back; of how many: the process has the others."""
        taken = self.child.take_tickets(count) if self.child is not None else 0
        self._revoked = self._revoked or taken > 0
        return taken

    def run(self) -> None:
        """Serve until the pool is closed."""
        try:
            while (item := self._dispatch.next(self)) is not None:
                if not self._sent(*item):
                    continue
                self._send_early()
                following: Item | None = item
                while following is not None:
                    following = self._served(*following)
                # Let go of the job and its values before waiting for the next one.
                del item, following
        finally:
            if self.child is not None:
                self.child.end()

    def _sent(self, job: Job, inbox: Inbox) -> bool:
        """Send a job to the process; where that cannot be, answer for it."""
        try:
            job.code.blob()  # first: no process is started for what cannot be sent
            child = self._ready()
            place = here(child.place)
            rules, secrets = streams.rules(), known_values()
            luggage = Luggage(self._shelf)
            message = request(
                job,
                child.known,
                None if place is child.place else place,
                None if rules is child.rules else rules.elsewhere(),
                luggage,
            )
            if secrets != child.secrets:
                message = message._replace(secrets=secrets)
        except BaseException as error:  # noqa: BLE001 - pickling runs code of the user's
            wanted, _ = self._dispatch.done(self, job, alive=False)
            self._bury_killed()
            if wanted:
                _tell(inbox, job, _failed(error, self.worker))
            return False
        if message.blob is not None:
            if len(child.known) >= CODES:
                child.known.clear()
            child.known.add(job.code.digest)
        child.place, child.rules, child.secrets = place, rules, secrets
        with contextlib.suppress(Gone):  # waiting for the answer will tell how
            child.send(message, luggage.segments)
        return True

    def _ready(self) -> Child:
        """Give the lane's process, a new one if there is none or it died while idle."""
        if self.child is not None and not self.child.idle():
            self._bury()
        if self.child is None:
            child = Child(self.worker)
            self._dispatch.born(self, child)
            self._revoked = False
            try:
                child.ready()
            except WorkerDied:
                self._bury()
                raise
            return child
        return self.child

    def _send_early(self) -> None:
        """Send the next jobs, if that is worth while and certain to do no harm."""
        child = self.child
        if (
            len(self.early) > self._few
            or self._revoked
            or self._mean >= SHORT_SECONDS
            or not self._dispatch.queued
            or child is None
            or here(child.place) is not child.place
            or streams.rules() is not child.rules
            or known_values() != child.secrets
        ):
            return
        most = self._most or max(1, min(MOST, int(AHEAD_SECONDS / max(self._mean, 1e-6))))
        if jobs := self._dispatch.next_early(self, child.known, most):
            self._few = len(jobs) // 2
            with contextlib.suppress(Gone):
                child.send([early(job) for job in jobs])

    def _served(self, job: Job, inbox: Inbox) -> Item | None:
        """Wait for the answer to a job and pass it on.

        Returns:
            The job that the process runs now, if one was sent early.
        """
        child = self.child
        assert child is not None  # noqa: S101 - the job was sent to it
        started, clock = time.time(), time.perf_counter()
        # What has answered already need not be said to have begun.
        told = job.timeout is not None or not child.heard()
        if told:
            self._tell_begun(job, inbox, started)
        ear: Ear | None = None
        self._nap(child, job)
        try:
            while type((message := child.receive())[0]) is not int:
                if not told:
                    told = True
                    self._tell_begun(job, inbox, started)
                ear = ear or Ear(job, inbox)
                ear.hear(message[0])
            answer, read = answer_of(message, self.worker)
            answer = fetched(answer, child.side, job)
        except (Gone, EOFError):
            if ear is not None:
                ear.end()
            # Before the burial: a ticket cannot be taken back from a closed pipe.
            wanted, following = self._dispatch.done(self, job, alive=False)
            how = self._bury()
            ended = started + time.perf_counter() - clock
            answer = _died(job, child, how, (started, ended))
        else:
            if read == child.tickets:
                self._revoked = False
            report = answer.report
            self._mean += ((report.run_ns + report.packing_ns) * 1e-9 - self._mean) / 2
            wanted, following = self._dispatch.done(self, job, alive=True)
            if following is None:
                self._bury_killed()
            else:
                self._send_early()
        if wanted:
            more = following is not None and (self._mean < _LONG or child.heard())
            _tell(inbox, job, answer, more=more)
        return following

    def _nap(self, child: Child, job: Job) -> None:
        """Leave the process alone as long as it surely has something to do.

        Not where the time is kept: whether a call is over must be known as soon as it is.
        """
        ahead = len(self.early) * self._mean
        if self._mean >= _LONG and ahead and job.timeout is None and not child.heard():
            time.sleep(min(NAP_SECONDS, 0.75 * ahead))

    def _tell_begun(self, job: Job, inbox: Inbox, at: float) -> None:
        try:
            inbox.began(job, self.worker, at)
        except Exception:
            _logger.exception("it could not be noted that %s began", job.call)

    def _bury_killed(self) -> None:
        if self.child is not None and self.child.killed:
            self._bury()

    def _bury(self) -> str:
        with self._dispatch.lock:
            child, self.child = self.child, None
        return child.bury() if child is not None else ""


def _tell(inbox: Inbox, job: Job, answer: Answer, *, more: bool = False) -> None:
    """Answer. A fault of the run's is its own: the lane goes on with the jobs of others."""
    try:
        inbox.ended(job, answer, more=more)
    except Exception:
        _logger.exception("the answer to %s could not be taken", job.call)


def _died(job: Job, child: Child, how: str, times: tuple[float, float]) -> Answer:
    """Answer for a job whose process ended under it."""
    started, ended = times
    report = Report.between(child.name, started, ended, memory=child.memory)
    message = f"{job.call}, attempt {job.attempt}: {child.name} (pid {child.pid}) {how}"
    return Answer(report, error=Failure.of(WorkerDied(message)))


def _failed(error: BaseException, worker: str) -> Answer:
    """Answer for a job that never got to a process."""
    if isinstance(error, NbflowError):
        error = error.with_traceback(None)  # it says all; the frames are the pool's own
    now = time.time()
    return Answer(Report(worker, now), error=Failure.of(error))
