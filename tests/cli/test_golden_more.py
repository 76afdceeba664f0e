"""`nbflow doctor` on machines that are made up, and what is asked of a run under way.

What is printed is kept in tests/cli/golden, as in test_golden.py.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.__about__ import __version__
from nbflow.cli import following
from tests.cli.conftest import Said
from tests.cli.test_commands import GOLDEN, UPDATE, Do, runs
from tests.cli.test_golden import FORMS, quiet, shown

__all__ = ["runs"]

WHOLE = {
    "ipykernel": "7.1.0",
    "jupyterlab": "4.5.0",
    "notebook": "7.5.0",
    "ipywidgets": "8.1.8",
    "anywidget": "0.9.21",
}
"""Versions of what is installed on a machine that lacks nothing."""
DOT = "#!/bin/sh\necho 'dot - graphviz version 9.9.9' >&2\n"
GB = 10**9
SDKS = {"boto3", "alibabacloud_fnf20190315"}


@pytest.fixture
def machine(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make up what doctor looks at: packages, programs, credentials and cores."""
    find = importlib.util.find_spec
    for name in [name for name in os.environ if name.startswith(("AWS_", "ALIBABA_CLOUD_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(place / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(place / "none"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(20 * GB, 10 * GB, 10 * GB)
    )

    def made(versions: dict[str, str], sdks: set[str], programs: str, owner: str) -> None:
        def version(package: str) -> str:
            if package not in versions:
                raise importlib.metadata.PackageNotFoundError(package)
            return versions[package]

        def found(name: str, package: str | None = None) -> Any:
            if name in SDKS:  # whether it is there is all that is asked
                return find("json") if name in sdks else None
            return find(name, package)

        monkeypatch.setattr(importlib.metadata, "version", version)
        owners = {"nbflow": [owner]}
        monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: owners)
        monkeypatch.setattr(importlib.util, "find_spec", found)
        monkeypatch.setenv("PATH", programs)

    return made


def asked(told: list[str], form: str, text: str, said: Said) -> None:
    told.append(f"$ nbflow {text}\n{shown(said, form)}")


def agreed(name: str, form: str, told: list[str], place: Path, known: dict[str, str]) -> None:
    """Hold what was said against what is kept, or keep it."""
    found = quiet("\n".join(told), place, known)
    found = found.replace(__version__, "<version>")
    path = r'(?m)(<version>|\d[\w.]+) at \S*?(?=[",\t\n]|$)'
    found = re.sub(path, "<version> at <path>", found)
    found = re.sub(r"in \S*/viz/static", "in <package>/viz/static", found)
    golden = GOLDEN / f"{name}.{form}.txt"
    if UPDATE:
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("form", FORMS)
def test_doctor_says_of_each_machine_what_was_agreed(
    do: Do, place: Path, machine: Callable[..., None], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lacks nothing, one that lacks what can be lacked, and one that is broken."""
    pytest.importorskip("boto3")
    told: list[str] = []
    (place / "bin").mkdir()
    dot = place / "bin" / "dot"
    dot.write_text(DOT)
    dot.chmod(0o755)
    machine(WHOLE, SDKS, str(place / "bin"), "jupyter-nbflow")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not-to-be-shown")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-shown")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "not-to-be-shown")
    do("run", "flow.py:revenue", "--arg", 'regions=["eu"]')
    asked(told, form, "doctor (whole)", do("doctor", "--format", form))
    machine({"ipywidgets": "8.1.8", "anywidget": "0.9.21"}, set(), "", "jupyter-nbflow")
    nbflow.configure(store=place / "not-yet")
    asked(told, form, "doctor (plain)", do("doctor", "--format", form))
    machine({"ipykernel": "5.5.6"}, set(), "", "nbflow")
    (place / "broken").mkdir()
    (place / "broken" / "log.sqlite").write_text("this is no database" * 1000)
    nbflow.configure(store=place / "broken")
    dot.write_text("#!/bin/sh\nexit 3\n")
    monkeypatch.setenv("PATH", str(place / "bin"))
    asked(told, form, "doctor (broken)", do("doctor", "--format", form))
    assert "not-to-be-shown" not in "".join(told)
    agreed("doctor", form, told, place, {})


@pytest.mark.parametrize("form", FORMS)
def test_a_run_under_way_is_asked_for_what_was_agreed(
    do: Do, place: Path, runs: dict[str, str], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not resumed or run again; calls that are over stay; it is watched to its end."""
    told: list[str] = []
    rest = following._rest

    def let_go(run: nbflow.Run[Any]) -> None:  # it was seen under way
        (place / "a.go").touch()
        rest(run)

    run = runs["running"]
    for words in (
        ["resume", run, "--target", "flow.py:holding"],
        ["rerun", run, "fetch-1", "--target", "flow.py:holding"],
        ["cancel", run, "--call", "fetch-1"],
        ["cancel", run, "--call", "hold-2"],
    ):
        asked(told, form, " ".join(words), do(*words, "--format", form))
    monkeypatch.setattr(following, "_rest", let_go)
    asked(told, form, f"attach {run}", do("attach", run, "--format", form))
    assert (place / "a.go").exists()
    agreed("running", form, told, place, runs)
