"""Waiting for several futures at once, in workflow code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, Literal, NamedTuple, Self, TypeVar

from nbflow.core.errors import FutureMisuse
from nbflow.core.future import Future, Gathered, current, leaves
from nbflow.core.interpreter import Interpreter

T = TypeVar("T")

ReturnWhen = Literal["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"]
ALL_COMPLETED: Final = "ALL_COMPLETED"
FIRST_COMPLETED: Final = "FIRST_COMPLETED"
FIRST_EXCEPTION: Final = "FIRST_EXCEPTION"


class Waited(NamedTuple):
    """What `wait` gives: futures that are settled, and those that are not, in the order given."""

    done: list[Future[Any]]
    not_done: list[Future[Any]]


def gather(*futures: Future[T]) -> Gathered[T]:
    """Make one Future of several, whose result is the list of their results, in order.

    Example:
        >>> @workflow
        ... def total(regions):
        ...     return add_up(gather(*[fetch(region) for region in regions]))
    """
    return Gathered(_futures("gather", futures))


def wait(
    futures: Iterable[Future[Any]],
    return_when: ReturnWhen = ALL_COMPLETED,
    timeout: float | None = None,
) -> Waited:
    """Wait for futures, and tell which are settled.

    Args:
        futures: Futures of this workflow's own calls.
        return_when: ``"ALL_COMPLETED"``, ``"FIRST_COMPLETED"`` or ``"FIRST_EXCEPTION"``.
        timeout: Wait no longer than so many seconds. The time limit is in the run's log, so a
            resumed run takes the same way.

    Raises:
        FutureMisuse: Used outside a workflow, or with something that is no Future.
        ValueError: Unknown `return_when`.

    Example:
        >>> done, late = nbflow.wait([fast, slow], return_when="FIRST_COMPLETED")
    """
    wanted = [part for future in _futures("wait", futures) for part in leaves(future)]
    if return_when not in {ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION}:
        message = (
            f"return_when is ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION, not {return_when!r}"
        )
        raise ValueError(message)
    if timeout is not None and timeout < 0:
        message = f"timeout is a number of seconds, not {timeout!r}"
        raise ValueError(message)
    return Waited(*_interpreter("wait").wait(wanted, return_when, timeout))


class Completed(Generic[T]):
    """Futures as they are settled; made by `as_completed`."""

    def __init__(self, interpreter: Interpreter, futures: list[Future[T]]) -> None:
        self._interpreter = interpreter
        self._futures = futures
        self._coming = interpreter.as_completed(futures)
        self._came: deque[Future[T]] | None = None
        self._waiter: Any = None
        self._left = len(futures)

    def __iter__(self) -> Iterator[Future[T]]:
        """Give itself, for ``for``."""
        return self

    def __next__(self) -> Future[T]:
        """Wait for the next one."""
        return next(self._coming)

    def __aiter__(self) -> Self:
        """Give itself, for ``async for`` in an ``async def`` workflow."""
        return self

    async def __anext__(self) -> Future[T]:
        """Let other coroutines go on until there is a next one."""
        if not self._left:
            raise StopAsyncIteration
        if self._came is None:
            self._came = deque()
            for future in self._futures:
                future.add_done_callback(self._arrived)
        if not self._came:
            await self._next()
        self._left -= 1
        return self._came.popleft()

    def _arrived(self, future: Future[T]) -> None:
        assert self._came is not None  # noqa: S101 - set before anything can come
        self._came.append(future)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _next(self) -> None:
        """Wait until one more of them has come."""
        loop = self._interpreter.loop
        if loop is None:
            message = "async for is for async def workflows: write for future in as_completed(...)"
            raise FutureMisuse(message)
        self._waiter = loop.create_future()
        await self._waiter


def as_completed(futures: Iterable[Future[T]]) -> Completed[T]:
    """Yield each Future once it is settled, in the order in which the log settled them.

    Example:
        >>> for future in nbflow.as_completed(parts):
        ...     print(future.result())

        In an ``async def`` workflow it does not hold up other coroutines:

        >>> async for future in nbflow.as_completed(parts):
        ...     print(await future)
    """
    wanted = [part for future in _futures("as_completed", futures) for part in leaves(future)]
    return Completed(_interpreter("as_completed"), wanted)


def _futures(who: str, futures: Iterable[Future[T]]) -> list[Future[T]]:
    if isinstance(futures, Future):
        message = f"{who}() takes several futures: write {who}([{futures.call}])"
        raise FutureMisuse(message)
    found = list(futures)
    things: list[object] = [*found]
    for future in things:
        if not isinstance(future, Future):
            message = f"{who}() takes futures, not {type(future).__name__}: {future!r:.60}"
            if who == "gather" and isinstance(future, list | tuple | set):
                message += ". Of a collection, write gather(*futures)"
            raise FutureMisuse(message)
    return found


def _interpreter(who: str) -> Interpreter:
    interpreter = current.get()
    if interpreter is None:
        message = f"{who}() is for workflow code. For a whole run, write run.result()"
        raise FutureMisuse(message)
    return interpreter
