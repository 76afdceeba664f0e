"""Activities with attributes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from nbflow.core.activity import Activity as Native
from nbflow.core.activity import activity as native
from nbflow.core.options import PRIORITY_NOT_SET
from nbflow.core.retry import Retry
from nbflow.engine.context import current_context

__all__ = ["PRIORITY_NOT_SET", "Activity", "with_attributes"]

known: WeakValueDictionary[str, Activity] = WeakValueDictionary()
"""The activities that were submitted, by the names that runs have them by."""


class _Unset(str):
    """A time limit that nobody has set, which a service has and a local run does not keep."""

    __slots__ = ()


DEFAULT: Final = _Unset("300")
"""What services are told where nothing is said, in seconds."""
_LIMITS: Final = (
    "start_to_close_timeout",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
)


class Activity:
    """A function, or a class with ``execute``, that workflows submit.

    It can be called as well, which calls the function.

    Args:
        callable: The function or class.
        name: Its name; by default that of its module and its own.
        version: For a service.
        task_list: For a service.
        retry: How often it is tried again, at once.
        raises_on_failure: Whether its failure fails the workflow. By default it does not: then the
            result is None.
        start_to_close_timeout: Seconds that an attempt may take.
        schedule_to_close_timeout: The same, with the time that it waits for a worker.
        schedule_to_start_timeout: Seconds that it may wait for a worker.
        heartbeat_timeout: For a service: in a local run nobody would send heartbeats for it.
        task_priority: A number; the highest goes first.
        idempotent: Whether calls with equal arguments are one call.
        meta: Anything.
    """

    def __init__(  # noqa: PLR0913 - in the order that programs know
        self,
        callable: Callable[..., Any],  # noqa: A002 - as above
        name: str | None = None,
        version: str | None = None,
        task_list: str | None = None,
        retry: Any = 0,
        raises_on_failure: bool = False,  # noqa: FBT001, FBT002 - as above
        start_to_close_timeout: float | str | None = None,
        schedule_to_close_timeout: float | str | None = None,
        schedule_to_start_timeout: float | str | None = None,
        heartbeat_timeout: float | str | None = None,
        task_priority: Any = PRIORITY_NOT_SET,
        idempotent: bool | None = None,  # noqa: FBT001 - as above
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.callable = callable
        self._name = name
        self.version, self.task_list, self.retry = version, task_list, retry
        self.raises_on_failure, self.idempotent = raises_on_failure, idempotent
        self.task_priority = task_priority
        self.task_start_to_close_timeout = start_to_close_timeout
        self.task_schedule_to_close_timeout = schedule_to_close_timeout
        self.task_schedule_to_start_timeout = schedule_to_start_timeout
        self.task_heartbeat_timeout = heartbeat_timeout
        self.meta = meta if meta is not None else {}
        self._made: dict[Any, Native[..., Any]] = {}

    @property
    def name(self) -> str:
        """Its name, with that of its module."""
        if self._name is not None:
            return self._name
        own = getattr(self.callable, "name", None) or _short(self.callable)
        return f"{self.callable.__module__}.{own}"

    @property
    def context(self) -> dict[str, Any] | None:
        """What the attempt that runs now is of; None outside a run."""
        found = current_context()
        return None if found is None else dict(found)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; of a class, make an instance and execute it."""
        return self.native(self.raises_on_failure).fn(*args, **kwargs)

    def __activity__(self) -> Native[..., Any]:
        """Give the activity of nbflow that it stands for, to those who look through code."""
        return self.native(self.raises_on_failure)

    def native(self, raises: bool) -> Native[..., Any]:  # noqa: FBT001 - the one thing that tasks change
        """Give nbflow's own, with the attributes as they are now."""
        given = (raises, self.retry, self.task_priority, self.idempotent, self.task_list)
        key = (*given, *(getattr(self, f"task_{limit}") for limit in _LIMITS))
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._native(raises=raises)
            known[found.name] = self
        return found

    def _native(self, *, raises: bool) -> Native[..., Any]:
        given = {limit: getattr(self, f"task_{limit}") for limit in _LIMITS}
        kept = {k: v for k, v in given.items() if v is not None and type(v) is not _Unset}
        limits: dict[str, Any] = {k: float(v) for k, v in kept.items()}
        retry = self.retry
        if isinstance(retry, int):
            retry = Retry(attempts=retry + 1, wait=0, jitter=0)
        make = native(
            name=self._name or _short(self.callable),
            retry=retry,
            version=self.version or "default",
            task_list=self.task_list or "default",
            task_priority=self.task_priority,
            raises_on_failure=raises,
            idempotent=bool(self.idempotent),
            meta=self.meta,
            **limits,
        )
        return make(_with_context(self.callable))

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Set an attribute, for all who submit it."""
        setattr(self, attr, val)

    def __repr__(self) -> str:
        """Give name, version and task list."""
        return f"Activity(name={self.name}, version={self.version}, task_list={self.task_list})"


def with_attributes(  # noqa: PLR0913 - as `Activity`
    name: str | None = None,
    version: str = "default",
    task_list: str = "default",
    task_priority: Any = PRIORITY_NOT_SET,
    retry: Any = 0,
    raises_on_failure: bool = False,  # noqa: FBT001, FBT002 - as `Activity`
    start_to_close_timeout: float | str | None = DEFAULT,
    schedule_to_close_timeout: float | str | None = DEFAULT,
    schedule_to_start_timeout: float | str | None = DEFAULT,
    heartbeat_timeout: float | str | None = DEFAULT,
    idempotent: bool | None = None,  # noqa: FBT001 - as `Activity`
    meta: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Activity]:
    """Make an activity of a function or a class; takes what `Activity` does.

    Example:
        >>> @activity.with_attributes(task_list="quickstart", version="example", retry=2)
        ... def double(x):
        ...     return x * 2
    """

    def wrap(func: Callable[..., Any]) -> Activity:
        return Activity(
            func,
            name,
            version,
            task_list,
            retry,
            raises_on_failure,
            start_to_close_timeout,
            schedule_to_close_timeout,
            schedule_to_start_timeout,
            heartbeat_timeout,
            task_priority=task_priority,
            idempotent=idempotent,
            meta=meta,
        )

    return wrap


def _short(fn: Any) -> str:
    return str(getattr(fn, "__name__", None) or type(fn).__name__)


def _with_context(fn: Any) -> Any:
    """Give a function its context as an argument, where it asks for that."""
    if isinstance(fn, type) or not getattr(fn, "add_context_in_kwargs", False):
        return fn

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        found = current_context()
        return fn(*args, context=None if found is None else dict(found), **kwargs)

    return run
