"""Which lane of the pool takes which job: the queue, and what is known of each job in the pool."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from nbflow.engine.executor import Inbox
from nbflow.engine.job import Job
from nbflow.executors.child import Child
from nbflow.executors.pipe import BATCH_BYTES, weight

OVERDUE_SECONDS = 0.12
"""Early jobs are taken back by whoever can run them where their process has not ended one job
in that time."""

Item = tuple[Job, Inbox]


class Lane(Protocol):
    """What the dispatch needs of a lane. The attributes change only with its lock held.

    Attributes:
        child: Its process, if it has one.
        wake: Where an idle lane waits for its next job; None: it shall end.
        given_up: Whether nobody wants the answer to its present job any more.
        early: The jobs that were sent to its process while that was busy, in order.
        unwanted: The identities of those among them that were given up too late to take back.
    """

    child: Child | None
    wake: SimpleQueue[Item | None]
    given_up: bool
    early: deque[Item]
    unwanted: set[int]

    def start(self) -> None:
        """Start its thread."""

    def kill(self) -> None:
        """Kill its process, if it has one."""

    def allow(self, count: int) -> None:
        """Allow its process to begin so many early jobs more after the present one."""

    def take_back(self, count: int) -> int:
        """Undo that for the last ones; of how many: the others have begun, one after another."""


L = TypeVar("L", bound=Lane)


class Dispatch(Generic[L]):
    """The queue and the lanes. Lanes are started when they are needed, and stay.

    Attributes:
        lock: Held while anything here or in a lane's shared attributes changes.
        queued: Jobs that no lane has, by identity, next one first.
    """

    def __init__(self, slots: int, make: Callable[[Dispatch[L], int], L]) -> None:
        self.lock = threading.Lock()
        self.queued: OrderedDict[int, Item] = OrderedDict()
        self._slots = slots
        self._make = make
        self._lanes: list[L] = []
        self._idle: list[L] = []
        # The lane of each job that is running or was sent early.
        self._lane_of: dict[int, L] = {}
        # Lanes with early jobs, and when they last went on, oldest first.
        self._early: dict[L, float] = {}
        # How many lanes will look into the queue shortly: those that were just started or are
        # passing on an answer. Passing on an answer often submits the next call, for which no
        # further process shall be started.
        self._coming = 0
        self._closed = False

    def submit(self, item: Item) -> bool:
        """Take a job; False: the pool is closed."""
        with self.lock:
            if self._closed:
                return False
            if self._idle:
                lane = self._idle.pop()
                self._lane_of[id(item[0])] = lane
                lane.wake.put(item)
                return True
            self.queued[id(item[0])] = item
            if len(self._lanes) < self._slots and len(self.queued) > self._coming:
                lane = self._make(self, len(self._lanes) + 1)
                self._lanes.append(lane)
                self._coming += 1
                lane.start()
            return True

    def next(self, lane: L) -> Item | None:
        """Wait for a lane's next job; None: it shall end."""
        with self.lock:
            self._coming -= 1
            self._reclaim(OVERDUE_SECONDS if self.queued else 0.0)
            if self.queued:
                key, item = self.queued.popitem(last=False)
                self._lane_of[key] = lane
                return item
            self._idle.append(lane)
            # Looked at after the lane was made known: `drop` does it the other way round.
            if self._closed:
                return None
        return lane.wake.get()

    def next_early(self, lane: L, known: set[str], most: int) -> list[Job]:
        """Give jobs to send to the lane's process, which is busy and has the code in `known`.

        Each lane gets its share of the queue, so that all of them end at about the same time.
        """
        with self.lock:
            self._reclaim(OVERDUE_SECONDS)
            if len(self._lanes) < self._slots or lane.given_up:
                return []
            share = -(-len(self.queued) // self._slots)
            jobs: list[Job] = []
            room = BATCH_BYTES
            while self.queued and len(jobs) < min(most, share):
                key, item = next(iter(self.queued.items()))
                size = weight(item[0]) if item[0].code.digest in known else None
                if size is None or size > room:
                    break
                room -= size
                lane.early.append(self.queued.pop(key))
                self._lane_of[key] = lane
                jobs.append(item[0])
            if jobs:
                self._early[lane] = time.monotonic()
                lane.allow(len(jobs))
            return jobs

    def _reclaim(self, age: float) -> None:
        """Put early jobs that have waited that long back to the front of the queue.

        Where nothing else is queued, half of them: their lane goes on with the others.
        """
        for lane, since in list(self._early.items()):
            if time.monotonic() - since < age:
                return
            count = len(lane.early)
            self._take_back(lane, count if age else -(-count // 2))

    def _take_back(self, lane: L, count: int) -> None:
        if count:
            self._requeue(lane, lane.take_back(count))

    def _requeue(self, lane: L, count: int) -> None:
        """Put the last of a lane's early jobs back to the front of the queue, in their order."""
        for _ in range(count):
            item = lane.early.pop()
            key = id(item[0])
            del self._lane_of[key]
            if key in lane.unwanted:
                lane.unwanted.discard(key)
                continue
            self.queued[key] = item
            self.queued.move_to_end(key, last=False)
        if not lane.early:
            self._early.pop(lane, None)

    def done(self, lane: L, job: Job, *, alive: bool) -> tuple[bool, Item | None]:
        """Take note that a lane is through with a job.

        Args:
            lane: The lane.
            job: Its job.
            alive: Whether its process goes on, with the early jobs if there are any.

        Returns:
            Whether the answer is wanted; and the job that the process runs now.
        """
        with self.lock:
            self._lane_of.pop(id(job), None)
            wanted, lane.given_up = not lane.given_up, False
            if not alive:
                self._requeue(lane, len(lane.early))
            if not lane.early:
                self._coming += 1
                return wanted, None
            following = lane.early.popleft()
            self._early.pop(lane, None)
            if lane.early:
                self._early[lane] = time.monotonic()
            if id(following[0]) in lane.unwanted:
                lane.unwanted.discard(id(following[0]))
                self._stop(lane)
            return wanted, following

    def _stop(self, lane: L) -> None:
        """Give a lane's present job up; kill the process if it is that which it runs."""
        lane.given_up = True
        self._take_back(lane, len(lane.early))
        # What could not be taken back has begun, so the present one has ended, and the process
        # runs what is no business of its.
        if not lane.early:
            lane.kill()

    def give_up(self, job: Job) -> None:
        """Make sure that a job does not run any more, without harm to others."""
        with self.lock:
            if self.queued.pop(id(job), None) is not None:
                return
            lane = self._lane_of.get(id(job))
            if lane is None:
                return
            if not any(early is job for early, _ in lane.early):
                self._stop(lane)
                return
            self._take_back(lane, len(lane.early))
            if self.queued.pop(id(job), None) is None:
                # It has begun; its process is killed once the answers before have been read.
                lane.unwanted.add(id(job))

    def born(self, lane: L, child: Child) -> None:
        """Take note of a lane's new process."""
        with self.lock:
            lane.child = child
            if lane.given_up:
                lane.kill()

    def drop(self) -> None:
        """End the lanes once the queue is empty. Called by the garbage collector: takes no lock."""
        self._closed = True
        for lane in list(self._idle):
            lane.wake.put(None)

    def close(self) -> list[L]:
        """Drop all jobs and end all lanes, which are returned to be waited for."""
        with self.lock:
            self._closed = True
            self.queued.clear()
            for lane in set(self._lane_of.values()):
                lane.given_up = True
                lane.unwanted.update(id(early) for early, _ in lane.early)
                lane.kill()
            for lane in self._idle:
                lane.wake.put(None)
            return list(self._lanes)
