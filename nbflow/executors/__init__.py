"""Where attempts run, by name.

The table holds where an executor is rather than the executor, so that none is imported before
somebody asks for it.
"""

from __future__ import annotations

import concurrent.futures
from importlib import import_module
from typing import Any, Final

from nbflow.core.errors import DefinitionError
from nbflow.engine.executor import Executor

TABLE: Final = {
    "inline": "nbflow.executors.inline:Inline",
    "threads": "nbflow.executors.threads:Threads",
    "processes": "nbflow.executors.processes:Processes",
    "asyncio": "nbflow.executors.aio:Asyncio",
}
"""The executors that have a name."""


def make(place: Any, **options: Any) -> Executor:
    """Make an executor.

    Args:
        place: A name of `TABLE`, an executor, or any `concurrent.futures.Executor`.
        options: What the executor's class takes, such as ``max_workers``.

    Raises:
        DefinitionError: There is no such executor, or it takes no such option.
    """
    if isinstance(place, str):
        return _named(place, options)
    if isinstance(place, concurrent.futures.Executor):
        kind: Any = _load("nbflow.executors.futures:Futures")
        return _built(kind, place, **options)
    if isinstance(place, Executor):
        if options:
            message = f"options {sorted(options)} are for executors by name, not for an object"
            raise DefinitionError(message)
        return place
    message = (
        f"{place!r:.60} is no executor: use a name ({', '.join(TABLE)}), an nbflow executor, or a "
        "concurrent.futures.Executor"
    )
    raise DefinitionError(message)


def _named(name: str, options: dict[str, Any]) -> Executor:
    if name not in TABLE:
        import difflib  # noqa: PLC0415 - only for this error

        close = difflib.get_close_matches(name, TABLE, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        message = f"there is no executor {name!r}: use {', '.join(TABLE)}.{hint}"
        raise DefinitionError(message)
    return _built(_load(TABLE[name]), **options)


def _built(kind: Any, *args: Any, **options: Any) -> Executor:
    try:
        return kind(*args, **options)  # type: ignore[no-any-return]
    except TypeError as error:
        message = f"{kind.__name__}: {error}"
        raise DefinitionError(message) from error


def _load(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
