"""docs/cli.md has the help of every command, as the command itself says it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from nbflow.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
MARK = "<!-- the help of every command: written by tests/cli/test_reference.py -->\n"


def commands(
    command: click.Command, name: str, above: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Give the words and the help of a command and of all below it."""
    context = command.context_class(
        command, above, name, terminal_width=100, **command.context_settings
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for word, each in command.commands.items():
            yield from commands(each, word, context)


def test_the_documentation_says_what_the_commands_say() -> None:
    """Run this with NBFLOW_UPDATE_GOLDEN=1 after a change of an option or of its help."""
    found = "".join(
        f"\n### {words}\n\n```text\n{text}\n```\n" for words, text in commands(app, "nbflow")
    )
    head, _, shown = PAGE.read_text().partition(MARK)
    if os.environ.get("NBFLOW_UPDATE_GOLDEN"):
        PAGE.write_text(head + MARK + found)
        return
    assert shown == found
