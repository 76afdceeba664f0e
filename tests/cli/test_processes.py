"""Commands as processes: pipes that close, interrupts, terminals, shells."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

import nbflow
from tests.cli.conftest import FLOW

Spawn = Callable[..., "subprocess.Popen[str]"]


def eventually(what: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_c09_a_pipe_that_closes_ends_a_command_quietly(spawn: Spawn, place: Path) -> None:
    """`nbflow COMMAND | head -1` prints one line and no traceback."""
    assert spawn("run", "flow.py:revenue", "-i", '[["eu", "usa"]]').wait(60) == 0
    for words in ("runs", "history --json"):
        command = spawn(*words.split(), "--all" if words == "runs" else "--color")
        assert command.stdout is not None
        command.stdout.readline()
        command.stdout.close()
        assert command.stderr is not None
        assert "Traceback" not in (err := command.stderr.read()), err
        assert "BrokenPipe" not in err
        command.wait(30)
    assert place.exists()


ALL_COMMANDS = """
import os, sys, click
from nbflow.cli.app import app, main

def leaves(group, words):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, [*words, name])
        yield [*words, name]

RUN = ["runs", "show", "result", "calls", "logs", "dag", "profile", "why", "history", "wait"]
GIVEN = [[name] for name in RUN] + [[name, "--json"] for name in RUN] + [
    ["attach"], ["replay", "--target", "flow.py:revenue"],
    ["plan", "flow.py:revenue", "-i", "[[]]"],
    ["run", "flow.py:revenue", "-i", "[[]]"], ["export", "flow.py:revenue"], ["doctor"], ["info"],
    ["compare", *2 * [sys.argv[1]]], ["cache", "list"], ["cache", "size"], ["store", "check"],
    ["cancel"], ["rerun", sys.argv[1], "fetch-1"], ["nothing"], ["runs", "--nothing"],
]
for words in [*GIVEN, *([*leaf, "--help"] for leaf in leaves(app, []))]:
    reads, writes = os.pipe()
    os.close(reads)
    os.dup2(writes, 1)
    os.close(writes)
    sys.stdout = open(1, "w", closefd=False)
    try:
        code = main(words)
        sys.stdout.flush()
    except BaseException as error:
        print("ESCAPED", words, repr(error), file=sys.stderr)
    print("DONE", *words, code, file=sys.stderr, flush=True)
os._exit(0)
"""
"""Carries out every command while nobody reads what it prints."""


def test_c09_no_command_minds_a_pipe_that_is_closed(spawn: Spawn, place: Path) -> None:
    """Whatever is asked, and its --help: no traceback, and nothing escapes."""
    assert spawn("run", "flow.py:revenue", "-i", '[["eu", "usa"]]').wait(60) == 0
    env = {**os.environ, "NBFLOW_STORE": str(place / ".nbflow")}
    command = [sys.executable, "-c", ALL_COMMANDS, nbflow.runs()[0].run]
    done = subprocess.run(command, check=False, cwd=place, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("DONE ") > 100
    for word in ("Traceback", "ESCAPED", "BrokenPipe", "Exception ignored"):
        assert word not in done.stderr, done.stderr


def test_c10_an_interrupt_cancels_the_run_which_can_be_resumed(spawn: Spawn, place: Path) -> None:
    """Ctrl-C ends the run, says how to go on, and exits with 130; resume goes on with it."""
    command = spawn("run", "flow.py:holding", "--on", "processes")
    eventually((place / "a.began").exists)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "which can be resumed" in err
    assert nbflow.runs()[0].status == "cancelled"
    worker = int((place / "a.began").read_text())
    eventually(lambda: not Path(f"/proc/{worker}").exists())
    (place / "a.go").touch()
    command = spawn("resume")
    out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (0, "[2, 'a']\n"), err


def test_c10_a_second_interrupt_is_obeyed_at_once(spawn: Spawn, place: Path) -> None:
    """Whoever does not want to wait for the end of a thread need not."""
    command = spawn("run", "flow.py:holding", "--on", "inline")
    eventually((place / "a.began").exists)
    command.send_signal(signal.SIGINT)
    assert command.stderr is not None
    while "Once more to end at once" not in (line := command.stderr.readline()):
        assert line
    command.send_signal(signal.SIGINT)
    assert command.wait(10) == 130


GUEST = """
from nbflow.cli.app import carry_out
try:
    carry_out(["run", "flow.py:holding", "--on", "inline"])
except KeyboardInterrupt:
    pass
print("the program goes on")
"""


def test_c10_a_second_interrupt_ends_a_command_and_not_the_kernel(place: Path) -> None:
    """Where %nbflow carries it out the process is not the command's: nothing in it is lost."""
    env = {**os.environ, "NBFLOW_STORE": str(place / ".nbflow")}
    command = [sys.executable, "-c", GUEST]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=place, env=env, text=True, stdout=pipe, stderr=pipe) as one:
        eventually((place / "a.began").exists)
        one.send_signal(signal.SIGINT)
        assert one.stderr is not None
        while "Once more to end at once" not in (line := one.stderr.readline()):
            assert line
        one.send_signal(signal.SIGINT)
        out, err = one.communicate(timeout=30)
    assert (one.returncode, out) == (0, "the program goes on\n"), err


def test_a_run_is_shown_live_on_a_terminal(spawn: Spawn, place: Path) -> None:
    """There it is one picture that changes in place, and the cursor is given back."""
    (place / "a.go").touch()
    mine, theirs = pty.openpty()
    command = spawn("run", "flow.py:holding", "-f", stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            found = os.read(mine, 65536)
        except OSError:
            break
        if not found:
            break
        seen += found
    os.close(mine)
    assert command.wait(30) == 0
    text = seen.decode()
    assert "2 of 2 calls" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_standard_input_is_an_input_file(spawn: Spawn) -> None:
    """`-` reads the arguments from a pipe."""
    command = spawn("run", "flow.py:revenue", "--input-file", "-", stdin=subprocess.PIPE)
    out, _ = command.communicate('[["eu"]]', timeout=60)
    assert (command.returncode, out) == (0, "2\n")


def test_another_process_waits_for_a_run_and_signals_it(spawn: Spawn) -> None:
    """Runs are found by whoever has the store."""
    command = spawn("run", "flow.py:approval")
    eventually(nbflow.runs)
    waiting = spawn("wait")
    assert spawn("signal", nbflow.runs()[0].run, "approved", "3").wait(60) == 0
    assert command.communicate(timeout=60)[0] == "3\n"
    assert waiting.communicate(timeout=60)[0] == "3\n"


def test_another_process_cancels_a_run(spawn: Spawn, place: Path) -> None:
    """`nbflow cancel` reaches a run whichever process drives it, and ends its activities."""
    command = spawn("run", "flow.py:holding", "--on", "processes")
    eventually((place / "a.began").exists)
    out, err = spawn("cancel", "--reason", "not needed").communicate(timeout=60)
    assert "cancel requested" in out, err
    _, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "not needed" in err
    worker = int((place / "a.began").read_text())
    eventually(lambda: not Path(f"/proc/{worker}").exists())


SPARED = """
@nbflow.workflow
def spared():
    fetched, held = fetch("eu"), hold("a")
    return [fetched.result(), "spared" if held.exception() else "held"]
"""


def test_another_process_cancels_one_call(spawn: Spawn, place: Path) -> None:
    """`nbflow cancel --call` ends that call alone; what is wrong about it is told in one line."""
    (place / "flow.py").write_text(FLOW + SPARED)
    command = spawn("run", "flow.py:spared", "--on", "processes", "--json")
    eventually((place / "a.began").exists)
    run = nbflow.runs()[0].run
    _, err = (wrong := spawn("cancel", run, "--call", "hold-9")).communicate(timeout=60)
    assert (wrong.returncode, err.count("\n")) == (3, 1), err
    assert "Did you mean hold-1?" in err
    out, err = spawn("cancel", run, "--call", "hold-1", "--reason", "slow").communicate(timeout=60)
    assert out == f"run {run}: cancel of hold-1 requested\n", err
    out, err = command.communicate(timeout=60)
    assert (command.returncode, json.loads(out)["result"]) == (0, [2, "spared"]), err
    worker = int((place / "a.began").read_text())
    eventually(lambda: not Path(f"/proc/{worker}").exists())
    calls = nbflow.attach(run).calls
    assert [calls[call].status for call in calls] == ["done", "cancelled"]
    assert "slow" in str(calls["hold-1"].error)
    out, _ = spawn("cancel", run, "--call", "hold-1").communicate(timeout=60)
    assert out == f"hold-1 of run {run} is over: cancelled\n"
    assert nbflow.attach(run)._store.mail.letters(run) == []  # type: ignore[attr-defined]


def test_the_command_line_loads_nothing_that_it_does_not_need() -> None:
    """`nbflow runs` starts in a moment: none of the large libraries is loaded."""
    code = (
        "import sys; from nbflow.cli.app import main; main(['--version']); "
        "print([n for n in ('IPython', 'matplotlib', 'boto3', 'dask', 'pandas', 'numpy', "
        "'anywidget', 'ipywidgets') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_notebook_is_a_target(spawn: Spawn, place: Path) -> None:
    """Cells that define the workflow run, those that start runs do not, and it says that."""
    cells = [
        "%load_ext nbflow\nimport math\nK = 3",
        "%%activity area(r: float) --retry 1\nhelper(math.pi * r ** 2)",
        "def helper(x):\n    return round(x * K, 2)",
        "%%workflow areas(rs: list)\n[area(r) for r in rs]",
        "run = areas([1, 2])\nrun",
        "raise SystemExit('never run')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, place / "nb.ipynb")
    command = spawn("run", "nb.ipynb:areas", "--arg", "rs=[1, 2]")
    out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (0, "[9.42, 37.7]\n")
    assert "running the definitions in nb.ipynb" in err
    assert "\x1b" not in err
    assert len(nbflow.runs()) == 1
