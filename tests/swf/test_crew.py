"""Deciders and workers as processes: how they end, what they refuse, and the commands for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.cli.app import main
from nbflow.core.capture import capture
from nbflow.core.errors import RunCancelled, WorkerDied
from nbflow.core.events import CallScheduled, CallWrote, ChildStarted, RunClosed
from nbflow.running.config import settings
from nbflow.running.remote import ServiceRun
from nbflow.services.swf import Api, Domain, emulator, run_events, start_workflow
from nbflow.services.swf.blobs import Directory
from nbflow.services.swf.crew import Crew, store_of
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.service import SwfService
from tests.swf import ledgers
from tests.swf.places import there
from tests.swf.test_kills import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[emulator.Endpoint]:
    with emulator.running(limits=emulator.Limits(poll=3)) as found:
        Domain(api=Api(found.client()), name="crews").save()
        yield found


@pytest.fixture
def service(endpoint: emulator.Endpoint, tmp_path: Path) -> Iterator[SwfService]:
    options = {"domain": "crews", "endpoint_url": endpoint.url, "processes": 1}
    made = SwfService(tmp_path / "home", **options, lost_after=1.5)
    yield made
    made.close()


def begun(service: SwfService, flow: Any, *args: Any) -> ServiceRun[Any]:
    return ServiceRun(service.start(capture(flow), args, {}), service)


def test_a_worker_that_dies_fails_its_call_as_on_this_machine(service, tmp_path):
    """The error is WorkerDied and says how; nobody has to wait for a time-out."""
    run = begun(service, ledgers.dying, str(tmp_path / "ledger"))
    with pytest.raises(WorkerDied, match="SIGKILL"):
        run.result(60)
    assert [call.id for call in run.failed] == ["dies-1"]
    assert len(ledgers.lines(tmp_path / "ledger")) == 1


def test_what_an_activity_says_is_heard_while_it_runs(service, tmp_path):
    """Words and progress are there before its end, and nothing is left of the files after it."""
    gate = tmp_path / "gate"
    run = begun(service, ledgers.speaking, str(tmp_path / "ledger"), str(gate))
    until(lambda: run.output() == "speaks-1 | so far\n", 90)
    (box,) = until(lambda: [node for node in run.graph.nodes if node.total])
    assert (box.done, box.total, box.details) == (1, 2, "half")
    assert run.status == "running"
    gate.write_text("go")
    assert run.result(60) == "said"
    assert run.output("speaks-1") == "so far\nand so on\n"
    until(lambda: not list(service.aloud.glob("*")), 30)


def test_what_was_said_by_a_process_that_died_is_kept(service, tmp_path):
    """Who reads the history from elsewhere finds it with the failure."""
    gate = tmp_path / "gate"
    run = begun(service, ledgers.speaking, str(tmp_path / "ledger"), str(gate))
    until(lambda: run.output() == "speaks-1 | so far\n", 90)
    gate.write_text("die")
    with pytest.raises(WorkerDied, match="SIGKILL"):
        run.result(60)
    assert run.output("speaks-1").startswith("so far\n")
    words = [e.text for e in run_events(service.execution(run.id), blobs=service.store())
             if isinstance(e, CallWrote)]  # fmt: skip
    assert "".join(words).startswith("so far\n")


def test_an_activity_is_ended_with_the_run_that_is_cancelled(service, tmp_path):
    """Its process is gone, though its code does not look up."""
    run = begun(service, ledgers.holding, str(tmp_path / "ledger"), str(tmp_path / "gate"))
    until(lambda: ledgers.lines(tmp_path / "ledger"))
    worker = Path("/proc") / ledgers.lines(tmp_path / "ledger")[0][0].removeprefix("gated")
    assert worker.exists()
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(60)
    until(lambda: not worker.exists(), 30)
    until(lambda: service.attended(run.id) is None, 30)


CELL = """
import nbflow

TABLE = list(range(30_000))
FACTOR = 2

@nbflow.activity
def look(n):
    return TABLE[n] * FACTOR

@nbflow.workflow
def looking(numbers):
    return [look(n) for n in numbers]
"""


def test_code_of_a_notebook_runs_in_the_processes(service):
    """However large it is, and as it was when the run was started."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, space)
    run = begun(service, space["looking"], [1, 29_999])
    space["FACTOR"] = 100
    assert run.result(60) == [2, 59_998]
    assert any(Path(service.blobs()).rglob("*"))


BROKEN = """
import nbflow

@nbflow.activity
def part(n):
    print("part", n)
    if n == 2:
        raise ValueError("not yet")
    return n

@nbflow.workflow
def parts(numbers):
    return [future.result() for future in [part(n) for n in numbers]]
"""


def test_a_run_goes_on_with_a_mended_cell(service):
    """In processes of its own, by the code as it is now; by that of the start it fails again."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(BROKEN, space)
    run = begun(service, space["parts"], [1, 2])
    with pytest.raises(ValueError, match="not yet"):
        run.result(60)
    first = run.id
    run.resume(code="recorded")
    with pytest.raises(ValueError, match="not yet"):
        run.result(60)
    exec(BROKEN.replace("n == 2", "n == 3"), space)
    run.resume(space["parts"])
    assert run.result(60) == [1, 2]
    assert run.output("part-1") == "part 1\n"
    assert [call.attempt for call in run.calls.values()] == [1, 1]
    old: ServiceRun[Any] = ServiceRun(first, service)
    repaired = old.repair(space["parts"])
    assert repaired.result(60) == [1, 2]
    until(lambda: not service.driven(), 30)


def test_one_call_is_cancelled_and_its_process_ended(service, tmp_path):
    """The run goes on, here to its failure; what the activity was doing is over."""
    run = begun(service, ledgers.holding, str(tmp_path / "ledger"), str(tmp_path / "gate"))
    until(lambda: ledgers.lines(tmp_path / "ledger"))
    worker = Path("/proc") / ledgers.lines(tmp_path / "ledger")[0][0].removeprefix("gated")
    (call,) = until(lambda: list(run.calls.values()))
    call.cancel("not needed")
    with pytest.raises(nbflow.NbflowError, match="not needed"):
        run.result(60)
    until(lambda: not worker.exists(), 30)


def test_what_stands_in_the_way_of_a_run_is_said(service, tmp_path, monkeypatch):
    """Deciders that cannot be started are given up, and the run says why and stays."""
    name = "tests.swf.nowhere:flow"
    whole = service._crew
    monkeypatch.setattr(service, "_crew", lambda *a: replace(whole(*a), names=(name,)))
    run = begun(service, ledgers.dying, str(tmp_path / "ledger"))
    said = until(lambda: service.trouble(run.id), 90)
    assert "tests.swf.nowhere:flow cannot be imported here" in said
    assert not run.done()
    run.terminate("enough")
    until(run.done)


def test_a_crew_travels_as_text():
    """What a supervisor is told is what was meant, and credentials are no part of it."""
    crew = Crew(domain="d", task_list="t", activity_task_list="a", names=("m:f",), path=("/x",))
    assert Crew.read(crew.write()) == crew
    assert not {"key", "secret", "token"} & {
        word for name in json.loads(crew.write()) for word in name.split("_")
    }


def test_stores_are_named_by_texts(tmp_path):
    """A directory, a bucket, or none; a bucket without a name is refused."""
    assert store_of("") is None
    kept = store_of(str(tmp_path))
    assert isinstance(kept, Directory)
    assert kept.path == tmp_path
    with pytest.raises(Invalid, match="names no bucket"):
        store_of("s3://")


# ---------------------------------------------------------------- commands


def command(*words: str, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "nbflow", *words], cwd=cwd, stdout=pipe, stderr=pipe, text=True,
        env=environment,
    )  # fmt: skip


def test_workers_that_are_asked_to_end_finish_what_they_do(endpoint, tmp_path):
    """SIGTERM lets the activity under way end, and be answered; then the command does, with 0."""
    domain = Domain(api=Api(endpoint.client()), name="crews")
    where = ["--domain", "crews", "--endpoint", endpoint.url, "-t", "drained"]
    target = "tests.swf.ledgers:holding"
    decider = command("decider", "start", target, *where, cwd=tmp_path)
    worker = command("worker", "start", target, *where, cwd=tmp_path)
    try:
        ledger, gate = tmp_path / "ledger", tmp_path / "gate"
        args = (str(ledger), str(gate))
        execution = start_workflow(
            domain, ledgers.holding, args, task_list="drained", ship=True, workflow_id="drained"
        )
        until(lambda: ledgers.lines(ledger))
        worker.send_signal(signal.SIGTERM)
        assert worker.poll() is None
        gate.touch()
        assert worker.wait(60) == 0
        until(lambda: execution.upstream().close_status == "COMPLETED")
        decider.send_signal(signal.SIGINT)
        assert decider.wait(60) == 0
    finally:
        for process in (decider, worker):
            process.kill()
            process.communicate()


FLOW = """
import nbflow

@nbflow.activity
def fetch(region):
    if region == "xx":
        raise ValueError("there is no region xx")
    return len(region)

@nbflow.workflow
def revenue(regions: list[str]) -> int:
    return sum(future.result() for future in [fetch(region) for region in regions])
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a file of workflows, in which commands are typed."""
    (tmp_path / "flow.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    before = settings.store
    nbflow.configure(store=tmp_path / ".nbflow")
    yield tmp_path
    settings.close()
    settings.store = before


def test_standalone_prints_the_result_and_ends_by_the_close_status(place, endpoint, capsys):
    """The result alone goes to standard output; 0 if the run completed, 1 if it failed."""
    where = ["--domain", "crews", "--endpoint", endpoint.url, "-W", "1"]
    code = main(["standalone", "flow.py:revenue", *where, "--arg", 'regions=["eu", "asia"]'])
    done = capsys.readouterr()
    assert (code, done.out) == (0, "6\n")
    run = done.err.split("run ")[1].split()[0]
    assert run.startswith("crews/revenue-")

    code = main(["standalone", "flow.py:revenue", *where, "--arg", 'regions=["xx"]'])
    failed = capsys.readouterr()
    assert (code, failed.out.strip()) != (0, "")
    assert "ValueError: there is no region xx" in failed.err
    assert "nbflow resume crews/revenue-" in failed.err
    assert "nbflow swf restart crews/revenue-" in failed.err
    assert code == 1

    (place / "flow.py").write_text(FLOW.replace('"xx"', '"yy"'))
    broken = failed.err.split("run ")[1].split()[0]
    repair = ["--repair", broken.split("/")[1], "--force-activities", "fetch-2"]
    code = main(["standalone", "flow.py:revenue", *where, *repair, "--display-status", "true"])
    repaired = capsys.readouterr()
    assert (code, repaired.out) == (0, "2\n"), repaired.err
    assert "done fetch-1" in repaired.err

    looked_at(run, ["--domain", "crews", "--endpoint", endpoint.url], capsys)


def looked_at(run: str, where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that looks at executions finds them, by workflow id as well."""

    def told(*words: str) -> Any:
        assert main(["swf", *words, *where, "--format", "json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    name = run.split("/")[1]
    listed = {row["workflow_id"]: row["status"] for row in told("list", "-s", "closed")}
    assert listed[name] == "COMPLETED"
    assert [r["status"] for r in told("filter", "-c", "FAILED")] == ["FAILED"]
    assert told("info", name)["run_id"] == run.split("/", 2)[2]
    assert {row["task"]: row["state"] for row in told("tasks", run)} == {
        "fetch-1": "completed", "fetch-2": "completed",
    }  # fmt: skip
    assert told("task", name, "fetch-2")["attempts"] == 1
    assert told("profile", run)[0]["activity"] == "fetch"
    assert told("history", run)[0]["type"] == "WorkflowExecutionStarted"
    assert told("history", run, "--reverse")[0]["type"] == "WorkflowExecutionCompleted"
    assert told("rerun", run, "fetch-2")["result"] == 4
    assert main(["swf", "task", name, "fetch-9", *where]) == 3
    assert "Did you mean fetch-" in capsys.readouterr().err
    assert main(["swf", "list"]) == 2
    assert "which domain?" in capsys.readouterr().err
    assert main(["result", run]) == 0
    assert capsys.readouterr().out == "6\n"


def test_a_run_goes_on_with_its_children_and_as_new(service, tmp_path):
    """Child runs have logs that are found by their names; what goes on as new is driven, too."""
    run = begun(service, ledgers.family, str(tmp_path / "ledger"), 1)
    assert run.result(60) == "part-0"
    assert run.status == "continued"
    onward = there(run.onward)
    assert onward.result(10) == "part-0"
    until(lambda: len(service.runs()) > 1, 30)  # noted by whoever drives them, soon
    assert [row.run for row in service.runs()] == [onward.id, run.id]
    assert [row.status for row in service.runs()] == ["completed", "continued"]
    (child,) = {e.run for e in run.events() if isinstance(e, ChildStarted)}
    parts = list(run._store.events(child))
    assert [e.activity for e in parts if isinstance(e, CallScheduled)] == ["noted"]
    assert isinstance(parts[-1], RunClosed)
    until(lambda: not service.driven(), 30)
