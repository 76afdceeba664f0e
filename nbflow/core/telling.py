"""What workflow code says besides calls: signals, timers, going on as new, failing, who it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, Self

from nbflow.core.errors import DefinitionError, FutureMisuse, WorkflowFailed
from nbflow.core.future import Future, current

if TYPE_CHECKING:
    from nbflow.core.interpreter import Interpreter

PARENT: Final = "parent"
"""Stands for the run that called this one, as who is sent a signal."""


class Signals:
    """The signals of one name, each to be taken once, in the order in which they came.

    Made by `signals`. Whoever takes one acknowledges it: it is not given out again, and it does
    not go along where the run continues as new.
    """

    def __init__(self, name: str, interpreter: Interpreter) -> None:
        self.name = name
        self._interpreter = interpreter

    def get(self) -> Future[Any]:
        """Take the next one, which may not be there yet."""
        return self._interpreter.next_signal(self.name)

    def unread(self) -> list[Any]:
        """Give the values of those that are there and were not taken, without taking them."""
        return self._interpreter.unread_signals(self.name)

    def latest(self) -> Future[Any]:
        """Give the latest one as `wait_signal` does."""
        return self._interpreter.latest_signal(self.name)

    def __iter__(self) -> Iterator[Any]:
        """Take one after the other, waiting for each: without end."""
        while True:
            yield self.get().result()

    def __aiter__(self) -> Self:
        """Give itself, for ``async for`` in an ``async def`` workflow."""
        return self

    async def __anext__(self) -> Any:
        """Take the next one, letting other coroutines go on meanwhile."""
        return await self.get()

    def __repr__(self) -> str:
        """Give the name."""
        return f"<signals {self.name!r}>"


def wait_signal(name: str) -> Future[Any]:
    """Give the latest signal of a name, or, if there was none yet, the first one to come.

    It does not take the signal: asked again, it gives the same one until there is a later one.

    Raises:
        FutureMisuse: This is not workflow code.

    Example:
        >>> @workflow
        ... def order(number):
        ...     parts = reserve(number)
        ...     if wait_signal("approved").result():
        ...         return ship(parts)
    """
    return _code("wait_signal").latest_signal(_name(name))


def signals(name: str) -> Signals:
    """Give the signals of a name, each to be taken once.

    Raises:
        FutureMisuse: This is not workflow code.

    Example:
        >>> orders = nbflow.signals("order")
        >>> first = orders.get().result()
    """
    return Signals(_name(name), _code("signals"))


def signal(name: str, value: object = None, *, to: Any = None, propagate: bool = False) -> Any:
    """Tell a run something, from workflow code.

    It is in the log, and what is sent arrives once, even if this run's process dies meanwhile.

    Args:
        name: Name of the signal.
        value: What to tell.
        to: Whom: None is this run itself, ``"parent"`` the one that called it, a Future of a
            child run that child; else a run's id.
        propagate: Have whoever gets it pass it on to the child runs it has then.

    Returns:
        A Future; its result is None once the signal is on its way.

    Raises:
        FutureMisuse: This is not workflow code.
        DefinitionError: There is no such receiver, or the name is none.
    """
    return _code("signal").send_signal(_name(name), value, to, propagate=propagate)


def start_timer(seconds: float | timedelta, id: str | None = None) -> Future[None]:  # noqa: A002
    """Give a Future that is settled after so many seconds, over restarts too.

    Args:
        seconds: How long.
        id: A name for `cancel_timer`, which no other timer of the run may have.

    Raises:
        FutureMisuse: This is not workflow code.
        DefinitionError: The id is taken.
        ValueError: It is no time.

    Example:
        >>> late = nbflow.start_timer(3600)
        >>> done, _ = nbflow.wait([answer, late], return_when="FIRST_COMPLETED")
    """
    length: Any = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if not isinstance(length, int | float) or not 0 <= length < math.inf:
        message = f"a timer runs for a number of seconds from 0, not {seconds!r:.60}"
        raise ValueError(message)
    return _code("start_timer").start_timer(float(length), id)


def cancel_timer(timer: Future[None] | str) -> None:
    """Stop a timer, given its Future or its id; its result is None then. One that is over stays.

    Raises:
        FutureMisuse: This is not workflow code.
        DefinitionError: There is no such timer.
    """
    _code("cancel_timer").cancel_timer(timer)


def continue_as_new(*args: Any, after_events: int | None = None, **kwargs: Any) -> None:
    """End this run here and go on in a new one, with these arguments and an empty log.

    For workflows that run for very long. ``run.result()`` gives the result of the last one.
    Signals that were not taken go along.

    Args:
        args: Of the workflow, for the new run.
        after_events: Do nothing unless the log has at least so many events. By default it is done
            at once, or, where the workflow has ``max_events``, when four fifths of these are used.
        kwargs: Of the workflow, for the new run.

    Raises:
        FutureMisuse: This is not workflow code.

    Example:
        >>> @workflow
        ... def poll(seen=0):
        ...     while True:
        ...         seen += look().result()
        ...         nbflow.continue_as_new(seen, after_events=10_000)
    """
    if after_events is not None and (type(after_events) is not int or after_events < 1):
        message = f"after_events is a number of events from 1, not {after_events!r:.60}"
        raise ValueError(message)
    _code("continue_as_new").continue_as_new(args, kwargs, after_events)


def fail(reason: str, details: str = "") -> NoReturn:
    """Fail the run, from workflow code.

    Args:
        reason: Why, in a few words.
        details: More of it.

    Raises:
        WorkflowFailed: Always. It is what ``run.result()`` raises.
    """
    _code("fail")
    raise WorkflowFailed(reason, details)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What workflow code can know of its run. See `run_context`.

    Attributes:
        run: Its id.
        workflow: Name of the workflow.
        tags: Words that it is found by.
        parent: The run that called it, "" if none did.
        call: The call of the parent that it is.
        continues: The run that it goes on from, "" for none.
        started: When it was created, in seconds of the epoch.
    """

    run: str
    workflow: str
    tags: tuple[str, ...] = ()
    parent: str = ""
    call: str = ""
    continues: str = ""
    started: float = 0.0


def run_context() -> RunContext:
    """Tell workflow code which run it is.

    Raises:
        FutureMisuse: This is not workflow code; an activity asks `nbflow.context`.
    """
    interpreter = _code("run_context")
    started = interpreter.history.started
    assert started is not None  # noqa: S101 - every log begins with it
    return RunContext(
        run=interpreter.run,
        workflow=started.workflow,
        tags=started.tags,
        parent=started.parent,
        call=started.call,
        continues=started.continues,
        started=started.at,
    )


class Marker(NamedTuple):
    """Something that workflow code has noted in its run's log. See `record_marker`.

    Attributes:
        name: What it noted.
        details: With which value.
    """

    name: str
    details: Any = None


def record_marker(name: str, details: object = None) -> None:
    """Note something in the run's log, from workflow code: how far it is, what it has chosen.

    The same name with equal details is noted once.

    Args:
        name: What is noted.
        details: A value that belongs to it.

    Raises:
        FutureMisuse: This is not workflow code, or the details are a Future.
        DefinitionError: The name is none.

    Example:
        >>> nbflow.record_marker("loaded", {"rows": rows.result()})
    """
    if isinstance(details, Future):
        message = f"record_marker takes values: write {details.call}'s future.result()"
        raise FutureMisuse(message)
    _code("record_marker").record_marker(_name(name, "marker"), details)


def list_markers(*, all: bool = False) -> list[Marker]:  # noqa: A002 - the predecessor's word
    """Give what workflow code has noted so far: of each name the latest, in the order of noting.

    Args:
        all: Give all of them.

    Raises:
        FutureMisuse: This is not workflow code.
    """
    found = [Marker(name, details) for name, details in _code("list_markers").markers()]
    if all:
        return found
    last = {marker.name: marker for marker in found}
    return [marker for marker in found if last[marker.name] is marker]


EventKind = Literal["signal", "timer", "marker"]


def get_event_details(kind: EventKind, name: str) -> dict[str, Any] | None:
    """Tell workflow code what it has seen of a signal, a timer or a marker, or None if nothing.

    Args:
        kind: ``"signal"``, ``"timer"`` or ``"marker"``.
        name: Name of the signal, the latest of which it is; or id of the timer or the marker.

    Raises:
        FutureMisuse: This is not workflow code.
        ValueError: There is no such kind.
    """
    if kind not in {"signal", "timer", "marker"}:
        message = f"the kind of an event is signal, timer or marker, not {kind!r:.60}"
        raise ValueError(message)
    return _code("get_event_details").event_details(kind, name)


def _name(name: object, kind: str = "signal") -> str:
    if not isinstance(name, str) or not name.strip():
        message = f"a {kind} has a name, as in {_NAMED[kind]}, not {name!r:.60}"
        raise DefinitionError(message)
    return name


def _code(who: str) -> Interpreter:
    interpreter = current.get()
    if interpreter is None:
        message = f"{who}() is for workflow code"
        if who == "signal":
            message += ". To tell a run something, write run.signal(name, value)"
        raise FutureMisuse(message)
    return interpreter


_NAMED: Final = {"signal": "signal('approved')", "marker": "record_marker('loaded')"}


class Telling:
    """The same, as methods of workflows written as classes."""

    signal = staticmethod(signal)
    wait_signal = staticmethod(wait_signal)
    signals = staticmethod(signals)
    start_timer = staticmethod(start_timer)
    cancel_timer = staticmethod(cancel_timer)
    continue_as_new = staticmethod(continue_as_new)
    fail = staticmethod(fail)
    get_run_context = staticmethod(run_context)
    get_event_details = staticmethod(get_event_details)
    record_marker = staticmethod(record_marker)
    list_markers = staticmethod(list_markers)
