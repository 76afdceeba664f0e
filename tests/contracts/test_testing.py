"""The tools of `nbflow.testing`: they count right, and the contracts find what is wrong."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import nbflow.testing
from nbflow.core.events import Event
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, run_job
from nbflow.executors.threads import Threads
from nbflow.store.memory import MemoryStore
from nbflow.testing import (
    Collector,
    Die,
    ExecutorContract,
    FaultTable,
    Gate,
    StoreContract,
    make_job,
    samples,
)
from nbflow.testing.checks import equal, eventually, exactly, raises


def test_the_public_names_are_sorted_and_there() -> None:
    """`__all__` is what the package's documentation lists."""
    names = nbflow.testing.__all__
    assert names == sorted(names)
    assert all(hasattr(nbflow.testing, name) for name in names)
    assert all(getattr(nbflow.testing, name).__doc__ for name in names)


def test_importing_it_needs_no_test_runner() -> None:
    """Authors may use another one than pytest."""
    code = "import sys, nbflow.testing; print({'pytest', 'hypothesis'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


# -------------------------------------------------------------------- fault tables


def act(faults: FaultTable, times: int) -> None:
    """Invoke an input some times, in another process."""
    for _ in range(times):
        faults.act("x")


def test_invocations_are_counted_across_threads_and_processes(tmp_path: Path) -> None:
    """Each has a number of its own, however many there are at once."""
    faults = FaultTable(tmp_path)
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda: numbers.extend(faults.act("x") for _ in range(20)))
        for _ in range(4)
    ]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=act, args=(faults, 20)) for _ in range(2)]
    workers: list[Any] = [*threads, *processes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults.count("x") == faults.total() == 120
    assert len(set(numbers)) == 80
    assert FaultTable(tmp_path).act("x") == 121


def test_a_fault_table_does_what_it_says(tmp_path: Path) -> None:
    """First, second... invocation by the table; nothing special after its end, or for others."""
    gate = Gate(tmp_path / "gate")
    faults = FaultTable(tmp_path / "faults", {"1": [OSError("a"), None, KeyError("b"), gate]})
    with pytest.raises(OSError, match="a"):
        faults.act(1)
    assert faults.act("1") == 2
    with pytest.raises(KeyError):
        faults.act(1)
    gate.open()
    assert faults.act(1) == 4
    assert gate.left() == 1
    assert faults.act(1) == 5
    assert faults.act("../a strange / key\n") == 1
    assert (faults.count(1), faults.count("../a strange / key\n"), faults.count("?")) == (5, 1, 0)


def test_dying_ends_the_process_and_is_counted(tmp_path: Path) -> None:
    """With the code that was asked for, and without any cleaning up."""
    faults = FaultTable(tmp_path, {"x": [Die(7)]})
    process = multiprocessing.get_context("spawn").Process(target=act, args=(faults, 1))
    process.start()
    process.join()
    assert process.exitcode == 7
    assert faults.count("x") == 1


def test_a_gate_holds_until_it_is_opened(tmp_path: Path) -> None:
    """Who comes is counted at once, who goes on only afterwards."""
    gate = Gate(tmp_path / "gate")
    threads = [threading.Thread(target=gate.enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    gate.wait_for(3)
    assert (gate.entered(), gate.left()) == (3, 0)
    gate.open()
    for thread in threads:
        thread.join()
    assert (gate.entered(), gate.left()) == (3, 3)
    gate.enter()
    assert gate.left() == 4
    with pytest.raises(AssertionError, match="5 arrive"):
        gate.wait_for(5, seconds=0.01)


# -------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ((1,), [1]),
        ([1], [True]),
        ({1: 1}, {1: True}),
        (0.0, -0.0),
        ({1: 2, 3: 4}, {3: 4, 1: 2}),
    ],
)
def test_equal_is_strict(one: Any, other: Any) -> None:
    """What Python calls equal, but is not the same value, is told apart."""
    assert not exactly(one, other)
    assert exactly(one, one)
    with pytest.raises(AssertionError, match="the value: expected"):
        equal(one, other, "the value")


def test_checks_say_what_they_expected() -> None:
    """A failed check names the rule."""
    with pytest.raises(AssertionError, match="it fails: expected KeyError, but it gave 5"):
        raises(KeyError, lambda: 5, "it fails")
    with pytest.raises(AssertionError, match=r"it rains: not so after 0\.01 s"):
        eventually(lambda: False, "it rains", 0.01)


def test_the_collector_finds_missing_and_double_answers() -> None:
    """So a test can tell that each job was answered once."""
    inbox, job = Collector(), make_job(samples.double, 1)
    with pytest.raises(AssertionError, match="1 of 1 jobs are not answered"):
        inbox.answer(job, seconds=0.01)
    answer = run_job(job, "w")
    inbox.ended(job, answer)
    assert inbox.answer(job) is answer
    assert inbox.result(job) == 2
    with pytest.raises(AssertionError, match="should have failed"):
        inbox.error(job)
    inbox.ended(job, answer)
    with pytest.raises(AssertionError, match="answered 2 times"):
        inbox.answer(job)


# -------------------------------------------------------------------- the contracts find faults


class Twice(Threads):
    """Answers twice."""

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        super().submit(job, inbox)
        super().submit(job, inbox)


class Deaf(Threads):
    """Runs what was given up."""

    def give_up(self, job: Job, /) -> bool:
        job.dropped = False
        return True


class Sharing(Threads):
    """Hands the same list to everybody."""

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        def ended(answer: Answer) -> None:
            inbox.ended(job, answer)

        if job.code.fn is samples.push:
            value: list[Any] = SHARED
            value.append(job.args[-1])
            ended(run_job(make_job(samples.give, list(value)), "w"))
        else:
            super().submit(job, inbox)


SHARED: list[Any] = []


class Unreported(Threads):
    """Does not measure."""

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        answer = run_job(job, "w")
        answer.report = answer.report._replace(started=0.0, run_ns=0)
        inbox.ended(job, answer)


class Deceased(Threads):
    """Forgets the jobs that fail."""

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        answer = run_job(job, "w")
        if answer.error is None:
            inbox.ended(job, answer)


def run_contract(contract: Any, test: str, **attributes: Any) -> None:
    """Run one test of a contract, as pytest does."""
    made = type("Contract", (contract,), attributes)()
    made.setup_method()
    try:
        getattr(made, test)()
    finally:
        made.teardown_method()


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Twice, "test_many_small_jobs_are_each_answered_once"),
        (Deaf, "test_a_queued_job_that_is_given_up_never_runs"),
        (Deaf, "test_a_running_job_can_be_given_up"),
        (Deaf, "test_capacity_survives_giving_up"),
        (Sharing, "test_every_consumer_gets_a_fresh_copy"),
        (Unreported, "test_reports_are_whole_and_in_order"),
        (Deceased, "test_exits_and_interrupts_are_failures_of_their_call"),
    ],
)
def test_the_contract_of_executors_finds_faults(
    monkeypatch: pytest.MonkeyPatch, kind: type[Threads], test: str
) -> None:
    """An executor that breaks a rule does not pass the test of that rule."""
    impatient(monkeypatch)
    run_contract(ExecutorContract, test, make=lambda _: Threads(max_workers=2))
    with pytest.raises(AssertionError):
        run_contract(ExecutorContract, test, make=lambda _: kind(max_workers=2))


class Overwriting(MemoryStore):
    """Lets anybody append."""

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        self._logs[run].extend(events)


class Forgetful(MemoryStore):
    """Does not follow the status."""

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        row = self._rows[run]
        super().append(run, events, sync=sync)
        self._rows[run] = row


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Overwriting, "test_only_the_next_event_can_be_appended"),
        (Overwriting, "test_of_two_writers_one_wins"),
        (Forgetful, "test_a_row_tells_how_a_run_stands"),
    ],
)
def test_the_contract_of_stores_finds_faults(kind: Callable[[], MemoryStore], test: str) -> None:
    """A store that breaks a rule does not pass the test of that rule."""
    run_contract(StoreContract, test, make=lambda _: MemoryStore())
    with pytest.raises(AssertionError):
        run_contract(StoreContract, test, make=lambda _: kind())


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let contracts give up soon: these tests fail on purpose."""
    for fn in (Collector.wait, Collector.answer, eventually, Gate.wait_for):
        monkeypatch.setattr(fn, "__defaults__", (1.0,))
