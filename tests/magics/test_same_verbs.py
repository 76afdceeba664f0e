"""The verbs of the notebook and the commands of the same names: one definition each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.cli.app import app
from nbflow.magics import commands, forms
from nbflow.magics.verbs import VERBS, Verb
from nbflow.running.config import settings
from nbflow.viz.views import GraphView, ProfileView
from tests.magics.conftest import Shell

BOTH = [name for name, verb in VERBS.items() if verb.command]
OF_RUNS = [name for name in BOTH if VERBS[name].takes == "run"]
FLOW = """
import nbflow

@nbflow.activity
def fetch(region):
    return len(region)

@nbflow.workflow
def revenue(regions: tuple[str, ...] = ("eu",)) -> int:
    return sum(f.result() for f in [fetch(r) for r in regions])
"""


@pytest.fixture
def flow(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A run of two calls, held by the variable `run`, and a file with a workflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "store", tmp_path / ".nbflow")
    (tmp_path / "flow.py").write_text(FLOW)
    shell.cell("%%activity fetch(region: str)", "len(region)")
    shell.cell("%%workflow revenue(regions: list[str] = ['eu'])", "[fetch(r) for r in regions]")
    shell.cell("run = revenue(['eu', 'usa'])", "run.result()")
    return shell


def flags(verb: Verb) -> dict[str, Any]:
    """Give the flags of a verb, by each way to write them."""
    actions = verb.parser()._actions
    return {word: action for action in actions for word in action.option_strings}


def same(one: str, other: str) -> bool:
    """Whether two texts of help say the same."""
    return one.rstrip(".").lower() == other.rstrip(".").lower()


def test_a_verb_of_a_commands_name_is_a_form_of_it() -> None:
    """So that no verb escapes the tests below; `log` is the command logs."""
    names = {name for name in VERBS if name in app.commands} - {"help"}
    assert set(BOTH) == names | {"log"}
    assert all(VERBS[name].command == name for name in names)
    assert set(forms.DIFFERENT) <= set(BOTH)


@pytest.mark.parametrize("name", BOTH)
def test_each_option_is_that_of_the_command_or_told_apart(name: str) -> None:
    """The same name and the same help on both sides; else one table has it, with the reason."""
    verb, told = VERBS[name], forms.DIFFERENT.get(name, {})
    own, there = flags(verb), forms.options(verb.command)
    for word, action in own.items():
        if word in there:
            assert action.dest == there[word].name
            said = str(action.help).rpartition(": ")[2] if name == "store" else str(action.help)
            assert same(said, there[word].help) or word == "--store"
        else:
            assert told.get(word), f"{word}: only of the notebook, and not said why"
    for word in there.keys() - own.keys() - {"-h", "--help"}:
        left = verb.takes != "workflow"  # the command does it; see the tests below
        assert left or told.get(word), f"{word}: only of the command, and not said why"


@pytest.mark.parametrize("name", BOTH)
def test_each_says_of_itself_what_the_command_says_or_is_told_apart(name: str) -> None:
    """What differs is in the table, and nothing else is."""
    verb, told = VERBS[name], forms.DIFFERENT.get(name, {})
    said = commands.found(verb.command).get_short_help_str(200)
    assert same(verb.help, said) != ("help" in told)
    own, there = flags(verb), forms.options(verb.command)
    for word in told.keys() - {"help"}:
        assert (word in own) != (word in there), f"{word} is the same by now"


@pytest.mark.parametrize("name", ["status", "dag", "profile", "why", "runs", "log"])
def test_a_format_is_printed_as_by_the_command(flow: Shell, name: str) -> None:
    """What only the command has is left to it, and about the run that the verb is about."""
    operand = "" if name == "runs" else "run "
    here = flow.cell(f"%nbflow {name} {operand}--format json")
    assert "UsageError" not in here
    there = flow.cell(
        "from nbflow.cli.app import main",
        f"main(['{VERBS[name].command}', {'' if name == 'runs' else 'run.id, '}'--json']);",
    )
    assert here.strip() == there.strip()


def test_without_a_name_the_latest_run_of_the_kernel_is_meant(flow: Shell) -> None:
    """Also where the command does it, whatever another process has begun in the store since."""
    env = {**os.environ, "NBFLOW_STORE": str(settings.home())}
    command = [sys.executable, "-m", "nbflow", "run", "flow.py:revenue"]
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=60)
    newest = nbflow.runs(1)[0].run
    assert newest != flow["run"].id
    output = flow.cell("%nbflow status --format csv")
    assert flow["run"].id in output
    assert newest not in output


def test_pictures_are_saved_as_by_the_command(flow: Shell, tmp_path: Path) -> None:
    """-o names the file, and the line says so; without it the picture is given."""
    assert isinstance(flow.ip.run_line_magic("nbflow", "dag run"), GraphView)
    assert isinstance(flow.ip.run_line_magic("nbflow", "profile run"), ProfileView)
    assert "wrote graph.svg" in flow.cell("%nbflow dag run -o graph.svg")
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    assert "wrote chart.csv" in flow.cell("name = 'chart'", "%nbflow profile -o {name}.csv run")
    assert (tmp_path / "chart.csv").stat().st_size
    assert ".svg" in flow.cell("%nbflow dag run -o graph.xyz")
    assert "UsageError" in flow.cell("%nbflow dag run -o no/such/place.svg")


def test_a_row_an_attempt_is_printed(flow: Shell) -> None:
    """--attempts of the profile is the command's."""
    output = flow.cell("%nbflow profile run --attempts")
    assert "fetch-1" in output
    assert "fetch-2" in output


def test_a_run_has_the_options_of_the_command(flow: Shell) -> None:
    """Tags, the place and its options; options of the workflow itself stay."""
    flow.cell("%nbflow run revenue(['a']) --tag nightly --tag eu --option max_workers=1 -o tagged")
    run = flow["tagged"]
    assert run.result(20) == [1]
    assert next(iter(run.events())).tags == ("nightly", "eu")
    flow.cell("%nbflow run revenue.options(tags=['own'])(['a']) --on inline -o own")
    assert next(iter(flow["own"].events())).tags == ("own",)
    flow.cell("%%workflow celled() --run --wait --tag cell -o held", "fetch('a')")
    assert next(iter(flow["held"].events())).tags == ("cell",)
    assert "add --run" in flow.cell("%%workflow other() --tag cell", "fetch('a')")
    said = "write it as name=value"
    assert said in flow.cell("%nbflow run revenue() --option workers")
    assert "add --on swf" in flow.cell("%nbflow run revenue() --simulate")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("run revenue() --json", "displayed, not printed"),
        ("run revenue() --arg x=1", "the arguments stand in the expression"),
        ("run revenue() --report a.html", "%nbflow report"),
        ("plan revenue() --format csv", "displayed, not printed"),
        ("resume run --follow", "what is displayed is live"),
    ],
)
def test_what_only_files_take_is_refused_with_the_reason(flow: Shell, line: str, why: str) -> None:
    """The reason of the table, and what to write instead; nothing is run."""
    before = len(nbflow.runs())
    output = flow.cell(f"%nbflow {line}")
    assert "UsageError" in output
    assert why in output
    assert len(nbflow.runs()) == before


def test_a_workflow_of_a_file_is_run_as_by_the_command(flow: Shell) -> None:
    """TARGET is taken where EXPR is, with all options; the notebook's place stays as it was."""
    before = settings.on, settings.options, settings.store
    output = flow.cell("%nbflow run flow.py:revenue --arg 'regions=[\"usa\"]' --on inline --json")
    assert '"result": 3' in output
    assert (settings.on, settings.options, settings.store) == before
    assert "1 call" in flow.cell("%nbflow plan flow.py:revenue")
    assert "nothing to say" in flow.cell("%nbflow check flow.py:revenue")


def test_help_is_asked_for_as_in_a_shell(flow: Shell) -> None:
    """-h and --help say what %nbflow help says, the command's own options included."""
    for line in ("dag --help", "dag run -h", "help dag"):
        output = flow.cell(f"%nbflow {line}")
        assert "draw the dependency graph of a run" in output
        assert "--lines" in output


@pytest.mark.parametrize("name", OF_RUNS)
def test_an_option_that_nobody_has_is_refused(flow: Shell, name: str) -> None:
    """Neither side has it: one line says so, and nothing is printed."""
    output = flow.cell(f"%nbflow {name} run --no-such-option")
    assert "UsageError" in output
    assert "--no-such-option" in output
