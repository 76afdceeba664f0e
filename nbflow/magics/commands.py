"""Verbs that the notebook has no form of its own for: the command ``nbflow`` has them."""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError

from nbflow.magics.options import help_of
from nbflow.running.run import Run

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic_arguments import MagicArgumentParser

_PROCESSES: Final = frozenset({"decider", "emulator", "standalone", "worker"})
"""What runs until it is ended, and so is for a terminal."""
_APP = "nbflow.cli.app"
"""Asked for by name: the command stands above the magics, and uses them.

It is the one place where a layer asks for what is above it, and import-linter does not see it:
docs/design.md says so.
"""


def others(known: Container[str]) -> list[str]:
    """Give the verbs of the command but for these."""
    there = _app().app.commands
    return [name for name in there if name not in known and name not in _PROCESSES]


def flags_of(command: str, *names: str, of: str = "") -> Callable[[MagicArgumentParser], None]:
    """Give what adds options of a command to a verb: they are defined there, and once.

    Args:
        command: The command; one of a group by both names, as in ``cache clear``.
        names: Its parameters that the verb has, too; the others are for a terminal.
        of: What of the verb they are for, if not all of it; the help begins with it.
    """

    def add(made: MagicArgumentParser) -> None:
        there = {each.name: each for each in found(command).params}
        for name in names:
            _add(made, there[name], of)

    return add


def found(command: str) -> Any:
    """Give a command by its name; one of a group by both, with a blank between them."""
    here = _app().app
    for name in command.split():
        here = here.commands[name]
    return here


def _add(made: MagicArgumentParser, option: Any, of: str) -> None:
    text = help_of(option.help)
    given: dict[str, Any] = {"dest": option.name, "help": f"{of}: {text}" if of else text}
    if option.is_flag:
        given["action"] = "store_true"
    else:
        if option.multiple:
            given |= {"action": "append"}
        # Some versions of click have a sign of their own for "no default".
        plain = option.default if isinstance(option.default, str | int | float) else None
        given |= {"default": [] if option.multiple else plain, "type": _reading(option.type)}
        given["metavar"] = option.metavar
        choices = getattr(option.type, "choices", None)
        if choices is not None:
            given |= {"choices": tuple(choices), "metavar": None}
    made.add_argument(*option.opts, **given)


def _reading(kind: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        import click  # noqa: PLC0415 - as above

        try:
            return kind.convert(text, None, None)
        except click.BadParameter as error:
            raise argparse.ArgumentTypeError(error.message) from None

    return read


def carry_out(shell: InteractiveShell, line: str) -> None:
    """Do what the command does, in this process, with its runs and its store.

    Args:
        shell: A word that is the name of a run here stands for the run.
        line: What stands behind ``%nbflow``.

    Raises:
        UsageError: It cannot be done; the message says why.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{line}: {error}") from None
    failed = _app().carry_out([*words[:1], *(_word(shell, word) for word in words[1:])])
    if failed:
        raise UsageError(failed)


def _word(shell: InteractiveShell, word: str) -> str:
    held = shell.user_ns.get(word)
    return held.id if isinstance(held, Run) else word


def _app() -> Any:
    return importlib.import_module(_APP)
