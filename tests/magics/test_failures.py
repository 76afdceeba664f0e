"""A failed run is shown short, local, and with the ways on."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import pytest

from nbflow.store.memory import MemoryStore


@pytest.fixture
def flow(shell):
    """Define an activity that fails for some regions, and its workflow."""
    shell.cell(
        '%%activity fetch(region: str, rows: int = 5) --retry "nbflow.Retry(attempts=3, wait=0)"',
        "if region != 'eu':",
        "    raise ValueError(f'unknown region {region!r}')",
        "list(range(rows))",
    )
    shell.at = shell.number()
    shell.cell("%%activity total(rows: list, rate=1.0)", "1 / 0 if rate == 0 else sum(rows) * rate")
    shell.cell(
        "%%workflow revenue(regions: list[str], rate=2.0)",
        "{r: total(fetch(r), rate) for r in regions}",
    )
    return shell


@pytest.mark.parametrize("place", ["threads", "processes", "inline"], ids=str)
def test_the_report_has_all_that_is_needed(flow, place):
    """Error, cell and line with the source, arguments, attempt, what is done, and the ways on."""
    output = flow.cell(f"run = revenue.on('{place}').start(['eu', 'mars'])", "run.result()")
    assert output.strip().splitlines() == [
        "ValueError: unknown region 'mars'",
        f"  Cell In[{flow.number()}], line 2",
        "      run.result()",
        f"  Cell In[{flow.at}], line 3, in fetch(region='mars', rows=5)   attempt 3 of 3",
        "      raise ValueError(f'unknown region {region!r}')",
        f"  fetch-2 of run {flow['run'].id}: 2 done · 1 failed · 1 not started",
        "  run.failed[0].reproduce()  ·  fix the cell, then run.resume()",
    ]
    output = flow.cell("run.failed[0].reproduce()")
    assert f"Cell In[{flow.at}], line 3, in fetch(region, rows)" in output


def test_arguments_that_other_calls_gave_are_named(flow):
    """An argument that is another call's result is shown as that call."""
    output = flow.cell("run = revenue(['eu'], rate=0)", "run.result()")
    assert "in total(rows=fetch-1, rate=0)" in output


def test_a_failure_of_the_workflows_own_code_is_shown_at_its_line(flow):
    """No call is named where no call failed; a run without a variable is attached to."""
    flow.cell("%%workflow w(x)", "fetch('eu').result()", "1 / x")
    defined = flow.number()
    output = flow.cell("w(0).result()")
    assert f"Cell In[{defined}], line 3, in w\n      1 / x\n" in output
    assert "1 done\n  fix the cell, then nbflow.attach('w-" in output


def test_where_the_workflow_read_the_failed_call_is_shown(flow):
    """The line of the workflow that met the failure comes before the line that caused it."""
    flow.cell("%%workflow w(x)", "a = fetch('eu')", "fetch(x).result()")
    defined = flow.number()
    output = flow.cell("w('x').result()")
    assert output.index(f"Cell In[{defined}], line 3, in w") < output.index("in fetch(region='x'")


def test_the_call_that_ended_the_run_is_the_one_that_is_shown(flow):
    """Of several failed calls, the one whose error left the workflow's code."""
    flow.cell(
        "%%workflow w()",
        "a, b = fetch('first'), fetch('second')",
        "a.exception()",
        "b.result()",
    )
    output = flow.cell("run = w()", "run.result()")
    assert "in fetch(region='second', rows=5)" in output
    index = [call.id for call in flow["run"].failed].index("fetch-2")
    assert f"run.failed[{index}].reproduce()" in output


def test_a_library_is_told_in_one_line(flow):
    """Frames of libraries are left out but for where it was raised."""
    flow.cell("import json")
    flow.cell("%%activity parse(text)", "json.loads(text)")
    flow.cell("%%workflow w()", "parse('{')")
    output = flow.cell("w().result()")
    assert "in parse(text='{')\n      json.loads(text)\n  raised in json/decoder.py, line" in output
    assert output.count("json/") == 1


def test_a_deep_or_long_failure_is_cut(flow):
    """However deep the code and however long the message: 25 lines, the ways on included."""
    flow.cell(
        "def deep(n):",
        "    if n == 0:",
        "        raise ValueError('\\n'.join('abc' * 100))",
        "    deep(n - 1)",
    )
    flow.cell("%%activity f(x)", "deep(x)")
    flow.cell("%%workflow w()", "f(30).result()")
    lines = flow.cell("run = w()", "run.result()").strip().splitlines()
    assert len(lines) <= 25
    assert lines[-1].endswith("run.resume()")


def test_an_activity_without_code_of_ones_own_is_still_named(flow):
    """The call and its arguments are shown where there is no line to show."""
    flow.cell("import math", "f = nbflow.activity(math.sqrt)")
    flow.cell("%%workflow w()", "f(-1)")
    assert "  in sqrt(x=-1)\n" in flow.cell("w().result()")


def test_a_cancelled_run_says_how_to_go_on(flow):
    """A cancelled run has no failed cell to mend."""
    flow.cell("import threading", "gate = threading.Event()")
    flow.cell("%%activity hold()", "gate.wait()")
    flow.cell("%%workflow w()", "hold()")
    output = flow.cell("run = w()", "run.cancel('enough')", "run.result()")
    assert output.startswith("RunCancelled: run w-")
    assert output.rstrip().splitlines()[-1] == "  run.resume()"
    flow.cell("gate.set()")


def test_other_errors_are_left_alone(flow):
    """An error that came from no run is shown as ever, one that is caught can be raised again."""
    assert "Traceback (most recent call last)" in flow.cell("1 / 0")
    output = flow.cell(
        "try:",
        "    revenue(['mars']).result()",
        "except ValueError as error:",
        "    raise RuntimeError('mine') from error",
    )
    assert "RuntimeError" in output
    assert "Traceback (most recent call last)" in output


def test_a_report_does_not_travel(flow):
    """A run's error can be pickled: what belongs to this kernel stays behind."""
    flow.cell("run = revenue(['mars'])", "run.wait()")
    error = flow["run"].exception()
    assert "unknown region" in "".join(error._render_traceback_())
    copy = pickle.loads(pickle.dumps(error))
    assert repr(copy) == repr(error)
    try:
        raise copy
    except ValueError:
        assert "unknown region" in "".join(copy._render_traceback_())


@pytest.mark.case("U39")
def test_a_run_inside_an_activity_keeps_its_error(flow):
    """A run's error that fails a call of another run is raised there as itself."""
    flow.cell("%%activity outer()", "revenue(['mars']).result()")
    flow.cell("%%workflow w()", "outer()")
    output = flow.cell("w().result()")
    assert output.startswith("ValueError: unknown region 'mars'")
    assert "in outer()" in output


def test_the_log_may_be_gone(flow):
    """Where the report cannot be written, the error is shown as any other."""
    flow.cell("run = revenue(['mars'])", "run.wait()")
    flow["run"]._store = MemoryStore()
    output = flow.cell("run.result()")
    assert "Traceback (most recent call last)" in output
    assert "unknown region 'mars'" in output


def test_plain_python_shows_a_plain_traceback():
    """Outside IPython a run's error has Python's own traceback, and the notes name the call."""
    code = """
        import nbflow
        nbflow.configure(store=":memory:")

        @nbflow.activity
        def fail(x):
            raise ValueError("no " + x)

        @nbflow.workflow
        def w():
            return fail("way")

        w().result()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert "\nValueError: no way\nin fail-1\n" in done.stderr
