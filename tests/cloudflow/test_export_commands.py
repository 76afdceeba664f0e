"""``nbflow cloudflow fdl`` and ``package``."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("yaml")

from nbflow.cli.app import main
from nbflow.services.cloudflow import FlowDefinition

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
