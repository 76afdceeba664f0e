"""Processes of this machine: isolation, all cores, and attempts that can be stopped.

Each slot is a *lane*: a thread of this process and, once there is something to do, one worker
process, joined by one socket. The thread takes a job, makes the message, waits for the answer and
passes it on; so jobs never wait for one another's pickling, and a process that dies takes only
its own call with it.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from queue import SimpleQueue

from nbflow.core.errors import DefinitionError, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job
from nbflow.executors.child import Child, Gone, here
from nbflow.executors.pipe import CODES, answer_of, request

_CLOSE_SECONDS = 5.0

_Item = tuple[Job, Inbox]


class Processes:
    """Runs attempts in worker processes, which are started when they are first needed.

    A worker that dies fails the call it ran, with `WorkerDied`, and is replaced. One whose
    attempt is given up is killed, with all that the activity started. Workers end with this
    process, however it ends, and the stop button does not reach them.

    Args:
        max_workers: How many attempts run at once; by default one for each processor.

    Raises:
        DefinitionError: This is Windows, which lacks what the pool is built on.
    """

    name = "processes"
    in_process = False

    def __init__(self, max_workers: int | None = None) -> None:
        if not hasattr(os, "killpg"):
            message = (
                "the pool of processes needs Linux or macOS; on Windows, use threads, or hand "
                "over a concurrent.futures.ProcessPoolExecutor"
            )
            raise DefinitionError(message)
        self.slots = max_workers or os.cpu_count() or 1
        # Lanes know the pool's inside only, so that they do not keep alive a pool that nobody
        # uses any more.
        self._pool = _Pool(self.slots)
        self._drop = weakref.finalize(self, self._pool.drop)

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Hand a job to an idle lane, or queue it."""
        self._pool.submit(job, inbox)

    def give_up(self, job: Job, /) -> bool:
        """Drop a queued job; kill the process of a running one."""
        self._pool.give_up(job)
        return True

    def close(self) -> None:
        """Kill the workers that are busy, end the others, and wait until they are gone."""
        self._drop.detach()
        self._pool.close()


class _Pool:
    """The queue and the lanes.

    Attributes:
        queued: Jobs that no lane has taken, by identity, oldest first.
        running: The lane of each job that one has taken.
        idle: Lanes that wait for a job.
        coming: How many lanes will look into the queue shortly: those that were just started
            or are passing on an answer. Passing on an answer often submits the next call, for
            which no further process shall be started.
    """

    def __init__(self, slots: int) -> None:
        self.lock = threading.Lock()
        self.free = deque(range(1, slots + 1))
        self.lanes: set[_Lane] = set()
        self.queued: OrderedDict[int, _Item] = OrderedDict()
        self.running: dict[int, _Lane] = {}
        self.idle: list[_Lane] = []
        self.coming = 0
        self.closed = False

    def submit(self, job: Job, inbox: Inbox) -> None:
        with self.lock:
            if closed := self.closed:
                pass
            elif self.idle:
                lane = self.idle.pop()
                self.running[id(job)] = lane
                lane.wake.put((job, inbox))
            else:
                self.queued[id(job)] = (job, inbox)
                self._more()
        if closed:
            inbox.ended(job, _failed(WorkerDied("the pool of processes is closed"), self.name(job)))

    def _more(self) -> None:
        """Start a lane if the queue has work for it. With the lock held."""
        if self.free and len(self.queued) > self.coming:
            lane = _Lane(self, self.free.popleft())
            self.lanes.add(lane)
            self.coming += 1
            lane.start()

    @staticmethod
    def name(_: Job) -> str:
        return Processes.name

    def next(self, lane: _Lane) -> _Item | None:
        """Wait for the lane's next job; None: it shall end."""
        with self.lock:
            self.coming -= 1
            if self.queued:
                key, item = self.queued.popitem(last=False)
                self.running[key] = lane
                return item
            self.idle.append(lane)
            # Looked at after the lane was made known: `drop` does it the other way round.
            if self.closed:
                return None
        return lane.wake.get()

    def done(self, lane: _Lane, job: Job) -> bool:
        """Take note that the lane is through with a job, and say whether it is still wanted."""
        with self.lock:
            self.running.pop(id(job), None)
            self.coming += 1
            wanted, lane.given_up = not lane.given_up, False
            return wanted

    def give_up(self, job: Job) -> None:
        with self.lock:
            if self.queued.pop(id(job), None) is None and (lane := self.running.get(id(job))):
                lane.give_up()

    def left(self, lane: _Lane) -> None:
        """Take note that the lane's thread ends."""
        with self.lock:
            self.lanes.discard(lane)
            self.free.append(lane.slot)
            if not self.closed:
                # An inbox raised: the lane never came back for the next job.
                self.coming -= 1
                self._more()

    def drop(self) -> None:
        """End the lanes once the queue is empty. Called by the garbage collector: takes no lock."""
        self.closed = True
        for lane in list(self.idle):
            lane.wake.put(None)

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.queued.clear()
            for lane in self.running.values():
                lane.give_up()
            for lane in self.idle:
                lane.wake.put(None)
            lanes = list(self.lanes)
        end = time.monotonic() + _CLOSE_SECONDS
        for lane in lanes:
            if lane is not threading.current_thread():
                lane.join(max(0.0, end - time.monotonic()))


class _Lane(threading.Thread):
    """One slot: a thread that hands jobs to a process of its own, one after another."""

    def __init__(self, pool: _Pool, slot: int) -> None:
        self.worker = f"process-{slot}"
        super().__init__(name=f"nbflow-{self.worker}", daemon=True)
        self.pool = pool
        self.slot = slot
        self.wake: SimpleQueue[_Item | None] = SimpleQueue()
        self.given_up = False
        self.child: Child | None = None

    def give_up(self) -> None:
        """Make the present job end without an answer. With the pool's lock held."""
        self.given_up = True
        if self.child is not None:
            self.child.kill()

    def run(self) -> None:
        try:
            while (item := self.pool.next(self)) is not None:
                self._serve(*item)
                # Let go of the job and its values before waiting for the next one.
                del item
        finally:
            if self.child is not None:
                self.child.end()
            self.pool.left(self)

    def _serve(self, job: Job, inbox: Inbox) -> None:
        answer = None
        try:
            answer = self._answer(job, inbox)
        finally:
            wanted = self.pool.done(self, job)
        if not wanted:
            self._bury()
        elif answer is not None:
            inbox.ended(job, answer)

    def _answer(self, job: Job, inbox: Inbox) -> Answer | None:
        try:
            job.code.blob()
            child = self._ready()
            place = here()
            message = request(job, child.known, None if place == child.place else place)
        except BaseException as error:  # noqa: BLE001 - pickling runs code of the user's
            return _failed(error, self.worker)
        if self.given_up:
            return None
        started, clock = time.time(), time.perf_counter()
        try:
            child.send(message)
            child.place = place or child.place
            if len(child.known) >= CODES:
                child.known.clear()
            child.known.add(job.code.digest)
            inbox.began(job, self.worker, started)
            return answer_of(child.receive(), self.worker)
        except Gone:
            how = self._bury()
            ended = started + time.perf_counter() - clock
            report = Report(
                worker=self.worker, started=started, ended=ended, memory=child.memory
            )
            text = f"{job.call}, attempt {job.attempt}: {self.worker} (pid {child.pid}) {how}"
            return Answer(report, error=Failure.of(WorkerDied(text)))

    def _ready(self) -> Child:
        """Give the lane's process, a new one if there is none or it died while idle."""
        if self.child is not None and not self.child.idle():
            self._bury()
        if self.child is None:
            child = Child(self.worker)
            with self.pool.lock:
                self.child = child
        return self.child

    def _bury(self) -> str:
        with self.pool.lock:
            child, self.child = self.child, None
        return child.bury() if child is not None else ""


def _failed(error: BaseException, worker: str) -> Answer:
    now = time.time()
    return Answer(Report(worker=worker, started=now, ended=now), error=Failure.of(error))
