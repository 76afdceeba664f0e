"""Calls for as many items as there are, of which only so many are under way or waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, ParamSpec, TypeVar

from nbflow.core.errors import FutureMisuse
from nbflow.core.future import Future, current

P = ParamSpec("P")
T = TypeVar("T")

WINDOW: Final = 1000
"""So many calls are asked for ahead of the result that is given next."""


def windowed(
    ask: Callable[[Any], Future[T] | T], items: Iterable[Any], *, window: int = WINDOW
) -> Iterator[T]:
    """Ask for a call for each item, a window ahead, and give their results in the items' order.

    Items are taken one by one, so they may come from a file or a generator that never ends, and
    results may be dropped as they come. A call that fails raises its error where its result would
    come; the calls after it that were asked for by then go on, as calls do.

    Args:
        ask: An activity, or a function that takes an item and asks for a call.
        items: What there is to do.
        window: How many calls are asked for before the first one's result is waited for: a number
            of calls, at least 1.

    Raises:
        FutureMisuse: Used outside a workflow.
        ValueError: `window` is no such number.

    Example:
        >>> @workflow
        ... def total(path):
        ...     return sum(nbflow.windowed(measure, lines_of(path), window=200))
    """
    if type(window) is not int or window < 1:
        message = f"window is a number of calls, at least 1, not {window!r:.60}"
        raise ValueError(message)
    if current.get() is None:
        message = (
            "windowed() is for workflow code; elsewhere, the builtin map() calls an activity's "
            "function for one item after another"
        )
        raise FutureMisuse(message)
    return _results(ask, iter(items), window)


def _results(ask: Callable[[Any], Any], items: Iterator[Any], window: int) -> Iterator[Any]:
    under_way = deque(ask(item) for item in islice(items, window))
    while under_way:
        first = under_way.popleft()
        yield first.result() if isinstance(first, Future) else first
        # It is forgotten here before the next one is asked for.
        del first
        under_way.extend(ask(item) for item in islice(items, 1))
