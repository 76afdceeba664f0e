"""C: names, files and commands, as far as no command line is needed for them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.running.config import settings
from tests.catalogue.conftest import WAIT

ROOT = str(Path(__file__).parents[2])
_ESCAPE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def named(name: str) -> nbflow.Run[Any]:
    """Run a workflow and an activity of that name."""
    called = nbflow.activity(name=name)(lambda: 1)

    @nbflow.workflow(name=name)
    def flow() -> Any:
        return called()

    run = flow.start()
    assert run.result(WAIT) == 1
    return run


NAMES = {
    "accents": "Straße é",
    "decomposed": "e\u0301te\u0301",
    "right to left": "\u05d0\u05d1\u05d2",
    "override": "\u202egnp.exe",
    "emoji": "\U0001f389 \U0001f469\u200d\U0001f680",
    "zero width": "to\u200btal",
    "wide": "漢字",
    "escape": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "lines": "a\nb\rc\td",
    "quotes": "'; DROP TABLE run; --",
    "format": "%s {0} $1 \\",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_c04_c06_any_name_is_kept_and_none_acts_on_a_terminal(name, disk):
    """Tables, graph, chart and repr have no control and no bidi sign; each row stays one row."""
    run = named(name)
    shown = [repr(nbflow.runs()), repr(run), repr(run.calls), run.graph.text(), run.profile.text()]
    for text in shown:
        assert not _ESCAPE.search(text), ascii(text)
    assert len(repr(nbflow.runs()).splitlines()) == 2
    assert run.workflow == nbflow.attach(run.id).workflow
    assert all(ord(letter) < 128 for letter in run.id)


def test_c04_two_ways_to_write_one_name_are_one_name():
    """As with Python's own names: composed and decomposed letters look the same."""
    first, second = (nbflow.activity(name=n)(lambda: 1) for n in ("\xe9t\xe9", "e\u0301te\u0301"))
    assert first.name == second.name == "\xe9t\xe9"
    assert named("e\u0301").workflow == "\xe9"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "con", "x" * 300, "~", "-rf", "%2e"])
def test_c05_no_name_becomes_a_path(name, disk):
    """Whatever a workflow is called, files are within the store, under names of nbflow's own."""
    before = set(disk.parent.iterdir()) | {disk}
    run = named(name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", run.id)
    assert set(disk.parent.iterdir()) == before
    for path in disk.rglob("*"):
        assert path.resolve().is_relative_to(disk.resolve())
        assert name not in path.name or len(name) < 3


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE run; --", '"', "%", "_", "\\", "x' OR '1'='1", "*"]
)
def test_c08_what_sql_would_read_is_a_text(text, disk):
    """As a name, as a run that is looked for, and as an activity whose results are cleared."""
    kept = named("plain")
    run = named(text)
    with pytest.raises(nbflow.RunNotFound):
        nbflow.attach(text)
    assert nbflow.cache.clear(text) == nbflow.cache.clear("nothing of that name")
    assert {row.run for row in nbflow.runs()} == {kept.id, run.id}
    assert [call.result for call in nbflow.attach(run.id).calls.values()] == [1]


def test_c02_a_verb_that_there_is_not_is_answered_with_those_there_are(shell):
    """One line, and the one that was perhaps meant."""
    text = shell.cell("%nbflow rnus")
    assert "UsageError" in text
    assert "runs" in text


def test_c03_an_id_that_there_is_not_is_answered_with_the_nearest():
    """Of runs, by the error of `attach`; of calls, by that of the handle."""
    run = named("revenue")
    with pytest.raises(nbflow.RunNotFound, match=f"Did you mean {run.id}"):
        nbflow.attach(run.id.replace("revenue", "revnue"))
    with pytest.raises(nbflow.RunError, match=r"has no call 'revenue-2': run\.calls lists them"):
        run.rerun("revenue-2")


def test_c09_text_is_plain_where_nobody_looks_at_it(monkeypatch):
    """Without a terminal there is no colour; and a reader that leaves early costs one line."""
    program = (
        "import nbflow\n"
        "nbflow.configure(store=':memory:')\n"
        "one = nbflow.activity(name='one')(lambda n: n)\n"
        "@nbflow.workflow\n"
        "def flow():\n"
        "    return [one(n) for n in range(500)]\n"
        "run = flow.start()\n"
        "run.result()\n"
        "print(run.calls)\n"
        "print(run.graph.text())\n"
    )
    env = {**os.environ, "PYTHONPATH": ROOT, "COLUMNS": "20"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "one-500" in done.stdout or "more" in done.stdout


SCRIPT = """
import sys, threading
import nbflow
nbflow.configure(on=sys.argv[1], store=sys.argv[2], max_workers=2)

@nbflow.activity
def quick():
    return 1

@nbflow.activity
def slow(n):
    threading.Event().wait(3600 if n else 0)
    return n

@nbflow.workflow
def flow(n):
    print("running", quick().result(), flush=True)
    return slow(n)

if __name__ == "__main__":
    nbflow.run(flow, 1)
"""


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_c10_ctrl_c_ends_a_script_and_its_run_can_be_resumed(on, tmp_path):
    """The process ends as Ctrl-C ends one (130 to a shell); the run is cancelled, not lost."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(path), on, str(tmp_path / "store")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running 1\n"
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == -signal.SIGINT
    assert re.search(r"KeyboardInterrupt: run flow-\w+ is cancelled", err)
    nbflow.configure(store=tmp_path / "store")
    (row,) = nbflow.runs()
    assert row.status == "cancelled"
    quick, slow = (nbflow.activity(name=n)(lambda *_: 7) for n in ("quick", "slow"))

    @nbflow.workflow
    def flow(n: int) -> Any:
        return [quick(), slow(n)]

    assert nbflow.attach(row.run).resume(flow).result(WAIT) == [1, 7]


def test_c11_a_cell_that_is_wrong_leaves_nothing_half_defined(shell):
    """A syntax error points at the cell's line, a wrong header is one line; no name is bound."""
    text = shell.cell("%%activity broken(x)", "y = x", "y +")
    assert "line 3" in text
    assert "SyntaxError" in text
    assert "UsageError" in shell.cell("%%activity empty(x)")
    assert "UsageError" in shell.cell("%%activity wrong(x) --retries 3", "x")
    for name in ("broken", "empty", "wrong"):
        assert name not in shell.ip.user_ns


def test_c12_loading_the_extension_runs_nothing(shell, disk):
    """A run that waits to be resumed is listed, and stays as it is until somebody asks."""
    run = named("waiting")
    store = settings.open_store()
    lost: Any = next(iter(store.events(run.id)))
    store.create("lost-1", lost)  # as a kernel leaves it that dies right after the start
    with contextlib.suppress(Exception):
        shell.ip.extension_manager.unload_extension("nbflow")
    shell.ip.extension_manager.load_extension("nbflow")
    shell.cell("import nbflow")
    assert "lost-1" in shell.cell("%nbflow runs")
    assert [row.status for row in nbflow.runs() if row.run == "lost-1"] == ["stopped"]
    assert sum(1 for _ in store.events("lost-1")) == 1
