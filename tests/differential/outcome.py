"""What came of a program, in a form in which two backends can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallReused,
    CallSucceeded,
    ChildStarted,
    Event,
    MarkerFailed,
    MarkerRecorded,
    RunClosed,
    RunContinued,
    RunResumed,
    RunStarted,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.graph import Graph
from nbflow.core.history import History
from nbflow.core.payload import Fetch, Stored, unpack
from nbflow.core.profile import Bar, Profile

ROOT = "RUN"
"""Stands for the id of the run that was started, wherever that is seen."""
GIVEN_UP = "cancelled"
"""Whether an attempt that is given up has a row depends on whether it was seen to begin."""
A_TIME = 900_000_000.0
"""Larger numbers, in markers, are seconds since the epoch."""
_REPLAY = {"before_replay", "after_replay"}.__contains__


@dataclass(frozen=True)
class RunOutcome:
    """What came of one run.

    Attributes:
        status: How it was closed.
        result: Its result.
        error: Class and message of what it failed with; None if it did not.
        calls: What became of each call, in order. Those that could not begin, since something
            that they need failed, are not among them: a service never hears of them.
        timers: What became of each timer.
        markers: The value of each marker.
        heard: The signals that it got, sorted: name, value, sender.
        sent: The signals that it sent: name and receiver.
        edges: Source, target and kind of each edge of the graph.
        groups: The group of each call that has one.
        rows: Call, activity, attempt and status of each row of the profile, but for attempts that
            were given up.
        measured: Of each attempt, the blocks that it measured and what they read and wrote.
        tags: Words that it is found by.
        parent: The run that called it.
        onward: The run that it goes on in.
    """

    status: str
    result: Any
    error: tuple[str, str] | None
    calls: dict[str, list[str]]
    timers: dict[str, list[str]]
    markers: dict[str, Any]
    heard: list[tuple[str, Any, str]]
    sent: list[tuple[str, str]]
    edges: set[tuple[str, str, str]]
    groups: dict[str, str]
    rows: set[tuple[str, str, int, str]]
    measured: dict[tuple[str, int], list[tuple[Any, ...]]]
    tags: tuple[str, ...]
    parent: str
    onward: str


@dataclass(frozen=True)
class Outcome:
    """What came of a program.

    Attributes:
        runs: Of each run by its id, the first one's being `ROOT`.
        hooks: The hooks that were called, of each run in order, each one once; those of replays
            first.
    """

    runs: dict[str, RunOutcome]
    hooks: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        root: str,
        logs: Mapping[str, Iterable[Event]],
        fetch: Fetch,
        hooks: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """Fold the logs of all runs.

        Args:
            root: The run that was started.
            logs: The events of each run.
            fetch: Gives the bytes of a blob.
            hooks: Run and name of each hook that was called, in order.
        """
        called: dict[str, list[str]] = {}
        # How often the code is replayed, and after what, is not its meaning.
        for run, name in sorted(dict.fromkeys(hooks), key=lambda hook: not _REPLAY(hook[1])):
            called.setdefault(relative(run, root), []).append(name)
        runs = {relative(run, root): _Reader(root, fetch).read(logs[run]) for run in sorted(logs)}
        return cls(runs, called)

    @property
    def last(self) -> RunOutcome:
        """Of the run that the first one has ended in, where it went on as new."""
        found = self.runs[ROOT]
        while found.onward:
            found = self.runs[found.onward]
        return found

    def without(self, loose: Iterable[str]) -> Outcome:
        """Give the same without what became of some calls, which chance decides."""
        names = set(loose)
        return Outcome(
            {run: _without(found, names) for run, found in self.runs.items()}, self.hooks
        )


def _without(run: RunOutcome, names: set[str]) -> RunOutcome:
    fields = {name: getattr(run, name) for name in RunOutcome.__dataclass_fields__}
    fields["calls"] = {c: v for c, v in run.calls.items() if c not in names}
    fields["timers"] = {c: v for c, v in run.timers.items() if c not in names}
    fields["groups"] = {c: v for c, v in run.groups.items() if c not in names}
    fields["rows"] = {row for row in run.rows if row[0] not in names}
    if names:
        names |= {end for edge in run.edges for end in edge[:2] if end.startswith("join ")}
    fields["edges"] = {edge for edge in run.edges if edge[0] not in names and edge[1] not in names}
    return RunOutcome(**fields)


def relative(value: Any, root: str) -> Any:
    """Give a value with `ROOT` in the place of a run's id, at any depth."""
    if isinstance(value, str):
        return value.replace(root, ROOT)
    if isinstance(value, dict):
        return {relative(k, root): relative(v, root) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(relative(item, root) for item in value)
    return value


class _Reader:
    """Reads one log."""

    def __init__(self, root: str, fetch: Fetch) -> None:
        self._root, self._fetch = root, fetch
        self._history = History()
        self.calls: dict[str, list[str]] = {}
        self.timers: dict[str, list[str]] = {}
        self.markers: dict[str, Any] = {}
        self.heard: list[tuple[str, Any, str]] = []
        self.sent: list[tuple[str, str]] = []

    def read(self, log: Iterable[Event]) -> RunOutcome:
        """Fold it."""
        events = list(log)
        for event in events:
            self._history.apply(event)
            self._note(event)
        history = self._history
        began = {s.id for s in history.calls.values() if s.name and s.because is None}
        graph = Graph.of(events)
        started, closed = history.started, history.closed
        assert started is not None
        assert closed is not None, f"{started.workflow} is not closed: {events[-3:]}"
        error, bars = closed.error, Profile.of(events).bars
        return RunOutcome(
            status=closed.status,
            result=self._value(closed.result),
            error=None if error is None else (error.kind, self._relative(_said(error))),
            calls={c: self.calls[c] for c in sorted(self.calls) if c in began},
            timers=self.timers,
            markers=self.markers,
            heard=sorted(self.heard, key=repr),
            sent=self.sent,
            edges=_edges(graph, began),
            groups={s.id: s.group for s in history.calls.values() if s.group and s.id in began},
            rows={(b.call, b.activity, b.attempt, b.status) for b in bars if b.status != GIVEN_UP},
            measured={(b.call, b.attempt): _blocks(b) for b in bars if b.measured},
            tags=started.tags,
            parent=self._relative(started.parent),
            onward=self._relative(history.continued.run) if history.continued else "",
        )

    def _value(self, stored: Stored) -> Any:
        """Give what is stored; references stand for themselves."""
        return self._relative(unpack(stored, lambda call: f"<{call}>", self._fetch))

    def _relative(self, value: Any) -> Any:
        return relative(value, self._root)

    def _call(self, call: str, what: str) -> None:
        self.calls.setdefault(call, []).append(self._relative(what))

    def _note(self, event: Event) -> None:
        match event:
            case CallSucceeded():
                self._call(event.call, f"attempt {event.attempt} gave {self._value(event.result)}")
            case CallReused():
                self._call(event.call, f"reused {self._value(event.result)}")
            case CallFailed():
                self._call(event.call, self._failure(event))
            case CallCancelled():
                self._call(event.call, "cancelled")
            case ChildStarted():
                self._call(event.call, f"is {event.run}")
            case RunStarted() | RunResumed() | RunContinued() | RunClosed():
                pass
            case _:
                self._note_other(event)

    def _failure(self, event: CallFailed) -> str:
        how = "again" if event.retry_at is not None else "ignored" if event.ignored else "failed"
        return f"attempt {event.attempt} {how}: {event.error.kind}: {_said(event.error)}"

    def _note_other(self, event: Event) -> None:
        match event:
            case TimerStarted():
                self.timers.setdefault(event.timer, []).append("started")
            case TimerFired():
                self.timers[event.timer].append("fired")
            case TimerCancelled():
                self.timers.setdefault(event.timer, []).append("cancelled")
            case MarkerRecorded():
                value = _timeless(self._value(event.value))
                self.markers[event.name] = (self._relative(event.of), value)
            case MarkerFailed():
                failure = f"{event.error.kind}: {self._relative(event.error.message)}"
                self.markers[event.name] = (event.of, failure)
            case SignalReceived():
                told = (event.name, self._value(event.result), self._relative(event.sender))
                self.heard.append(told)
            case SignalSent():
                self.sent.append((event.signal, self._relative(event.to)))


def _blocks(bar: Bar) -> list[tuple[Any, ...]]:
    """Give the blocks of an attempt without how long they took."""
    return [tuple(block._replace(started=0.0, seconds=0.0)) for block in bar.measured]


def _timeless(value: Any) -> Any:
    """Give a value without the times in it."""
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_timeless(item) for item in value]
    return "a time" if isinstance(value, float) and value > A_TIME else value


def _said(error: Failure) -> str:
    """Give a message without what depends on the place: whether an attempt could be stopped."""
    return error.message.split(" It cannot be stopped")[0]


def _edges(graph: Graph, began: set[str]) -> set[tuple[str, str, str]]:
    """Give the edges between calls that began, joins included."""
    return {
        (edge.source, edge.target, edge.kind)
        for edge in graph.edges
        if all(end in began or graph.node(end).join for end in (edge.source, edge.target))
    }
