"""The connection to a Dask cluster: the client, what is wrong with it, and what lies there."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.errors import DefinitionError, NbflowError, Unserialisable, WorkerDied
from nbflow.core.payload import Blob, Packed
from nbflow.engine.job import Code
from nbflow.executors import dask_worker

CONNECT_SECONDS: Final = 20.0
"""Seconds within which a scheduler has to answer."""
INLINE_BYTES: Final = 1024
"""Code up to this size travels with each attempt: a value of the cluster costs more."""
KEPT: Final = 256
"""So many pieces of code, and so many blobs, are kept on the cluster for attempts to come."""

_MISSING: Final = (
    "there is no Dask here: pip install 'jupyter-nbflow[dask]'. Nothing was started; "
    'on="processes" needs no such package'
)


class OnCluster:
    """A result that is with a worker of the cluster.

    Attributes:
        call: The call that gave it.
        future: Dask's own future of it: as long as that is there, the cluster keeps the value.
        gone: Whether it is known to be lost.
    """

    def __init__(self, link: Link, call: str, future: Any) -> None:
        self.link = link
        self.call = call
        self.future = future
        self.gone = False

    def there(self) -> bool:
        """Whether the cluster has it, as far as its scheduler has told."""
        return not self.gone and self.link.alive() and self.future.status in {"finished", "pending"}

    def fetch(self) -> Packed:
        """Bring it here.

        Raises:
            Unserialisable: The cluster has lost it.
        """
        try:
            found = self.link.client.gather(self.future)
        except Exception as error:
            self.gone = True
            message = (
                f"the result of {self.call} was on {self.link.name}, which has lost it. It is "
                "computed again where a resumed run needs it; spill=True keeps a copy in the store"
            )
            raise Unserialisable(message) from error
        return found  # type: ignore[no-any-return]


class Link:
    """A client that has been looked at, and what was sent to its cluster for more than one use.

    Args:
        client: Dask's client.
        hear: Takes what workers tell, in the client's own thread.
    """

    def __init__(self, client: Any, hear: Callable[[tuple[Any, ...]], object]) -> None:
        self.client = client
        self.name = f"the Dask cluster at {_address(client)}"
        self.topic = f"nbflow-{client.id}"
        self._codes: OrderedDict[str, Any] = OrderedDict()
        self._blobs: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._check()
        self._register()
        client.subscribe_topic(self.topic, lambda event: hear(event[1]))

    def alive(self) -> bool:
        """Whether the scheduler answers, as far as is known."""
        return str(self.client.status) == "running"

    def slots(self) -> int:
        """Give how many attempts the workers run at once; 1 where there is none yet."""
        return sum(self.client.nthreads().values()) or 1

    def close(self) -> None:
        """Let go of what lies on the cluster. The client is closed by who has made it."""
        self._codes.clear()
        self._blobs.clear()
        if self.alive():
            self.client.unsubscribe_topic(self.topic)

    def _check(self) -> None:
        """See that what is sent can be read there.

        Raises:
            DefinitionError: A worker has another Python, nbflow or cloudpickle.
        """
        here = dask_worker.about()
        try:
            found = self.client.run(dask_worker.about)
        except Exception as error:
            message = (
                f"a worker of {self.name} cannot run nbflow: {type(error).__name__}: {error}. "
                "Install jupyter-nbflow there, in the version that is here. Nothing was sent"
            )
            raise DefinitionError(message) from error
        for worker, there in found.items():
            wrong = [f"{k} {there[k]} rather than {here[k]}" for k in here if there[k] != here[k]]
            if wrong:
                message = (
                    f"worker {worker} of {self.name} has {', '.join(wrong)}: what is sent could "
                    "not be read there. Have the same versions in both places. Nothing was sent"
                )
                raise DefinitionError(message)

    def _register(self) -> None:
        try:
            self.client.register_plugin(dask_worker.plugin())
        except Exception as error:
            message = (
                f"the scheduler of {self.name} cannot take nbflow's plugin, without which it "
                f"would run attempts again by itself: {type(error).__name__}: {error}. Install "
                "jupyter-nbflow where the scheduler runs. Nothing was sent"
            )
            raise DefinitionError(message) from error

    def code(self, code: Code) -> Any:
        """Give the code of an activity: its bytes, or where they are on the cluster."""
        blob = code.blob()
        if len(blob) <= INLINE_BYTES:
            return blob
        with self._lock:
            future = _get(self._codes, code.digest)
            if future is None:
                key = f"nbflow-code-{code.digest}"
                future = self.client.submit(dask_worker.code, blob, key=key)
                _put(self._codes, code.digest, future)
            return future

    def blob(self, blob: Blob, fetch: payload.Fetch) -> Any:
        """Give where a large value is on the cluster; it is brought there once."""
        payload.check(blob.refused)
        with self._lock:
            future = _get(self._blobs, blob.digest)
        if future is None:
            data = fetch(blob.digest)
            text = data.decode() if blob.codec == "json" else data
            (future,) = self.client.scatter([Packed(blob.codec, text)], hash=False)
            self.has(blob.digest, future)
        return future

    def has(self, digest: str, future: Any) -> None:
        """Take note that a value of the store is on the cluster, too."""
        with self._lock:
            _put(self._blobs, digest, future)

    def forget(self, digests: list[str]) -> None:
        """Take note that blobs are on the cluster no more."""
        with self._lock:
            for digest in digests:
                self._blobs.pop(digest, None)

    def lost(self, values: dict[str, Any]) -> list[str]:
        """Give which of these futures the cluster has no value of, by their names."""
        if not self.alive():
            return list(values)
        try:
            has = self.client.who_has(list(values.values()))
        except Exception:  # noqa: BLE001 - the scheduler went away meanwhile
            return list(values)
        return [name for name, future in values.items() if not has.get(future.key)]


def _get(found: OrderedDict[str, Any], name: str) -> Any:
    future = found.get(name)
    if future is not None and future.status not in {"finished", "pending"}:
        del found[name]
        return None
    return future


def _put(found: OrderedDict[str, Any], name: str, future: Any) -> None:
    found[name] = future
    while len(found) > KEPT:
        found.popitem(last=False)


def _address(client: Any) -> str:
    scheduler = client.scheduler
    return str(scheduler.address) if scheduler is not None else "an unknown address"


def check_options(place: Any, address: str | None, workers: int | None, limit: Any) -> None:
    """Refuse options that make no sense, before anything is connected to.

    Raises:
        DefinitionError: They do not.
    """
    if place is not None and address is not None:
        message = "give a client or cluster, or an address, not both"
        raise DefinitionError(message)
    if workers is not None and (place is not None or address is not None):
        message = "max_workers is for a cluster of this machine; this one has the workers it has"
        raise DefinitionError(message)
    if workers is not None and workers < 1:
        message = f"max_workers is {workers}: it takes at least one"
        raise DefinitionError(message)
    if type(limit) is not int or limit < 0:
        message = f"limit is {limit!r:.60}: it is a number of bytes, as in 65_536"
        raise DefinitionError(message)


def connect(place: Any, workers: int | None) -> tuple[Any, list[Any]]:
    """Give a client of a cluster.

    Args:
        place: Dask's client or cluster, an address, or None for a cluster of this machine.
        workers: How many processes that has; by default one for each processor.

    Returns:
        The client, and what is to be closed when it is not needed any more.

    Raises:
        DefinitionError: There is no such cluster, or no Dask.
    """
    if importlib.util.find_spec("distributed") is None:
        raise DefinitionError(_MISSING)
    from distributed import Client, LocalCluster

    new: Any = Client

    if isinstance(place, Client):
        return _synchronous(place), []
    if place is None:
        cluster = _local(LocalCluster, workers)
        client = new(cluster, set_as_default=False)
        return client, [client, cluster]
    try:
        client = new(place, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        where = place if isinstance(place, str) else type(place).__name__
        message = (
            f"no Dask scheduler answers at {where}: {type(error).__name__}: {error}. Nothing was "
            'started; start one with "dask scheduler", or use on="dask" without an address'
        )
        raise DefinitionError(message) from error
    return client, [client]


def _local(kind: Any, workers: int | None) -> Any:
    """Start a cluster of processes of this machine, which nobody else can reach."""
    return kind(
        n_workers=workers or os.cpu_count() or 1,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )


def _synchronous(client: Any) -> Any:
    if client.asynchronous:
        message = (
            "the Dask client is an asynchronous one, whose loop nbflow would hold up: hand over "
            "the address of its scheduler instead"
        )
        raise DefinitionError(message)
    if str(client.status) != "running":
        message = f"the Dask client is {client.status}: make a new one"
        raise DefinitionError(message)
    return client


def open_link(
    place: Any,
    workers: int | None,
    hear: Callable[[tuple[Any, ...]], object],
    before: Link | None = None,
) -> tuple[Link, list[Any]]:
    """Connect to a cluster and look at it; see `connect` and `Link`.

    `before` is the connection to the same place that this one is made instead of.

    Raises:
        WorkerDied: There was one before, and there is none now.
    """
    try:
        client, made = connect(place, workers)
    except DefinitionError as error:
        if before is None:
            raise
        message = f"the scheduler of {before.name} is gone, and there is no other: {error}"
        raise WorkerDied(message) from error
    try:
        return Link(client, hear), made
    except BaseException:
        end(made)
        raise


def end(made: list[Any]) -> None:
    """Close what was made for a connection; what is gone already is no error."""
    for thing in made:
        try:
            thing.close()
        except (OSError, RuntimeError, TimeoutError, NbflowError):
            continue
