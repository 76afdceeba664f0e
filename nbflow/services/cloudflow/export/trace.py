"""The calls that a workflow asks for, found by running its own code and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from nbflow.core.capture import capture
from nbflow.core.errors import DefinitionError, Suspended
from nbflow.core.events import RunStarted, SignalReceived, SignalSent
from nbflow.core.future import Future, Gathered
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.payload import unpack
from nbflow.core.workflow import Target

if TYPE_CHECKING:
    from nbflow.core.activity import Activity
    from nbflow.core.call import CallState
    from nbflow.core.markers import Marker

_ELSE = "a flow has all its calls from the start; run it with .on(...) instead"


@dataclass(frozen=True, slots=True)
class Of:
    """Stands for the result of a call.

    Attributes:
        call: The call's id.
    """

    call: str


@dataclass(frozen=True, slots=True)
class Traced:
    """A call of a workflow.

    Attributes:
        id: Its id, such as ``fetch-1``.
        activity: What it runs.
        args: Its positional arguments, `Of` where another call's result stands.
        kwargs: Its keyword arguments, likewise.
        needs: The ids of the calls that it takes the results of.
    """

    id: str
    activity: Activity[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    needs: tuple[str, ...]


def trace(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Give a workflow's name, its calls, and what it gives.

    Raises:
        TypeError: The arguments do not fit its signature.
        DefinitionError: What it calls depends on results, on time or on signals.
    """
    frozen = capture(target).definition
    frozen.check(args, kwargs)
    driver = _Trace(frozen.name)
    result = driver.run(frozen.fn, args, kwargs)
    calls = [_traced(state, frozen.name) for state in driver.calls]
    return frozen.name, calls, _marked(result)


def _traced(state: CallState, workflow: str) -> Traced:
    activity = state.activity
    if activity is None or activity.settings.executor == "child run":
        raise DefinitionError(f"{workflow} calls the workflow {state.name}: {_ELSE}")

    def plain(stored: Any) -> Any:
        return unpack(stored, Of, _nothing)

    args = tuple(plain(value) for value in state.args)
    named = {name: plain(value) for name, value in (state.kwargs or {}).items()}
    return Traced(state.id, activity, args, named, tuple(dict.fromkeys(state.deps)))


def _nothing(digest: str) -> bytes:
    raise DefinitionError(f"the value {digest} is in a store, where a flow cannot find it")


def _marked(value: Any) -> Any:
    """Replace the futures in what a workflow gives."""
    if isinstance(value, Gathered):
        return [_marked(future) for future in value.futures]
    if isinstance(value, Future):
        return Of(value.call)
    if type(value) in {list, tuple}:
        return [_marked(item) for item in value]
    if type(value) is dict:
        return {name: _marked(item) for name, item in value.items()}
    return value


class _Trace:
    """A driver that takes calls, and stops the code where it needs anything to have happened."""

    def __init__(self, workflow: str) -> None:
        started = RunStarted(seq=1, at=time.time(), workflow=workflow, args=(), kwargs={})
        self.history = History.of([started])
        self.calls: list[CallState] = []
        self.stopped: Suspended | None = None
        self._workflow, self._over, self._why = workflow, False, ""

    def run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the code to its end, and give what it gave."""
        interpreter = Interpreter(self.history, self, _nothing)
        found: list[Any] = []

        def watched(*args: Any, **kwargs: Any) -> Any:
            found.append(fn(*args, **kwargs))
            self._over = True
            return found[0]

        with suppress(Suspended):
            interpreter.execute(watched, args, kwargs)
        if not found or self._why:
            why = self._why or "it needs a result"
            raise DefinitionError(f"{self._workflow} is no fixed graph: {why}; {_ELSE}")
        if interpreter._callbacks:  # noqa: SLF001 - what a chain waits for
            raise DefinitionError(
                f"{self._workflow} is no fixed graph: a chain or a callback waits for a result "
                f"before it asks for what comes next; {_ELSE}"
            )
        return found[0]

    # ------------------------------------------------------------ Driver

    def ask(self, state: CallState) -> None:
        """Take a call."""
        self.history.admit(state)
        self.calls.append(state)

    def timer(self, state: CallState, seconds: float) -> None:  # noqa: ARG002 - no time passes
        """Refuse a timer: it would not be in the flow."""
        self._stop("it waits for a time")

    def mark(self, state: CallState, marker: Marker) -> None:
        """Take the new code of a patch; refuse what is computed outside of the workflow's code."""
        if marker.make is not None:
            self._stop("it has a side effect")
        self.history.calls.setdefault(state.id, state)
        self.history.apply(marker.event(2, time.time()))

    def expect(self, state: CallState) -> None:  # noqa: ARG002 - no signal comes
        """Refuse to wait for signals."""
        self._stop("it waits for a signal")

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:  # noqa: ARG002
        """Refuse to send signals."""
        self._stop("it sends a signal")

    def cancel(self, state: CallState, reason: str) -> None:  # noqa: ARG002 - nothing was begun
        """Refuse to give anything up: whether it is depends on time."""
        self._stop("it cancels a call")

    def answer(self, *, refused: bool) -> None:
        """Hear of no cancel: nobody cancels a trace."""

    def block(self, state: CallState | None, position: int) -> None:  # noqa: ARG002 - never waits
        """Stop the code; after its end that is all right."""
        self._stop(
            "" if self._over else f"it needs the result of {state.id if state else 'a call'}"
        )

    def _stop(self, why: str) -> NoReturn:
        self._why = self._why or why
        self.stopped = Suspended()
        raise self.stopped

    def restore(self, state: CallState) -> CallState:
        """Have no results that could be gone."""
        raise DefinitionError(f"the result of {state.id} is not there")

    def take_in(self) -> None:
        """Have nothing to wait for: what is asked for is known at once."""

    def visible(self) -> int:
        """How many calls are settled."""
        return 0
