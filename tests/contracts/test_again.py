"""Going on with runs: what runs again, what must not, and who may."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import (
    CallCancelled,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    RunResumed,
    RunStarted,
)
from nbflow.core.history import History
from nbflow.store.lease import new_lease
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore

WAIT = 30


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a store of either kind, which is used from here on."""
    made: Any = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store")
    nbflow.configure(store=made)
    yield made
    made.close()


def ledger(path: Path) -> list[str]:
    """Read which activities ran, in order."""
    return path.read_text().split() if path.exists() else []


def write(path: Path, word: str) -> None:
    """Note a side effect, outside the store."""
    with path.open("a") as file:
        file.write(word + "\n")


class Tale:
    """A workflow of four calls: b takes a's result, c nothing; d is asked for once b was read."""

    def __init__(self, path: Path) -> None:
        @nbflow.activity
        def a() -> int:
            write(path, "a")
            return ledger(path).count("a")

        @nbflow.activity
        def b(n: int) -> int:
            write(path, "b")
            return 10 * n

        @nbflow.activity
        def c() -> int:
            write(path, "c")
            return 7

        @nbflow.activity
        def d(n: int) -> int:
            write(path, "d")
            return n + 1

        @nbflow.workflow(name="tale")
        def tale() -> tuple[int, int]:
            beside = c()
            return d(b(a()).result()).result(), beside.result()

        self.flow = tale


# -------------------------------------------------------------------- rerun


def test_a_rerun_takes_along_what_depends_on_it_and_nothing_else(
    store: Any, tmp_path: Path
) -> None:
    """By value, and by what the code had read before it asked."""
    path = tmp_path / "ledger"
    flow = Tale(path).flow
    run = flow.start()
    assert run.result(WAIT) == (11, 7)
    assert sorted(ledger(path)) == ["a", "b", "c", "d"]
    assert run.rerun("a-1", workflow=flow) is run
    assert run.result(WAIT) == (21, 7)
    assert sorted(ledger(path)) == ["a", "a", "b", "b", "c", "d", "d"]
    (resumed,) = [e for e in run.events() if isinstance(e, RunResumed)]
    assert (resumed.again, resumed.allowed) == (("a-1", "b-1", "d-1"), ("a-1",))
    assert run.rerun("d-1", workflow=flow).result(WAIT) == (21, 7)
    assert sorted(ledger(path)) == ["a", "a", "b", "b", "c", "d", "d", "d"]
    assert run.rerun(run.calls["c-1"], workflow=flow).result(WAIT) == (21, 7)
    assert ledger(path).count("c") == 2
    assert ledger(path).count("d") == 3
    assert len(store.runs()) == 1


def test_the_fold_of_a_log_with_a_rerun_is_that_of_the_live_run(store: Any, tmp_path: Path) -> None:
    """Whoever reads the log later sees the results of the rerun, each call settled once."""
    flow = Tale(tmp_path / "ledger").flow
    run = flow.start()
    run.wait(WAIT)
    run.rerun("a-1", workflow=flow).wait(WAIT)
    folded = History.of(store.events(run.id))
    assert {s.id: s.outcome.result for s in folded.calls.values()} == {  # type: ignore[union-attr]
        "a-1": 2,
        "b-1": 20,
        "c-1": 7,
        "d-1": 21,
    }
    assert len(folded.settled) == 4
    assert [s.index for s in folded.settled] == [0, 1, 2, 3]
    assert nbflow.attach(run.id, store).result() == (21, 7)


def test_other_arguments_after_a_rerun_are_recorded_anew(store: Any, tmp_path: Path) -> None:
    """The log says what was asked for the second time."""
    flow = Tale(tmp_path / "ledger").flow
    run = flow.start()
    run.wait(WAIT)
    run.rerun("a-1", workflow=flow).wait(WAIT)
    asked = [e.args for e in run.events() if isinstance(e, CallScheduled) and e.call == "d-1"]
    assert asked == [(10,), (20,)]


def test_a_rerun_names_calls_that_there_are(store: Any, tmp_path: Path) -> None:
    """Else nothing is written."""
    flow = Tale(tmp_path / "ledger").flow
    run = flow.start()
    run.wait(WAIT)
    before = list(store.events(run.id))
    with pytest.raises(nbflow.RunError, match=r"no call 'e-1'.*run\.calls"):
        run.rerun("e-1", workflow=flow)
    with pytest.raises(nbflow.RunError, match="name the calls"):
        run.rerun(workflow=flow)
    assert list(store.events(run.id)) == before


# -------------------------------------------------------------------- once


CRASH = """
import os, sys
import nbflow
from pathlib import Path

path = Path(sys.argv[2])
nbflow.configure(store=sys.argv[1])

@nbflow.activity(once=True)
def pay(n):
    with path.open("a") as file:
        file.write("pay\\n")
    os._exit(9)

@nbflow.workflow(name="flow")
def flow():
    return pay(3).result()

flow.start().wait()
"""


def crashed(tmp_path: Path) -> nbflow.Run[Any]:
    """Give a run whose process died within its call of a ``once=True`` activity."""
    args = [sys.executable, "-c", CRASH, str(tmp_path / "store"), str(tmp_path / "ledger")]
    assert subprocess.run(args, check=False, timeout=WAIT).returncode == 9
    nbflow.configure(store=tmp_path / "store")
    (row,) = nbflow.runs()
    return nbflow.attach(row.run)


def payer(path: Path) -> Any:
    """Define the workflow here, with an activity that survives."""

    @nbflow.activity(once=True)
    def pay(n: int) -> int:
        write(path, "pay")
        return n

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return pay(3).result()

    return flow


def test_a_call_that_runs_at_most_once_is_not_run_again(tmp_path: Path) -> None:
    """Its start is in the log before it runs, so a crash in it cannot be overlooked."""
    run, path = crashed(tmp_path), tmp_path / "ledger"
    assert [row.status for row in nbflow.runs()] == ["stopped"]
    assert [type(e) for e in run.events()] == [RunStarted, CallScheduled, CallStarted]
    for _ in range(2):
        run.resume(payer(path))
        with pytest.raises(nbflow.ActivityInterrupted, match=r"pay-1 .*settle.*rerun") as caught:
            run.result(WAIT)
        assert "once=True" in str(caught.value)
    assert ledger(path) == ["pay"]


def test_what_mended_code_does_not_ask_for_is_given_up_with_that_reason(tmp_path: Path) -> None:
    """The run completes; the call that was open at the crash says why it did not go on."""
    run = crashed(tmp_path)

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return 7

    assert run.resume(flow).result(WAIT) == 7
    (given_up,) = [e for e in run.events() if isinstance(e, CallCancelled)]
    assert (given_up.call, given_up.reason) == ("pay-1", "the code has not asked for it again")


def test_who_knows_that_it_did_its_work_gives_its_result(tmp_path: Path) -> None:
    """The run goes on from there."""
    run, path = crashed(tmp_path), tmp_path / "ledger"
    assert run.settle("pay-1", 42, payer(path)).result(WAIT) == 42
    assert ledger(path) == ["pay"]
    (given,) = [e for e in run.events() if isinstance(e, CallSucceeded)]
    assert (given.result, given.worker) == (42, "by hand")
    with pytest.raises(nbflow.RunError, match="has a result already"):
        run.settle("pay-1", 43, payer(path))


def test_who_asks_for_it_by_name_has_it_run_again(tmp_path: Path) -> None:
    """That is nobody's mistake but theirs."""
    run, path = crashed(tmp_path), tmp_path / "ledger"
    assert run.rerun("pay-1", workflow=payer(path)).result(WAIT) == 3
    assert ledger(path) == ["pay", "pay"]


def test_a_workflow_can_deal_with_an_interrupted_call_itself(tmp_path: Path) -> None:
    """It is an error like another one to its code."""
    run, path = crashed(tmp_path), tmp_path / "ledger"
    pay = nbflow.activity(once=True, name="pay")(lambda _: write(path, "pay"))

    @nbflow.workflow(name="flow")
    def flow() -> str:
        try:
            return str(pay(3).result())
        except nbflow.ActivityInterrupted:
            return "somebody has to look"

    assert run.resume(flow).result(WAIT) == "somebody has to look"
    assert ledger(path) == ["pay"]


def test_a_call_at_most_once_that_failed_is_not_run_again_either(
    store: Any, tmp_path: Path
) -> None:
    """It had begun, and nobody knows how far it came."""
    path = tmp_path / "ledger"

    @nbflow.activity(once=True)
    def pay() -> None:
        write(path, "pay")
        raise OSError("the line is dead")

    @nbflow.workflow(name="flow")
    def flow() -> None:
        pay().result()

    run = flow.start()
    with pytest.raises(OSError, match="the line is dead"):
        run.result(WAIT)
    with pytest.raises(nbflow.ActivityInterrupted):
        run.resume(flow).result(WAIT)
    assert ledger(path) == ["pay"]
    with pytest.raises(OSError, match="the line is dead"):
        run.rerun("pay-1", workflow=flow).result(WAIT)
    assert ledger(path) == ["pay", "pay"]


def test_at_most_once_excludes_retries() -> None:
    """It is said where it is defined."""
    with pytest.raises(nbflow.DefinitionError, match="exclude each other"):
        nbflow.activity(once=True, retry=3, name="pay")(lambda: None)


def test_a_call_at_most_once_has_a_time_limit_too(store: Any) -> None:
    """Counted from when its worker began."""
    slow = nbflow.activity(once=True, timeout=0.05, name="slow")(lambda: time.sleep(0.5))

    @nbflow.workflow
    def flow() -> None:
        slow().result()

    run = flow.start()
    with pytest.raises(nbflow.ActivityTimeout):
        run.result(WAIT)
    assert [e.attempt for e in run.events() if isinstance(e, CallStarted)] == [1]


# -------------------------------------------------------------------- calls that kill


@pytest.mark.case("U9")
def test_a_call_that_ran_at_three_crashes_is_not_run_a_fourth_time(store: Any) -> None:
    """It is taken for the cause; whoever mended it asks for it by name."""
    ran: list[int] = []
    bad = nbflow.activity(name="bad")(lambda: ran.append(1))

    @nbflow.workflow(name="flow")
    def flow() -> None:
        bad().result()

    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    events: list[Any] = [CallScheduled(2, 0.0, "bad-1", "bad")]
    for _ in range(3):
        seq = events[-1].seq
        events += [CallStarted(seq + 1, 0.0, "bad-1", 1, "w"), RunResumed(seq + 2, 0.0)]
    store.append("run-1", events[:-1])
    run = nbflow.attach("run-1", store)
    with pytest.raises(nbflow.PoisonActivity, match=r"bad-1 .*3 times.*rerun"):
        run.resume(flow).result(WAIT)
    assert ran == []
    assert run.rerun("bad-1", workflow=flow).result(WAIT) is None
    assert ran == [1]


def test_two_crashes_are_no_verdict(store: Any) -> None:
    """The call is run again, with the next attempt's number."""
    fine = nbflow.activity(name="fine")(lambda: nbflow.context().attempt)

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return fine().result()

    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    store.append(
        "run-1",
        [
            CallScheduled(2, 0.0, "fine-1", "fine"),
            CallStarted(3, 0.0, "fine-1", 1, "w"),
            RunResumed(4, 0.0),
            CallStarted(5, 0.0, "fine-1", 2, "w"),
        ],
    )
    assert nbflow.attach("run-1", store).resume(flow).result(WAIT) == 3


def test_a_run_that_was_resumed_a_hundred_times_asks_for_force(store: Any) -> None:
    """Something stops it again and again: a person should look."""

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return 7

    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    store.append("run-1", [RunResumed(seq, 0.0) for seq in range(2, 102)])
    run = nbflow.attach("run-1", store)
    with pytest.raises(nbflow.RunError, match=r"100 times.*force=True"):
        run.resume(flow)
    assert run.resume(flow, force=True).result(WAIT) == 7


# -------------------------------------------------------------------- who drives


@pytest.mark.case("S19")
def test_a_lease_holds_while_its_process_is_there(tmp_path: Path) -> None:
    """It ends with the process, however that ends, without anybody waiting for a time to pass."""
    store = SqliteStore(tmp_path)
    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    mine = new_lease()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        theirs = replace(new_lease(), pid=child.pid, born=0, token="theirs")
        assert store.hold("run-1", theirs) is None
        assert store.hold("run-1", mine) == theirs
        assert store.holder("run-1") == theirs
        child.kill()
    assert store.holder("run-1") is None
    assert store.hold("run-1", mine) is None
    assert store.holder("run-1") == mine
    store.release("run-1", theirs)
    assert store.holder("run-1") == mine
    store.release("run-1", mine)
    assert store.holder("run-1") is None
    store.close()


def test_another_process_of_the_same_number_is_another_process(tmp_path: Path) -> None:
    """Numbers of processes are used again; when it was born tells them apart."""
    store = SqliteStore(tmp_path)
    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    theirs = replace(new_lease(), pid=os.getppid(), born=1, token="theirs")
    assert store.hold("run-1", theirs) is None
    assert store.holder("run-1") is None
    store.close()


def test_a_driver_on_another_machine_is_there_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    """Its process cannot be looked at from here."""
    store = SqliteStore(tmp_path)
    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    theirs = replace(new_lease(), host="elsewhere", token="theirs")
    assert store.hold("run-1", theirs) is None
    assert store.hold("run-1", new_lease()) == theirs
    late = replace(theirs, seen=time.time() - 60)
    assert store.hold("run-1", late) is None
    assert store.hold("run-1", new_lease()) is None
    store.close()


def test_a_run_that_is_over_is_nobodys(store: Any) -> None:
    """Its lease is given up when it closes, and when it could not go on."""

    @nbflow.workflow(name="flow")
    def flow() -> int:
        return 7

    run = flow.start()
    run.result(WAIT)
    assert store.holder(run.id) is None


def test_a_list_of_runs_tells_which_are_driven(store: Any) -> None:
    """One under way is running; one that nobody drives is stopped, and waits to be resumed."""
    gate = threading.Event()
    held = nbflow.activity(name="held")(lambda: gate.wait(WAIT))

    @nbflow.workflow(name="flow")
    def flow() -> None:
        held().result()

    run = flow.start()
    store.create("run-1", RunStarted(1, 0.0, "flow", (), {}))
    assert {row.run: row.status for row in nbflow.runs()} == {run.id: "running", "run-1": "stopped"}
    gate.set()
    run.wait(WAIT)
    assert nbflow.attach("run-1").resume(flow).result(WAIT) is None
    assert {row.status for row in nbflow.runs()} == {"completed"}
