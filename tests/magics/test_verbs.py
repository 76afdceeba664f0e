"""``%nbflow VERB``: acts on runs, and gives them back."""

from __future__ import annotations

import threading

import pytest

import nbflow
from nbflow.magics.tables import Table
from nbflow.magics.verbs import VERBS
from nbflow.running.planning import Plan
from nbflow.viz.views import GraphView, ProfileView
from nbflow.viz.wording import TIMES


@pytest.fixture
def flow(shell):
    """Define a workflow of two activities, and a class workflow."""
    shell.cell("K = 2")
    shell.cell("%%activity fetch(region: str)", "[K, len(region)]")
    shell.cell("%%activity total(rows: list, rate: float)", "sum(rows) * rate")
    shell.cell(
        "%%workflow revenue(regions: list[str] = ['eu'], rate: float = 2.0)",
        "{r: total(fetch(r), rate) for r in regions}",
    )
    shell.cell(
        "class Basic(nbflow.Workflow):",
        "    name = 'basic'",
        "    def run(self, x):",
        "        return self.submit(fetch, x)",
    )
    return shell


def value(shell, line: str):
    """Give what a line magic gives."""
    return shell.ip.run_line_magic("nbflow", line)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("revenue", {"eu": 8.0}),
        ("revenue()", {"eu": 8.0}),
        ("revenue(['eu', 'usa'], rate=1 - K)", {"eu": -4.0, "usa": -5.0}),
        ("revenue.start(['a'])", {"a": 6.0}),
        ("revenue.on('inline')(['a'])", {"a": 6.0}),
        ("Basic('eu') --on processes --max-workers 1", [2, 2]),
        ("revenue(*[['a']], **{'rate': 1.0}) -o run --no-wait", {"a": 3.0}),
    ],
    ids=str,
)
def test_run_starts_what_is_written(flow, text, result):
    """An expression starts a run, whichever way the workflow was written."""
    run = value(flow, f"run {text}")
    assert run.result() == result
    if "-o run" in text:
        assert flow["run"] is run


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("run", "which workflow?"),
        ("run 3", "that is no workflow, but 3"),
        ("run gone(1)", "name 'gone' is not defined"),
        ("run revenue(", "never closed"),
        ("run revenue(1, 2, 3)", "too many positional arguments"),
        ("run revenue(1/0)", "ZeroDivisionError"),
        ("run revenue() --on mars", "no executor 'mars'"),
        ("run revenue(n for n in [])", "argument 0 of revenue"),
        ("status", "no run in this kernel yet"),
        ("status K", "K is no run, but int"),
        ("dag gone-1", "no run 'gone-1'"),
        ("attach", "which run?"),
        ("executor thread", "Did you mean 'threads'?"),
        ("wait --timeout", "expected one argument"),
        ("statsu", "Did you mean %nbflow status?"),
        ("help statsu", "Did you mean %nbflow status?"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_told_on_one_line(flow, line, what):
    """A line that cannot be done is refused, and the message says what to do."""
    output = flow.cell(f"%nbflow {line}").strip()
    assert output.startswith("UsageError: ")
    assert what in output
    assert len(output.splitlines()) == 1


def test_the_latest_run_is_meant_unless_one_is_named(flow):
    """A run is named by a variable or by the beginning of its id; else it is the latest."""
    flow.cell("one = revenue(['a'])", "two = revenue(['b'])")
    one, two = flow["one"], flow["two"]
    assert value(flow, "status") is two
    assert value(flow, "status one") is one
    assert value(flow, f"status {one.id}").id == one.id
    assert value(flow, f"attach {one.id[:-1]} -o three").id == one.id
    assert flow["three"].id == one.id
    assert value(flow, "wait one") == {"a": 6.0}


def test_dag_and_profile_give_views(flow):
    """Their values display themselves and can be assigned."""
    flow.cell("run = revenue(['a'])", "run.result()")
    flow.cell("dag = %nbflow dag run", "profile = %nbflow profile run")
    assert isinstance(flow["dag"], GraphView)
    assert [node.id for node in flow["dag"]] == ["fetch-1", "total-1"]
    assert isinstance(flow["profile"], ProfileView)


def test_captured_lists_what_the_run_took(flow):
    """The names of the notebook that the run copied, and what they were."""
    flow.cell("run = revenue(['a'])", "K = 1000")
    table = value(flow, "captured run")
    assert isinstance(table, Table)
    assert ("K", "2") in table.rows
    assert flow["run"].result() == {"a": 6.0}


def test_log_prints_what_was_written(flow):
    """Of the run with the calls' ids, of a call as it was; what is not there is told."""
    flow.cell("run = revenue(['a'])", "run.result()")
    assert "has written nothing\n" in flow.cell("%nbflow log run")
    flow.cell("@nbflow.activity", "def talk(n):", "    print('said', n)")
    flow.cell("@nbflow.workflow", "def talks():", "    return [talk(n).result() for n in (1, 2)]")
    flow.cell("run = talks()", "run.result()")
    assert flow.cell("%nbflow log run") == "talk-1 | said 1\ntalk-2 | said 2\n"
    assert flow.cell("%nbflow log") == flow.cell("%nbflow log run")
    assert flow.cell("%nbflow log run --call talk-2") == "said 2\n"
    output = flow.cell("%nbflow log run --call talk-3")
    assert output.startswith("UsageError: run talks-")
    assert "Did you mean talk-" in output


def test_runs_lists_the_latest_first(flow):
    """A table of runs, cut by ``--last``; it shows itself as text and as HTML."""
    assert "no runs in :memory: yet" in flow.cell("%nbflow runs")
    flow.cell("revenue(['a']).result()", "run = revenue(['b'])", "run.result()")
    table = value(flow, "runs --last 1")
    assert [row[0] for row in table.rows] == [flow["run"].id]
    assert len(value(flow, "runs")) == 2
    assert "completed" in table.text()
    assert "<table>" in table._repr_html_()


def test_runs_are_chosen_as_by_the_command(flow):
    """``--last`` counts those that fit; where none does, it says how many others there are."""
    flow.cell("first = revenue(['a'])", "first.result()", "revenue(['b']).result()")
    flow.cell("@nbflow.workflow", "def other():", "    return 1", "other().result()")
    chosen = value(flow, "runs --workflow revenue --last 1 --all")
    assert [row[1] for row in chosen.rows] == ["revenue", "revenue"]
    assert chosen.rows[-1][0] == flow["first"].id
    assert len(value(flow, "runs --workflow revenue --last 1")) == 1  # the latest is another's
    assert len(value(flow, "runs --status completed --status failed")) == 3
    assert "none of the 3 runs in :memory:" in flow.cell("%nbflow runs --status failed")
    assert "'odd' is not one of 'running'" in flow.cell("%nbflow runs --status odd")


def test_executor_shows_and_sets_the_place(flow):
    """Without a name it shows where runs go; with one it sets it for all later runs."""
    assert "runs go to threads(max_workers=4)" in flow.cell("%nbflow executor")
    assert "runs go to processes(max_workers=1)" in flow.cell(
        "%nbflow executor processes --max-workers 1"
    )
    run = value(flow, "run revenue(['a'])")
    assert next(run.events()).on == "processes"
    assert run.result() == {"a": 6.0}


def test_wait_stops_waiting_in_time_and_cancel_stops_the_run(flow):
    """A wait that takes too long leaves the run alone; cancel ends it."""
    flow.ip.user_ns["gate"] = gate = threading.Event()
    flow.cell("%%activity hold()", "gate.wait()")
    flow.cell("%%workflow w()", "hold()")
    flow.cell("run = w()")
    assert "goes on" in flow.cell("%nbflow wait --timeout 0.01")
    assert "cancel requested" in flow.cell("%nbflow cancel run --reason enough")
    assert "enough" in flow.cell("%nbflow wait run")
    assert flow["run"].status == "cancelled"
    assert "is over: cancelled" in flow.cell("%nbflow cancel run")
    gate.set()


def test_one_call_is_cancelled_and_the_rest_goes_on(flow):
    """--call names it; for one that there is not the nearest is named, and nothing is done."""
    flow.ip.user_ns["gate"] = threading.Event()
    flow.cell("%%activity held()", "gate.wait(60)")
    flow.cell("%%workflow holding", "h, t = held(), fetch('eu')", "[h.exception() is None, t]")
    flow.cell("run = holding()")
    until = threading.Event()
    while flow["run"].calls.get("held-1") is None or flow["run"].calls["held-1"].attempt == 0:
        until.wait(0.01)
    assert "Did you mean held-1?" in flow.cell("%nbflow cancel run --call held-2")
    said = flow.cell("%nbflow cancel run --call held-1 --reason slow")
    assert "cancel of held-1 requested" in said
    assert flow["run"].result() == [False, [2, 2]]
    flow["gate"].set()
    assert "held-1 of run" in flow.cell("%nbflow cancel run --call held-1")


def test_resume_goes_on_with_the_mended_code(flow):
    """What succeeded is kept; what failed runs again as the cell is now."""
    flow.cell("%%activity fetch(region: str)", "{'a': [1]}[region]")
    flow.cell("run = revenue(['a', 'b'])", "run.wait()")
    flow.cell("%%activity fetch(region: str)", "[7]")
    assert value(flow, "resume") is flow["run"]
    assert flow["run"].result() == {"a": 2.0, "b": 14.0}
    assert "has completed" in flow.cell("%nbflow resume run")


def test_resume_goes_on_with_the_recorded_code(flow, tmp_path, monkeypatch):
    """With --code recorded the cells count as they were when the run was started."""
    monkeypatch.chdir(tmp_path)
    flow.cell("import pathlib")
    flow.cell("%%activity fetch(region: str)", "[5] if pathlib.Path('ready').exists() else 1 / 0")
    flow.cell("run = revenue(['a'])", "run.wait()")
    flow.cell("%%activity fetch(region: str)", "[7000]")
    flow.cell("pathlib.Path('ready').touch()")
    assert value(flow, "resume --code recorded") is flow["run"]
    assert flow["run"].result() == {"a": 10.0}
    assert "'old' is not one of 'new', 'recorded'" in flow.cell("%nbflow resume run --code old")


def test_plan_shows_the_calls_without_running_them(flow):
    """The calls that a workflow asks for before it needs a value, those that wait included."""
    found = value(flow, "plan revenue(['a', 'b'])")
    assert isinstance(found, Plan)
    assert found.whole
    assert [(n.id, n.status) for n in found.graph] == [
        ("fetch-1", "queued"),
        ("total-1", "waiting"),
        ("fetch-2", "queued"),
        ("total-2", "waiting"),
    ]
    assert found.text().startswith(f"plan of revenue: 4 calls (fetch {TIMES}2, total {TIMES}2)\n")
    assert len(nbflow.runs()) == 0
    assert "image/png" in found._repr_mimebundle_()


def test_plan_says_where_it_ends(flow):
    """It stops where the code reads a result, or fails, and says so."""
    flow.cell("%%workflow w(x: int)", "rows = fetch('a').result()", "[fetch(r) for r in rows]")
    found = value(flow, "plan w(1)")
    assert not found.whole
    assert (
        found.text().splitlines()[0]
        == f"plan of w: 1 call (fetch {TIMES}1), then it depends on results"
    )
    flow.cell("%%workflow w(x: int)", "1 / x")
    assert (
        value(flow, "plan w(0)").text()
        == "plan of w: 0 calls, then ZeroDivisionError: division by zero"
    )
    flow.cell("%%workflow w(x: int)", "row = fetch('a')", "await row")
    assert not value(flow, "plan w(1)").whole
    flow.cell("%%workflow w(x: int)", "async def g(): pass", "await g()", "[fetch('a')]")
    assert value(flow, "plan w(1)").whole


def test_help_lists_every_verb(flow):
    """Help, no verb, and ``?`` show the one table; help of a verb shows its flags."""
    for line in ["%nbflow", "%nbflow help", "%nbflow?"]:
        output = flow.cell(line)
        assert all(verb.help in output for verb in VERBS.values())
    assert "--max-workers" in flow.cell("%nbflow help run")


@pytest.mark.parametrize("name", VERBS, ids=str)
def test_every_verb_has_help(name):
    """Each verb has one line of help, and a parser that shows it."""
    assert VERBS[name].help
    assert VERBS[name].help in VERBS[name].parser().format_help()


@pytest.mark.parametrize("magic", ["%%activity", "%%workflow"], ids=str)
def test_the_magics_have_examples(flow, magic):
    """``?`` shows three examples and every flag."""
    output = flow.cell(f"{magic}?")
    assert output.count(f"{magic} ") + output.count(f"{magic}\n") >= 3
    assert "--version" in output


def test_values_of_options_are_read_as_by_the_command(flow):
    """What it refuses is refused here, in its words."""
    assert "0 is not in the range x>=1" in flow.cell("%nbflow runs --last 0")
    assert "'soon' is not a valid float" in flow.cell("%nbflow wait --timeout soon")
