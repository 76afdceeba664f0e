"""No command is without a golden output: in each format, of a run that is over, failed, under way.

The outputs are held by test_golden*.py and test_commands.py here, and by tests/swf/test_golden.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from nbflow.cli.app import app
from tests.cli.goldens import FORMS, GOLDEN

OTHER = Path(__file__).parents[1] / "swf" / "golden"
ALL = frozenset({"finished", "failed", "running"})
_STATES = {"completed": "finished"}

NO_RUN = "it is about no run that there is"
OF_A_STORE = "it is about a store, which has all three when it is asked"
OF_A_FLOW = "it is about a flow, whatever its executions do"
PROCESS = "it runs until it is ended; what it says at first and refuses is held"
WITHOUT: dict[str, str] = {
    "run": "it starts runs: one that completes, one that fails",
    "plan": NO_RUN,
    "runs": "all three are in its one table",
    "export": NO_RUN,
    "check": NO_RUN,
    "load": NO_RUN,
    "cache list": OF_A_STORE,
    "cache size": OF_A_STORE,
    "cache clear": OF_A_STORE,
    "store check": OF_A_STORE,
    "store compact": OF_A_STORE,
    "store trust": OF_A_STORE,
    "store export": OF_A_STORE,
    "store import": OF_A_STORE,
    "store recover": OF_A_STORE,
    "standalone": PROCESS,
    "decider start": PROCESS,
    "worker start": PROCESS,
    "emulator swf": PROCESS,
    "emulator cloudflow": PROCESS,
    "swf list": "all three are in its tables",
    "swf filter": "all three are in its tables",
    "workflow list": "all three are in its tables",
    "workflow filter": "all three are in its tables",
    "workflow start": "it starts executions",
    "binaries download": NO_RUN,
    "cloudflow flows": OF_A_FLOW,
    "cloudflow flow": OF_A_FLOW,
    "cloudflow create": OF_A_FLOW,
    "cloudflow update": OF_A_FLOW,
    "cloudflow delete": OF_A_FLOW,
    "cloudflow publish": OF_A_FLOW,
    "cloudflow versions": OF_A_FLOW,
    "cloudflow route": OF_A_FLOW,
    "cloudflow aliases": OF_A_FLOW,
    "cloudflow schedule": OF_A_FLOW,
    "cloudflow schedules": OF_A_FLOW,
    "cloudflow start": "it starts executions: one that succeeds, one that fails",
    "cloudflow executions": "all three are in its tables",
    "cloudflow report": "it is about a call that waits, so about what runs",
    "cloudflow map-run": "it is about a part of an execution",
    "cloudflow worker": PROCESS,
    "cloudflow orchestrator": PROCESS,
    "cloudflow fdl": NO_RUN,
    "cloudflow deploy": OF_A_FLOW,
    "cloudflow package": NO_RUN,
    "doctor": "it is about a machine: three of them are held",
    "info": NO_RUN,
}
"""Commands of which not all three runs are held, though each format is, and why."""


def leaves(command: click.Command = app, words: str = "") -> Iterator[str]:
    """Give the words of every command that is no group."""
    if not isinstance(command, click.Group):
        yield words
        return
    for name, each in command.commands.items():
        yield from leaves(each, f"{words} {name}".strip())


@cache
def text_of(command: str, form: str) -> str:
    """Give what is kept of a command in a format, on whatever run."""
    files = (
        GOLDEN / f"{command.replace(' ', '-')}.{form}.txt",
        OTHER / f"{command.replace(' ', '.')}.{form}.txt",
    )
    text = "\n".join(file.read_text() for file in files if file.exists())
    several = (GOLDEN / f"running.{form}.txt").read_text()  # of several commands
    parts = re.split(r"(?m)^(?=\$ nbflow )", several)
    return text + "".join(part for part in parts if part.startswith(f"$ nbflow {command} "))


def states(command: str, form: str) -> set[str]:
    """Give the states of runs that something is kept of."""
    heads = re.findall(r"(?m)^# (\w+)$", text_of(command, form))
    lines = re.findall(rf"(?m)^\$ nbflow {command} .*$", text_of(command, form))
    named = re.findall(r"[{<](\w+)[}>]", " ".join(lines))
    return {_STATES.get(name, name) for name in (*heads, *named)} & ALL


@pytest.mark.parametrize("command", list(leaves()))
def test_every_command_has_a_golden_output_in_each_format(command: str) -> None:
    """A new command is held in all five, of three runs, or it is said why not."""
    for form in FORMS:
        assert text_of(command, form).strip(), f"{command}, {form}: nothing is kept"
        lacking = ALL - states(command, form)
        assert not lacking or WITHOUT.get(command), f"{command}, {form}: none of {lacking}"


def test_the_exceptions_are_commands_and_are_needed() -> None:
    """One that has all three by now, or is gone, has no place in the table."""
    assert set(WITHOUT) <= set(leaves())
    whole = [c for c in WITHOUT if all(states(c, form) == ALL for form in FORMS)]
    assert whole == []


def test_every_file_that_is_kept_is_of_a_command() -> None:
    """None stays behind when a command goes."""
    known = {each.replace(" ", "-") for each in leaves()} | {"running"}
    assert {file.name.split(".")[0] for file in GOLDEN.iterdir()} <= known
