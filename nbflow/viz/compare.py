"""Two runs side by side: what took longer, what waited longer, what ended otherwise."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from nbflow.core.events import Event
from nbflow.core.graph import Graph
from nbflow.core.profile import Bar, Profile

NOTHING: Final = 5e-4
"""Seconds that are not worth a word."""

Matched = Literal["id", "order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One call in one of the runs. Times are seconds.

    Attributes:
        call: Its id.
        activity: Its activity.
        label: The call as it is written in code, arguments cut short.
        status: One of ``waiting queued running retrying done failed skipped cancelled``.
        attempts: How many there were.
        seconds: How long all of them ran, or have run so far.
        queued: How long they could have started and did not.
        began: When the first began, after the run's start; None before that.
        critical: Whether it is on the run's critical path.
        cached: Whether an earlier run's result answered it, so that it did not run.
    """

    call: str
    activity: str
    label: str
    status: str
    attempts: int = 0
    seconds: float = 0.0
    queued: float = 0.0
    began: float | None = None
    critical: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call that both runs have.

    Attributes:
        a: The call in the first run.
        b: The call in the second run.
        matched: Whether its id is the same, or its place among the calls of its activity.
    """

    a: Side
    b: Side
    matched: Matched = "id"

    @property
    def call(self) -> str:
        """Its id, in the first run."""
        return self.a.call

    @property
    def activity(self) -> str:
        """Its activity."""
        return self.a.activity

    @property
    def seconds(self) -> float:
        """How much longer it ran in the second run."""
        return self.b.seconds - self.a.seconds

    @property
    def queued(self) -> float:
        """How much longer it queued in the second run."""
        return self.b.queued - self.a.queued

    @property
    def restated(self) -> bool:
        """Whether it ended, or stands, otherwise."""
        return self.a.status != self.b.status

    @property
    def other_arguments(self) -> bool:
        """Whether it is written otherwise: then its times may well differ."""
        return self.a.label != self.b.label

    @property
    def critical(self) -> bool:
        """Whether it is on the critical path of either run."""
        return self.a.critical or self.b.critical

    @property
    def weight(self) -> float:
        """How much differs, in seconds."""
        return abs(self.seconds) + abs(self.queued)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One figure of both runs.

    Attributes:
        name: What it is.
        a: Of the first run.
        b: Of the second run.
        unit: ``s``, ``%`` (a part, 0 to 1) or ``""`` for a count.
    """

    name: str
    a: float
    b: float
    unit: str = "s"

    @property
    def change(self) -> float:
        """What the second run has more."""
        return self.b - self.a


class Half:
    """One of the runs that are compared.

    Attributes:
        run: Its id.
        graph: The fold of its graph.
        profile: The fold of its profile.
        calls: Its calls by id, in the order in which they were asked for.
    """

    def __init__(self, run: str, events: Iterable[Event]) -> None:
        self.run = run
        self.graph = Graph()
        self.profile = Profile()
        for event in events:
            self.graph.apply(event)
            self.profile.apply(event)
        self.calls = {side.call: side for side in self._sides()}

    def _sides(self) -> Iterable[Side]:
        bars: defaultdict[str, list[Bar]] = defaultdict(list)
        for bar in self.profile.bars:
            bars[bar.call].append(bar)
        critical = {step.bar.call for step in self.profile.critical_path()}
        begun, now = self.profile.begun, self.profile.latest
        for node in self.graph:
            if node.join:
                continue
            mine = bars.get(node.id, [])
            yield Side(
                call=node.id,
                activity=node.activity,
                label=node.label,
                status=node.status,
                attempts=len(mine),
                seconds=sum(bar.seconds(now) for bar in mine),
                queued=sum(bar.queued for bar in mine),
                began=min((bar.started - begun for bar in mine), default=None),
                critical=node.id in critical,
                cached=node.cached,
            )

    @property
    def path(self) -> float:
        """Seconds of work on the critical path."""
        steps = self.profile.critical_path()
        return sum(step.bar.seconds(self.profile.latest) for step in steps)

    def count(self, status: str) -> int:
        """Count the calls of a status."""
        return self.graph.counts().get(status, 0)


class Comparison:
    """Two runs side by side.

    Attributes:
        a: The first run.
        b: The second run.
        differences: The calls that both have: those that ended otherwise first, then by how much
            longer or shorter they ran and queued.
        only_a: The calls that only the first run has.
        only_b: The calls that only the second run has.

    """

    def __init__(self, a: Half, b: Half) -> None:
        self.a, self.b = a, b
        pairs = _matched(a.calls, b.calls)
        found = [Difference(a=x, b=y, matched=how) for x, y, how in pairs]
        found.sort(key=_rank)
        self.differences: tuple[Difference, ...] = tuple(found)
        ours, theirs = {d.a.call for d in found}, {d.b.call for d in found}
        self.only_a = tuple(side for side in a.calls.values() if side.call not in ours)
        self.only_b = tuple(side for side in b.calls.values() if side.call not in theirs)

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """The figures of both runs as wholes."""
        a, b = self.a, self.b
        return (
            Total(name="wall", a=a.profile.wall(), b=b.profile.wall()),
            Total(name="work", a=a.profile.busy(), b=b.profile.busy()),
            Total(name="critical path", a=a.path, b=b.path),
            Total(name="queued", a=_queued(a), b=_queued(b)),
            Total(
                name="efficiency",
                a=a.profile.efficiency(),
                b=b.profile.efficiency(),
                unit="%",
            ),
            Total(name="workers", a=_workers(a), b=_workers(b), unit=""),
            Total(name="calls", a=len(a.calls), b=len(b.calls), unit=""),
            Total(name="attempts", a=len(a.profile.bars), b=len(b.profile.bars), unit=""),
            Total(name="failed", a=a.count("failed"), b=b.count("failed"), unit=""),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Give each call as plain data, those of one run only too."""
        both = [(d.a, d.b, d.matched) for d in self.differences]
        one = [(side, None, "") for side in self.only_a]
        other = [(None, side, "") for side in self.only_b]
        return [_row(*row) for row in [*both, *one, *other]]


_OF_BOTH = ("status", "attempts", "seconds", "queued", "began", "critical", "cached")
COLUMNS = (
    *("call", "call_b", "activity", "matched", "seconds_change", "queued_change"),
    *(f"{name}_{side}" for name in _OF_BOTH for side in "ab"),
)


def _rank(d: Difference) -> tuple[int, float]:
    """Put what ended otherwise first, and what was skipped after what it was skipped for."""
    skipped = "skipped" in {d.a.status, d.b.status}
    return (2 if not d.restated else int(skipped), -d.weight)


def _row(a: Side | None, b: Side | None, matched: str) -> dict[str, Any]:
    known = a or b
    assert known is not None  # noqa: S101 - a call is in one of them
    row: dict[str, Any] = {
        "call": a.call if a else None,
        "call_b": b.call if b else None,
        "activity": known.activity,
        "matched": matched,
        "seconds_change": b.seconds - a.seconds if a and b else None,
        "queued_change": b.queued - a.queued if a and b else None,
    }
    for name in _OF_BOTH:
        row[f"{name}_a"] = getattr(a, name) if a else None
        row[f"{name}_b"] = getattr(b, name) if b else None
    return row


def _matched(a: dict[str, Side], b: dict[str, Side]) -> Iterable[tuple[Side, Side, Matched]]:
    """Pair calls by id, then what is left by activity and order."""
    left: defaultdict[str, deque[Side]] = defaultdict(deque)
    for call, side in a.items():
        other = b.get(call)
        if other is not None and other.activity == side.activity:
            yield side, other, "id"
        else:
            left[side.activity].append(side)
    for call, other in b.items():
        side_of_id = a.get(call)
        if side_of_id is not None and side_of_id.activity == other.activity:
            continue
        if left[other.activity]:
            yield left[other.activity].popleft(), other, "order"


def _queued(half: Half) -> float:
    return sum(bar.queued for bar in half.profile.bars)


def _workers(half: Half) -> int:
    return len(half.profile.workers())
