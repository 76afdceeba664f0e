"""What the commands about executions print, in every format: agreed, and changed only on purpose.

Run this with NBFLOW_UPDATE_GOLDEN=1 after such a change; the files are in tests/swf/golden.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.cli.app import main
from nbflow.running.config import settings
from nbflow.services.swf import (
    Api,
    Domain,
    WorkflowDecider,
    WorkflowWorker,
    connect,
    emulator,
    start_workflow,
)

pytestmark = pytest.mark.timeout(120)
GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("NBFLOW_UPDATE_GOLDEN"))
FORMATS = ("table", "csv", "tsv", "json", "jsonl")
STATUSES = ("finished", "failed", "running")


@activity
def double(n):
    if n < 0:
        raise ValueError(f"{n} is below zero")
    return 2 * n


@activity(task_list="elsewhere")
def wait(n):
    return n


@workflow
def sums(numbers):
    nbflow.sleep(5)
    return sum(future.result() for future in [double(n) for n in numbers])


@workflow
def waiting():
    return [double(1), wait(2)]


@contextlib.contextmanager
def ticking(endpoint: emulator.Endpoint) -> Iterator[None]:
    """Have polls that find nothing be answered, though no time passes."""
    over = threading.Event()

    def ticks() -> None:
        while not over.wait(0.005):
            endpoint.advance(0)

    thread = threading.Thread(target=ticks)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@contextlib.contextmanager
def furnished() -> Iterator[emulator.Endpoint]:
    """Give an emulator with executions: one has ended well, one has failed, and one is open."""
    limits = emulator.Limits(poll=0)
    with emulator.running(limits=limits, frozen=True, seed="golden") as found:
        domain = Domain(api=Api(found.client()), name="TestDomain", retention=1).save()
        decider = WorkflowDecider(domain, "default", [sums, waiting], identity="decider")
        worker = WorkflowWorker(domain, "default", [double], identity="worker")
        begin = functools.partial(start_workflow, domain, ship=True)
        begin(sums, ([1, 2],), workflow_id="finished", tags=("nightly", "eu"))
        begin(sums, ([1, -2],), workflow_id="failed")
        begin(waiting, workflow_id="running")
        with ticking(found):
            for _ in range(40):
                if not (decider.step_own() or decider.step() or worker.step()):
                    found.advance(1)
        yield found
        decider.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[emulator.Endpoint]:
    """One for all that only look."""
    with furnished() as found:
        yield found


@pytest.fixture
def do(
    endpoint: emulator.Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Said]]:
    """Carry out a command line in this process."""
    # A client takes longer to make than all the rest; it is the same each time.
    monkeypatch.setattr("nbflow.services.swf.service.connect", functools.cache(connect))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    before = settings.store
    nbflow.configure(store=tmp_path / ".nbflow")

    def command(*words: str) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    yield command
    settings.close()
    settings.store = before
    monkeypatch.undo()
    time.tzset()


_END = r"""\\*["']|, [a-zA-Z]+=|$|\n"""
_REST = rf"[^\n]*…|.*?\]\](?={_END})"


def masked(text: str) -> str:
    """Put signs in the place of what differs: times of day, figures of workers, versions."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
    text = re.sub(r"\b(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\b", "<time>", text)
    text = re.sub(r"(eventTimestamp\W+)[\d.e]+", r"\1<time>", text)
    text = re.sub(r"default-[0-9a-f]{32}", "default-<own>", text)
    # What nbflow writes into texts of SWF is its own business, but for the words in front.
    text = re.sub(r"cpython-3\d+ cloudpickle-[\d.]+", "<version>", text)
    text = re.sub(rf"(?s)(nbflow [\w~<> =+/.-]+?)(\\+n|\n)\[\[({_REST})", r"\1 ...", text)
    return re.sub(r" +", " ", text)


COMMANDS: dict[str, tuple[str, ...]] = {
    "workflow.info": ("TestDomain",),
    "workflow.tasks": ("TestDomain",),
    "workflow.profile": ("TestDomain",),
    "workflow.history": ("TestDomain",),
    "task.info": ("TestDomain",),
    "swf.profile": ("TestDomain",),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_printed_of_an_execution_is_what_was_agreed(
    do: Callable[..., Said], command: str, form: str
) -> None:
    """Of one that has ended well, one that has failed and one that is open."""
    shown = []
    for status in STATUSES:
        if (command, form) == ("swf.profile", "table"):
            continue  # a picture, which tests of nbflow.viz look at
        task = "double-2" if status == "failed" else "double-1"
        words = (*COMMANDS[command], status, *([task] if command == "task.info" else []))
        said = do(command, *words, "--format", form)
        assert (said.code, said.err) == (0, "")
        if form == "json":
            json.loads(said.out)
        text = masked(said.out)
        if command == "swf.profile":  # of what the worker has measured
            text = re.sub(r"\d+\.\d+(e-\d+)?|\d+e-\d+", "<n>", text)
        shown.append(f"# {status}\n{text}")
    held(f"{command}.{form}", "\n".join(shown))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("what", ["raw", "cooked"])
def test_a_history_has_other_forms(do: Callable[..., Said], what: str, form: str) -> None:
    """All that SWF says, not the first ten events; or what became of everything."""
    said = do(
        "workflow.history", "finished", "--domain", "TestDomain", "-o", what, "--format", form
    )
    assert (said.code, said.err) == (0, "")
    if form == "json":
        events = do("workflow.history", "TestDomain", "finished", "--json")
        found = json.loads(said.out)
        assert what == "cooked" or len(found["events"]) == len(json.loads(events.out)) > 10
    held(f"workflow.history-{what}.{form}", masked(said.out))


@pytest.mark.parametrize("form", FORMATS)
def test_listings_are_what_was_agreed(do: Callable[..., Said], form: str) -> None:
    """Open ones, closed ones, those that fit; sorted, and with the rows that are wanted."""
    lines = {
        "open": ("workflow.list", "TestDomain"),
        "closed": ("workflow.list", "TestDomain", "-s", "closed", "-d", "3"),
        "tagged": ("workflow.filter", "TestDomain", "-s", "closed", "--tag", "nightly"),
        "failed": ("workflow.filter", "--domain", "TestDomain", "-c", "FAILED"),
        "sorted": ("swf.list", "-d", "TestDomain", "-s", "closed", "--sort", "workflow_id"),
        "fitting": ("swf.list", "-d", "TestDomain", "-s", "closed", "--where", "status=C*"),
        "none": ("swf.filter", "-d", "TestDomain", "--workflow-id", "nosuch"),
    }
    shown = []
    for what, words in lines.items():
        said = do(*words, "--format", form)
        assert (said.code, said.err) == (0, "")
        shown.append(f"# {what}\n{masked(said.out)}")
    held(f"workflow.list.{form}", "\n".join(shown))


def held(name: str, found: str) -> None:
    """Compare with what was agreed, or agree."""
    golden = GOLDEN / f"{name}.txt"
    found = found.rstrip() + "\n"
    if UPDATE:
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()


def test_tables_go_without_heads(do: Callable[..., Said]) -> None:
    """Also those of spreadsheets."""
    for form in ("table", "csv", "tsv"):
        words = ("workflow.tasks", "TestDomain", "finished", "--format", form)
        heads = do(*words).out.splitlines()
        assert do(*words, "--no-header").out.splitlines() == heads[1:] or form == "table"
        assert heads[0].startswith("task")
        assert "task" not in do(*words, "--no-header").out


def test_an_execution_has_many_names(do: Callable[..., Said], endpoint: emulator.Endpoint) -> None:
    """With a run id or its beginning, as nbflow runs has it, and by SWF_DOMAIN."""

    def found(*words: str) -> Any:
        said = do("workflow.info", *words, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    one = found("TestDomain", "finished")
    run = one["run_id"]
    assert found("TestDomain", "finished", run) == one
    assert found("TestDomain", "finished", run[:8]) == one
    assert found("--domain", "TestDomain", "finished", run[:8]) == one
    assert found(f"TestDomain/finished/{run}") == one
    assert found("finished", "-d", "TestDomain") == one


ERRORS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no such execution": (("workflow.info", "TestDomain", "nosuch"), 3, "no execution of 'nosuch'"),
    "no such run": (("workflow.info", "TestDomain", "finished", "ZZ"), 3, "with run id 'ZZ'"),
    "no such domain": (("workflow.list", "Nowhere"), 1, "Nowhere"),
    "no domain": (("workflow.list",), 2, "which domain?"),
    "no execution": (("workflow.tasks", "-d", "TestDomain"), 2, "write EXECUTION"),
    "too many words": (("workflow.info", "a", "b", "c", "d"), 2, "too many words"),
    "no such task": (
        ("task.info", "TestDomain", "finished", "duble-1"),
        3,
        "Did you mean double-1",
    ),
    "no such column": (
        ("workflow.list", "TestDomain", "--sort", "stauts"),
        2,
        "Did you mean status",
    ),
    "no condition": (("workflow.list", "TestDomain", "--where", "x"), 2, "write it as column=text"),
    "two filters": (
        ("workflow.filter", "TestDomain", "--tag", "a", "--workflow-id", "b"),
        2,
        "one of these filters at a time: tag, workflow_id",
    ),
    "a version alone": (
        ("workflow.filter", "TestDomain", "--workflow-type-version", "1"),
        2,
        "give its name, too",
    ),
    "no date": (("workflow.filter", "TestDomain", "--from-date", "soon"), 2, "'soon' is no date"),
    "no activity": (
        ("activity.rerun", "-d", "TestDomain", "--workflow-id", "finished"),
        2,
        "which",
    ),
    "no such activity": (
        ("activity.rerun", "-d", "TestDomain", "--workflow-id", "finished", "--activity-id", "x"),
        3,
        "no activity of",
    ),
    "no such event": (
        ("activity.rerun", "-d", "TestDomain", "--workflow-id", "finished", "--scheduled-id", "1"),
        3,
        "schedules no activity",
    ),
    "no such command": (("workflow.inof", "TestDomain"), 2, "no command"),
    "no such call": (("swf.settle", "TestDomain", "finished", "double-9", "1"), 3, "double-9"),
    "a result is there": (("swf.settle", "TestDomain", "finished", "double-1", "1"), 1, "already"),
    "it has completed": (("swf.resume", "TestDomain", "finished"), 1, "has completed"),
    "no expression": (
        ("swf.repair", "TestDomain", "failed", "--force-activities", "("),
        1,
        "no regular expression",
    ),
    "too many to signal": (("swf.signal", "a", "b", "c", "d"), 2, "too many words"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_wrong_is_one_line(do: Callable[..., Said], case: str) -> None:
    """On standard error, with the exit code that says of what kind it is."""
    words, code, part = ERRORS[case]
    said = do(*words)
    lines = [line for line in said.err.splitlines() if line.startswith(("nbflow:", "Error:"))]
    assert (said.code, said.out, len(lines)) == (code, "", 1), said.err
    assert part in lines[0]
    assert "Traceback" not in said.err


def test_one_activity_is_run_again_here(do: Callable[..., Said]) -> None:
    """By its id or the event that scheduled it, with its own input or another one."""
    rerun = ("activity.rerun", "-d", "TestDomain", "--workflow-id", "finished")
    code = ("--target", f"{__name__}:sums")
    history = json.loads(do("workflow.history", "TestDomain", "finished", "--json").out)
    event = next(e["event"] for e in history if e["type"] == "ActivityTaskScheduled")
    by_event = do(*rerun, "--scheduled-id", str(event), *code)
    assert (by_event.code, by_event.out) == (0, "2\n"), by_event.err
    assert do(*rerun, "--activity-id", "double-2", *code).out == "4\n"
    assert do(*rerun, "--activity-id", "double-2", "-i", "[21]", *code).out == "42\n"
    failing = do(*rerun, "--activity-id", "double-2", "-i", "[-1]", *code)
    assert failing.code == 1
    assert "ValueError: -1 is below zero" in failing.err


class Site:
    """Executions of `waiting`, decided as far as can be, and the commands that are about them."""

    def __init__(self, do: Callable[..., Said], endpoint: emulator.Endpoint) -> None:
        self.do, self.endpoint = do, endpoint
        domain = Domain(api=Api(endpoint.client()), name="TestDomain")
        self.decider = WorkflowDecider(domain, "default", [sums, waiting])
        self.worker = WorkflowWorker(domain, "default", [double])

    def drive(self) -> None:
        with ticking(self.endpoint):
            while self.decider.step_own() or self.decider.step() or self.worker.step():
                pass

    def said(self, *words: str) -> str:
        """Give what a command prints that does what it is asked for."""
        self.endpoint.advance(1)  # else executions of one workflow id would be equally late
        found = self.do(words[0], "TestDomain", *words[1:])
        assert found.code == 0, found.err
        return found.out.strip()

    def info(self, name: str) -> Any:
        return json.loads(self.said("workflow.info", name, "--json"))


@pytest.fixture
def site(do: Callable[..., Said], endpoint: emulator.Endpoint) -> Iterator[Site]:
    made = Site(do, endpoint)
    yield made
    made.decider.close()


def begun(site: Site, name: str) -> str:
    """Start an execution by the command for it, and give its whole id."""
    words = ("-d", "TestDomain", "--tags", "a,b", "--workflow-id", name)
    said = site.do("workflow.start", f"{__name__}.waiting", *words)
    assert said.code == 0, said.err
    workflow_id, run_id = said.out.split()
    site.drive()
    return f"TestDomain/{workflow_id}/{run_id}"


def test_a_call_is_cancelled_and_settled_by_commands(site: Site) -> None:
    """The run fails without the call's result, and goes on to its end once that is given."""
    run = begun(site, "told")
    info = site.info("told")
    assert (info["run_id"], info["tags"], info["status"]) == (run.split("/")[2], ["a", "b"], "OPEN")
    signalled = site.do("workflow.signal", run, "hello", "7")
    assert signalled.out == f"{run}: signal hello sent\n"
    cancel = ("workflow.cancel", "told", "--call", "wait-1", "--reason", "enough")
    assert site.said(*cancel) == f"{run}: cancel of wait-1 requested"
    assert (
        site.said("swf.cancel", "told", "--call", "double-1") == f"double-1 of {run} is over: done"
    )
    site.drive()
    assert site.info("told")["status"] == "FAILED"
    given = site.said("swf.settle", "told", "wait-1", "20")
    assert given.startswith("TestDomain/told/")
    assert given != run
    site.drive()
    assert site.info("told")["status"] == "COMPLETED"


def test_executions_are_ended_and_begun_again_by_commands(site: Site) -> None:
    """Terminated, started once more, gone on with, repaired from, cancelled; twice is no harm."""
    run = begun(site, "ended")
    again = site.said("workflow.restart", "ended")
    assert again != run
    assert site.said("workflow.terminate", "ended", "--reason", "tired") == f"{again}: terminated"
    assert site.said("workflow.terminate", "ended") == f"{again} is over: TERMINATED"
    resumed = site.said("swf.resume", "ended")
    assert resumed not in {run, again}
    assert site.said("swf.resume", "ended").startswith(f"{resumed} is open")
    repaired = site.said("swf.repair", "ended", "--workflow-id", "after", "--force-activities", "d")
    assert repaired.startswith("TestDomain/after/")
    site.drive()
    assert site.said("swf.cancel", "ended", "--reason", "no") == f"{resumed}: cancel requested"
    site.drive()
    assert site.info("ended")["status"] == "CANCELED"
    assert site.said("swf.cancel", "ended") == f"{resumed} is over: cancelled"
    assert site.info("after")["status"] == "OPEN"


def test_a_workflow_is_started_on_this_machine(do: Callable[..., Said]) -> None:
    """With --local, by the dotted name that simpleflow has; its result is printed."""
    said = do("workflow.start", "--local", f"{__name__}.waiting")
    assert (said.code, said.out) == (0, "[2, 2]\n")
    refused = do(
        "workflow.start", f"{__name__}.waiting", "-d", "TestDomain",
        "--middleware-pre-execution", "x.y",
    )  # fmt: skip
    assert refused.code == 2
    assert "give them to nbflow worker start" in refused.err
