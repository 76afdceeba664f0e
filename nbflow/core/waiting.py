"""Waiting for several futures at once, in workflow code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, TypeVar

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


def as_completed(futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
    """Yield each Future once it is settled, in the order in which the log settled them.

    Example:
        >>> for future in nbflow.as_completed(parts):
        ...     print(future.result())
    """
    wanted = [part for future in _futures("as_completed", futures) for part in leaves(future)]
    return _interpreter("as_completed").as_completed(wanted)


def _futures(who: str, futures: Iterable[Future[T]]) -> list[Future[T]]:
    if isinstance(futures, Future):
        message = f"{who}() takes several futures: write {who}([{futures.call}])"
        raise FutureMisuse(message)
    found = list(futures)
    things: list[object] = [*found]
    for future in things:
        if not isinstance(future, Future):
            message = f"{who}() takes futures, not {type(future).__name__}: {future!r:.60}"
            raise FutureMisuse(message)
    return found


def _interpreter(who: str) -> Interpreter:
    interpreter = current.get()
    if interpreter is None:
        message = f"{who}() is for workflow code. For a whole run, write run.result()"
        raise FutureMisuse(message)
    return interpreter
