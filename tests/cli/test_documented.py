"""Commands in the documentation are commands that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from nbflow.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_SHELLS = {"", "bash", "console", "sh", "yaml"}
_COMMAND = re.compile(r"(?:^|^\$ |run: |&& |bin/)nbflow (?![|<>])(.*)$")


def blocks(text: str) -> Iterator[str]:
    """Give the blocks of a page that are for a shell, or have lines that are."""
    kind: str | None = None
    lines: list[str] = []
    for line in text.splitlines():
        if not line.lstrip().startswith("```"):
            lines.append(line)
        elif kind is None:
            kind, lines = line.strip().removeprefix("```").strip(), []
        else:
            if kind in _SHELLS:
                yield "\n".join(lines)
            kind = None


def commands(page: Path) -> list[str]:
    """Give the command lines in the blocks of a page, without what follows them."""
    lines = [
        line
        for block in blocks(page.read_text(encoding="utf-8"))
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [found[1] for line in lines if (found := _COMMAND.search(line.strip()))]


def parse(line: str) -> None:
    """Read a command line as the program does, without carrying it out."""
    words = []
    for word in shlex.split(line, comments=True):
        if word in {"|", ">", ">>", "&", "&&", "2>"}:
            break
        words.append(word)
    command: click.Command = app
    context = None
    while words:
        context = command.make_context(command.name, words, context, resilient_parsing=False)
        if not isinstance(command, click.Group):
            return
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_in_the_documentation_is_one_that_there_is(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With options that it takes, in crontabs and in workflows of a code host as well."""
    monkeypatch.setenv("ACTIVITIES", "acs:fc")
    for line in commands(page):
        try:
            parse(line)
        except click.exceptions.Exit:
            continue  # --help and --version
        except click.UsageError as error:
            pytest.fail(f"{page.name}: nbflow {line}: {error.format_message()}")


def test_the_examples_for_schedulers_are_looked_at() -> None:
    """Those for cron, for a code host and for CloudFlow are among what the test above reads."""
    found = " ".join(commands(ROOT / "docs" / "export.md"))
    for words in (
        "run revenue_flow.py:revenue --format jsonl",
        "report run.html",
        "cloudflow schedule",
    ):
        assert words in found
