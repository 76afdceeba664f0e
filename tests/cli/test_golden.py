"""Commands that act, ask and write, on runs that have completed, failed, and are under way.

What they print is kept in tests/cli/golden, one file a command; NBFLOW_UPDATE_GOLDEN=1 renews it.
What lists and draws runs is in test_commands.py.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Said
from tests.cli.test_commands import GOLDEN, UPDATE, Do, masked, runs

__all__ = ["runs"]

FORMS = ["table", "csv", "tsv", "json", "jsonl"]
ASKING: dict[str, list[list[str]]] = {
    "result": [["{completed}"], ["{failed}"], ["{running}"]],
    "wait": [["{completed}"], ["{failed}"], ["{running}", "--timeout", "0"]],
    "attach": [["{completed}"], ["{failed}"]],
    "replay": [
        ["{completed}", "--target", "flow.py:revenue"],
        ["{completed}", "--target", "flow.py:holding"],
        ["{failed}", "--target", "flow.py:revenue"],
        ["{failed}", "--target", "flow.py"],
        ["{running}", "--target", "flow.py:holding"],
    ],
    "compare": [
        ["{completed}", "{failed}"],
        ["{failed}", "{running}"],
        ["{completed}", "no-such-run"],
    ],
    "check": [["flow.py:revenue"], ["no-such-file.ipynb"]],
    "plan": [["flow.py:revenue", "-i", '[["eu", "usa"]]'], ["flow.py:revenue", "-i", "{"]],
    "report": [
        ["{completed}.html", "{completed}"],
        ["{failed}.html", "{failed}"],
        ["{running}.html", "{running}"],
        ["page.txt", "{failed}"],
    ],
    "export": [["flow.py:revenue", "-o", "made-{form}.py"], ["flow.py:revenu"]],
    "load": [["flow.py:revenue", "-o", "made-{form}.ipynb"]] * 2,
    "cache list": [[]],
    "cache size": [[]],
    "cache clear": [[], ["--older-than", "7d"]],
    "store export": [["made-{form}.zip", "--run", "{completed}"], ["made.zip", "--run", "no-run"]],
    "store import": [["made-{form}.zip"], ["no-such-file.zip"]],
    "store check": [["now"], []],
    "store recover": [["new-{form}"], ["new-{form}"]],
    "store compact": [[]],
    "store trust": [[], ["no-such-run"]],
    "info": [["settings"], ["no-such-section"]],
    "binaries download": [
        ["tool"],
        ["tool=http://example.invalid/tool"],
        ["tool=file://{here}/flow.py", "--sha256", "tool=00"],
    ],
    "emulator swf": [["--host", "8.8.8.8"], ["--limit", "polls=1"], ["--port", "99999"]],
    "emulator cloudflow": [["--host", "8.8.8.8"], ["--function", "double"], ["--port", "99999"]],
}
"""Words that follow each command; these change no run."""
ACTING: dict[str, list[list[str]]] = {
    "signal": [[f"{{{status}}}", "go", "1"] for status in ("completed", "failed", "running")],
    "cancel": [["{completed}"], ["{failed}"], ["{running}"]],
    "resume": [["{completed}"], ["{failed}", "--target", "flow.py:revenue"]],
    "rerun": [
        ["{completed}", "fetch-1", "--target", "flow.py:revenue"],
        ["{completed}", "f-9"],
        ["{failed}", "fetch-2", "--target", "flow.py:revenue"],
    ],
    "run": [["flow.py:revenue", "-i", '[["eu"]]'], ["flow.py:revenue", "-i", '[["xx"]]']],
}
"""Those that do, in the order in which they are carried out; then the one worker is free."""


def shown(said: Said, form: str) -> str:
    """Write down what a command said; what programs are to read is read."""
    if said.out and form == "json":
        json.loads(said.out)
    if said.out and form == "jsonl":
        for line in said.out.splitlines():
            json.loads(line)
    # A worker prints side by side with the command, so its words may stand within a line.
    err = re.sub(r"fetching (eu|usa|xx)", "", said.err)
    err = re.sub(r"(?m)^((took|nbflow: [\d.]+ s).*)?\n", "", err)
    head = "--- stderr\n" if err else ""
    return f"{said.out}{head}{err}--- exit {said.code}\n"


def quiet(text: str, place: Path, known: dict[str, str]) -> str:
    """Put signs in the place of what differs from time to time."""
    for status, run in known.items():
        text = text.replace(run, f"<{status}>")
    text = re.sub(r"process \d+", "process <pid>", text)
    text = re.sub(r"\b\d[\d,.]* ?(bytes|[kKM]i?B|B)\b", "<size>", masked(text, place))
    text = re.sub(r'"(bytes|size|before|after|freed|wall|work)": [\d.]+', r'"\1": <n>', text)
    # A beginning that an end has overtaken is not written.
    text = re.sub(r'(\bevents"{0,2}:? )\d+', r"\1<n>", text)
    return re.sub(r"\b(revenue|holding)-#{8}\b", "<another>", text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", [ASKING, ACTING], ids=["asking", "acting"])
def test_a_command_says_what_was_agreed(
    do: Do, place: Path, runs: dict[str, str], form: str, words: dict[str, list[list[str]]]
) -> None:
    """Output, messages and exit code, in each format, change only on purpose."""
    failures = []
    for command, calls in words.items():
        told = []
        for given in calls:
            filled = [_filled(word, {**runs, "here": str(place)}, form) for word in given]
            said = do(*command.split(), *filled, "--format", form)
            if command == "compare" and said.out:
                said = replace(said, out=compared(said.out, form))
            told.append(f"$ nbflow {command} {' '.join(given)}\n{shown(said, form)}")
        found = quiet("\n".join(told), place, runs)
        golden = GOLDEN / f"{command.replace(' ', '-')}.{form}.txt"
        if UPDATE:
            golden.write_text(found)
        if found != golden.read_text():
            failures.append(f"{golden.name}:\n{found}")
    assert not failures, "\n".join(failures)


def compared(text: str, form: str) -> str:
    """Give two runs without what is another thing each time: which took longer, and by how much."""
    if form == "json":
        data = json.loads(text)
        data |= {"summary": "<in words>", "calls": sorted(map(steady, data["calls"]), key=str)}
        data["totals"] = [{**each, "a": "<n>", "b": "<n>"} for each in data["totals"]]
        return json.dumps(data, indent=1) + "\n"
    if form == "jsonl":
        rows = sorted((steady(json.loads(line)) for line in text.splitlines()), key=str)
        return "".join(json.dumps(row) + "\n" for row in rows)
    if form == "table":
        text = re.sub(r"(?ms)(?<=\n)(B took|The runs are).*?\n\n", "<in words>\n\n", text)
        timed = "wall|work|critical path|queued|efficiency"
        text = re.sub(rf"(?m)^({timed}) .*", r"\1 <n>", text)
        states = "done|failed|skipped|running"
        text = re.sub(rf"(?m)^(\w+-\d) .*? ({states})(.*?)(, critical)?$", r"\1 <n> \2\3", text)
        return re.sub(r"(?m)(^\w+-\d <n>.*\n?)+", _sorted, text)
    rows = list(csv.DictReader(text.splitlines(), delimiter="," if form == "csv" else "\t"))
    lines = sorted((",".join(map(str, steady(row).values())) for row in rows), key=str)
    return text.splitlines()[0] + "\n" + "".join(f"{line}\n" for line in lines)


def steady(row: dict[str, Any]) -> dict[str, Any]:
    """Give a row of a comparison without times, and what follows from them."""
    changing = r"(seconds|queued|began|critical)_"
    return {name: "<n>" if re.match(changing, name) else value for name, value in row.items()}


def _sorted(found: re.Match[str]) -> str:
    return "".join(f"{line}\n" for line in sorted(found[0].splitlines()))


def _filled(word: str, known: dict[str, str], form: str) -> str:
    for name, value in {**known, "form": form}.items():
        word = word.replace(f"{{{name}}}", value)
    return word
