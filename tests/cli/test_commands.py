"""Every command, on a finished, a failed and a running run, in every format."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.cli.app import app
from nbflow.running.config import settings
from nbflow.running.post import ask_to_cancel
from tests.cli.conftest import Said

Do = Callable[..., Said]
SIGNS = {"csv": ",", "tsv": "\t"}
GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("NBFLOW_UPDATE_GOLDEN"))


def masked(text: str, place: Path) -> str:
    """Put signs in the place of what differs from run to run."""
    text = text.replace(str(place), "<dir>")
    text = re.sub(r"\b(revenue|holding|basic)-[0-9a-f]{8}\b", r"\1-########", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "<time>", text)
    text = re.sub(r'"(took|total|mean|queued|age)": [\d.e-]+', r'"\1": <n>', text)
    text = re.sub(r"(?<=[,\t])\d+(\.\d+|e-\d+|\.\d+e-\d+)(?=[,\t\n])", "<n>", text)
    text = re.sub(r'": \d+\.\d+(e-\d+)?', '": <n>', text)
    text = re.sub(r"\s*\b[\d.]+ (ms|s)\b", " <took>", text)
    text = re.sub(r"\b[\d.]+ %", "<share>", text)
    text = re.sub(r'"share": [\d.]+', '"share": <n>', text)
    text = re.sub(r"(thread|process)-\d+", r"\1-#", text)
    return re.sub(r" +", " ", text)


def in_any_order(text: str, form: str) -> str:
    """Give events sorted and without numbers: code and worker write to the log side by side."""
    if form == "json":
        events = [{**event, "seq": "<n>"} for event in json.loads(text)]
        return json.dumps(sorted(events, key=lambda event: (event["event"], event["of"])), indent=1)
    text = re.sub(r'(?m)^( *|\{"seq": )\d+', r"\1<n>", text)
    return "\n".join(sorted(text.splitlines())) + "\n"


def by_name(text: str, form: str) -> str:
    """Give activities by their names: which one took longest is not the same each time."""
    if form == "json":
        rows = re.findall(r"(?ms)^ \{$.*?^ \}", text)
        return "[\n" + ",\n".join(sorted(rows)) + "\n]\n"
    return "\n".join(sorted(text.splitlines())) + "\n"


def ordered(text: str, command: str, form: str) -> str:
    """Put in one order what comes in any."""
    if command == "history":
        return in_any_order(text, form)
    return by_name(text, form) if command == "profile" and form != "table" else text


@pytest.fixture
def runs(do: Do, place: Path) -> Iterator[dict[str, str]]:
    """A run that has completed, one that has failed, and one that is under way."""
    nbflow.configure(on="threads", max_workers=1)  # one after the other, so in one order
    do("run", "flow.py:revenue", "--arg", 'regions=["eu", "usa"]')
    do("run", "flow.py:revenue", "--arg", 'regions=["eu", "xx"]')
    done, failed = reversed([row.run for row in nbflow.runs()])
    namespace: dict[str, Any] = {"__name__": "flow"}
    exec(compile((place / "flow.py").read_text(), "flow.py", "exec"), namespace)
    running = namespace["holding"]("a")
    while not running.output() or running.calls["hold-1"].status != "running":
        assert not running.done()
    yield {"completed": done, "failed": failed, "running": running.id}
    (place / "a.go").touch()
    running.wait(20)


COMMANDS = ["runs", "show", "status", "calls", "profile", "dag", "history", "why", "logs"]


@pytest.mark.parametrize("form", ["table", "csv", "tsv", "json", "jsonl"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_printed_is_what_was_agreed(
    do: Do, place: Path, runs: dict[str, str], command: str, form: str
) -> None:
    """What a command prints of a run changes only on purpose: see tests/cli/golden."""
    shown = []
    for status, run in runs.items():
        given = () if command == "runs" else (run,)
        said = do(command, *given, "--format", form)
        assert said.code == 0, said.err
        assert said.err == ""
        text = said.out
        if form in {"json", "jsonl"} and command != "logs":
            for part in [text] if form == "json" else text.splitlines():
                json.loads(part)
        if command in {"show", "profile", "dag", "why"} and form == "table":
            text = "\n".join(
                line for line in text.splitlines() if not re.search(r"[│└─█]|^ +0 ", line)
            )
            text = re.sub(r"work .*|\d+ ms wall.*|.* wall .*", "<figures>", text)
            text = re.sub(r"(?ms)^activity .*", "<activities, the slowest first>", text)
        if command == "dag" and form == "jsonl":
            text = ""
        text = ordered(masked(text, place), command, form)
        shown.append(f"# {status}\n{text}")
        if command == "runs":
            break
    found = "\n".join(shown).rstrip() + "\n"
    golden = GOLDEN / f"{command}.{form}.txt"
    if UPDATE:
        golden.write_text(found)
    assert found == golden.read_text()


def test_run_prints_the_result_alone(do: Do) -> None:
    """Standard output has the result; ids, prints of activities and progress are elsewhere."""
    said = do("run", "flow.py:revenue", "-i", '{"regions": ["eu", "usa"]}', "--follow")
    assert (said.code, said.out) == (0, "5\n")
    assert "fetching usa" in said.err
    assert "done total-1" in said.err
    said = do("run", "flow:Basic", "--arg", "x=1", "--json")
    assert json.loads(said.out)["result"] == 31


def test_a_failed_run_says_what_is_kept_and_how_to_go_on(do: Do, place: Path) -> None:
    """It exits with 1 and names the call; after the cause is gone, resume runs the rest alone."""
    said = do("run", "flow.py:revenue", "-i", '[["eu", "xx"]]')
    assert said.code == 1
    assert said.out == ""
    assert "fetch-2 failed in attempt 1: ValueError: there is no region xx" in said.err
    assert "nbflow resume revenue-" in said.err
    (place / "mended").touch()
    said = do("resume")
    assert (said.code, said.out) == (0, "4\n"), said.err
    assert "fetching xx" in said.err
    assert "fetching eu" not in said.err
    said = do("rerun", nbflow.runs(1)[0].run, "fetch-1", "--target", "flow.py:revenue")
    assert (said.code, said.out) == (0, "4\n")
    assert "fetching eu" in said.err


def test_a_running_run_is_told_and_waited_for(do: Do, place: Path) -> None:
    """Signals arrive, waiting has an end of its own, and the result is printed."""
    namespace: dict[str, Any] = {"__name__": "flow"}
    exec(compile((place / "flow.py").read_text(), "flow.py", "exec"), namespace)
    run = namespace["approval"]()
    assert do("wait", "--timeout", "0").code == 124
    assert do("result").code == 1
    assert do("signal", run.id[:12], "approved", '{"by": "me"}').code == 0
    said = do("wait", run.id)
    assert (said.code, said.out) == (0, "{'by': 'me'}\n")
    assert do("result", run.id, "--json").code == 0


def test_cancel_stops_a_run_and_is_harmless_twice(do: Do, place: Path) -> None:
    """Cancelling a run that is over says so."""
    namespace: dict[str, Any] = {"__name__": "flow"}
    exec(compile((place / "flow.py").read_text(), "flow.py", "exec"), namespace)
    run = namespace["approval"]()
    assert "cancel requested" in do("cancel", run.id, "--reason", "a test").out
    run.wait(20)
    assert do("cancel", run.id).out == f"run {run.id} is over: cancelled\n"
    assert do("wait", run.id).code == 1


def test_a_cancel_that_nobody_heard_does_not_end_the_resumed_run(do: Do, place: Path) -> None:
    """What asked the process before to cancel, and came too late for it, is forgotten."""
    assert do("run", "flow.py:revenue", "-i", '[["eu", "xx"]]').code == 1
    run = nbflow.attach(nbflow.runs(1)[0].run)
    ask_to_cancel(settings.open_store(), run.id, "too late")
    (place / "mended").touch()
    assert do("resume").out == "4\n"
    assert settings.open_store().mail.letters(run.id) == []  # type: ignore[attr-defined]


def test_replay_and_plan_run_nothing(do: Do, place: Path) -> None:
    """Both need only the code; replay exits with 1 where that asks for something else."""
    assert do("run", "flow.py:revenue", "-i", '[["eu"]]').code == 0
    said = do("plan", "flow.py:revenue", "-i", '[["eu", "usa"]]')
    assert "3 calls" in said.out
    assert "fetching" not in said.err
    assert do("replay", "--target", "flow.py:revenue").code == 0
    text = (place / "flow.py").read_text()
    (place / "flow.py").write_text(text.replace("[fetch(region)", "[total([fetch(region)])"))
    said = do("replay", "--target", "flow.py:revenue")
    assert said.code == 1
    assert do("history", "-o", "old.jsonl").code == 0
    assert do("replay", "old.jsonl", "--target", "flow.py:revenue").code == 1


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl"])
def test_two_runs_are_compared_call_by_call(do: Do, runs: dict[str, str], form: str) -> None:
    """Each format has a row a call with both statuses; JSON Lines has one object a line."""
    said = do("compare", runs["completed"], runs["failed"], "--format", form)
    assert (said.code, said.err) == (0, "")
    if form == "json":
        rows = json.loads(said.out)["calls"]
    elif form == "jsonl":
        rows = [json.loads(line) for line in said.out.splitlines()]
    else:
        rows = list(csv.DictReader(said.out.splitlines(), delimiter=SIGNS[form]))
    found = {row["call"]: (row["status_a"], row["status_b"]) for row in rows}
    assert found == {
        "fetch-1": ("done", "done"),
        "fetch-2": ("done", "failed"),
        "total-1": ("done", "skipped"),
    }


def test_files_are_written_and_named(do: Do, runs: dict[str, str], place: Path) -> None:
    """-o saves in the format of its extension; one that is none is refused with the list."""
    done = runs["completed"]
    for command, file in [("dag", "g.svg"), ("dag", "g.mmd"), ("profile", "p.csv")]:
        said = do(command, done, "-o", file)
        assert (said.code, said.out) == (0, f"wrote {file}\n")
        assert (place / file).stat().st_size > 100
    assert do("report", "run.html", done).code == 0
    assert "<html" in (place / "run.html").read_text()
    said = do("dag", done, "-o", "g.xyz")
    assert said.code == 2
    assert ".svg" in said.err
    assert do("compare", done, runs["failed"]).code == 0


def test_c02_a_command_or_an_option_that_there_is_not(do: Do) -> None:
    """The nearest one is named, on stderr, and the exit code is 2."""
    said = do("statsu")
    assert said.code == 2
    said = do("rnus")
    assert "Did you mean runs" in said.err
    assert said.out == ""
    said = do("runs", "--lsat", "3")
    assert said.code == 2
    assert "--last" in said.err


def test_c03_a_run_a_call_or_a_workflow_that_there_is_not(do: Do, runs: dict[str, str]) -> None:
    """The nearest ones are named, and the exit code is 3."""
    near = runs["completed"][:-1] + "zz"
    said = do("show", near)
    assert said.code == 3
    assert runs["completed"] in said.err
    said = do("run", "flow.py:revnue")
    assert said.code == 3
    assert "Did you mean revenue?" in said.err
    assert do("run", "nothing.py:x").code == 3
    assert do("run", "no_such_module:x").code == 3
    said = do("logs", runs["completed"], "--call", "fetch-9")
    assert said.code == 3
    assert "fetch-" in said.err


def test_arguments_that_a_workflow_does_not_take(do: Do) -> None:
    """The signature is shown before anything runs."""
    said = do("run", "flow.py:revenue", "--arg", "region=eu")
    assert said.code == 2
    assert "revenue(regions: list[str], rate: float = 2.0)" in said.err
    assert not nbflow.runs()


def test_code_that_cannot_be_loaded_is_said_with_its_line(do: Do, place: Path) -> None:
    """A module's own fault is named by file and line, without a traceback."""
    (place / "bad.py").write_text("x = 1\n1 / 0\n")
    said = do("run", "bad.py:x")
    assert "bad.py, line 2: ZeroDivisionError" in said.err
    (place / "worse.py").write_text("def f(:\n")
    said = do("run", "worse.py:x")
    assert "worse.py, line 1" in said.err
    assert "Traceback" not in said.err


def test_there_is_nothing_yet(do: Do) -> None:
    """The empty store is told of, with what to do."""
    said = do("runs")
    assert said.code == 0
    assert said.out.startswith("no runs in ")
    assert said.out.endswith(" yet: nbflow run starts one\n")
    said = do("show")
    assert said.code == 3
    assert "nbflow run starts one" in said.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no notebook"),
        ('{"nbformat": 3, "worksheets": []}', "--nbformat 4"),
        ('{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "in R"),
    ],
)
def test_c13_a_notebook_that_is_none(do: Do, place: Path, text: str, says: str) -> None:
    """It is said what is wrong with it, and how an old one is converted."""
    (place / "x.ipynb").write_text(text)
    said = do("run", "x.ipynb:w")
    assert said.code == 2
    assert says in said.err


def test_stores_and_caches_are_looked_after(do: Do, runs: dict[str, str], place: Path) -> None:
    """Each verb says what it found; trust and clear ask for what they need."""
    assert runs
    assert "runs 3" in do("store", "check").out
    assert do("store", "trust").code == 2
    assert do("store", "export", "runs.zip").code == 0
    assert (place / "runs.zip").exists()
    assert do("cache", "list").out == "nothing is cached\n"
    assert json.loads(do("cache", "size", "--json").out)["results"] == 0
    assert do("cache", "clear").code == 2
    assert do("cache", "clear", "--older-than", "7x").code == 2
    assert do("cache", "clear", "--older-than", "7d").code == 0


def test_info_shows_no_secret(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that hold secrets are said to be set, whatever follows the word in their names."""
    secrets = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    for name in [*secrets, "NBFLOW_API_KEY", "AWS_ACCESS_KEY_ID"]:
        monkeypatch.setenv(name, "hush-hush")
    monkeypatch.setenv("NBFLOW_STORE", "somewhere")
    for form in ("table", "json", "csv"):
        said = do("info", "--format", form)
        assert "hush" not in said.out
        assert "somewhere" in said.out
    assert "AWS_SESSION_TOKEN" in do("info", "environment").out


def test_the_doctor_finds_what_is_here_and_what_is_wrong(
    do: Do, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing comes with what to do; a damaged store makes it exit with 1."""
    said = do("doctor", "--json")
    found = {row["check"]: row for row in json.loads(said.out)}
    assert found["panel script"]["state"] == "ok"
    assert found["store"]["state"] == "ok"
    monkeypatch.setenv("PATH", "/nowhere")
    assert "· dot: not installed" in do("doctor").out
    do("run", "flow.py:revenue", "-i", '[["eu"]]')
    nbflow.running.config.settings.close()
    for file in (place / ".nbflow").glob("log.sqlite*"):
        file.write_bytes(b"this is no database at all" * 100)
    said = do("doctor")
    assert said.code == 1
    assert "✗ store" in said.out


def test_every_command_has_help_that_fits(do: Do) -> None:
    """--help of each command names its purpose, in lines that a terminal holds."""
    names: list[tuple[str, ...]] = [(name,) for name in app.commands]
    for group in ("cache", "store"):
        names += [(group, n) for n in app.commands[group].commands]  # type: ignore[attr-defined]
    for words in names:
        said = do(*words, "--help")
        assert said.code == 0
        assert said.out.startswith("Usage: nbflow ")
        assert max(map(len, said.out.splitlines())) <= 100, words
    assert do("--version").out.startswith("nbflow, version ")
    summary = do("--help").out
    assert "..." not in summary.split("Commands:")[1].split("Exit codes")[0]


CACHED = """
import nbflow

@nbflow.activity(cache=True)
def double(x):
    return 2 * x

@nbflow.workflow
def doubled(n: int = 2):
    return [double(x) for x in range(n)]
"""


def test_a_run_that_the_cache_has_answered_says_so(do: Do, place: Path) -> None:
    """No call ran, and that is what stands in the place of a chart: not that none has yet."""
    (place / "cached.py").write_text(CACHED)
    assert do("run", "cached.py:doubled").out == "[0, 2]\n"
    assert "were there already" not in do("show").out
    assert do("run", "cached.py:doubled").out == "[0, 2]\n"
    for command in ("show", "profile"):
        assert "no call ran: all 2 results were there already" in do(command).out
    assert do("run", "cached.py:doubled", "--arg", "n=0").out == "[]\n"
    assert "the workflow made no calls" in do("profile").out


def test_the_doctor_says_in_a_line_what_is_wrong_with_dot(
    do: Do, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends badly, says nothing, or is no program: no error of Python's is shown."""
    dot = place / "dot"
    monkeypatch.setenv("PATH", str(place))
    broken = {
        "#!/bin/sh\necho 'error while loading libgvc.so.6' >&2\nexit 127\n": "libgvc.so.6",
        "#!/bin/sh\nexit 3\n": "it ended with 3: it says nothing",
        "\x7fELF no program": "cannot be started: Exec format error",
    }
    for text, says in broken.items():
        dot.write_text(text)
        dot.chmod(0o755)
        said = do("doctor")
        (line,) = [line for line in said.out.splitlines() if line.startswith("✗ dot")]
        assert says in line
        assert "Command" not in said.out
        assert said.code == 1


def test_runs_are_found_by_their_tags(do: Do) -> None:
    """Those that were started with all of them, and the latest of those come first."""
    for tags in (["--tag", "nightly"], ["--tag", "nightly", "--tag", "eu"], []):
        assert do("run", "flow.py:revenue", "-i", '[["eu"]]', *tags).code == 0
    every = [row["run"] for row in json.loads(do("runs", "--json").out)]
    assert len(every) == 3

    def found(*words: str) -> list[str]:
        return [row["run"] for row in json.loads(do("runs", "--json", *words).out)]

    assert found("--tag", "nightly") == every[1:]
    assert found("--tag", "nightly", "--last", "1") == every[1:2]
    assert found("--tag", "nightly", "--tag", "eu") == every[1:2]
    assert found("--tag", "night") == []
    assert "none of the 3 runs" in do("runs", "--tag", "night").out
