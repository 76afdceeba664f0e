"""What nbflow opens: no socket but its pool's own, and no file to write but its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, os, sys
home, on = sys.argv[1:3]
found = {"sockets": [], "connections": [], "files": [], "programs": []}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def hook(event, args):
    if event == "socket.__new__":
        found["sockets"].append([int(args[1]), int(args[2])])
    elif event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"}:
        found["connections"].append([event, repr(args[1:])])
    elif event == "open" and not isinstance(args[0], int):
        path, mode, flags = args
        if (flags or 0) & WRITES or set(mode or "") & set("wax+"):
            found["files"].append(os.fsdecode(path))
    elif event in {"os.mkdir", "os.rename", "os.link", "os.symlink"}:
        found["files"] += [os.fsdecode(a) for a in args[:2] if isinstance(a, str | bytes)]
    elif event == "sqlite3.connect" and args[0] != ":memory:":
        found["files"].append(os.fsdecode(args[0]))
    elif event == "subprocess.Popen":
        found["programs"].append(os.fsdecode(args[0]))

sys.addaudithook(hook)
import nbflow
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
import nbflow.magics

nbflow.configure(on=on, store=home + "/store")

@nbflow.activity(cache=True)
def work(n):
    print("work", n)
    return complex(n), "x" * 100_000

@nbflow.workflow
def flow(n):
    return len([work(k).result() for k in range(n)])

run = flow(3)
assert run.result(30) == 3
from nbflow.viz.panel import Panel
shell.display_formatter.format(run)
run.graph.text(), run.graph._repr_mimebundle_(), run.profile._repr_mimebundle_()
run.rerun("work-1").result(30)
print(json.dumps(found), flush=True)
os._exit(0)
"""


def watched(home: Path, on: str) -> dict[str, list[Any]]:
    """Import nbflow, run a workflow and show it, in a process that notes what is opened."""
    place = home / "work"
    place.mkdir()
    env = {
        **os.environ,
        "NBFLOW_DATA_DIR": str(home / "data"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "mpl"),
        "TMPDIR": str(home / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home / "home"),
    }
    for name in ("tmp", "home", "ipython", "mpl"):
        (home / name).mkdir()
    (home / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(home / "script.py"), str(home), on],
        cwd=place,
        env={**env, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert not done.returncode, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    found["left"] = [str(path) for path in place.iterdir()]
    return found


OWN = ("store", "data")
OTHERS = ("ipython", "mpl", "tmp", "home/.cache/fontconfig", "home/.cache/matplotlib")
"""Where IPython, matplotlib and fontconfig keep what is theirs; temporary files."""


@pytest.mark.parametrize("on", ["threads", "inline", "asyncio", "processes"])
def test_a_local_run_opens_what_is_its_own_only(tmp_path: Path, on: str) -> None:
    """No connection is made, and all that is written is in the store and the data directory."""
    found = watched(tmp_path, on)
    assert found["connections"] == []
    families = {family for family, _ in found["sockets"]}
    # Pairs of sockets that only this process and its workers have: no address, no port.
    assert families <= {int(socket.AF_UNIX)}, found["sockets"]
    programs = {Path(name).name for name in found["programs"]} - {Path(sys.executable).name}
    assert programs <= {"dot", "fc-list"}, "Graphviz, and matplotlib's search for fonts"
    allowed = tuple(str(tmp_path / name) for name in (*OWN, *OTHERS))
    strange = [
        path
        for path in found["files"]
        if Path(path).is_absolute() and not path.startswith((*allowed, "/dev/null"))
    ]
    assert not strange, strange
    assert found["left"] == [], "the working directory is not nbflow's"
    assert any(path.startswith(allowed[0]) for path in found["files"]), "the hook saw nothing"
