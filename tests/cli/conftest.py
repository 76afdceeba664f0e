"""Commands as people type them: in this process, or in one of their own where that matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import nbflow
from nbflow.cli.app import main
from nbflow.running.config import settings

FLOW = '''
import os, time
from pathlib import Path
import nbflow

@nbflow.activity
def fetch(region):
    print("fetching", region)
    if region == "xx" and not Path("mended").exists():
        raise ValueError("there is no region xx")
    return len(region)

@nbflow.activity
def hold(name):
    Path(f"{name}.began").write_text(str(os.getpid()))
    while not Path(f"{name}.go").exists():
        time.sleep(0.01)
    return name

@nbflow.activity
def total(parts):
    return sum(parts)

@nbflow.workflow
def revenue(regions: list[str], rate: float = 2.0) -> float:
    """Sum it up."""
    return total([fetch(region) for region in regions])

@nbflow.workflow
def holding(name="a"):
    return [fetch("eu"), hold(name)]

@nbflow.workflow
def approval():
    return nbflow.wait_signal("approved").result()

class Basic(nbflow.Workflow):
    name = "basic"

    def run(self, x, t=30):
        return self.submit(total, [x, t])
'''


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a file of workflows in it, where commands keep their runs."""
    (tmp_path / "flow.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("flow", None)  # another test's
    monkeypatch.delenv("NBFLOW_FORMAT", raising=False)
    nbflow.configure(store=tmp_path / ".nbflow", on="threads")
    settings.options = {"max_workers": 2}
    return tmp_path


@pytest.fixture
def do(place: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Carry out a command line in this process."""

    def command(*words: str) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return command


@pytest.fixture
def spawn(place: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command line in a process of its own."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*words: str, **more: object) -> subprocess.Popen[str]:
        env = {**os.environ, "NBFLOW_STORE": str(place / ".nbflow"), "COLUMNS": "80"}
        command: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-m", "nbflow", *words],
            cwd=place,
            env=env,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
        )
        begun.append(command)
        return command

    yield begin
    for command in begun:
        if command.poll() is None:
            command.kill()
        command.wait()
        for stream in (command.stdin, command.stdout, command.stderr):
            if stream is not None:
                stream.close()
