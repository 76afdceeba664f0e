"""Activities: what a workflow can call."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar, overload

from nbflow.core.byname import stands_before
from nbflow.core.cachekey import CacheKey
from nbflow.core.classes import adapted, class_digest, own_class
from nbflow.core.errors import DefinitionError
from nbflow.core.fingerprint import fingerprint
from nbflow.core.future import Future, current
from nbflow.core.naming import one_form
from nbflow.core.options import PRIORITY_NOT_SET, Options, Priority, refuse
from nbflow.core.retry import Retry, When

P = ParamSpec("P")
T = TypeVar("T")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(slots=True, eq=False)
class Activity(Generic[P, T]):
    """A function, or a class with ``execute``, that workflows can call. Make one by `activity`.

    Called by workflow code it asks for a call and gives its `Future`; called anywhere else it is
    the plain function. Arguments that do not fit the signature raise `TypeError` at once, where
    the call is written.

    Attributes:
        name: Its name in logs and pictures, and the first part of its calls' ids.
        fn: The function itself.
        settings: How it is run.
        digest: Of its code and, in a run, of the notebook's globals that it reaches.
        signature: Of the function.
        is_async: Whether it is an ``async def``.
        low: A call with positional arguments only fits the signature if it has at least so many,
        high: and at most so many of them.
    """

    name: str
    fn: Callable[P, T]
    settings: Options = field(default_factory=Options)
    digest: str = ""
    signature: inspect.Signature = field(init=False, repr=False)
    is_async: bool = field(init=False, repr=False)
    low: int = field(init=False, repr=False)
    high: int = field(init=False, repr=False)
    __doc__: str | None = field(init=False, repr=False, default=None)
    __wrapped__: Callable[P, T] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the signature once."""
        try:
            self.signature = inspect.signature(self.fn)
        except ValueError:
            refuse(f"{self.name}: its arguments are not known: write a function that calls it")
        self.is_async = inspect.iscoroutinefunction(self.fn)
        self.digest = self.digest or _digest(self.fn)
        # Calls of idempotent activities are never taken for ones that need no second look.
        self.low, self.high = (1, 0) if self.settings.idempotent else _arity(self.signature)
        self.__doc__ = self.fn.__doc__
        self.__wrapped__ = self.fn

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> Future[T]: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for a call in a workflow, and give its Future; elsewhere call the function."""
        interpreter = current.get()
        if interpreter is None:
            __tracebackhide__ = True  # IPython leaves this frame out of tracebacks
            return self.fn(*args, **kwargs)
        return interpreter.call(self, args, kwargs)

    def options(self, **changes: Any) -> Activity[P, T]:
        """Give a copy that is run differently; takes what `activity` takes.

        Example:
            >>> @activity
            ... def fetch(region: str) -> str: ...
            >>> careful = fetch.options(retry=5, timeout=30)
        """
        name = _named(changes.pop("name", None)) or self.name
        settings = self.settings.changed(changes)
        return Activity(name, self.fn, settings, self.digest)

    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
    @overload
    def submit(
        self, *args: Any, call_id: str | None = None, task_priority: Priority = ..., **kwargs: Any
    ) -> Future[T]: ...
    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for a call, with an id or a priority of its own.

        A parameter of the function's own that has such a name is the function's.

        Args:
            args: The activity's positional arguments.
            kwargs: Its keyword arguments; and ``call_id``, the call's id instead of ``name-N``,
                which no other call of the run may have; and ``task_priority``, in the place of the
                activity's, None for none.

        Raises:
            DefinitionError: The id is taken or makes no sense, or this is no workflow's code.

        Example:
            >>> orders = fetch.submit("eu", call_id="orders-eu", task_priority=5)
        """
        interpreter = current.get()
        if interpreter is None:
            message = f"{self.name}.submit is for workflow code: elsewhere call {self.name}(...)"
            raise DefinitionError(message)
        if not kwargs:
            return interpreter.call(self, args, kwargs)
        own = self.signature.parameters
        call = None if "call_id" in own else kwargs.pop("call_id", None)
        activity = self
        for word in ("task_priority", "__priority"):
            if word in kwargs and word not in own:
                activity = self.options(task_priority=kwargs.pop(word))
        if call is not None:
            return interpreter.call_named(activity, args, kwargs, call)
        return interpreter.call(activity, args, kwargs)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError unless the arguments fit the signature."""
        if not kwargs and self.low <= len(args) <= self.high:
            return
        check_arguments(self.name, self.signature, args, kwargs)

    def __repr__(self) -> str:
        """Give the name and the signature."""
        return f"<activity {self.name}{self.signature}>"


stands_before(Activity)


@overload
def activity(fn: Callable[P, Coroutine[Any, Any, T]], /) -> Activity[P, T]: ...
@overload
def activity(fn: Callable[P, T], /) -> Activity[P, T]: ...
@overload
def activity(
    *,
    name: str | None = None,
    retry: Retry | int | When | None = None,
    timeout: float | str | None = None,
    executor: Any = None,
    version: str = "1",
    once: bool = False,
    cache: bool = False,
    cache_key: CacheKey | Mapping[str, Any] | None = None,
    task_list: str = "default",
    task_priority: Priority = PRIORITY_NOT_SET,
    raises_on_failure: bool = True,
    start_to_close_timeout: float | str | None = None,
    schedule_to_close_timeout: float | str | None = None,
    schedule_to_start_timeout: float | str | None = None,
    heartbeat_timeout: float | str | None = None,
    idempotent: bool = False,
    meta: Mapping[str, Any] | None = None,
    max_running: int | None = None,
    copy: bool = False,
    persist: bool = True,
) -> Callable[[Callable[P, T]], Activity[P, T]]: ...
def activity(  # noqa: PLR0913 - one a field of `Options`
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | int | When | None = None,
    timeout: float | str | None = None,
    executor: Any = None,
    version: str = "1",
    once: bool = False,
    cache: bool = False,
    cache_key: CacheKey | Mapping[str, Any] | None = None,
    task_list: str = "default",
    task_priority: Priority = PRIORITY_NOT_SET,
    raises_on_failure: bool = True,
    start_to_close_timeout: float | str | None = None,
    schedule_to_close_timeout: float | str | None = None,
    schedule_to_start_timeout: float | str | None = None,
    heartbeat_timeout: float | str | None = None,
    idempotent: bool = False,
    meta: Mapping[str, Any] | None = None,
    max_running: int | None = None,
    copy: bool = False,
    persist: bool = True,
    **unknown: Any,
) -> Any:
    """Make an activity of a function, plain or ``async def``, or of a class with ``execute``.

    Args:
        fn: The function or class, when used as bare ``@activity``. Of a class, each attempt makes
            an instance of the call's arguments, sets its attribute ``context``, and gives what
            ``execute()`` does; ``post_execute(result)`` is called after it, if there is one.
        name: Its name; the function's own by default.
        retry: How many times to try again after a failure, or a `Retry`, or a function
            ``(error, attempt) -> bool | seconds | None``.
        timeout: Seconds that one attempt may take.
        executor: Where it runs, when not where the run's other calls do: a name such as
            ``"processes"``, a `concurrent.futures.Executor`, or an nbflow executor.
        version: Told apart from other versions of the same name on a service.
        once: Never begin a call twice. Calls of other activities that were under way when their
            process died are run again when the run is resumed; such a one fails with
            `ActivityInterrupted`, since it may have done its work. Cannot be combined with
            `retry`.
        cache: Answer a call by the result of an earlier one, of any run in the store, if the
            code, all that it reaches and the arguments are the same.
        cache_key: What else the result depends on: a `CacheKey`, or a dict of its fields, as in
            ``{"files": ["data.csv"]}``.
        task_list: Where a service's workers look for its calls.
        task_priority: A number: of calls that could start, those with the highest go first. None
            says that there is to be none.
        raises_on_failure: With False, the result of a call that failed is None, for ``result()``
            and for the calls that take it; ``exception()`` tells what it failed with.
        start_to_close_timeout: Another name of `timeout`.
        schedule_to_close_timeout: Seconds that an attempt may take from when it could start, the
            time it waits for a worker included.
        schedule_to_start_timeout: Seconds within which a worker must have begun an attempt.
        heartbeat_timeout: Seconds that may pass until the activity says by
            ``nbflow.context().heartbeat()`` that it is alive.
        idempotent: Make calls with equal arguments one call of the run.
        meta: A dict for services and tools; nbflow does not look at it.
        max_running: How many of its calls may run at once, in one run and in this process.
        copy: Give each consumer in this process a copy of the result, also of a mebibyte and more.
        persist: With False, results stay in the memory of the process that drives the run, which
            writes them nowhere: for what is large and quickly made, or cannot be pickled. A run
            that is resumed computes them again, where something that is not settled needs them.
            Cannot be combined with `once` or `cache`.
        unknown: Nothing: any other option is refused.

    Raises:
        DefinitionError: It cannot be an activity, or an option makes no sense.

    Example:
        >>> @activity(retry=3, timeout=60)
        ... def fetch(region: str, rows: int = 5) -> list[int]:
        ...     return list(range(rows))
        >>> fetch("eu", 2)
        [0, 1]
    """
    given = {k: v for k, v in locals().items() if k not in {"fn", "name", "unknown"}} | unknown
    if start_to_close_timeout is None:
        del given["start_to_close_timeout"]
    options = Options().changed(given)
    given_name = _named(name)

    def make(function: Callable[..., Any]) -> Activity[..., Any]:
        code = _callable(function)
        called = given_name or _own_name(function)
        return Activity(called, code, options)

    return make if fn is None else make(fn)


def _arity(signature: inspect.Signature) -> tuple[int, int]:
    """Give how many arguments, all positional, fit: most calls need not be bound to be checked."""
    parameters = signature.parameters.values()
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        return 1, 0
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    unbounded = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    low = sum(p.default is p.empty for p in positional)
    return low, sys.maxsize if unbounded else len(positional)


def check_arguments(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raise TypeError, naming what is called, unless the arguments fit the signature."""
    if any(keyword.startswith("$") for keyword in kwargs):
        message = f"{name}: keyword names that begin with $ are kept for the log"
        raise TypeError(message)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        message = f"{name}{signature}: {error}"
        raise TypeError(message) from None


def _callable(fn: Any) -> Callable[..., Any]:
    if isinstance(fn, Activity):
        return fn.fn
    if isinstance(fn, type):
        return adapted(fn)
    if not callable(fn):
        refuse(f"an activity is a function, not {type(fn).__name__}: {fn!r:.60}")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        refuse(
            f"{fn.__name__} is a generator: its values cannot be stored one by one. "
            "Give them back together, as a list"
        )
    return fn  # type: ignore[no-any-return]


def _digest(fn: object) -> str:
    cls = own_class(fn)
    return fingerprint(fn) if cls is None else class_digest(cls)


def _own_name(fn: object) -> str:
    name = getattr(fn, "__name__", None) or getattr(getattr(fn, "func", None), "__name__", "")
    if not name or name == "<lambda>":
        refuse("a function without a name needs one: activity(name='double')(lambda x: 2 * x)")
    return str(name)


def _named(name: object) -> str | None:
    """Refuse names that are none."""
    if name is not None and not (isinstance(name, str) and name.strip()):
        refuse(f"name is a text, not {name!r:.60}")
    return None if name is None else one_form(name)
