"""Two processes that resume the same run at the same time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import nbflow
from nbflow.core.events import RunResumed, RunStarted
from nbflow.store.lease import Lease
from nbflow.store.memory import MemoryStore
from tests.crash.engine import DONE, TOLD
from tests.crash.nursery import Nurseries
from tests.crash.rules import judge_trial
from tests.crash.test_points import side_by_side, trial
from tests.crash.trial import KILLED, Kill, Trial

pytestmark = pytest.mark.timeout(300)


def begun(
    nursery: Nurseries, home: Path, number: int, chance: random.Random, **spec: object
) -> Trial:
    """Give a trial whose first process was killed on its way."""
    one = trial(nursery, home, number, **spec)
    while not one.last.runs:
        one.incarnate(Kill(at=chance.randrange(2, 150)))
    return one


def contend(
    nursery: Nurseries, home: Path, trials: int, forces: tuple[bool, bool], **spec: object
) -> Counter[str]:
    """Have pairs resume runs, then judge; give what was told to those that may not."""
    told = Counter[str]()
    chance = random.Random(trials + 2 * sum(forces))
    for number in range(trials):
        one = begun(nursery, home, number, chance, **spec)
        statuses = one.together(*(replace(one.spec, force=force) for force in forces))
        assert set(statuses) <= {DONE, TOLD}
        lines = [line for line in one.ledger if line.kind == "told"]
        assert len(lines) == statuses.count(TOLD), "somebody may not go on, and is not told"
        told.update(f"{line.what[0]}: {line.what[1]}" for line in lines)
        if DONE not in statuses:
            assert one.incarnate() == DONE
        # A process whose run is taken away does no more harm than one that is killed.
        judge_trial(one.last, one.ledger, one.kills + 2)
    return told


@pytest.mark.case("S14")
def test_of_two_that_resume_a_run_one_drives_it(nursery: Nurseries, tmp_path: Path) -> None:
    """The other is told which one; no call has two results, no call of ``once`` two effects."""
    told = contend(nursery, tmp_path, 40, (False, False))
    print(f"\n{told.total()} of 40 were told")
    assert told.total() >= 10
    for text in told:
        driven = "is driven by process" in text and "force=True" in text
        assert driven or "somebody else wrote to run" in text, text


@pytest.mark.parametrize("forces", [(False, True), (True, True)], ids=["one", "both"])
def test_who_takes_a_run_over_by_force_has_it(
    nursery: Nurseries, tmp_path: Path, forces: tuple[bool, bool]
) -> None:
    """What the other one still does, the log refuses, and tells it."""
    told = contend(nursery, tmp_path, 40, forces)
    print(f"\n{told.total()} of 40 were told: {sorted({text[:60] for text in told})}")
    assert told.total() >= 10


def test_a_run_is_taken_over_in_the_middle(nursery: Nurseries, tmp_path: Path) -> None:
    """From then on the log refuses the one before, and no later process sees its values."""
    told = Counter[str]()

    def one(number: int) -> None:
        made = trial(nursery, tmp_path, number)
        first = made.spec
        second = replace(first, force=True, behind=1 + number % 12)
        statuses = made.together(first, second)
        assert statuses[1] == DONE or made.incarnate() == DONE
        told.update(line.what[0] for line in made.ledger if line.kind == "told")
        judge_trial(made.last, made.ledger, 1)

    side_by_side(nursery, one, range(40))
    print(f"\ntold: {dict(told)}")
    assert told["StoreConflict"] >= 5


def test_a_run_is_taken_over_and_its_processes_die(nursery: Nurseries, tmp_path: Path) -> None:
    """Whoever is killed of the two, the other one or the next ends the run."""
    chance, kills = random.Random(7), 0
    for number in range(20):
        one = begun(nursery, tmp_path, number, chance)
        specs = [
            replace(one.spec, force=True, kill_at=chance.randrange(1, 200)),
            replace(one.spec, force=True),
        ]
        statuses = one.together(*specs)
        kills += statuses.count(KILLED)
        if DONE not in statuses:
            assert one.incarnate() == DONE
        judge_trial(one.last, one.ledger, one.kills + 2)
    print(f"\n{kills} of 20 were killed")
    assert kills


class Quicker(MemoryStore):
    """A store in which another process resumes a run just before this one does."""

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
        last = max(event.seq for event in self.events(run))
        self.append(run, [RunResumed(last + 1, 0.0)])
        return super().hold(run, lease, force=force)


def test_who_loses_the_race_for_a_run_is_told_so() -> None:
    """The log refuses its first word, and it can try again."""

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return 7

    store = Quicker()
    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    run = nbflow.attach("run-1", store)
    for _ in range(2):
        with pytest.raises(nbflow.StoreError, match="somebody else wrote"):
            run.resume(flow)
    assert store.holder("run-1") is None
