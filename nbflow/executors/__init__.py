"""Where attempts run, by name.

The table holds where an executor is rather than the executor, so that none is imported before
somebody asks for it.
"""

from __future__ import annotations

import concurrent.futures
import inspect
import re
from importlib import import_module
from typing import Any, Final

from nbflow.core.errors import DefinitionError
from nbflow.engine.executor import Executor

TABLE: Final = {
    "inline": "nbflow.executors.inline:Inline",
    "threads": "nbflow.executors.threads:Threads",
    "processes": "nbflow.executors.processes:Processes",
    "asyncio": "nbflow.executors.aio:Asyncio",
    "dask": "nbflow.executors.dask:Dask",
    "ray": "nbflow.executors.ray:Ray",
}
"""The executors that have a name."""


_ADDRESS: Final = re.compile(r"(tcp|tls|ucx|ws|wss|inproc)://")
"""What the addresses of Dask's schedulers begin with."""


def make(place: Any, **options: Any) -> Executor:
    """Make an executor.

    Args:
        place: A name of `TABLE`, an executor, any `concurrent.futures.Executor`, a client or
            cluster object of Dask's, or the address of a Dask scheduler, as ``tcp://host:8786``.
        options: What the executor's class takes, such as ``max_workers``.

    Raises:
        DefinitionError: There is no such executor, or it takes no such option.
    """
    if isinstance(place, str) and _ADDRESS.match(place):
        return _built(_load(TABLE["dask"]), address=place, **options)
    if isinstance(place, str):
        return _named(place, options)
    if _of_dask(place):
        return _built(_load(TABLE["dask"]), place, **options)
    if isinstance(place, concurrent.futures.Executor):
        kind: Any = _load("nbflow.executors.futures:Futures")
        made = _built(kind, place, **options)
        _load("nbflow.executors.losses:tell_losses")(place)
        return made
    if isinstance(place, Executor):
        if options:
            message = f"options {sorted(options)} are for executors by name, not for an object"
            raise DefinitionError(message)
        return place
    message = (
        f"{place!r:.60} is no executor: use a name ({', '.join(TABLE)}), an nbflow executor, or a "
        "concurrent.futures.Executor, or a client, a cluster or an address of Dask's"
    )
    raise DefinitionError(message)


def _of_dask(place: Any) -> bool:
    """Whether an object is a client or cluster of Dask's, seen without importing that."""
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(place).__mro__}
    return not kinds.isdisjoint(("distributed.Client", "distributed.Cluster"))


def _named(name: str, options: dict[str, Any]) -> Executor:
    if name not in TABLE:
        import difflib  # noqa: PLC0415 - only for this error

        close = difflib.get_close_matches(name, TABLE, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        message = f"there is no executor {name!r}: use {', '.join(TABLE)}.{hint}"
        raise DefinitionError(message)
    return _built(_load(TABLE[name]), **options)


def _built(kind: Any, *args: Any, **options: Any) -> Executor:
    takes = list(inspect.signature(kind).parameters)[len(args) :]
    unknown = [name for name in options if name not in takes]
    if unknown:
        listed = ", ".join(takes) or "none at all"
        message = f"{kind.__name__} takes no option {', '.join(unknown)}. Its options: {listed}"
        raise DefinitionError(message)
    try:
        return kind(*args, **options)  # type: ignore[no-any-return]
    except TypeError as error:
        message = f"{kind.__name__}: {error}"
        raise DefinitionError(message) from error


def _load(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
