"""What runs use unless told otherwise."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from nbflow import executors, services
from nbflow.core.errors import DefinitionError
from nbflow.core.workflow import Place
from nbflow.engine import streams
from nbflow.engine.around import Middlewares
from nbflow.engine.executor import Executor
from nbflow.engine.output import Rules
from nbflow.engine.sizes import NO_LIMIT
from nbflow.services.base import Service
from nbflow.store.base import Durability, Store

DEFAULT_STORE = ".nbflow"
MEMORY = ":memory:"
OUTPUT: Final = ("auto", "both", "log", "stream")
"""Where what activities write goes; see `configure`."""


@dataclass(slots=True)
class Settings:
    """The settings of this process, and the executors and stores that it has open.

    Executors are shared by all runs that ask for the same one with the same options.
    """

    on: Any = "threads"
    options: dict[str, Any] = field(default_factory=dict)
    store: str | os.PathLike[str] | Store | None = None
    durability: Durability = "process"
    output: str = "auto"
    output_limits: tuple[int, int] = Rules()[2:]
    middleware: Middlewares = field(default_factory=Middlewares)
    largest_result: float = NO_LIMIT
    _executors: dict[tuple[Any, ...], Executor] = field(default_factory=dict, repr=False)
    _services: dict[tuple[Any, ...], Service] = field(default_factory=dict, repr=False)
    _shed: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)
    _stores: dict[tuple[str, Durability], Store] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def executor(self, place: Place) -> Executor:
        """Give the executor of a place; the same one for the same place."""
        on = self.on if place.on is None else place.on
        options = place.options
        if place.on is None and on in services.TABLE:
            return self.executor(Place("threads"))  # for what is run here all the same
        if place.on is None or place.on == self.on:
            options = {**self.options, **place.options}
        if on == "inline":
            return executors.make(on, **options)  # has the queue of one run
        given = ((k, repr(v) if isinstance(v, dict) else v) for k, v in options.items())
        key = (on if isinstance(on, str) else id(on), *sorted(given))
        with self._lock:
            if key not in self._executors:
                self._executors[key] = executors.make(on, **options)
            return self._executors[key]

    def service(self, place: Place) -> Service | None:
        """Give the service of a place, the same one for the same place; None if it is none."""
        on = self.on if place.on is None else place.on
        if not isinstance(on, str) or on not in services.TABLE:
            return None
        options = place.options
        if place.on is None or place.on == self.on:
            options = {**self.options, **place.options}
        home = self.home()
        key = (on, str(home), *sorted((k, repr(v)) for k, v in options.items()))
        with self._lock:
            if key not in self._services:
                self._services[key] = services.make(on, home, **options)
            return self._services[key]

    def services(self) -> list[Service]:
        """Give the services that this process has to do with."""
        with self._lock:
            return list(self._services.values())

    def home(self) -> Path:
        """Give the directory of the store; one that goes with this process if it has none."""
        directory = getattr(self.open_store(), "directory", None)
        if directory is not None:
            return Path(directory).absolute()
        with self._lock:
            if self._shed is None:
                self._shed = tempfile.TemporaryDirectory(prefix="nbflow-")
            return Path(self._shed.name)

    def open_store(self) -> Store:
        """Give the store that is set, opening it at the first use."""
        where = self.store or os.environ.get("NBFLOW_STORE") or DEFAULT_STORE
        if not isinstance(where, str | os.PathLike):
            return where
        text = os.fspath(where)
        key = text if text == MEMORY else str(Path(text).expanduser().absolute())
        with self._lock:
            if (key, self.durability) not in self._stores:
                self._stores[key, self.durability] = _open(key, self.durability)
            return self._stores[key, self.durability]

    def output_rules(self) -> Rules:
        """Give what becomes of what activities write, here and now."""
        attempt, run = self.output_limits
        rules = Rules(attempt=attempt, run=run)
        if self.output == "auto":
            return rules._replace(stream=None if _watched() else True)
        return rules._replace(log=self.output != "stream", stream=self.output != "log")

    def close(self) -> None:
        """End all executors and let go of all stores."""
        with self._lock:
            for executor in self._executors.values():
                executor.close()
            for service in self._services.values():
                service.close()
            for store in self._stores.values():
                store.close()
            self._services.clear()
            if self._shed is not None:
                self._shed.cleanup()
                self._shed = None
            self._executors.clear()
            self._stores.clear()


def _watched() -> bool:
    """Whether somebody looks at this notebook, and so has a panel with the log in it."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    from nbflow.viz.show import unattended  # noqa: PLC0415 - pictures only when asked for

    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and not unattended(kernel)


def _open(where: str, durability: Durability) -> Store:
    if where == MEMORY:
        from nbflow.store.memory import MemoryStore  # noqa: PLC0415 - one of two, on demand

        return MemoryStore()
    from nbflow.store.sqlite import SqliteStore  # noqa: PLC0415 - loads sqlite3

    return SqliteStore(where, durability)


settings = Settings()
"""Those of this process; change them by `configure`."""


def configure(
    *,
    on: Any = None,
    store: str | os.PathLike[str] | Store | None = None,
    durability: Durability | None = None,
    output: Literal["auto", "both", "log", "stream"] | None = None,
    output_limits: tuple[int, int] | None = None,
    middleware: Any = None,
    largest_result: float | None = None,
    **options: Any,
) -> None:
    """Say what runs use from now on. What is not named stays as it is.

    Args:
        on: Where calls run: ``"threads"``, ``"processes"``, ``"asyncio"``, ``"inline"``, or an
            executor; or the service that runs go to: ``"swf"``, ``"cloudflow"``.
        store: The directory of the log, ``":memory:"`` to keep nothing, or a store. Unless it is
            set, the environment variable ``NBFLOW_STORE``, else ``.nbflow`` where the process is.
        durability: ``"process"``: nothing is lost when the process ends, however it does; a run's
            creation, its end and the start of ``once=True`` calls survive a power cut as well.
            ``"power"``: everything survives a power cut; a commit then takes as long as the disk.
        output: Where goes what activities print and log, from the next run on: to the ``"log"``
            of their run, to the ``"stream"`` that they write to, or to ``"both"``. The default is
            ``"auto"``: ``"both"``, but in a notebook with somebody in front of it ``"log"``, which
            the panel shows; there, what worker threads write lands under whatever cell is newest.
        output_limits: How many characters of it the log keeps of an attempt, and of a run; by
            default 65,536 and 10,000,000.
        middleware: What is called around each attempt of the runs that begin from now on, where
            the attempt runs: ``{"before": [...], "after": [...]}`` of functions or of their dotted
            names. Those before get the attempt's `nbflow.context`; those after also ``result=``
            and ``error=``, one of them None. An error of theirs fails the attempt, as
            `MiddlewareError`. ``{}`` takes them away.
        largest_result: How many bytes the stored result of an activity may have, in runs that
            begin from now on; a call with a larger one fails. By default ``math.inf``.
        options: What the executor takes, such as ``max_workers``, or the service, such as
            ``domain``.

    Raises:
        DefinitionError: There is no such executor, it takes no such option, or output cannot go
            there. Nothing changed.

    Example:
        >>> nbflow.configure(on="processes", max_workers=4, store=":memory:")
    """
    _check_output(output, output_limits)
    _check_size(largest_result)
    if durability not in {None, "process", "power"}:
        message = f"durability is {durability!r:.60}: it is 'process' or 'power'"
        raise DefinitionError(message)
    if on is not None or options:
        _set_place(on, options)
    settings.largest_result = largest_result or settings.largest_result
    if store is not None:
        settings.store = store
    if durability is not None:
        settings.durability = durability
    if output is not None:
        settings.output = output
    if output_limits is not None:
        settings.output_limits = output_limits
    if middleware is not None:
        settings.middleware = Middlewares.of(middleware)
    if output is not None or output_limits is not None:
        streams.use(settings.output_rules())  # runs that are under way obey it, too


def _set_place(on: Any, options: dict[str, Any]) -> None:
    """Set where calls run, once it is clear that they can."""
    place = settings.on if on is None else on
    if not isinstance(place, str) and options:
        message = "options are for executors by name, not for an object"
        raise DefinitionError(message)
    if isinstance(place, str) and place in services.TABLE:
        services.make(place, settings.home(), **options)
    else:
        made = executors.make(place, **options)
        if isinstance(place, str):
            made.close()
    settings.on = place
    settings.options = options if on is not None else {**settings.options, **options}


def _check_output(output: str | None, limits: tuple[int, int] | None) -> None:
    if output is not None and output not in OUTPUT:
        message = f"output is {output!r:.60}: it is one of {', '.join(map(repr, OUTPUT))}"
        raise DefinitionError(message)
    if limits is not None and not _are_limits(limits):
        message = (
            f"output_limits is {limits!r:.60}: it is two numbers of characters, "
            "of an attempt and of a run, as in (65_536, 10_000_000)"
        )
        raise DefinitionError(message)


def _check_size(size: object) -> None:
    if size is None or (isinstance(size, int | float) and size is not True and size > 0):
        return
    message = f"largest_result is {size!r:.60}: it is a number of bytes, as in 10**9"
    raise DefinitionError(message)


def _are_limits(limits: object) -> bool:
    return (
        isinstance(limits, tuple)
        and len(limits) == 2  # noqa: PLR2004 - of an attempt and of a run
        and all(type(limit) is int and limit >= 0 for limit in limits)
    )
