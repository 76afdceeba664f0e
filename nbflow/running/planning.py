"""What a run would do, as far as that can be known without running anything."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from nbflow.core.call import CallState
from nbflow.core.capture import capture
from nbflow.core.errors import Suspended, ValueGone
from nbflow.core.events import Event, RunStarted, SignalReceived, SignalSent, TimerFired
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.markers import Marker
from nbflow.core.payload import pack
from nbflow.core.reasons import GROUPS
from nbflow.core.workflow import Definition, Target
from nbflow.engine.lookup import Found, Lookup, Wanted
from nbflow.running.config import settings
from nbflow.running.why import Line, of_reasons, reused_from, written
from nbflow.viz.wording import TIMES, clean, many

if TYPE_CHECKING:
    from nbflow.viz.views import GraphView

HEADS: Final = {
    "cached": "from the cache",
    **{group: head.replace("ran", "runs", 1) for group, head in GROUPS.items()},
    "unknown": "not known yet",
}
"""What the calls of a plan are grouped under."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls that a workflow asks for before it needs a value that only running gives.

    Attributes:
        workflow: Its name.
        graph: The calls and what they need of each other.
        whole: Whether these are all: its code got to its end.
        error: What its code failed with before that, or None.
        lines: For each call whether it is answered by the cache, and if not, why not.
    """

    workflow: str
    graph: GraphView
    whole: bool
    error: Failure | None = None
    lines: tuple[Line, ...] = ()

    @property
    def reused(self) -> list[str]:
        """The calls that the cache answers."""
        return [line.call for line in self.lines if line.group == "cached"]

    @property
    def runs(self) -> list[str]:
        """The calls that run."""
        return [line.call for line in self.lines if line.group in GROUPS]

    @property
    def unknown(self) -> list[str]:
        """The calls whose arguments are not known yet: the cache may answer them."""
        return [line.call for line in self.lines if line.group == "unknown"]

    def text(self) -> str:
        """Write it: a line in all, a line a call or an activity, and what the cache does."""
        counts: dict[str, int] = {}
        for node in self.graph:
            if not node.join:
                counts[node.activity] = counts.get(node.activity, 0) + 1
        parts = ", ".join(f"{clean(name)} {TIMES}{count:,}" for name, count in counts.items())
        head = f"plan of {clean(self.workflow)}: {many(len(self.graph), 'call')}"
        calls = [f"  {line.rstrip()}" for line in self.graph.text().splitlines()[1:] if counts]
        return "\n".join([f"{head}{parts and f' ({parts})'}{self._then()}", *calls, *self._cache()])

    def _cache(self) -> list[str]:
        """Say what the cache does, if any of the activities uses it."""
        if all(line.group == "plain" for line in self.lines):
            return []
        return list(written(self.lines, HEADS, 20))

    def _then(self) -> str:
        if self.error is not None:
            return f", then {self.error.kind.rpartition('.')[2]}: {clean(self.error.message)}"
        return "" if self.whole else ", then it depends on results"

    def __repr__(self) -> str:
        """Give the text."""
        return self.text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the graph, with the plan's own text."""
        bundle = self.graph._repr_mimebundle_(include, exclude) if len(self.graph) else {}
        return {**bundle, "text/plain": self.text()}


def plan(target: Target, /, *args: Any, **kwargs: Any) -> Plan:
    """Say what a run would do: what the cache answers, what runs and why, what is not known yet.

    The workflow's own code is run up to where it needs a value that only running gives; results
    that are cached are such as it has. No activity runs, and nothing is written.

    Args:
        target: The workflow.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Raises:
        TypeError: The arguments do not fit its signature.
        DefinitionError: It is no workflow.

    Example:
        >>> nbflow.plan(revenue, ["eu", "us"])
    """
    from nbflow.viz.views import GraphView  # noqa: PLC0415 - pictures only when asked for

    frozen = capture(target).definition
    frozen.check(args, kwargs)
    started = RunStarted(
        seq=1,
        at=time.time(),
        workflow=frozen.name,
        args=tuple(pack(a, f"argument {n}") for n, a in enumerate(args)),
        kwargs={k: pack(v, f"argument {k}") for k, v in kwargs.items()},
    )
    trace = _Trace(started)
    error = trace.run(frozen)
    whole = trace.ended and error is None
    return Plan(frozen.name, GraphView.of(trace.events), whole, error, trace.lines())


class _Trace:
    """A driver that asks the cache, and stops the code where only running would help."""

    def __init__(self, started: RunStarted) -> None:
        self.history = History.of([started])
        self.events: list[Event] = [started]
        self.ended = False
        self.stopped: Suspended | None = None
        self._found: dict[str, Found] = {}
        self._lookup: Lookup | None = None

    def run(self, frozen: Definition) -> Failure | None:
        """Run the code as far as it gets; give what it failed with, or None."""
        interpreter = Interpreter(self.history, self, lambda name: settings.open_store().get(name))
        started = self.history.started
        assert started is not None  # noqa: S101 - it was made with it
        args = [interpreter.unpack(a) for a in started.args]
        kwargs = {k: interpreter.unpack(v) for k, v in started.kwargs.items()}
        try:
            interpreter.execute(self._watched(frozen.fn), args, kwargs)
        except Suspended:
            return None
        except Exception as error:  # noqa: BLE001 - workflow code may raise anything
            return Failure.of(error)
        return None

    def _watched(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = fn(*args, **kwargs)
            if inspect.iscoroutine(result):
                return self._awaited(result)
            self.ended = True
            return result

        return watched

    async def _awaited(self, coroutine: Any) -> Any:
        result = await coroutine
        self.ended = True
        return result

    # ------------------------------------------------------------ Driver

    def ask(self, state: CallState) -> None:
        """Take a call, and settle it and what follows from it as far as the cache can."""
        self.history.admit(state)
        if not state.recorded:
            self.events.append(self.history.record(state, len(self.events) + 1, time.time()))
        while self.history.ready:
            self._look(self.history.ready.popleft())

    def timer(self, state: CallState, seconds: float) -> None:  # noqa: ARG002 - no time passes
        """Take a timer, which does not go off."""
        self.history.calls.setdefault(state.id, state)

    def mark(self, state: CallState, marker: Marker) -> None:
        """Take the new code of a patch; stop before a side effect, which would run something."""
        if marker.make is not None:
            self._stop()
        self.history.calls.setdefault(state.id, state)
        self.history.apply(marker.event(len(self.events), time.time()))

    def expect(self, state: CallState) -> None:
        """Hear no signals: nobody sends one to a plan."""

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:  # noqa: ARG002
        """Send nothing."""
        self.history.calls.setdefault(state.id, state)
        self.history.apply(event._replace(seq=len(self.events), at=time.time()))

    def cancel(self, state: CallState, reason: str) -> None:
        """Give up nothing: nothing was begun."""

    def answer(self, *, refused: bool) -> None:
        """Hear of no cancel: nobody cancels a plan."""

    def block(self, state: CallState | None, position: int) -> None:  # noqa: ARG002 - never waits
        """Stop the code: it needs a value. Only sleeping takes no time."""
        if state is None or state.id not in self.history.calls or not state.id.startswith("timer-"):
            self._stop()
        self.history.apply(TimerFired(len(self.events), time.time(), state.id))

    def _stop(self) -> NoReturn:
        self.stopped = Suspended()
        raise self.stopped

    def restore(self, state: CallState) -> CallState:
        """Stop the code; no result of a plan is gone, since all are from the cache."""
        raise ValueGone(state.id)

    def take_in(self) -> None:
        """Have nothing to wait for: what is asked for is known at once."""

    def visible(self) -> int:
        """How many calls are settled."""
        return len(self.history.settled)

    def _look(self, state: CallState) -> None:
        if state.activity is None or not state.activity.settings.cache:
            return
        if self._lookup is None:
            self._lookup = Lookup("", settings.open_store())
        calls = self.history.calls
        results = {dep: calls[dep].outcome.result for dep in state.deps}  # type: ignore[union-attr]
        found = self._found[state.id] = self._lookup.look([Wanted(state, results)])[0]
        if found.row is not None:
            event = found.event(len(self.events) + 1, time.time(), state.id)
            self.events.append(event)
            self.history.apply(event)

    # ------------------------------------------------------------ what came of it

    def lines(self) -> tuple[Line, ...]:
        """Give a line a call."""
        return tuple(self._line(state) for state in self.history.calls.values() if state.name)

    def _line(self, state: CallState) -> Line:
        found = self._found.get(state.id)
        if found is None:
            if state.activity is None or not state.activity.settings.cache:
                return Line(state.id, "plain", f"{state.name} has no cache=True")
            calls = self.history.calls
            needs = [d for d in dict.fromkeys(state.deps) if calls[d].outcome is None]
            return Line(state.id, "unknown", f"it takes the result of {', '.join(needs)}")
        if found.row is None:
            return of_reasons(state.id, tuple(map(str, found.reasons)))
        row = found.row
        text = reused_from(f"{row.run}/{row.call}", row.at, row.run_ns)
        return Line(state.id, "cached", text)
