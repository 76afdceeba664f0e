"""What a notebook says of code that may not be resumed as it began, and ``%nbflow replay``."""

from __future__ import annotations

import pytest


@pytest.fixture
def flow(shell):
    """Define an activity."""
    shell.cell("import time, datetime")
    shell.cell("%%activity fetch(x)", "time.sleep(0)", "x")
    return shell


def test_a_finding_is_one_short_line(flow):
    """It names the cell and the line, and what to write; activities are let alone."""
    out = flow.cell("%%workflow nightly(x: int)", "at = time.time()", "[fetch(x), at]")
    first, second = out.strip().splitlines()
    assert first == (
        f"Cell In[{flow.number()}], line 2: time.time() may differ when a run is resumed: "
        "write nbflow.now()"
    )
    assert second.startswith("nightly(x: int)")


def test_decorators_are_looked_at_too_and_once(flow):
    """In a plain cell, and where a ``def`` stands in a ``%%workflow`` cell."""
    out = flow.cell("@nbflow.workflow", "def one(x):", "    return datetime.datetime.now()")
    assert out.count("may differ") == 1
    assert f"Cell In[{flow.number()}], line 3" in out
    out = flow.cell("%%workflow", "@nbflow.workflow", "def two(x):", "    return time.time()")
    assert out.count("may differ") == 1


def test_it_can_be_silenced(flow):
    """By a comment on the line, or for the whole cell by ``--no-lint``."""
    out = flow.cell("%%workflow nightly(x)", "at = time.time()  # nbflow: ok", "fetch(x)")
    assert "may differ" not in out
    out = flow.cell("%%workflow nightly(x) --no-lint", "at = time.time()", "fetch(x)")
    assert "may differ" not in out


def test_many_findings_are_cut(flow):
    """Eight lines, and how many more there are."""
    lines = [f"time.time(){' ' * n}" for n in range(11)]
    out = flow.cell("%%workflow nightly(x)", *lines, "fetch(x)")
    assert out.count("may differ") == 8
    assert "and 3 more in workflow nightly" in out


def test_replay_says_whether_the_cell_still_fits(flow, tmp_path):
    """The latest run, a variable or a file; the difference names both cells' code."""
    flow.cell("%%workflow nightly(x: int)", "fetch(x).result()")
    flow.cell("run = nightly(3)", "run.result(30)")
    assert "takes the recorded way to its end (1 call)" in flow.cell("%nbflow replay run")
    file = tmp_path / "nightly.jsonl"
    flow["run"].export_history(file)
    flow.cell("%%workflow nightly(x: int)", "", "fetch(x + 1).result()")
    cell = flow.number()
    for operand in ("", "run", str(file)):
        out = flow.cell(f"%nbflow replay {operand}")
        assert "fetch-1 differs" in out
        assert "recorded: fetch(3)" in out
        assert f"now:      fetch(4)  [Cell In[{cell}], line 3]" in out
        assert "Nothing was executed" in out


def test_a_resume_that_cannot_go_on_is_told_in_full(flow):
    """What was recorded and what is asked, the lines that changed, and all ways on."""
    flow.cell("%%workflow nightly(x: int)", "first = fetch(x).result()", "1 // 0")
    flow.cell("run = nightly(3)", "run.wait(30)")
    flow.cell("%%workflow nightly(x: int)", "first = fetch(x + 1).result()", "1 // 1")
    cell = flow.number()
    lines = flow.cell("run.resume(nightly).result(30)").splitlines()
    assert lines[0] == (
        f"NondeterminismError: run {flow['run'].id} cannot continue: fetch-1 differs"
    )
    text = "\n".join(lines)
    assert f"[Cell In[{cell}], line 2]" in text
    assert "+ first = fetch(x + 1).result()" in text
    for way in ("run.source", "resume(code='recorded')", ".rerun('fetch-1')", "nbflow.patched("):
        assert way in text
    assert len(lines) <= 25
    assert "more lines" not in text


def test_replay_of_what_there_is_not_is_one_line(flow, tmp_path):
    """A run or a file that is not there, and a workflow that is not defined."""
    assert "UsageError: no run" in flow.cell("%nbflow replay no-such-run")
    assert "UsageError: FileNotFoundError" in flow.cell(f"%nbflow replay {tmp_path}/none.jsonl")
    flow.cell("%%workflow gone(x: int)", "fetch(x)")
    flow.cell("other = gone(3)", "other.result(30)", "del gone")
    assert "UsageError: workflow gone is not defined here" in flow.cell("%nbflow replay other")


def test_unloading_leaves_warnings_to_python(flow):
    """Without the extension a finding is a warning again, and cells have no names."""
    from nbflow.core import lint, place

    assert (len(lint.reporters), len(place.namers)) == (1, 1)
    flow.cell("%unload_ext nbflow")
    assert (lint.reporters, place.namers) == ([], [])
    flow.cell("%load_ext nbflow")
