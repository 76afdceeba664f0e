"""Activities: what a workflow can call."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from nbflow.core.cachekey import CacheKey
from nbflow.core.errors import DefinitionError
from nbflow.core.fingerprint import fingerprint
from nbflow.core.future import Future, current
from nbflow.core.retry import NO_RETRY, Retry, When

P = ParamSpec("P")
T = TypeVar("T")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an activity is run.

    Attributes:
        retry: When a failed attempt is followed by another.
        timeout: Seconds that one attempt may take, from its start; None: as long as it needs.
        executor: Where it runs, by name or as an object, when not where the run's calls do.
        version: Told apart from other versions of the same name on a service.
        once: Whether a call is never begun twice: that it begins is on the disk before it does,
            and if its process is lost then, it fails instead of running again.
        cache: Whether a call is answered by the result of an earlier one that was the same, of
            this run or another.
        cache_key: What its result depends on besides its code and its arguments.
    """

    retry: Retry = NO_RETRY
    timeout: float | None = None
    executor: Any = None
    version: str = "1"
    once: bool = False
    cache: bool = False
    cache_key: CacheKey = field(default_factory=CacheKey)


@dataclass(slots=True, eq=False)
class Activity(Generic[P, T]):
    """A function that workflows can call. Make one with `activity`.

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
        self.signature = inspect.signature(self.fn)
        self.is_async = inspect.iscoroutinefunction(self.fn)
        self.digest = self.digest or fingerprint(self.fn)
        self.low, self.high = _arity(self.signature)
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
        name = changes.pop("name", self.name)
        if "retry" in changes:
            changes["retry"] = Retry.of(changes["retry"])
        if "cache_key" in changes:
            changes["cache_key"] = CacheKey.of(changes["cache_key"])
        try:
            settings = replace(self.settings, **changes)
        except TypeError:
            unknown = sorted(set(changes) - set(Options.__slots__))
            message = f"unknown option {', '.join(unknown)}: use {', '.join(Options.__slots__)}"
            raise DefinitionError(message) from None
        return Activity(name, self.fn, _checked(settings), self.digest)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError unless the arguments fit the signature."""
        if not kwargs and self.low <= len(args) <= self.high:
            return
        check_arguments(self.name, self.signature, args, kwargs)

    def __repr__(self) -> str:
        """Give the name and the signature."""
        return f"<activity {self.name}{self.signature}>"


@overload
def activity(fn: Callable[P, Coroutine[Any, Any, T]], /) -> Activity[P, T]: ...
@overload
def activity(fn: Callable[P, T], /) -> Activity[P, T]: ...
@overload
def activity(
    *,
    name: str | None = None,
    retry: Retry | int | When | None = None,
    timeout: float | None = None,
    executor: Any = None,
    version: str = "1",
    once: bool = False,
    cache: bool = False,
    cache_key: CacheKey | Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, T]], Activity[P, T]]: ...
def activity(  # noqa: PLR0913 - one a field of `Options`
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | int | When | None = None,
    timeout: float | None = None,
    executor: Any = None,
    version: str = "1",
    once: bool = False,
    cache: bool = False,
    cache_key: CacheKey | Mapping[str, Any] | None = None,
) -> Any:
    """Make an activity of a function, plain or ``async def``.

    Args:
        fn: The function, when used as bare ``@activity``.
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

    Raises:
        DefinitionError: It cannot be an activity, or an option makes no sense.

    Example:
        >>> @activity(retry=3, timeout=60)
        ... def fetch(region: str, rows: int = 5) -> list[int]:
        ...     return list(range(rows))
        >>> fetch("eu", 2)
        [0, 1]
    """

    def make(function: Callable[..., Any]) -> Activity[..., Any]:
        options = Options(
            retry=Retry.of(retry),
            timeout=timeout,
            executor=executor,
            version=version,
            once=once,
            cache=cache,
            cache_key=CacheKey.of(cache_key),
        )
        return Activity(name or _own_name(function), _callable(function), _checked(options))

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
        _refuse(f"{fn.__name__} is a class: an activity is a function")
    if not callable(fn):
        _refuse(f"an activity is a function, not {type(fn).__name__}: {fn!r:.60}")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        _refuse(
            f"{fn.__name__} is a generator: its values cannot be stored one by one. "
            "Give them back together, as a list"
        )
    return fn  # type: ignore[no-any-return]


def _own_name(fn: object) -> str:
    name = getattr(fn, "__name__", None) or getattr(getattr(fn, "func", None), "__name__", "")
    if not name or name == "<lambda>":
        _refuse("a function without a name needs one: activity(name='double')(lambda x: 2 * x)")
    return str(name)


def _checked(options: Options) -> Options:
    if options.timeout is not None and not options.timeout > 0:
        _refuse(f"timeout is a number of seconds above 0, not {options.timeout!r}")
    if type(options.cache) is not bool:
        _refuse(f"cache is True or False, not {options.cache!r:.60}")
    if options.once and options.retry is not NO_RETRY and options.retry != NO_RETRY:
        _refuse("once=True and retry exclude each other: a second attempt begins the call twice")
    return options


def _refuse(reason: str) -> NoReturn:
    raise DefinitionError(reason)
