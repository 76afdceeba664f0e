"""Where the calls of a run on CloudFlow run: each attempt is an execution, which a worker ends."""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.engine.context import Beat
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, refused
from nbflow.services.cloudflow.client.answers import Execution
from nbflow.services.cloudflow.client.errors import AlreadyExists, Refused
from nbflow.services.cloudflow.client.requests import ListExecutions
from nbflow.services.cloudflow.dynamic.batching import Batches
from nbflow.services.cloudflow.dynamic.names import MOST, attempt_name, slug
from nbflow.services.cloudflow.dynamic.store import ServiceSide
from nbflow.services.cloudflow.dynamic.values import DirectoryValues
from nbflow.services.cloudflow.dynamic.work import Codes, fitted, fitting, outcome, written
from nbflow.services.cloudflow.errors import CloudFlowError

_log = logging.getLogger(__name__)
_FEW: Final = 4
"""So many open executions are asked for one by one; of more the list of those that run is read."""
_PAGE: Final = 99
_SPARE: Final = 24_000
"""Bytes that a message leaves to what the service puts around the work."""
_PATIENCE: Final = 10.0


@dataclass(slots=True, eq=False)
class Flight:
    """An execution that is under way.

    Attributes:
        name: What it is called.
        jobs: The attempts that it is about, by their names.
        begun: When it was started, by the monotonic clock; 0 while that is not known.
        beats: How many signs of life of each attempt were passed on.
    """

    name: str
    jobs: dict[str, Job]
    begun: float = 0.0
    beats: dict[str, int] = field(default_factory=dict)


class CloudFlowExecutor:
    """Runs attempts of one run, and of its children, as executions. See `Executor`.

    Args:
        side: Where the run's log is, and the values.
        root: The run.
        queue: What the flow calls the queue of the workers.
        pace: Seconds between two looks for what has ended.
        reports: Reports a second that the service takes; 0: as many as anyone likes.
    """

    name = "cloudflow"
    slots = 1_000
    in_process = False

    def __init__(
        self,
        side: ServiceSide,
        root: str,
        queue: str,
        *,
        pace: float = 0.5,
        reports: float = 2.0,
    ) -> None:
        self._client, self._flows, self._values = side.client, side.flows, side.values
        self._logs = side.logs
        self._root, self._queue, self._pace = root, queue, pace
        self._batches = Batches(reports)
        self._codes = Codes(side.values)
        self._inboxes: dict[int, Inbox] = {}
        self._flights: dict[str, Flight] = {}
        self._stopping: list[str] = []
        self._near = isinstance(side.values, DirectoryValues)
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._starters = ThreadPoolExecutor(8, "nbflow cloudflow starts")
        self._over = False
        self._looked = 0.0

    # ------------------------------------------------------------ Executor

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """See `Executor.submit`."""
        with self._change:
            if self._over:
                inbox.ended(job, refused(self.name))
                return
            self._inboxes[id(job)] = inbox
            self._batches.waiting.append(job)
            if self._thread is None:
                name = f"nbflow cloudflow {self._root}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._change.notify()

    def give_up(self, job: Job, /) -> bool:
        """See `Executor.give_up`: an execution of this attempt alone is stopped.

        Not so where the run is only left: whoever drives it next takes up what runs.
        """
        with self._change:
            if getattr(self._inboxes.pop(id(job), None), "left", False):
                return False
            if job in self._batches.waiting:
                self._batches.waiting.remove(job)
                return True
            for flight in self._flights.values():
                wanted = [j for j in flight.jobs.values() if id(j) in self._inboxes]
                if job in flight.jobs.values() and not wanted:
                    self._stopping.append(flight.name)
                    self._change.notify()
        return False

    def close(self) -> None:
        """See `Executor.close`; executions that are under way go on."""
        with self._change:
            self._over = True
            self._change.notify()
        self._starters.shutdown(wait=False, cancel_futures=True)

    def leave(self) -> None:
        """Ask for nothing more, and stop nothing: somebody else goes on with the run."""
        with self._change:
            self._inboxes.clear()
            self._stopping.clear()
        self.close()

    # ------------------------------------------------------------ its thread

    def _run(self) -> None:
        while True:
            with self._change:
                if self._over and not self._stopping:
                    return
                stopping, self._stopping = self._stopping, []
                batches = self._taken()
                open_now = list(self._flights.values())
            for name in stopping:
                self._starters_do(self._stop, name)
            for flight in batches:
                self._starters_do(self._start, flight)
            now = time.monotonic()
            if open_now and now - self._looked >= self._pace:
                self._looked = now
                self._look(open_now)
            self._rest()

    def _starters_do(self, do: Any, given: Any) -> None:
        try:
            self._starters.submit(do, given)
        except RuntimeError:  # it is closed: what is to be stopped is stopped here
            do(given)

    def _taken(self) -> list[Flight]:
        found: list[Flight] = []
        while jobs := self._batches.take(time.monotonic()):
            named = {self._name(job): job for job in jobs}
            name = next(iter(named))
            flight = Flight(name if len(jobs) == 1 else f"{name}-{len(jobs)}"[:128], named)
            self._flights[flight.name] = flight
            found.append(flight)
        return found

    def _name(self, job: Job) -> str:
        """Name an attempt by how often its call has failed: so does whoever comes after."""
        number, epoch = self._logs.attempt(job.run, job.call), self._logs.epoch(job.run)
        return attempt_name(self._root, job.run, job.call, number, epoch)

    def _rest(self) -> None:
        """Wait until there is something to do."""
        with self._change:
            if self._stopping or self._over:
                return
            due = self._batches.due(time.monotonic())
            look = self._looked + self._pace - time.monotonic() if self._flights else None
            waits = [w for w in (due, look) if w is not None]
            self._change.wait(max(0.0, min(waits)) if waits else _PATIENCE)

    # ------------------------------------------------------------ executions

    def _start(self, flight: Flight) -> None:
        """Start an execution; one that is there already is as good."""
        parts = []
        for name, job in list(flight.jobs.items()):
            try:
                text = written(name, job, self._codes, self._values)
            except Exception as error:  # noqa: BLE001 - arguments run code of their own
                del flight.jobs[name]
                self._tell(job, Answer(Report(self.name, time.time()), error=Failure.of(error)))
                continue
            given = {"name": name, "run": job.run, "call": job.call, "attempt": job.attempt}
            parts.append({**given, "text": text, "told": self._told(job)})
        if not parts:
            self._landed(flight)
            return
        work = fitting({"parts": parts}, self._values, MOST - _SPARE)
        data = {"queue": self._queue, "work": work}
        while not self._over:
            try:
                self._client.start_execution(self._flows.activity, flight.name, data)
            except AlreadyExists:
                pass  # an earlier orchestrator has started it, and it is over
            except Refused as error:
                self._refused(flight, error)
                return
            except CloudFlowError as error:
                _log.warning("%s is tried again: %s", flight.name, error)
                self._wait(self._pace)
                continue
            flight.begun = time.monotonic()
            return

    def _wait(self, seconds: float) -> None:
        with self._change:
            self._change.wait(seconds)

    def _refused(self, flight: Flight, error: Exception) -> None:
        for job in flight.jobs.values():
            self._tell(job, Answer(Report(self.name, time.time()), error=Failure.of(error)))
        self._landed(flight)

    def _stop(self, name: str) -> None:
        try:
            self._client.stop_execution(self._flows.activity, name, cause="its call was given up")
        except CloudFlowError as error:
            _log.debug("%s was not stopped: %s", name, error)
        with self._change:
            self._flights.pop(name, None)

    def _landed(self, flight: Flight) -> None:
        with self._change:
            self._flights.pop(flight.name, None)

    # ------------------------------------------------------------ what has ended

    def _look(self, flights: list[Flight]) -> None:
        begun = [flight for flight in flights if flight.begun]
        self._hear(begun)
        try:
            for flight in begun if len(begun) <= _FEW else self._gone(begun):
                found = self._client.describe_execution(self._flows.activity, flight.name)
                if found.over:
                    self._ended(flight, found)
        except CloudFlowError as error:
            _log.info("how attempts of %s stand is not known just now: %s", self._root, error)

    def _gone(self, flights: list[Flight]) -> list[Flight]:
        """Give those that do not run any more: they were started before the list was read."""
        prefix = f"{slug(self._root)}--"
        listing = ListExecutions(
            self._flows.activity,
            limit=_PAGE,
            execution_name_prefix=prefix,
            status="Running",
            metadata_only=True,
        )
        running = {execution.name for execution in self._client.each(listing)}
        return [flight for flight in flights if flight.name not in running]

    def _hear(self, flights: list[Flight]) -> None:
        """Say of attempts that they have begun, and pass on their signs of life."""
        for flight in flights:
            for name, job in flight.jobs.items():
                inbox = self._inboxes.get(id(job))
                mark = self._values.noted(f"b-{name}") if self._told(job) else None
                if mark is None or inbox is None:
                    continue
                said = json.loads(mark)
                if not job.began:
                    job.began = float(said["at"])
                    inbox.began(job, str(said["worker"]), job.began)
                count, *beat = said.get("beat", (0,))
                if count > flight.beats.get(name, 0):
                    flight.beats[name] = count
                    inbox.beat(job, Beat(*beat))

    def _told(self, job: Job) -> bool:
        """Whether it is noted that an attempt begins: a bucket is asked where that matters."""
        return self._near or job.timeout is not None

    def _ended(self, flight: Flight, found: Execution) -> None:
        """Say what came of the attempts of an execution that is over."""
        self._landed(flight)
        try:
            value = found.value if found.status == "Succeeded" else {}
            answers = fitted(value or {}, self._values).get("answers", {})
        except (NbflowError, ValueError) as error:
            answers = {}
            _log.warning("what came of %s cannot be had: %s", flight.name, error)
        for count, (name, job) in enumerate(flight.jobs.items(), 1):
            more = count < len(flight.jobs)
            self._answer(name, job, answers.get(name), found, more=more)

    def _answer(
        self, name: str, job: Job, text: str | None, found: Execution, *, more: bool
    ) -> None:
        if text is None:
            said = f"execution {found.name} has {found.status} without an answer to {job.call}"
            answer = Answer(Report(self.name, time.time()), error=Failure.of(WorkerDied(said)))
            self._tell(job, answer)
            return
        try:
            answer, wrote = outcome(name, text)
        except NbflowError as error:
            answer, wrote = Answer(Report(self.name, time.time()), error=Failure.of(error)), []
        self._batches.learn(job.code.name, answer.report.run_ns / 1e9)
        inbox = self._inboxes.get(id(job))
        for channel, text_ in wrote if inbox is not None else ():
            inbox.wrote(job, channel, text_)  # type: ignore[union-attr]
        self._tell(job, answer, more=more)

    def _tell(self, job: Job, answer: Answer, *, more: bool = False) -> None:
        inbox = self._inboxes.pop(id(job), None)
        if inbox is not None:
            inbox.ended(job, answer, more=more)
