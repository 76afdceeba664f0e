"""A Dask cluster: one attempt is one future of Dask's, and large results stay where they are.

Attempts are handed over by one thread, all those at once that have come meanwhile. A few for each
worker are with the cluster; the others wait here, where they can be taken back for certain.
"""

from __future__ import annotations

import concurrent.futures as cf
import itertools
import logging
import threading
import time
from collections import OrderedDict
from queue import SimpleQueue
from typing import Any, Final
from uuid import uuid4

from nbflow.core.digests import digest
from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.payload import BLOB_BYTES, loads
from nbflow.engine import streams
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, refused
from nbflow.engine.timekeeper import timekeeper
from nbflow.executors import dask_flight
from nbflow.executors.dask_flight import Flight, Pace, Spent, cancel, failed, why
from nbflow.executors.dask_link import Link, OnCluster, check_options, end, open_link
from nbflow.executors.dask_worker import BEGAN, ENDED, HEAVY, PREFIX, Home
from nbflow.executors.pipe import answer_of

PATIENCE: Final = 5.0
"""Seconds after which a scheduler that did not answer is asked again."""
_FETCHERS: Final = 4
WATCH_SECONDS: Final = 0.1
"""How often attempts are looked after whose answer does not come by itself."""
_DONE: Final = "done"
_CANCEL: Final = "cancel"
_WAKE: Final = ("wake",)
_END: Final = ("end",)
_WATCH: Final = ("watch",)

_logger = logging.getLogger(__name__)


class Dask:
    """Runs attempts on a Dask cluster. It is connected to when it is first needed.

    A result above `limit` stays with the worker that computed it, and is handed from worker to
    worker. It comes here when somebody asks for it: the workflow's code, ``run.result()``. The log
    has that there is one. If it is lost before it was asked for, or by the time that a run is
    resumed, its call is repeated where something needs it, as with ``persist=False``. Results of
    ``once=True`` and cached activities always go to the store.

    An attempt that runs cannot be stopped: it is left behind, and keeps its worker until it ends.
    One whose worker dies fails with `WorkerDied`; Dask does not run it again by itself.

    Args:
        place: Dask's ``Client`` or a cluster object; None: see `address`.
        address: The address of a scheduler; None: a cluster of processes of this machine, which
            ends with this executor.
        max_workers: How many processes that has; by default one for each processor.
        limit: Bytes up to which results go to the log.
        spill: Whether larger ones are copied to the store as well, so that a resumed run has them.
        priority: Of its attempts among other work of the cluster; higher goes first.
        resources: What each attempt needs of a worker, as in ``{"GPU": 1}``.

    Raises:
        DefinitionError: Options exclude each other, or are of another kind.
    """

    name = "dask"
    in_process = False
    hears = False

    def __init__(
        self,
        place: Any = None,
        *,
        address: str | None = None,
        max_workers: int | None = None,
        limit: int = BLOB_BYTES,
        spill: bool = False,
        priority: int = 0,
        resources: dict[str, float] | None = None,
    ) -> None:
        check_options(place, address, max_workers, limit)
        self._place = address if place is None else place
        self._workers = max_workers
        self._limit, self._spill = limit, spill
        self._how = {"priority": priority} | ({"resources": resources} if resources else {})
        self._link: Link | None = None
        self._made: list[Any] = []
        self._refused: tuple[float, NbflowError] | None = None
        self._connecting = threading.RLock()
        self._lock = threading.Lock()
        self._queue: OrderedDict[int, tuple[Job, Inbox]] = OrderedDict()
        self._flights: dict[str, Flight] = {}
        self._keys: dict[int, str] = {}
        self._told: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._fetchers = cf.ThreadPoolExecutor(_FETCHERS, "nbflow-dask-fetch")
        self._numbers = itertools.count(1)
        self._own = uuid4().hex[:12]
        self._pace = Pace()
        self._spent = Spent()
        self._slots, self._looked = 0, 0.0
        self._closed = self._watching = False

    @property
    def slots(self) -> int:
        """How many attempts the cluster runs at once; it is connected to for that."""
        return self._slots or self._connected()[1]

    @slots.setter
    def slots(self, number: int) -> None:
        self._slots = number

    def _connected(self) -> tuple[Link, int]:
        """Give the connection, a new one if there was none or its scheduler is gone."""
        with self._connecting:
            if self._link is None or not self._link.alive():
                if self._refused is not None and time.monotonic() < self._refused[0]:
                    raise self._refused[1].with_traceback(None)
                try:
                    end(self._made)
                    self._made = []
                    made = open_link(self._place, self._workers, self._told.put, self._link)
                    self._link, self._made = made
                except NbflowError as error:
                    # One wait is enough for all that are queued.
                    self._refused = time.monotonic() + PATIENCE, error
                    raise
                self._slots = self._link.slots()
            return self._link, self._slots

    # ------------------------------------------------------------ the engine's side

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Queue a job; the executor's thread hands it to the cluster."""
        with self._lock:
            if not self._closed:
                self._queue[id(job)] = job, inbox
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="nbflow-dask", daemon=True
                    )
                    self._thread.start()
                self._told.put(_WAKE)
                return
        inbox.ended(job, refused(self.name))

    def give_up(self, job: Job, /) -> bool:
        """Drop a queued job; leave behind what is with the cluster already."""
        with self._lock:
            if self._queue.pop(id(job), None) is not None:
                return True
            key = self._keys.pop(id(job), None)
            flight = self._flights.pop(key, None) if key is not None else None
        if flight is None:
            return True
        self._told.put((_CANCEL, flight))
        return False

    def close(self) -> None:
        """Give all up, and end the cluster if it is this executor's own."""
        with self._lock:
            self._closed = True
            self._queue.clear()
            flights = list(self._flights.values())
            self._flights.clear()
            self._keys.clear()
            thread, self._thread = self._thread, None
        if thread is not None:
            self._told.put(_END)
            if thread is not threading.current_thread():
                thread.join(5)
        self._spent.release(busy=False)
        self._fetchers.shutdown(wait=False, cancel_futures=True)
        with self._connecting:
            link, self._link = self._link, None
            if link is not None:
                for flight in flights:
                    cancel(flight)
                link.close()
            end(self._made)
            self._made = []

    # ------------------------------------------------------------ the executor's thread

    def _run(self) -> None:
        while True:
            messages = [self._told.get()]
            messages += [self._told.get() for _ in range(self._told.qsize())]
            for told in messages:
                if told is _END:
                    return
                try:
                    self._hear(told)
                except Exception:
                    _logger.exception("what the cluster told could not be taken")
            self._launch()

    def _hear(self, message: tuple[Any, ...]) -> None:
        kind, *rest = message
        if kind == ENDED:
            self._ended(*rest)
        elif kind == BEGAN:
            if (flight := self._flights.get(rest[0])) is not None:
                flight.inbox.began(flight.job, *rest[1:])
        elif kind == HEAVY:
            self._ask(*rest)
        elif kind == _DONE:
            self._done(*rest)
        elif message is _WATCH:
            self._watch()
        elif kind == _CANCEL:
            cancel(rest[0])

    def _landed(self, key: str) -> Flight | None:
        """Take an attempt that has ended; None: nobody wants its answer."""
        with self._lock:
            flight = self._flights.pop(key, None)
            if flight is not None:
                self._keys.pop(id(flight.job), None)
            return flight

    def _ended(self, key: str, data: bytes) -> None:
        """Take an answer that came home."""
        flight = self._landed(key)
        if flight is None:
            return
        home: Home = loads(data)
        answer, _ = answer_of(home.reply, home.worker)
        self._pace.heard(answer.report)
        for channel, text in home.pieces:
            flight.inbox.wrote(flight.job, channel, text)
        if home.dropped:
            flight.inbox.wrote(flight.job, home.cut_on, "", home.dropped)
        if home.kept is None:
            self._spent.add(flight.future, len(data))
            self._tell(flight, answer)
            return
        link = self._link
        assert link is not None  # noqa: S101 - it has told this
        where = OnCluster(link, flight.job.call, flight.future)
        answer.result = Held.of_elsewhere(where)
        code = flight.job.code
        if code.held or (code.stay and not self._spill):
            self._tell(flight, answer)
        else:
            self._fetchers.submit(self._fetched, flight, answer, where)

    def _fetched(self, flight: Flight, answer: Answer, where: OnCluster) -> None:
        """Bring a result here that is to be stored; other calls take it from the cluster."""
        try:
            packed = where.fetch()
            data = packed.data.encode() if isinstance(packed.data, str) else packed.data
            where.link.has(digest(data), where.future)
            answer.result = packed
        except Exception as error:  # noqa: BLE001 - whatever it is, the call is answered
            answer.result, answer.error = None, Failure.of(error)
        self._tell(flight, answer)

    def _tell(self, flight: Flight, answer: Answer) -> None:
        try:
            flight.inbox.ended(flight.job, answer, more=not self._told.empty())
        except Exception:
            _logger.exception("the answer to %s could not be taken", flight.job.call)

    def _watch_soon(self) -> None:
        if not self._watching:
            self._watching = True
            timekeeper.after(WATCH_SECONDS, lambda: self._told.put(_WATCH))

    def _watch(self) -> None:
        """Look for what has ended without a word. Dask would tell, by two more threads a call."""
        self._watching = False
        self._spent.release(busy=bool(self._flights or self._queue))
        for key, flight in list(self._flights.items()):
            if flight.future is not None and flight.future.done():
                # Behind the answer, which is in the queue by now if there is one.
                self._told.put((_DONE, key, flight.future))
        if self._flights:
            self._watch_soon()

    def _done(self, key: str, future: Any) -> None:
        """Answer for a future that is done though no answer came by itself."""
        status = future.status
        if status == "finished":
            self._ask(key)
            return
        flight = self._landed(key)
        if flight is None:
            return
        if status == "error":
            self._tell(flight, failed(why(flight, future.exception())))
        else:
            self._dropped(flight)

    def _ask(self, key: str) -> None:
        """Have an answer fetched that does not come by itself, once."""
        flight = self._flights.get(key)
        if flight is not None and not flight.asked:
            flight.asked = True
            self._fetchers.submit(self._asked, key, flight.future)

    def _asked(self, key: str, future: Any) -> None:
        try:
            home = future.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the call is answered
            flight = self._landed(key)
            if flight is not None:
                self._tell(flight, failed(why(flight, error)))
            return
        self._told.put((ENDED, key, dask_flight.as_told(home)))

    def _dropped(self, flight: Flight) -> None:
        """Answer for an attempt that the cluster does not know any more."""
        link = self._link
        lost = link.lost(flight.values) if link is not None else list(flight.values)
        calls = tuple(call for call in lost if call in flight.where)
        for call in calls:
            flight.where[call].gone = True
        if link is not None and link.alive() and lost and not calls:
            link.forget([name[1:] for name in lost])
            self.submit(flight.job, flight.inbox)  # what it takes is brought there again
            return
        alive = link is not None and link.alive()
        self._tell(flight, dask_flight.answer_for(flight, calls, alive=alive))

    # ------------------------------------------------------------ handing over

    def _launch(self) -> None:
        """Hand over what there is room for, in one message to the cluster."""
        while True:
            with self._lock:
                room = self._pace.room(self._slots or 1, len(self._flights))
                room = min(room, len(self._queue))
                waiting = [self._queue.popitem(last=False)[1] for _ in range(room)]
                flights = [self._flight(*one) for one in waiting if not one[0].dropped]
            if not waiting:
                return
            try:
                link, _ = self._connected()
                self._look(link)
                self._send(link, [flight for flight in flights if self._prepared(link, flight)])
            except Exception as error:  # noqa: BLE001 - the cluster may be gone in any way
                for flight in flights:
                    if self._landed(flight.key) is not None:
                        self._tell(flight, failed(why(flight, error)))

    def _look(self, link: Link) -> None:
        """Count the workers' threads now and then: workers come and go."""
        if time.monotonic() - self._looked > dask_flight.LOOK_SECONDS:
            self._looked = time.monotonic()
            self._slots = link.slots()

    def _flight(self, job: Job, inbox: Inbox) -> Flight:
        name = "".join(c if c.isalnum() or c == "_" else "." for c in job.code.name)
        key = f"{PREFIX}{name}-{self._own}{next(self._numbers):08x}"
        flight = self._flights[key] = Flight(job, inbox, key)
        self._keys[id(job)] = key
        return flight

    def _prepared(self, link: Link, flight: Flight) -> bool:
        """See what an attempt takes that is on the cluster; answer for it where that cannot be."""
        job = flight.job
        try:
            gone = dask_flight.provide(link, flight)
        except Exception as error:  # noqa: BLE001 - pickling runs code of the user's
            if self._landed(flight.key) is not None:
                self._tell(flight, failed(error))
            return False
        if gone and self._landed(flight.key) is not None:
            answer = failed(WorkerDied(f"what {job.call} takes is lost: {', '.join(gone)}"))
            answer.lost = gone
            self._tell(flight, answer)
        return not gone

    def _send(self, link: Link, flights: list[Flight]) -> None:
        if not flights:
            return
        rules = streams.rules()
        sent = [dask_flight.message(link, flight, rules, self._limit) for flight in flights]
        codes = [link.code(flight.job.code) for flight in flights]
        dask_flight.take_off(link.client, flights, sent, codes, self._how)
        self._watch_soon()
