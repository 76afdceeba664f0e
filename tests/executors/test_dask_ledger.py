"""Kills of workers and schedulers at any moment, and a ledger of what has run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbflow
from nbflow.core.errors import WorkerDied
from nbflow.core.events import CallFailed, CallSucceeded
from nbflow.executors import make
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.checks import eventually
from tests.executors.clusters import Cluster, kill

pytestmark = pytest.mark.timeout(180)
TRIALS = 50
LEAVES = 8
CALLS = LEAVES + LEAVES // 2 + 1
RESULT = 2 * sum(range(LEAVES))
BOUND = 120


def _work(ledger, n):
    with Path(ledger).open("a") as file:
        file.write(f"{n}\n")
    return sum(range(100_000)) * 0


@nbflow.activity(retry=6)
def tried(ledger, n, *values):
    return _work(ledger, n) + (sum(values) if values else 2 * n)


@nbflow.activity
def untried(ledger, n, *values):
    return _work(ledger, n) + (sum(values) if values else 2 * n)


def _tree(call, ledger):
    leaves = [call(ledger, n) for n in range(LEAVES)]
    pairs = [call(ledger, LEAVES + i // 2, *leaves[i : i + 2]) for i in range(0, LEAVES, 2)]
    return call(ledger, CALLS - 1, *pairs)


@nbflow.workflow
def with_retry(ledger):
    return _tree(tried, ledger)


@nbflow.workflow
def without_retry(ledger):
    return _tree(untried, ledger)


class Trial:
    """A run on a cluster of two workers, and a moment at which something of it is killed."""

    def __init__(self, directory: Path, number: int) -> None:
        self._directory = directory
        self._chance = random.Random(number)
        self.ledger = directory / "ledger"
        self.ledger.touch()
        self.cluster = Cluster(directory)
        self._made = [make(self.cluster.address)]
        nbflow.configure(store=SqliteStore(directory / "store"))

    @property
    def place(self):
        return self._made[-1]

    def runs(self) -> Counter[str]:
        return Counter(self.ledger.read_text().split())

    def reach_the_moment(self) -> None:
        begun = self._chance.randint(1, CALLS - 1)
        eventually(lambda: self.runs().total() >= begun, f"{begun} calls have begun", BOUND)

    def kill_a_worker(self) -> None:
        kill(self._chance.choice(self.cluster.workers))

    def begin_again(self) -> None:
        """Have another cluster."""
        self.cluster.end()
        again = self._directory / "again"
        again.mkdir()
        self.cluster = Cluster(again)
        self._made.append(make(self.cluster.address))

    def end(self) -> None:
        for executor in self._made:
            executor.close()
        self.cluster.end()


def trials():
    """Give one trial to the default run, and all of them to those who ask for them."""
    first = pytest.param(0, marks=pytest.mark.slow)
    return [first, *(pytest.param(n, marks=pytest.mark.torture) for n in range(1, TRIALS // 2))]


@pytest.fixture
def trial(tmp_path, number) -> Iterator[Trial]:
    made = Trial(tmp_path, number)
    yield made
    made.end()


def succeeded(run) -> dict[str, int]:
    """Give how often each call of a run has succeeded, by its number in the ledger."""
    found = Counter(e.call for e in run.events() if isinstance(e, CallSucceeded))
    return {str(int(call.rpartition("-")[2]) - 1): count for call, count in found.items()}


@pytest.mark.parametrize("number", trials())
def test_a_worker_is_killed_at_any_moment(trial, number):
    """The run completes; what ran more than once, the log says why, attempt by attempt."""
    run = with_retry.on(trial.place).start(str(trial.ledger))
    trial.reach_the_moment()
    trial.kill_a_worker()
    assert run.result(BOUND) == RESULT
    assert succeeded(run) == dict.fromkeys(map(str, range(CALLS)), 1)
    failed = [e for e in run.events() if isinstance(e, CallFailed)]
    assert {e.error.kind.rpartition(".")[2] for e in failed} <= {"WorkerDied"}
    lost = Counter(str(int(e.call.rpartition("-")[2]) - 1) for e in failed)
    runs = trial.runs()
    assert all(1 <= runs[n] <= 1 + lost[n] for n in map(str, range(CALLS))), (runs, lost)


@pytest.mark.parametrize("number", trials())
def test_a_scheduler_is_killed_at_any_moment(trial, number):
    """The run fails or was over; resumed on another cluster, nothing settled runs again."""
    run = without_retry.on(trial.place).start(str(trial.ledger))
    trial.reach_the_moment()
    kill(trial.cluster.scheduler)
    try:
        assert run.result(BOUND) == RESULT
    except WorkerDied:
        trial.begin_again()
        before, settled = trial.runs(), succeeded(run)
        run.resume(on=trial.place)
        assert run.result(BOUND) == RESULT
        after = trial.runs()
        assert {n: after[n] for n in settled} == {n: before[n] for n in settled}
        assert all(after[n] <= before[n] + 1 for n in map(str, range(CALLS)))
    assert succeeded(run) == dict.fromkeys(map(str, range(CALLS)), 1)
