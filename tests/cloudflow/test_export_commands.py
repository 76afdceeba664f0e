"""``nbflow cloudflow fdl`` and ``package``."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("yaml")

from nbflow.cli.app import main
from nbflow.core.events import RunStarted
from nbflow.running.config import settings
from nbflow.services.cloudflow import FlowDefinition
from tests.viz.runlog import RunLog

CODE = """
import nbflow

@nbflow.activity
def half(x: int) -> int:
    return x // 2

@nbflow.workflow
def halves(count: int) -> list:
    return [half(n) for n in range(count)]
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halving.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.modules.pop("halving", None)


def test_a_workflow_is_printed_as_a_flow_definition(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is a definition with one state a call."""
    assert main(["cloudflow", "fdl", "halving:halves", "--arg", "count=3"]) == 0
    text = capsys.readouterr().out
    assert FlowDefinition.parse(text).name == "halves"
    assert all(f"half_{number}" in text for number in (1, 2, 3))


def test_large_workflows_are_written_as_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each flow is a file that can be created as it is; the flow to start is named last."""
    words = ["--arg", "count=9", "--most-calls", "4", "-o", "flows", "--format", "csv"]
    assert main(["cloudflow", "fdl", "halving:halves", *words]) == 0
    written = capsys.readouterr().out.split()[1:]
    assert written[-1] == "flows/halves.yaml"
    assert len(written) > 1
    for file in written:
        FlowDefinition.parse((tmp_path / file).read_text())


def test_a_package_has_the_handler_and_the_modules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The archive is what a function is deployed with."""
    assert main(["cloudflow", "package", "halving.py", "-o", "fc.zip"]) == 0
    assert capsys.readouterr().out == "wrote fc.zip\n"
    names = zipfile.ZipFile(tmp_path / "fc.zip").namelist()
    assert set(names) == {"halving.py", "index.py", "requirements.txt"}


def test_a_module_that_is_not_there_is_told_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, the exit code of what is unknown, and no archive."""
    assert main(["cloudflow", "package", "nothing.py", "-o", "fc.zip"]) == 3
    assert "nothing.py is not there" in capsys.readouterr().err
    assert not (tmp_path / "fc.zip").exists()


def test_a_workflow_that_looks_at_results_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flow is fixed beforehand; what cannot be one is told in one line."""
    (tmp_path / "halving.py").write_text(
        CODE.replace("for n in range(count)]", "for n in range(half(count).result())]")
    )
    assert main(["cloudflow", "fdl", "halving:halves", "--arg", "count=9"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


# -------------------------------------------------------------------- times of calls

CROSSED = """
import nbflow

@nbflow.activity
def first(x=0):
    return x

@nbflow.activity
def second(x=0):
    return x

@nbflow.activity
def third(x):
    return x

@nbflow.activity
def fourth(x, y):
    return x + y

@nbflow.workflow
def crossed():
    one, two = first(), second()
    return [third(one), fourth(one, two)]
"""
EARLY, LATE = {"first": 1.0, "second": 10.0, "third": 10.0, "fourth": 1.0}, {"third": 0.1}
"""Times with which the second call had better wait for the first, and others."""


@pytest.fixture
def crossed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give what is printed of a workflow whose calls can be put after each other in two ways."""
    (tmp_path / "crossing.py").write_text(CROSSED)
    sys.modules.pop("crossing", None)

    def write(*words: str) -> str:
        assert main(["cloudflow", "fdl", "crossing:crossed", *words]) == 0
        return capsys.readouterr().out

    return write


def begun(log: RunLog) -> RunStarted:
    """Give the event that a log begins with."""
    first = log.events[0]
    assert isinstance(first, RunStarted)
    return first


def known(times: dict[str, float]) -> list[str]:
    """Give the words that tell times."""
    return [f"--seconds={name}={seconds}" for name, seconds in times.items()]


def test_times_that_are_told_say_what_waits_for_what(crossed: Callable[..., str]) -> None:
    """Calls are put after each other by how long they take, of activities or of single calls."""
    early, late = crossed(*known(EARLY)), crossed(*known({**EARLY, "first": 10.0, **LATE}))
    assert early != late
    assert crossed(*known({f"{name}-1": seconds for name, seconds in EARLY.items()})) == early


def test_times_are_taken_from_a_run_that_has_been(crossed: Callable[..., str]) -> None:
    """Those of its calls that have succeeded count, unless others are told besides."""
    log = RunLog("crossed")
    for name, seconds in EARLY.items():
        log.asked(f"{name}-1")
        log.failed(f"{name}-1", 0.0, 70.0, retry_at=80.0)
        log.succeeded(f"{name}-1", 100.0, 100.0 + seconds, attempt=2)
    log.closed(200.0)
    store = settings.open_store()
    store.create("crossed-07", begun(log))
    store.append("crossed-07", log.events[1:])
    early, late = crossed(*known(EARLY)), crossed(*known({**EARLY, "first": 10.0, **LATE}))
    assert crossed("--timed-by", "crossed-07") == early
    told = known({"first-1": 10.0, "third-1": 0.1})
    assert crossed("--timed-by", "crossed-0", *told) == late


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--seconds", "fast"], 2, "write NAME=N"),
        (["--seconds", "first=-1"], 2, "write NAME=N"),
        (["--seconds", "=1"], 2, "write NAME=N"),
        (["--seconds", "first=inf"], 2, "write NAME=N"),
        (["--seconds", "nobody=1"], 1, "no such call or activity"),
        (["--timed-by", "no-such-run"], 3, "no-such-run"),
        (["--timed-by", "empty-1"], 1, "no call of run empty-1 has succeeded"),
    ],
)
def test_times_that_make_no_sense_are_refused(
    crossed: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    """One line says what is wrong and what to write, and nothing is printed."""
    settings.open_store().create("empty-1", begun(RunLog("crossed")))
    assert main(["cloudflow", "fdl", "crossing:crossed", *words]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1
