"""What a run would do, as far as that can be known without running anything."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbflow.core.capture import capture
from nbflow.core.decide import Close, decide
from nbflow.core.errors import InternalError
from nbflow.core.events import Event, RunStarted
from nbflow.core.failure import Failure
from nbflow.core.future import current
from nbflow.core.history import History
from nbflow.core.payload import pack
from nbflow.core.workflow import Target
from nbflow.viz.views import GraphView
from nbflow.viz.wording import TIMES, clean, many


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls that a workflow asks for before it needs a value.

    Attributes:
        workflow: Its name.
        graph: The calls and what they need of each other.
        whole: Whether these are all: its code got to its end.
        error: What its code failed with before that, or None.
    """

    workflow: str
    graph: GraphView
    whole: bool
    error: Failure | None = None

    def text(self) -> str:
        """Write it: a line in all, then a line a call or an activity."""
        counts: dict[str, int] = {}
        for node in self.graph:
            if not node.join:
                counts[node.activity] = counts.get(node.activity, 0) + 1
        parts = ", ".join(f"{clean(name)} {TIMES}{count:,}" for name, count in counts.items())
        head = f"plan of {clean(self.workflow)}: {many(len(self.graph), 'call')}"
        calls = [f"  {line.rstrip()}" for line in self.graph.text().splitlines()[1:] if counts]
        return "\n".join([f"{head}{parts and f' ({parts})'}{self._then()}", *calls])

    def _then(self) -> str:
        if self.error is not None:
            return f", then {self.error.kind.rpartition('.')[2]}: {clean(self.error.message)}"
        return "" if self.whole else ", then it depends on results"

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the graph, with the plan's own text."""
        bundle = self.graph._repr_mimebundle_(include, exclude) if len(self.graph) else {}
        return {**bundle, "text/plain": self.text()}


def plan(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan:
    """Run a workflow's code up to where it needs a value. No activity runs, nothing is stored.

    Raises:
        TypeError: The arguments do not fit its signature.
    """
    frozen = capture(target).definition
    frozen.check(args, kwargs)
    started = RunStarted(
        seq=1,
        at=time.time(),
        workflow=frozen.name,
        args=tuple(pack(a, f"argument {n}") for n, a in enumerate(args)),
        kwargs={k: pack(v, f"argument {k}") for k, v in kwargs.items()},
    )
    trace = _Trace()
    commands = decide(trace.of(frozen.fn), [started], started.at)
    calls = [s for s in trace.history.calls.values() if s.name]
    events: list[Event] = [started, *(s.event(n, started.at) for n, s in enumerate(calls, 2))]
    error = next((c.error for c in commands if isinstance(c, Close)), None)
    return Plan(frozen.name, GraphView.of(events), trace.ended and error is None, error)


class _Trace:
    """Looks over the shoulder of workflow code: what it asked for, and whether it ended."""

    def __init__(self) -> None:
        self.history = History()
        self.ended = False

    def of(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def traced(*args: Any, **kwargs: Any) -> Any:
            interpreter = current.get()
            if interpreter is None:
                raise InternalError("workflow code was traced outside an interpreter")
            self.history = interpreter.history
            result = fn(*args, **kwargs)
            if inspect.iscoroutine(result):
                return self._awaited(result)
            self.ended = True
            return result

        return traced

    async def _awaited(self, coroutine: Any) -> Any:
        result = await coroutine
        self.ended = True
        return result
