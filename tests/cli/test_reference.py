"""docs/cli.md has the help of every command, as the command itself says it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from nbflow.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
MARK = "<!-- the help of every command: written by tests/cli/test_reference.py -->\n"


def commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Give the words and the help of a command and of all below it."""
    context = click.Context(command, info_name=" ".join(words), max_content_width=100)
    context.terminal_width = 100
    yield " ".join(words), command.get_help(context)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, (*words, name))


def test_the_documentation_says_what_the_commands_say() -> None:
    """Run this with NBFLOW_UPDATE_GOLDEN=1 after a change of an option or of its help."""
    found = "".join(
        f"\n### {words}\n\n```text\n{text}\n```\n" for words, text in commands(app, ("nbflow",))
    )
    head, _, shown = PAGE.read_text().partition(MARK)
    if os.environ.get("NBFLOW_UPDATE_GOLDEN"):
        PAGE.write_text(head + MARK + found)
        return
    assert shown == found
