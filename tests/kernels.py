"""Kernels of several versions of ipykernel, each in an environment of its own, made when needed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSIONS = ("6.31.0", "7.3.0", "7.4.0")
"""The last without subshells, the last that routes a comm to its own, and the one after."""


def python(version: str) -> Path:
    """Give an interpreter that has that ipykernel and, for editing, this nbflow."""
    home = ROOT / ".venv-kernels" / version
    home.parent.mkdir(exist_ok=True)
    wanted = ["--editable", str(ROOT), f"ipykernel=={version}", "nest-asyncio2"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made_of = json.dumps([wanted, sys.version, project["dependencies"]])
    state = hashlib.sha256(made_of.encode()).hexdigest()
    stamp, found = home / "made-of", home / "bin" / "python"
    with (home.parent / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it
        if not stamp.exists() or stamp.read_text() != state:
            _output(sys.executable, "-m", "venv", "--clear", str(home))
            _output(str(found), "-m", "pip", "install", "--quiet", *wanted)
            stamp.write_text(state)
    return found


def _output(*command: str) -> None:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def specify(version: str, data: Path) -> str:
    """Write a kernelspec into a Jupyter data directory and give its name."""
    name = f"ipykernel-{version}"
    folder = data / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    argv = [str(python(version)), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": f"ipykernel {version}", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return name
