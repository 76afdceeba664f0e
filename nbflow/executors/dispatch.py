"""Which lane of the pool takes which job: the queue, and what is known of each job in the pool."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from nbflow.engine.executor import Inbox
from nbflow.engine.job import Job
from nbflow.executors.child import Child
from nbflow.executors.pipe import light

OVERDUE_SECONDS = 0.02
"""An early job that has waited this long is taken back by whoever can run it."""

Item = tuple[Job, Inbox]


class Lane(Protocol):
    """What the dispatch needs of a lane. The attributes change only with its lock held.

    Attributes:
        child: Its process, if it has one.
        wake: Where an idle lane waits for its next job; None: it shall end.
        given_up: Whether nobody wants the answer to its present job any more.
        early: The job that was sent to its process while that was busy.
        early_given_up: Whether that one was given up too late to take it back.
    """

    child: Child | None
    wake: SimpleQueue[Item | None]
    given_up: bool
    early: Item | None
    early_given_up: bool

    def start(self) -> None:
        """Start its thread."""

    def kill(self) -> None:
        """Kill its process, if it has one."""

    def allow(self) -> None:
        """Allow its process to begin the early job after the present one."""

    def take_back(self) -> bool:
        """Undo that; False: it has begun, and so the present one has ended."""


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
        # Lanes with an early job, and since when, oldest first.
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

    def next_early(self, lane: L, known: set[str]) -> Job | None:
        """Give a job to send to the lane's process, which is busy and has the code in `known`."""
        with self.lock:
            self._reclaim(OVERDUE_SECONDS)
            if len(self._lanes) < self._slots or not self.queued or lane.given_up:
                return None
            key = next(iter(self.queued))
            job = self.queued[key][0]
            if job.code.digest not in known or not light(job):
                return None
            lane.early = self.queued.pop(key)
            self._early[lane] = time.monotonic()
            self._lane_of[key] = lane
            lane.allow()
            return job

    def _reclaim(self, age: float) -> None:
        """Put early jobs of at least that age back to the front of the queue."""
        for lane, since in list(self._early.items()):
            if time.monotonic() - since < age:
                return
            if lane.take_back():
                self._requeue(lane)

    def _requeue(self, lane: L) -> None:
        item, lane.early = lane.early, None
        del self._early[lane]
        if item is not None:
            key = id(item[0])
            del self._lane_of[key]
            self.queued[key] = item
            self.queued.move_to_end(key, last=False)

    def done(self, lane: L, job: Job, *, alive: bool) -> tuple[bool, Item | None]:
        """Take note that a lane is through with a job.

        Args:
            lane: The lane.
            job: Its job.
            alive: Whether its process goes on, with the early job if there is one.

        Returns:
            Whether the answer is wanted; and the job that the process runs now.
        """
        with self.lock:
            self._lane_of.pop(id(job), None)
            wanted, lane.given_up = not lane.given_up, False
            unwanted, lane.early_given_up = lane.early_given_up, False
            if lane.early is None:
                self._coming += 1
                return wanted, None
            following, job = lane.early, lane.early[0]
            if alive:
                lane.early = None
                del self._early[lane]
                if unwanted:
                    lane.given_up = True
                    lane.kill()
                return wanted, following
            self._requeue(lane)
            if unwanted:
                del self.queued[id(job)]
            self._coming += 1
            return wanted, None

    def give_up(self, job: Job) -> None:
        """Make sure that a job does not run any more, without harm to others."""
        with self.lock:
            if self.queued.pop(id(job), None) is not None:
                return
            lane = self._lane_of.get(id(job))
            if lane is None:
                return
            if lane.early is None:
                lane.given_up = True
                lane.kill()
                return
            early = lane.early[0]
            back = lane.take_back()
            if back:
                self._requeue(lane)
            if early is job and back:
                del self.queued[id(job)]
            elif early is job:
                lane.early_given_up = True  # killed once the answer before it has been read
            else:
                lane.given_up = True
                if back:
                    lane.kill()
                # Otherwise it has ended, and the process runs what is no business of this call.

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
                lane.early_given_up = lane.early is not None
                lane.kill()
            for lane in self._idle:
                lane.wake.put(None)
            return list(self._lanes)
