"""Killed at every point that a run passes, and resumed."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from nbflow.core.events import RunResumed
from tests.crash import flow
from tests.crash.engine import DONE, Spec
from tests.crash.ledger import Line
from tests.crash.nursery import Nurseries
from tests.crash.rules import judge_lineage
from tests.crash.snapshot import Snapshot
from tests.crash.trial import KILLED, Kill, Trial

pytestmark = pytest.mark.timeout(600)
T = TypeVar("T")
BATCH = 20
LABELS = ("create", "hold", "release", "submit", "effect", "answer", "put", "fsync", "keep")
KINDS = (
    *("CallScheduled", "CallStarted", "CallSucceeded", "CallFailed", "CallMissed"),
    *("TimerStarted", "TimerCancelled", "RunClosed"),
)


def trial(nursery: Nurseries, home: Path, name: object, **spec: object) -> Trial:
    """Make a trial in a directory of its own."""
    place = home / str(name)
    place.mkdir()
    return Trial(nursery, Spec(str(place), **spec))  # type: ignore[arg-type]


def side_by_side(nursery: Nurseries, act: Callable[[int], T], numbers: Iterable[int]) -> list[T]:
    """Do something for each number, as many at a time as there are nurseries."""
    with ThreadPoolExecutor(nursery.number) as pool:
        return list(pool.map(act, numbers))


def sweep(nursery: Nurseries, home: Path, first: tuple[Kill, ...] = ()) -> Counter[str]:
    """Kill at the k-th point for each k until there is none; give where."""

    def one(k: int) -> list[str]:
        made = trial(nursery, home, k)
        return made.died_at if made.drive([*first, Kill(at=k)]) else []

    died = Counter[str]()
    for k in itertools.count(1, BATCH):
        found = side_by_side(nursery, one, range(k, k + BATCH))
        died.update(label for labels in found for label in labels)
        if not found[-1]:
            return died
    raise AssertionError


def test_whatever_point_it_dies_at_the_run_comes_to_its_end(
    nursery: Nurseries, tmp_path: Path
) -> None:
    """All promises hold, for a kill before and after each write, hand-over and effect."""
    died = sweep(nursery, tmp_path)
    print(f"\n{died.total()} points: {dict(died)}")
    assert died.total() > 150
    # Those two change places with their neighbours from one process to the next, so that a sweep
    # may step over them; they are aimed at by name below.
    for label in {*LABELS} - {"release", "put"}:
        assert any(where.startswith(label) for where in died), label


@pytest.mark.parametrize("side", ["before", "after"])
def test_it_dies_around_each_kind_of_write(nursery: Nurseries, tmp_path: Path, side: str) -> None:
    """The first point of each kind, also of those passed seldom; in a resumed run, too."""
    for what in (*LABELS, *KINDS):
        one = trial(nursery, tmp_path, what)
        assert one.drive([Kill(at=1, near=f"{what}:{side}")]), what
    one = trial(nursery, tmp_path, "RunResumed")
    first = Kill(at=1, near="put:after")
    assert one.drive([first, *[Kill(at=1, near=f"RunResumed:{side}")] * 3])


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(10))
def test_a_resumed_run_that_dies_at_any_point_can_be_resumed_again(
    nursery: Nurseries, tmp_path: Path, seed: int
) -> None:
    """The same, for a process that found a half finished run."""
    first = Kill(at=random.Random(seed).randrange(5, 180))
    died = sweep(nursery, tmp_path, (first,))
    print(f"\n{died.total()} kills, the first ones at point {first.at}: {dict(died)}")
    assert any(label.startswith("append RunResumed") for label in died)


@pytest.mark.parametrize("portion", [0.3, 0.5, 0.9])
def test_a_long_run_that_is_cut_goes_on_with_what_is_not_settled(
    nursery: Nurseries, tmp_path: Path, portion: float
) -> None:
    """Of a thousand calls, exactly those run that have no result in the log, once each."""
    one = trial(nursery, tmp_path, "long", flow="many")
    assert one.incarnate(Kill(at=int(portion * flow.MANY), near="effect:after")) == KILLED
    settled, lines = set(one.last.results), len(one.ledger)
    print(f"\ncut with {len(settled)} of {flow.MANY} calls settled")
    assert len(settled) < flow.MANY
    assert settled or portion < 0.5  # what ended within the last moments may not be written
    one.incarnate()
    ran = [line.what[0] for line in one.ledger[lines:] if line.kind == "effect"]
    assert len(ran) == len(set(ran)) == flow.MANY - len(settled)
    assert set(ran) | settled == set(one.last.results)
    assert not set(ran) & settled
    assert one.last.closed is not None
    assert one.last.closed.status == "completed"


def test_a_rerun_that_dies_is_gone_on_with(nursery: Nurseries, tmp_path: Path) -> None:
    """What it takes along runs anew, all else is kept, and what it did before it died is, too."""

    def one(k: int) -> int:
        made = trial(nursery, tmp_path, k)
        assert made.incarnate() == DONE
        before, spec = made.last, replace(made.spec, rerun="left-2")
        (killed,) = nursery.run(replace(spec, kill_at=k))
        between = Snapshot.of(made.store)
        lines = len(made.ledger)
        if killed == KILLED:
            assert nursery.run(spec) == [DONE]
        _judge_rerun(before, between, Snapshot.of(made.store), made.ledger[lines:])
        return killed

    assert KILLED in side_by_side(nursery, one, range(1, 150, 7))


def _judge_rerun(before: Snapshot, between: Snapshot, end: Snapshot, after: list[Line]) -> None:
    """Judge by the logs before the rerun, after it was killed, and at the end."""
    assert between.events[: len(before.events)] == before.events
    assert end.events[: len(between.events)] == between.events
    resumed = [event for event in end.events if isinstance(event, RunResumed)]
    again = set(resumed[0].again) & set(end.results)
    assert "left-2" in again
    for call in flow.CALLS - (again & flow.ONCE):
        assert len(end.results[call]) == 1 + (call in again), call
    ran = {line.what[0] for line in after if line.kind == "effect"}
    assert ran <= {call for call in again if len(between.results[call]) == 1}
    judge_lineage(end)
