"""The dependency graph of a run, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from nbflow.core.call import CallState
from nbflow.core.describe import describe, error_of
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallHeartbeat,
    CallRepeated,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
)
from nbflow.core.history import History

EdgeKind = Literal["data", "control"]

STATUSES = ("waiting", "queued", "running", "retrying", "done", "failed", "skipped", "cancelled")
"""Every status that a call can have, in the order in which it can come to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One call, as it stands.

    Attributes:
        id: The call's id.
        activity: Its activity; "" for a join, the point where the workflow had read several
            results before it went on.
        status: One of `STATUSES`.
        attempt: The latest attempt, 0 before the first.
        label: The call as it is written in code, arguments cut short.
        started: When the latest attempt began (seconds, epoch), or None.
        ended: When the call was settled, or None.
        worker: Where the latest attempt ran or runs.
        error: One line on why there is no result, or "".
        cached: Whether an earlier run's result answered it, so that it did not run.
        details: What its latest attempt said last by a heartbeat.
        done: How much of `total` it said is done; None: it did not say.
        total: How much there is to be done.
        group: See `CallScheduled.group`.
        repeats: The call whose result it computes again, since that was in memory only; else "".
    """

    id: str
    activity: str
    status: str
    attempt: int = 0
    label: str = ""
    started: float | None = None
    ended: float | None = None
    worker: str = ""
    error: str = ""
    cached: bool = False
    details: str = ""
    done: float | None = None
    total: float | None = None
    group: str = ""
    repeats: str = ""

    @property
    def join(self) -> bool:
        """Whether it only joins control edges."""
        return not self.activity


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` needs `source`: its value (data), or that the workflow had read it (control)."""

    source: str
    target: str
    kind: EdgeKind = "data"


class Graph:
    """Calls and what they need of each other.

    Example:
        >>> graph = Graph.of(run.events())
        >>> [node.id for node in graph if node.status == "failed"]
    """

    def __init__(self) -> None:
        self.history = History()
        self.edges: list[Edge] = []
        self.changed: set[str] = set()
        """Ids of nodes that are new or differ since somebody last emptied this set."""
        self.halted = False
        """Whether nobody drives the run any more, of which its log says nothing."""
        self._joins: dict[str, tuple[str, ...]] = {}
        self._settled = 0
        self._targets: dict[str, list[str]] = {}
        self._asked: set[str] = set()
        self._beats: dict[str, CallHeartbeat] = {}

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Fold a whole log."""
        self = cls()
        for event in events:
            self.apply(event)
        return self

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.history.started.workflow if self.history.started else ""

    @property
    def status(self) -> str:
        """The run's status: ``running stopped completed failed cancelled continued``."""
        status = self.history.status
        return "stopped" if self.halted and status == "running" else status

    @property
    def nodes(self) -> list[Node]:
        """All nodes, calls in the order of the log, joins after them."""
        return list(self)

    def __iter__(self) -> Iterator[Node]:
        """Go through the nodes as they stand now."""
        for state in self.history.calls.values():
            if state.name:
                yield self._node(state)
        for join in self._joins:
            yield self.node(join)

    def __len__(self) -> int:
        """Count the calls."""
        return sum(1 for state in self.history.calls.values() if state.name)

    def node(self, id: str) -> Node:  # noqa: A002 - the field's natural name
        """Give one node.

        Raises:
            KeyError: There is none of that id.
        """
        if id in self._joins:
            done = all(self.history.calls[c].outcome is not None for c in self._joins[id])
            return Node(id=id, activity="", status="done" if done else "waiting")
        return self._node(self.history.calls[id])

    def _node(self, state: CallState) -> Node:
        return _node(state, self._beats.get(state.id), self.history.repeats.get(state.id, ""))

    def feeds(self, call: str) -> list[str]:
        """Give the calls that take a call's result, in the order in which they were asked for."""
        calls = self.history.calls
        return [c for c in dict.fromkeys(self._targets.get(call, ())) if call in calls[c].deps]

    def counts(self) -> dict[str, int]:
        """Count the calls by status, those that occur, in the order of `STATUSES`."""
        found = dict.fromkeys(STATUSES, 0)
        for state in self.history.calls.values():
            if state.name:
                found[state.status] += 1
        return {status: count for status, count in found.items() if count}

    def apply(self, event: Event) -> None:
        """Learn one more event."""
        history = self.history
        history.apply(event)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
        settled = history.settled
        if len(settled) == self._settled:
            return
        if len(settled) < self._settled:
            self.changed.update(history.calls)
        elif len(settled) == self._settled + 1:  # nearly always
            state = settled[-1]
            if state.name:
                self.changed.add(state.id)
        else:
            self.changed.update(state.id for state in settled[self._settled :] if state.name)
        self._settled = len(settled)

    def _touched(self, event: CallStarted | CallFailed | CallCancelled) -> None:
        self.changed.add(event.call)

    def _beat(self, event: CallHeartbeat) -> None:
        self._beats[event.call] = event
        self.changed.add(event.call)

    def _succeeded(self, event: CallSucceeded | CallReused) -> None:
        self.changed.add(event.call)
        if self._targets:
            self.changed.update(self._targets.get(event.call, ()))

    def _repeated(self, event: CallRepeated) -> None:
        """Draw what needs the result that is computed again as needing the call that does so."""
        self.changed.add(event.by)
        if event.needed:
            self.edges.append(Edge(event.by, event.needed))
            self._targets.setdefault(event.by, []).append(event.needed)

    def _scheduled(self, event: CallScheduled) -> None:
        self.changed.add(event.call)
        if event.call in self._asked:  # asked for anew after a resume, perhaps differently
            self.edges = [edge for edge in self.edges if edge.target != event.call]
        self._asked.add(event.call)
        deps = dict.fromkeys(event.deps)
        for dep in deps:
            self.edges.append(Edge(dep, event.call))
            self._targets.setdefault(dep, []).append(event.call)
        if not self.history.groups:
            return
        read = self.history.groups.get(event.turn, ())
        group = [c for c in read if c not in deps]
        if not group:
            return
        source = group[0] if len(group) == 1 else self._join(event.turn, read)
        self.edges.append(Edge(source, event.call, "control"))

    def _join(self, turn: int, group: tuple[str, ...]) -> str:
        """Give the one node that stands for all that was read before a turn."""
        join = f"join {turn}"
        if join not in self._joins:
            self._joins[join] = group
            self.edges.extend(Edge(call, join, "control") for call in group)
            self.changed.add(join)
        return join


_HANDLERS: Final[dict[type[Event], Any]] = {
    CallScheduled: Graph._scheduled,  # noqa: SLF001 - the class's own table
    CallStarted: Graph._touched,  # noqa: SLF001
    CallRepeated: Graph._repeated,  # noqa: SLF001
    CallSucceeded: Graph._succeeded,  # noqa: SLF001
    CallReused: Graph._succeeded,  # noqa: SLF001
    CallFailed: Graph._touched,  # noqa: SLF001
    CallCancelled: Graph._touched,  # noqa: SLF001
    CallHeartbeat: Graph._beat,  # noqa: SLF001
}


def _node(state: CallState, beat: CallHeartbeat | None = None, repeats: str = "") -> Node:
    outcome = state.outcome
    report = getattr(outcome, "report", None) if state.because is None else None
    started = report.started if report else state.started.at if state.started else None
    ended = report.ended if report else outcome.at if outcome else None
    error = ""
    if state.failed:
        error = _reason(state)
    return Node(
        id=state.id,
        activity=state.name,
        status=state.status,
        attempt=state.attempt,
        label=describe(state),
        started=started,
        ended=ended,
        worker=report.worker if report else _worker(state.started),
        error=error,
        cached=state.cached,
        details=beat.details if beat else "",
        done=beat.done if beat else None,
        total=beat.total if beat else None,
        group=state.group,
        repeats=repeats,
    )


def _worker(started: CallStarted | None) -> str:
    return started.worker if started else ""


def _reason(state: CallState) -> str:
    """Say on one line why a call has no result, without bringing the user's exception to life."""
    failure = getattr((state.because or state).outcome, "error", None)
    if failure is None:
        return f"ActivityCancelled: {error_of(state)}"
    return f"{failure.kind.rpartition('.')[2]}: {failure.message}".splitlines()[0]
