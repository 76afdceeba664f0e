"""Programs and other interpreters as activities, wherever calls run."""

from __future__ import annotations

import concurrent.futures as cf
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow import execute
from nbflow.execute.process import Command, run
from nbflow.testing.checks import eventually
from tests.contracts.test_runs import WAIT

PYTHON = sys.executable


@nbflow.activity
@execute.program("printf", lambda *parts: ["%s|", *parts])
def show(*parts: Any) -> Any:
    """Write each argument, and a bar."""


@nbflow.activity
@execute.program("sh", lambda text: ["-c", text])
def shell(text: str) -> Any:
    """Run a script, for tests only."""


@nbflow.activity
@execute.python(PYTHON)
def other(x, fail=""):
    """Do something in another interpreter."""
    import sys

    print("hello from", x)
    if fail == "exit":
        sys.exit(3)
    if fail:
        raise KeyError(fail)
    return {"x": x, "nbflow": "nbflow" in sys.modules}


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pid_in(file: Path) -> int:
    """Wait for a file with the number of a process."""
    eventually(lambda: file.exists() and file.read_text().strip(), f"{file.name} is written")
    return int(file.read_text())


# -------------------------------------------------------------------- programs


def test_arguments_reach_a_program_as_they_are(place: Any) -> None:
    """No shell reads them; what the program writes is the result."""
    given = ("a b", "$HOME", "`id`", "'", "x;y", "é", 3)

    @nbflow.workflow
    def flow() -> Any:
        return show(*given).result()

    assert flow.on(place).start().result(timeout=WAIT) == "".join(f"{g}|" for g in given)


def test_a_bad_end_tells_how(place: Any) -> None:
    """The exit code or the signal, and the end of the error output, which the log keeps too."""

    @nbflow.workflow
    def flow() -> Any:
        calls = [shell("echo why >&2; exit 3"), shell("kill -9 $$")]
        errors: list[Any] = [call.exception() for call in calls]
        return [(type(e).__name__, str(e), e.code) for e in errors]

    run_ = flow.on(place).start()
    assert run_.result(timeout=WAIT) == [
        ("ExecutionError", "sh ended with exit code 3:\nwhy", 3),
        ("ExecutionError", "sh was killed by SIGKILL", -9),
    ]
    assert "why" in str(run_.output("shell-1"))


def test_a_program_that_is_not_there_says_so() -> None:
    """Outside a run, too, where the activity is its function."""
    missing = execute.program("no-such-program")(lambda: None)
    with pytest.raises(
        nbflow.ExecutionError, match="no-such-program could not be started: No such"
    ):
        missing()
    gone = execute.program("true", cwd="/no/such/place")(lambda: None)
    with pytest.raises(nbflow.ExecutionError, match="true could not be started"):
        gone()


@pytest.mark.parametrize("how", ["own", "activity", "cancel"])
def test_a_program_ends_with_all_that_it_started(place: Any, tmp_path: Path, how: str) -> None:
    """At its time limit, at the activity's, and when the run is cancelled: the whole tree."""
    foreign = isinstance(place, cf.Executor) and not isinstance(place, cf.ThreadPoolExecutor)
    if how != "own" and (foreign or place == "inline"):
        pytest.skip("cannot stop what runs there")
    pids = [tmp_path / "child", tmp_path / "parent"]
    script = f"sleep 60 & echo $! > {pids[0]}; echo $$ > {pids[1]}; trap '' TERM; wait; wait"

    @nbflow.activity(timeout=1 if how == "activity" else None)
    @execute.program("sh", lambda text: ["-c", text], timeout=1 if how == "own" else None)
    def tree(text: str) -> Any: ...

    @nbflow.workflow
    def flow() -> Any:
        return type(tree(script).exception()).__name__

    run_ = flow.on(place).start()
    found = [pid_in(file) for file in pids]
    if how == "cancel":
        run_.cancel()
        with pytest.raises(nbflow.RunCancelled):
            run_.result(timeout=WAIT)
    else:
        kind = "ExecutionTimeout" if how == "own" else "ActivityTimeout"
        assert run_.result(timeout=WAIT) == kind
    eventually(lambda: not any(alive(pid) for pid in found), "the processes end")


def test_a_program_ends_with_a_killed_kernel(tmp_path: Path) -> None:
    """Nothing goes on behind the back of a run that will be resumed."""
    pid = tmp_path / "pid"
    script = tmp_path / "kernel.py"
    text = f"""
        from nbflow.execute.process import Command, run
        run(Command(("sh", "-c", "echo $$ > {pid}; sleep 60")))
    """
    script.write_text(textwrap.dedent(text))
    env = {**os.environ, "PYTHONPATH": str(Path(nbflow.__file__).parents[1])}
    kernel = subprocess.Popen([PYTHON, str(script)], env=env)
    found = pid_in(pid)
    assert alive(found)
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    eventually(lambda: not alive(found), "the program ends")


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """A child in the background neither goes on nor keeps the call waiting."""
    pid = tmp_path / "pid"
    done = run(Command(("sh", "-c", f"sleep 60 & echo $! > {pid}; echo out")))
    assert (done.code, done.output) == (0, "out\n")
    eventually(lambda: not alive(pid_in(pid)), "the child ends")


def test_large_input_and_output_do_not_block() -> None:
    """A megabyte each way, more than a pipe holds."""
    text = "x" * (1 << 20)
    assert run(Command(("cat",)), text).output == text


def test_a_program_may_read_late() -> None:
    """What it is to read waits for it, however long it does something else first."""
    text = "x" * (1 << 20)
    assert run(Command(("sh", "-c", "sleep 0.3; cat")), text).output == text


def test_a_program_need_not_read() -> None:
    """One that ends without having read is no failure, and leaves nobody waiting."""
    before = threading.active_count()
    assert run(Command(("echo", "done")), "x" * (1 << 20)).output == "done\n"
    eventually(lambda: threading.active_count() <= before, "the writer ends")


def test_options_are_made_of_keyword_arguments() -> None:
    """One letter: one dash; True is the option alone; None and False are none."""
    assert execute.format_arguments("a b", 1, c=2, val="x y", q=True, z=None, no=False) == [
        "-c=2",
        "--val=x y",
        "-q",
        "a b",
        "1",
    ]


def test_the_signature_is_kept() -> None:
    """What does not fit is refused where the call is written."""
    with pytest.raises(TypeError):
        shell()

    @nbflow.workflow
    def flow() -> Any:
        return shell("a", "b")

    with pytest.raises(TypeError, match=r"shell\(text: .str.\)"):
        flow.start().result(timeout=WAIT)


# -------------------------------------------------------------------- other interpreters


def test_a_function_runs_in_another_interpreter(place: Any) -> None:
    """It has only itself there; what it prints is the call's, its errors tell their traceback."""

    @nbflow.workflow
    def flow() -> Any:
        errors: list[Any] = [other(1, fail=how).exception() for how in ("gone", "exit")]
        return other([1, "é"]).result(), [(e.type, str(e), e.traceback) for e in errors]

    run_ = flow.on(place).start()
    value, ((kind, message, trace), (exits, _, _)) = run_.result(timeout=WAIT)
    assert value == {"x": [1, "é"], "nbflow": False}
    assert (kind, message) == ("KeyError", "other failed: KeyError: 'gone'")
    assert "raise KeyError(fail)" in trace
    assert exits == "SystemExit"
    assert "hello from 1" in str(run_.output("other-1"))


def test_what_does_not_travel_as_json_says_so() -> None:
    """An argument before anything runs, a result as the failure of the call."""
    with pytest.raises(TypeError, match="an argument has no form in JSON"):
        other(object())
    given = execute.python(PYTHON)(_gives_a_set)
    with pytest.raises(nbflow.ExecutionError, match="the result has no form in JSON"):
        given()


def _gives_a_set():
    return {1, 2}


def test_a_function_that_needs_what_is_around_it_is_refused() -> None:
    """At definition: another interpreter has only the function's own text."""
    outer = 3

    def closes_over() -> int:
        return outer

    with pytest.raises(nbflow.DefinitionError, match="outer"):
        execute.python(PYTHON)(closes_over)
    with pytest.raises(nbflow.DefinitionError, match="source"):
        execute.python(PYTHON)(len)
    with pytest.raises(nbflow.DefinitionError, match="timeout"):
        execute.python(PYTHON, timeout=0)


def test_an_interpreter_that_dies_or_is_missing_says_so() -> None:
    """Rather than wait for an answer that will not come."""
    with pytest.raises(nbflow.ExecutionError, match="nonesuch could not be started"):
        execute.python("nonesuch")(_gives_a_set)()
    with pytest.raises(nbflow.ExecutionError, match="false ended with exit code 1"):
        execute.python("false")(_gives_a_set)()


# -------------------------------------------------------------------- binaries


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is fetched, and the PATH, to this test."""
    monkeypatch.setenv("NBFLOW_BINARIES", str(tmp_path / "binaries"))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    return tmp_path


def test_a_binary_is_fetched_once_and_is_on_the_path(home: Path) -> None:
    """Even if several want it at once; it can be run, and stays when its source goes."""
    source = home / "greet.sh"
    source.write_text("#!/bin/sh\necho hello $1\n")
    pinned = hashlib.sha256(source.read_bytes()).hexdigest()
    url = source.as_uri()
    with cf.ThreadPoolExecutor(4) as pool:
        given = [pool.submit(execute.binary, "greet", url, sha256=pinned) for _ in range(8)]
        (path,) = {future.result() for future in given}
    source.unlink()

    @nbflow.activity
    @execute.binaries({"greet": url}, sha256={"greet": pinned})
    @execute.program("greet")
    def greet(name: str) -> Any: ...

    @nbflow.workflow
    def flow() -> Any:
        return greet("you")

    assert flow.start().result(timeout=WAIT) == "hello you\n"
    assert [p.name for p in path.parent.iterdir()].count("greet") == 1
    assert len(list(path.parent.iterdir())) == 2, "the program and the lock, no parts"


def test_two_processes_fetch_a_binary_once(home: Path) -> None:
    """They wait for one download: the second finds what the first has brought."""
    source = home / "tool"
    source.write_text("#!/bin/sh\n")
    code = (
        "import sys, nbflow.execute.fetching as b\n"
        "copy = b._copy\n"
        "b._copy = lambda *a: (print('fetched'), copy(*a))\n"
        "print(b.binary('tool', sys.argv[1]).name)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(nbflow.__file__).parents[1])}
    started = [
        subprocess.Popen(
            [PYTHON, "-c", code, source.as_uri()], env=env, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = "".join(process.communicate()[0] for process in started)
    assert sorted(said.split()) == ["fetched", "tool", "tool"]


def test_a_binary_that_is_another_one_is_refused(home: Path) -> None:
    """Nothing of it stays, and the message tells both digests."""
    source = home / "tool"
    source.write_text("#!/bin/sh\n")
    with pytest.raises(nbflow.ExecutionError, match="is not what it should be: its sha256 is"):
        execute.binary("tool", source.as_uri(), sha256="0" * 64)
    assert [p.name for p in (home / "binaries").glob("*/*")] == [".lock"] or not [
        p for p in (home / "binaries").glob("*/*") if p.name != ".lock"
    ]
    with pytest.raises(nbflow.ExecutionError, match="cannot be fetched from"):
        execute.binary("tool", (home / "none").as_uri())


@pytest.mark.parametrize(
    ("name", "url", "digest", "message"),
    [
        ("../x", "file:///x", None, "the name of a binary"),
        ("x", "ftp://x/y", None, "is fetched from"),
        ("x", "http://x/y", None, "plain http"),
        ("x", "https://x/y", "abc", "64 hexadecimal digits"),
    ],
)
def test_a_binary_that_makes_no_sense_is_refused(
    name: str, url: str, digest: str | None, message: str
) -> None:
    """At definition, before anything is fetched."""
    pinned = {name: digest} if digest else None
    with pytest.raises(nbflow.DefinitionError, match=message):
        execute.binaries({name: url}, sha256=pinned)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at the processes of Linux")
def test_an_interrupt_at_any_line_leaves_no_program_behind() -> None:
    """Before each line in turn, until a program runs to its end: no process, no open file."""
    done = subprocess.run(
        [PYTHON, "-W", "ignore::ResourceWarning", "-m", "tests.contracts.interrupted_program"],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 25
