"""What workflow code uses in the place of clocks, chance and other things from outside.

A resumed run executes its code again, so what the code sees must be the same as before. These
give a replay what they gave then. Outside workflow code, in activities too, `now`, `random`,
`uuid4` and `sleep` do the plain thing, so that a helper function can be used in both places;
`side_effect` and `patched` mean nothing there and say so.
"""

from __future__ import annotations

import inspect
import math
import random as _random
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from nbflow.core.errors import FutureMisuse
from nbflow.core.future import Future, current
from nbflow.core.interpreter import Interpreter

if TYPE_CHECKING:
    from uuid import UUID

P = ParamSpec("P")
T = TypeVar("T")

_randoms: dict[str, _random.Random] = {}
"""The generators of code outside workflows, by scope."""


def now() -> datetime:
    """Give the time, in UTC: in workflow code that of the latest event that the code has seen.

    So it stands still between two things that the code waits for, and a replay gets the same.
    Outside workflow code it is the time of the clock.

    Example:
        >>> @workflow
        ... def nightly(regions):
        ...     day = nbflow.now().date().isoformat()
        ...     return [fetch(region, day) for region in regions]
    """
    interpreter = current.get()
    return (
        datetime.now(UTC)
        if interpreter is None
        else datetime.fromtimestamp(interpreter.seen_at(), UTC)
    )


def random(scope: str = "") -> _random.Random:
    """Give a generator of random numbers which gives a replay the same ones.

    It is seeded from the run and the scope, and goes on where it was when it is asked for again.
    Outside workflow code it is seeded by chance.

    Args:
        scope: Code that draws from a scope of its own does not change what others draw.

    Example:
        >>> chosen = nbflow.random().sample(regions, 3)
        >>> rng = numpy.random.default_rng(nbflow.random("noise").getrandbits(64))
    """
    given: object = scope
    if not isinstance(given, str):
        message = f"random(scope) takes a text, not {scope!r:.60}: nbflow seeds it from the run"
        raise TypeError(message)
    interpreter = current.get()
    if interpreter is not None:
        return interpreter.random("random", scope)
    return _randoms.setdefault(scope, _random.Random())


def uuid4() -> UUID:
    """Give a random UUID, the same one in a replay.

    Example:
        >>> batch = str(nbflow.uuid4())
    """
    import uuid  # noqa: PLC0415 - takes longer to load than it is often used

    interpreter = current.get()
    if interpreter is None:
        return uuid.uuid4()
    return uuid.UUID(int=interpreter.random("uuid4", "").getrandbits(128), version=4)


def sleep(seconds: float | timedelta) -> Awaitable[None]:
    """Wait. In a workflow it is a timer of the log: a resumed run waits for what is left of it.

    An ``async def`` workflow may ``await`` it. Outside workflows it is `time.sleep`, and
    `asyncio.sleep` where it is called by an ``async def`` or a cell that awaits.

    Args:
        seconds: How long.

    Raises:
        TypeError: That is no number and no `timedelta`.
        ValueError: It is negative or not finite.

    Example:
        >>> nbflow.sleep(24 * 3600)
    """
    length = _seconds(seconds)
    interpreter = current.get()
    awaits = sys._getframe(1).f_code.co_flags & inspect.CO_COROUTINE  # noqa: SLF001
    if interpreter is not None:
        if awaits and interpreter.loop is not None:
            return _asleep(interpreter, length)
        interpreter.sleep(length)
    elif awaits:
        import asyncio  # noqa: PLC0415 - loaded already where there is an async def

        return asyncio.sleep(length)
    else:
        time.sleep(length)
    return _Slept()


async def _asleep(interpreter: Interpreter, seconds: float) -> None:
    """Wait for a timer of its own, letting other coroutines go on."""
    state = interpreter.timer(seconds, f"nbflow.sleep({seconds:g})")
    await Future[None](state, interpreter)


def _seconds(given: object) -> float:
    if isinstance(given, timedelta):
        given = given.total_seconds()
    if isinstance(given, bool) or not isinstance(given, int | float):
        message = f"sleep takes a number of seconds or a timedelta, not {given!r:.60}"
        raise TypeError(message)
    if not (math.isfinite(given) and given >= 0):
        message = f"sleep takes a number of seconds from 0 up, not {given!r}"
        raise ValueError(message)
    return float(given)


class _Slept:
    """What `sleep` gives when it is over: awaiting it is no wait at all."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Be None where it is stored, as the last line of a ``%%workflow`` cell for one."""
        return type(None), ()

    def __repr__(self) -> str:
        return "<slept>"


def side_effect(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function once, and give a replay the value that it gave then.

    For small and quick things whose value is not always the same: a setting, a version, a count
    of files. The value is in the log before the code gets it. If the process dies between, the
    function is called again. What takes long, fails now and then or changes something is for an
    activity.

    Args:
        fn: The function. An error that it raises is recorded, too, and raised here.
        args: Its positional arguments; values, not futures.
        kwargs: Its keyword arguments.

    Raises:
        FutureMisuse: It is used outside workflow code, or handed a Future.
        NondeterminismError: The log has another function's value there.

    Example:
        >>> bucket = nbflow.side_effect(os.environ.get, "BUCKET", "test")
    """
    name = getattr(fn, "__name__", None) or type(fn).__name__
    interpreter = _interpreter("side_effect", f"call {name}() itself here")
    thing: object = fn
    if not callable(thing):
        message = (
            f"side_effect takes a function and its arguments, not {type(fn).__name__}: write "
            "nbflow.side_effect(fn, ...)"
        )
        raise TypeError(message)
    for given in (*args, *kwargs.values()):
        if isinstance(given, Future):
            message = f"side_effect({name}) needs values: write {given.call}'s future.result()"
            raise FutureMisuse(message)
    return interpreter.mark(partial(fn, *args, **kwargs), name)  # type: ignore[no-any-return]


def patched(id: str) -> bool:  # noqa: A002 - the field's natural name
    """Tell whether the new code of a change is to be taken, in runs started before it and since.

    True in runs that come here for the first time, which is recorded; False in runs that have been
    here without it. So one workflow can have both the code that old runs go on with and the new.

    Args:
        id: Name of the change. Once no old run is left, the test and the old code can go.

    Raises:
        FutureMisuse: It is used outside workflow code.

    Example:
        >>> if nbflow.patched("check first"):
        ...     check(data).result()
    """
    interpreter = _interpreter("patched", "there is no run that could be older")
    given: object = id
    if not isinstance(given, str) or not given:
        message = f"patched takes the name of a change, such as 'check first', not {id!r:.60}"
        raise TypeError(message)
    return interpreter.patched(id)


def _interpreter(who: str, instead: str) -> Interpreter:
    interpreter = current.get()
    if interpreter is None:
        message = f"{who}() is for workflow code: {instead}"
        raise FutureMisuse(message)
    return interpreter
