"""An attempt on a Dask cluster: what it is made of, how it is sent, and what its end says."""

from __future__ import annotations

import logging
import pickle
import time
from dataclasses import dataclass, field
from typing import Any, Final

from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.payload import Blob, Stored
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, inlined
from nbflow.engine.output import Rules
from nbflow.executors import dask_worker
from nbflow.executors.dask_link import Link, OnCluster
from nbflow.executors.dask_worker import Home, Sent

LOOK_SECONDS: Final = 2.0
"""Seconds after which the workers are counted again, at the earliest."""
AHEAD: Final = 4
"""So many attempts for each worker's thread are with the cluster."""
AHEAD_SHORT: Final = 16
"""So many while attempts are short: each message to the cluster then has several of them."""
SHORT_SECONDS: Final = 0.05
"""Mean time up to which attempts are short."""
_WEIGHT: Final = 0.1
_RELEASE_SECONDS: Final = 1.0
_RELEASE: Final = 256
_RELEASE_BYTES: Final = 4 << 20

_logger = logging.getLogger(__name__)


class Pace:
    """How many attempts to hand over to a cluster, by how long the latest ones have taken.

    Short ones are handed over once half of those that may be there are back, so that many travel
    together; the scheduler has enough for every worker meanwhile.

    Example:
        >>> Pace().room(slots=2, flying=3)
        5
    """

    def __init__(self) -> None:
        self._mean: float | None = None

    def heard(self, report: Report) -> None:
        """Take note of how long an attempt took, in its worker."""
        seconds = report.run_ns * 1e-9
        mean = seconds if self._mean is None else self._mean
        self._mean = mean + _WEIGHT * (seconds - mean)

    def room(self, slots: int, flying: int) -> int:
        """Give how many attempts may be handed over now.

        Args:
            slots: How many attempts the workers run at once.
            flying: How many are with the cluster.
        """
        if self._mean is None or self._mean > SHORT_SECONDS:
            return max(0, AHEAD * slots - flying)
        most = AHEAD_SHORT * slots
        return most - flying if 2 * flying <= most else 0


@dataclass(eq=False, slots=True)
class Flight:
    """An attempt that is with the cluster.

    Attributes:
        job: The attempt.
        inbox: Who is to be told.
        key: Its name there.
        values: What it takes that is on the cluster: by call, or ``@`` and the digest of a blob.
        where: Of these, the results of other calls.
        future: Dask's.
        asked: Whether its answer is being fetched.
    """

    job: Job
    inbox: Inbox
    key: str
    values: dict[str, Any] = field(default_factory=dict)
    where: dict[str, OnCluster] = field(default_factory=dict)
    future: Any = None
    asked: bool = False


class Spent:
    """Futures whose answers have come, which are let go of many at a time.

    Letting go is a message to the scheduler, and Dask's client sends what comes after a message
    10 ms later at the earliest: each attempt of a chain had to wait for that now and then.

    Example:
        >>> spent = Spent()
        >>> spent.add("a future", 100)
        >>> spent.release(busy=True), spent.release(busy=False)
        (0, 1)
    """

    def __init__(self) -> None:
        self._futures: list[Any] = []
        self._bytes = 0
        self._last = time.monotonic()

    def add(self, future: Any, size: int) -> None:
        """Keep one until the next release; `size` is that of its result, in bytes."""
        self._futures.append(future)
        self._bytes += size

    def release(self, *, busy: bool) -> int:
        """Let go of them if it is time to, and give how many those were.

        Args:
            busy: Whether there are attempts to be handed over or on their way.
        """
        now, number = time.monotonic(), len(self._futures)
        few = number < _RELEASE and self._bytes < _RELEASE_BYTES
        if busy and few and now - self._last < _RELEASE_SECONDS:
            return 0
        self._last, self._bytes = now, 0
        self._futures.clear()
        return number


def provide(link: Link, flight: Flight) -> tuple[str, ...]:
    """See that what an attempt takes is on the cluster; give the calls whose results are nowhere.

    Raises:
        NbflowError: Its code cannot be sent, or the store does not have a value.
    """
    job = flight.job
    job.code.blob()
    gone = _results(link, flight)
    for value in (*job.args, *(job.kwargs or {}).values(), *(job.inputs or {}).values()):
        if isinstance(value, Blob):
            flight.values[f"@{value.digest}"] = link.blob(value, job.fetch)
    return gone


def as_told(found: Any) -> bytes:
    """Give a fetched answer as it would have been told; a result that stays there has no other."""
    if isinstance(found, bytes):
        return found
    # What told of it went astray with its worker.
    reply = (0, time.time(), 0, 0, 0, found.size, 0, "", None, None)
    home = Home(reply, "dask", (found.codec, found.size), [], 0, "")
    return pickle.dumps(home, pickle.HIGHEST_PROTOCOL)


def answer_for(flight: Flight, calls: tuple[str, ...], *, alive: bool) -> Answer:
    """Answer for an attempt that the cluster does not know any more.

    Args:
        flight: The attempt.
        calls: What it takes that is lost.
        alive: Whether the scheduler is there.
    """
    how = "was cancelled there by somebody else, or its worker is gone"
    message = f"{flight.job.call}, attempt {flight.job.attempt}: "
    message += how if alive else "the scheduler of the Dask cluster is gone"
    answer = failed(WorkerDied(message))
    answer.lost = calls
    return answer


def _results(link: Link, flight: Flight) -> tuple[str, ...]:
    """Note the results that are on this cluster; give those that are nowhere."""
    gone = []
    for call, stored in (flight.job.inputs or {}).items():
        where = stored.elsewhere if isinstance(stored, Held) else None
        if not isinstance(where, OnCluster):
            continue
        if not where.there():
            gone.append(call)
        elif where.link is link:
            flight.where[call] = where
            flight.values[call] = where.future
    return tuple(gone)


def message(link: Link, flight: Flight, rules: Rules, limit: int) -> bytes:
    """Make what a worker is sent for an attempt."""
    job = flight.job

    def form(stored: Stored) -> Stored:
        return stored if isinstance(stored, Blob) else inlined(stored, job)

    given = {c: form(s) for c, s in (job.inputs or {}).items() if c not in flight.values}
    return pickle.dumps(
        Sent(
            flight.key,
            link.topic,
            (job.code.name, job.code.digest),
            job.key,
            tuple(form(a) for a in job.args),
            {k: form(a) for k, a in job.kwargs.items()} if job.kwargs else None,
            given or None,
            limit,
            job.timeout is not None,
            rules.elsewhere(),
        ),
        pickle.HIGHEST_PROTOCOL,
    )


def take_off(
    client: Any, flights: list[Flight], sent: list[bytes], codes: list[Any], how: dict[str, Any]
) -> None:
    """Hand attempts to the cluster in one message, and note their futures.

    Args:
        client: Dask's.
        flights: The attempts.
        sent: What `message` made of each.
        codes: The code of each, or where it is on the cluster.
        how: Dask's options.
    """
    if len(flights) == 1:  # as in a chain, where each waits for the one before: half the time
        flight = flights[0]
        given = sent[0], codes[0], flight.values
        flight.future = client.submit(dask_worker.attempt, *given, key=flight.key, **how)
        return
    values, keys = [flight.values for flight in flights], [flight.key for flight in flights]
    futures = client.map(dask_worker.attempt, sent, codes, values, key=keys, **how)
    for flight, future in zip(flights, futures, strict=True):
        flight.future = future


def cancel(flight: Flight) -> None:
    """Tell the cluster that nobody waits for an attempt."""
    if flight.future is not None:
        try:
            flight.future.cancel()
        except Exception:  # noqa: BLE001 - the cluster is gone, and the attempt with it
            _logger.debug("%s could not be cancelled", flight.key)


def why(flight: Flight, error: BaseException) -> BaseException:
    """Give the error of an attempt that did not come to its end."""
    if isinstance(error, NbflowError):
        return error.with_traceback(None)
    job, kind = flight.job, type(error).__name__
    worker = getattr(getattr(error, "last_worker", None), "address", "")
    if worker:
        return WorkerDied(f"{job.call}, attempt {job.attempt}: the Dask worker {worker} died")
    return WorkerDied(f"{job.call}, attempt {job.attempt}: Dask could not run it: {kind}: {error}")


def failed(error: BaseException) -> Answer:
    """Answer for an attempt that never came to its end."""
    return Answer(Report("dask", time.time()), error=Failure.of(error))
