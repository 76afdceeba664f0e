"""Runs with children, signals, timers, markers and results in memory, killed at every point."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from nbflow.core import payload
from nbflow.core.events import (
    CallScheduled,
    CallSucceeded,
    ChildStarted,
    Event,
    MarkerRecorded,
    RunClosed,
    RunResumed,
    SignalReceived,
    TimerFired,
    TimerStarted,
)
from nbflow.store.sqlite import SqliteStore
from tests.crash import family
from tests.crash.engine import DONE, SLOTS, Spec
from tests.crash.ledger import Line, read
from tests.crash.nursery import Nurseries
from tests.crash.rules import WAITING
from tests.crash.test_points import BATCH, side_by_side
from tests.crash.trial import KILLED

pytestmark = pytest.mark.timeout(300)
MOST = 400
"""Points that no run passes."""
Logs = dict[str, list[Event]]


@dataclass
class Family:
    """One trial: a store with several runs, which processes drive one after another."""

    nursery: Nurseries
    spec: Spec
    kills: int = 0
    logs: Logs = field(default_factory=dict)
    _read: int = 0

    @property
    def home(self) -> Path:
        return Path(self.spec.directory)

    def lines(self, kind: str = "") -> list[Line]:
        return [line for line in read(self.home / "ledger") if kind in {"", line.kind}]

    def live(self, kill_at: int = 0, near: str = "") -> int:
        """Have one process start the run or go on with it, and judge what it did."""
        (status,) = self.nursery.run(replace(self.spec, kill_at=kill_at, near=near))
        faults = [path.read_text() for path in self.home.glob("fault-*")]
        assert not faults, "\n".join(faults)
        assert status in {DONE, KILLED}, f"it ended by {status}: {self.lines()[-1]}"
        self.kills += status == KILLED
        before, self.logs = self.logs, logs(self.home / "store")
        new, self._read = self.lines()[self._read :], len(self.lines())
        judge_life(before, self.logs, new)
        return status

    def drive(self, *kills: tuple[int, str]) -> bool:
        """Kill as planned, let it come to its end, judge that; give whether the last kill was."""
        status = KILLED
        for at, near in kills:
            status = self.live(at, near)
            if status == DONE:
                break
        killed = status == KILLED
        if killed:
            assert self.live() == DONE
        judge_end(self)
        return killed


def logs(directory: Path) -> Logs:
    """Read all runs, as any process of this user can."""
    if not (directory / "log.sqlite").exists():
        return {}
    store = SqliteStore(directory)
    try:
        return {row.run: list(store.events(row.run)) for row in store.runs()}
    finally:
        store.close()


def results(events: list[Event]) -> Counter[str]:
    """Count the results of each call."""
    return Counter(event.call for event in events if isinstance(event, CallSucceeded))


def judge_life(before: Logs, after: Logs, lines: list[Line]) -> None:
    """Judge what one process did between two states of the store."""
    for run, events in before.items():
        assert after[run][: len(events)] == events, "a log was changed"
    for events in after.values():
        assert [event.seq for event in events] == list(range(1, len(events) + 1)), "I6: not dense"
    for line in lines:
        if line.kind != "effect":
            continue
        run, _, call = line.what[0].rpartition("/")
        asked = {event.call for event in after[run] if isinstance(event, CallScheduled)}
        assert call in asked, f"I2: {call} ran, and the log does not say that it was to"
        assert not results(before.get(run, []))[call], f"I3: {call} ran again after its result"


def judge_end(one: Family) -> None:
    """Judge a trial whose run is over."""
    for run, events in one.logs.items():
        assert isinstance(events[-1], RunClosed), f"{run} is not over"
        assert max(results(events).values(), default=0) <= 1, f"I4: two results in {run}"
        fired = Counter(event.timer for event in events if isinstance(event, TimerFired))
        begun = Counter(event.timer for event in events if isinstance(event, TimerStarted))
        assert max(fired.values(), default=0) <= 1
        assert max(begun.values(), default=0) <= 1, "a timer begins once, whoever sleeps it"
        marks = Counter(event.name for event in events if isinstance(event, MarkerRecorded))
        assert max(marks.values(), default=0) <= 1, "a value from outside was made twice"
    seen: dict[tuple[str, str], list[Any]] = {}
    for line in one.lines("seen"):
        run, what, value = line.what
        seen.setdefault((run, what), []).append(value)
    assert all(value == found[0] for found in seen.values() for value in found), f"I5: {seen}"
    effects = Counter(line.what[0] for line in one.lines("effect"))
    extra = sum(effects.values()) - len(effects)
    assert extra <= one.kills * (SLOTS + WAITING), f"I8: {extra} after {one.kills} kills"
    final = {line.what[0] for line in one.lines("value")}
    assert len(final) == 1
    wanted = family.VALUES.get(one.spec.flow)
    closed = one.logs[max(run for run in one.logs if "/" not in run)][-1]
    assert isinstance(closed, RunClosed)
    assert closed.status == "completed"
    assert wanted is None or closed.result == wanted
    JUDGES[one.spec.flow](one)


# -------------------------------------------------------------------- what is special to each


def _parents(one: Family) -> None:
    """Each child is one run, created once and found again."""
    (parent,) = [run for run in one.logs if "/" not in run]
    begun = Counter(e.run for e in one.logs[parent] if isinstance(e, ChildStarted))
    assert begun == Counter({run: 1 for run in one.logs if run != parent})
    assert len(begun) == 3


def _listens(one: Family) -> None:
    """A signal is received once; one that was sent for certain before the end, surely."""
    (log,) = one.logs.values()
    heard = Counter(
        payload.unpack(event.result, str, bytes.fromhex)
        for event in log
        if isinstance(event, SignalReceived)
    )
    said = one.lines()
    stop = next(n for n, line in enumerate(said) if line.what[:1] == (family.STOP,))
    sent = [line.what[0] for line in said[:stop] if line.kind == "sent"]
    assert len(set(sent)) == len(sent)
    assert {word: heard[word] for word in sent} == dict.fromkeys(sent, 1)
    assert all(count == 1 for word, count in heard.items() if word != family.STOP), heard
    assert not list((one.home / "store" / "mail").glob("*/*")) or heard[family.STOP]


def _sleeps(one: Family) -> None:
    """Every sleep was slept."""
    (log,) = one.logs.values()
    assert sum(isinstance(event, TimerFired) for event in log) >= 2


def _marks(one: Family) -> None:
    """The value of the first time is the one that everything was made of."""
    (log,) = one.logs.values()
    found = {e.name: e.value for e in log if isinstance(e, MarkerRecorded)}
    assert len(found) == 4
    for line in one.lines("seen"):
        if line.what[1].startswith("effect "):
            number = int(line.what[1].split()[1])
            assert found[f"side_effect-{number + 1}"] == line.what[2]


def _onwards(one: Family) -> None:
    """There is one run for each generation, each ended by the next."""
    assert len(one.logs) == family.GENERATIONS
    ends = [events[-1].status for events in one.logs.values()]  # type: ignore[union-attr]
    assert Counter(ends) == {"continued": family.GENERATIONS - 1, "completed": 1}


def _holds(one: Family) -> None:
    """What is in memory only is computed once for each process that needs it, at the most."""
    (log,) = one.logs.values()
    lives = 1 + sum(isinstance(event, RunResumed) for event in log)
    loads = [line.what for line in one.lines("effect") if line.what[2] == "load"]
    assert len({what[0] for what in loads}) <= 2 * lives
    per_life = Counter(
        (line.pid, line.what[0].rpartition("/")[2].partition("~")[0])
        for line in one.lines("effect")
        if line.what[2] == "load"
    )
    assert max(per_life.values()) == 1, per_life
    assert not any(
        "[1,1,1]" in repr(e)
        for e in log
        if isinstance(e, CallSucceeded) and e.call.startswith("load")
    )


JUDGES = {
    "parents": _parents,
    "listens": _listens,
    "sleeps": _sleeps,
    "marks": _marks,
    "onwards": _onwards,
    "holds": _holds,
}


def made(nursery: Nurseries, home: Path, name: object, flow: str) -> Family:
    """Make a trial in a directory of its own."""
    place = home / str(name)
    place.mkdir()
    return Family(nursery, Spec(str(place), flow=flow))


@pytest.mark.parametrize("flow", list(family.FLOWS))
def test_whatever_point_it_dies_at_it_comes_to_its_end(
    nursery: Nurseries, tmp_path: Path, flow: str
) -> None:
    """The promises hold for what is more than calls, for a kill around each write and effect."""

    def one(k: int) -> list[str]:
        trial = made(nursery, tmp_path, k, flow)
        killed = trial.drive((k, ""))
        return [line.what[0] for line in trial.lines("killed")] if killed else []

    died = Counter[str]()
    for k in itertools.count(1, BATCH):
        assert k < MOST
        found = side_by_side(nursery, one, range(k, k + BATCH))
        died.update(label for labels in found for label in labels)
        if not found[-1]:
            break
    print(f"\n{flow}: {died.total()} points: {dict(died)}")
    assert died.total() > 20


AIMS = [
    ("parents", ("ChildStarted:before", "ChildStarted:after", "create:after", "RunClosed:before")),
    ("listens", ("signal:before", "SignalReceived:before", "SignalReceived:after", "drop:before")),
    ("sleeps", ("TimerStarted:before", "TimerStarted:after", "TimerFired:before")),
    ("marks", ("MarkerRecorded:before", "MarkerRecorded:after")),
    ("onwards", ("create:before", "create:after", "RunContinued:before", "RunContinued:after")),
    (
        "holds",
        ("CallRepeated:before", "CallRepeated:after", "RunResumed:after", "CallSucceeded:after"),
    ),
]


@pytest.mark.parametrize(("flow", "labels"), AIMS, ids=[flow for flow, _ in AIMS])
def test_it_dies_twice_around_what_is_special(
    nursery: Nurseries, tmp_path: Path, flow: str, labels: tuple[str, ...]
) -> None:
    """The process that goes on dies as well, at the next place of the same kind."""
    again = flow == "holds"  # nothing is computed again before a resumption
    for label in labels:
        trial = made(nursery, tmp_path, label, flow)
        if again:
            assert trial.live(1, "CallSucceeded:after") == KILLED
        assert trial.live(1, label) == KILLED, label
        trial.drive((1, label))
        places = [line.what[0] for line in trial.lines("killed")]
        what = label.partition(":")[0]
        assert any(what in place for place in places), places
