"""What runs use unless told otherwise."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbflow import executors
from nbflow.core.errors import DefinitionError
from nbflow.core.workflow import Place
from nbflow.engine.executor import Executor
from nbflow.store.base import Store

DEFAULT_STORE = ".nbflow"
MEMORY = ":memory:"


@dataclass(slots=True)
class Settings:
    """The settings of this process, and the executors and stores that it has open.

    Executors are shared by all runs that ask for the same one with the same options.
    """

    on: Any = "threads"
    options: dict[str, Any] = field(default_factory=dict)
    store: str | os.PathLike[str] | Store | None = None
    _executors: dict[tuple[Any, ...], Executor] = field(default_factory=dict, repr=False)
    _stores: dict[str, Store] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def executor(self, place: Place) -> Executor:
        """Give the executor of a place; the same one for the same place."""
        on = self.on if place.on is None else place.on
        options = place.options
        if place.on is None or place.on == self.on:
            options = {**self.options, **place.options}
        if on == "inline":
            return executors.make(on, **options)  # has the queue of one run
        key = (on if isinstance(on, str) else id(on), *sorted(options.items()))
        with self._lock:
            if key not in self._executors:
                self._executors[key] = executors.make(on, **options)
            return self._executors[key]

    def open_store(self) -> Store:
        """Give the store that is set, opening it at the first use."""
        where = self.store or os.environ.get("NBFLOW_STORE") or DEFAULT_STORE
        if not isinstance(where, str | os.PathLike):
            return where
        text = os.fspath(where)
        key = text if text == MEMORY else str(Path(text).expanduser().absolute())
        with self._lock:
            if key not in self._stores:
                self._stores[key] = _open(key)
            return self._stores[key]

    def close(self) -> None:
        """End all executors and let go of all stores."""
        with self._lock:
            for executor in self._executors.values():
                executor.close()
            for store in self._stores.values():
                store.close()
            self._executors.clear()
            self._stores.clear()


def _open(where: str) -> Store:
    if where == MEMORY:
        from nbflow.store.memory import MemoryStore  # noqa: PLC0415 - one of two, on demand

        return MemoryStore()
    from nbflow.store.sqlite import SqliteStore  # noqa: PLC0415 - loads sqlite3

    return SqliteStore(where)


settings = Settings()
"""Those of this process; change them by `configure`."""


def configure(
    *,
    on: Any = None,
    store: str | os.PathLike[str] | Store | None = None,
    **options: Any,
) -> None:
    """Say what runs use from now on. What is not named stays as it is.

    Args:
        on: Where calls run: ``"threads"``, ``"processes"``, ``"asyncio"``, ``"inline"``, or an
            executor.
        store: The directory of the log, ``":memory:"`` to keep nothing, or a store. Unless it is
            set, the environment variable ``NBFLOW_STORE``, else ``.nbflow`` where the process is.
        options: What the executor takes, such as ``max_workers``.

    Raises:
        DefinitionError: There is no such executor, or it takes no such option. Nothing changed.

    Example:
        >>> nbflow.configure(on="processes", max_workers=4, store=":memory:")
    """
    place = settings.on if on is None else on
    if on is not None or options:
        if not isinstance(place, str) and options:
            message = "options are for executors by name, not for an object"
            raise DefinitionError(message)
        made = executors.make(place, **options)  # tells at once whether it can be
        if isinstance(place, str):
            made.close()
        settings.on = place
        settings.options = options if on is not None else {**settings.options, **options}
    if store is not None:
        settings.store = store
