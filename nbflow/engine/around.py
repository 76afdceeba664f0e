"""Middlewares: functions that are called before and after each attempt, where it runs."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from nbflow.core.errors import DefinitionError, MiddlewareError
from nbflow.engine.context import current_context

Before = Callable[..., object]
"""``before(context)``."""
After = Callable[..., object]
"""``after(context, result=..., error=...)``: one of the two is None."""


class Middlewares(NamedTuple):
    """What is called around each attempt of a run.

    Attributes:
        before: Called in this order, before the activity. If one fails, the activity does not run.
        after: Called in this order, after it, also when it or a `before` has failed.
    """

    before: tuple[Before, ...] = ()
    after: tuple[After, ...] = ()

    @classmethod
    def of(cls, value: Any) -> Middlewares:
        """Read the ``middleware=`` option.

        Args:
            value: A dict with ``before`` and ``after``, each a function, the name of one that can
                be imported (``"package.module.function"``), or several; or None.

        Raises:
            DefinitionError: It is none of these, or something cannot be imported.
        """
        match value:
            case None:
                return cls()
            case Middlewares():
                return value
            case dict() if set(value) <= {"before", "after"}:
                return cls(*(_functions(name, value.get(name)) for name in ("before", "after")))
        message = (
            "middleware takes {'before': [...], 'after': [...]} of functions or of their dotted "
            f"names, not {value!r:.60}"
        )
        raise DefinitionError(message)

    def around(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Give a function that calls them around another one, plain or ``async def``."""
        if inspect.iscoroutinefunction(fn):
            return _around_async(fn, self)
        return _around(fn, self)


def _functions(which: str, value: Any) -> tuple[Callable[..., object], ...]:
    if value is None:
        return ()
    given = [value] if isinstance(value, str) or callable(value) else value
    if not isinstance(given, list | tuple):
        message = f"middleware {which!r} is a list of functions, not {value!r:.60}"
        raise DefinitionError(message)
    return tuple(_function(which, item) for item in given)


def _function(which: str, item: Any) -> Callable[..., object]:
    if isinstance(item, str):
        module, _, name = item.replace(":", ".").rpartition(".")
        try:
            item = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            message = f"middleware {which!r}: {item} cannot be imported: {error}"
            raise DefinitionError(message) from None
    if not callable(item):
        message = f"middleware {which!r}: {item!r:.60} is no function"
        raise DefinitionError(message)
    return item  # type: ignore[no-any-return]


def _around(fn: Callable[..., Any], middlewares: Middlewares) -> Callable[..., Any]:
    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            _call(middlewares.before, "before")
            result = fn(*args, **kwargs)
            if inspect.iscoroutine(result):
                return _rest(result, middlewares)
        except BaseException as error:
            _call(middlewares.after, "after", result=None, error=error)
            raise
        _call(middlewares.after, "after", result=result, error=None)
        return result

    return run


def _around_async(fn: Callable[..., Any], middlewares: Middlewares) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            _call(middlewares.before, "before")
        except BaseException as error:
            _call(middlewares.after, "after", result=None, error=error)
            raise
        return await _rest(fn(*args, **kwargs), middlewares)

    return run


async def _rest(coroutine: Any, middlewares: Middlewares) -> Any:
    """Await an activity, and call what comes after it."""
    try:
        result = await coroutine
    except BaseException as error:
        _call(middlewares.after, "after", result=None, error=error)
        raise
    _call(middlewares.after, "after", result=result, error=None)
    return result


def _call(functions: tuple[Callable[..., object], ...], when: str, **given: Any) -> None:
    """Call middlewares; the first error of theirs is raised once all were called.

    Raises:
        MiddlewareError: One has failed.
    """
    failed: MiddlewareError | None = None
    for function in functions:
        try:
            function(current_context(), **given)
        except Exception as error:  # noqa: BLE001 - of the user's
            name = getattr(function, "__qualname__", repr(function))
            found = MiddlewareError(f"{name}, called {when}: {type(error).__name__}: {error}")
            found.__cause__ = error
            if failed is None:
                failed = found
            if when == "before":
                break
    if failed is not None:
        raise failed
