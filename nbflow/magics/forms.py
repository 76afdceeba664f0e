"""Verbs of the notebook beside the commands of the same names: what each has, and why it differs.

A verb takes what its command takes. Options that the notebook has a form of its own for act on
what is displayed; with any other one the command does it, in this kernel, and prints. Only what
takes an expression of the notebook cannot be left to the command, which knows files and modules.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError

from nbflow.magics import commands

if TYPE_CHECKING:
    from IPython.core.magic_arguments import MagicArgumentParser

_TARGET: Final = re.compile(r"\S+\.(py|ipynb)(:\w+)?|[\w.]+:\w+")
_DISPLAYED: Final = "what it gives is displayed, not printed"
_PRINTED: Final = {
    "--format": _DISPLAYED,
    "--json": _DISPLAYED,
    "--header": _DISPLAYED,
    "--no-header": _DISPLAYED,
    "--color": _DISPLAYED,
    "--no-color": _DISPLAYED,
    "--store": "nbflow.configure(store=...) says where the runs of a notebook are kept",
}
_ARGUMENTS: Final = {
    "-i": 'the arguments stand in the expression: revenue(["eu"])',
    "--input": 'the arguments stand in the expression: revenue(["eu"])',
    "--input-file": 'the arguments stand in the expression: revenue(["eu"])',
    "--arg": 'the arguments stand in the expression: revenue(["eu"])',
}
DIFFERENT: Final[dict[str, dict[str, str]]] = {
    "run": {
        "help": "the cell goes on while it runs",
        "-o": "a variable holds the run; the command prints its result, which > puts in a file",
        "--output": "as -o",
        "--wait": "the command always waits: its process drives the run",
        "--no-wait": "as --wait",
        "-f": "what is displayed is live",
        "--follow": "what is displayed is live",
        "--report": "once it is over: %nbflow report page.html",
        **_ARGUMENTS,
        **_PRINTED,
    },
    "plan": {**_ARGUMENTS, **_PRINTED},
    "status": {"help": "the run itself is given, which shows itself"},
    "wait": {"help": "the result is given, to be kept or displayed"},
    "resume": {
        "-f": "what is displayed is live",
        "--follow": "what is displayed is live",
    },
    "attach": {
        "help": "the handle is given, which shows itself and goes on doing so",
        "-o": "a variable holds the handle",
        "--output": "as -o",
    },
    "load": {"help": "the next cell is written, unless -o names a notebook"},
    "export": _PRINTED,
    "check": _PRINTED,
}
"""What is not the same, by verb: ``help`` or an option, and why. All the rest is the command's."""


def is_target(text: str) -> bool:
    """Say whether a text names a workflow as in a shell: no expression looks like that.

    Example:
        >>> is_target("flow.py:revenue"), is_target('revenue(["eu"])')
        (True, False)
    """
    return _TARGET.fullmatch(text) is not None


def foreign(made: MagicArgumentParser, command: str, text: str) -> list[str]:
    """Give those options in a text that a command has, and its verb has not.

    Args:
        made: The parser of the verb.
        command: Its command.
        text: The flags.

    Raises:
        UsageError: A quote is not closed.
    """
    own = {word for action in made._actions for word in action.option_strings}  # noqa: SLF001 - there is no public list
    given = [word.partition("=")[0] for word in words(text)]
    unknown = [word for word in given if re.match(r"--?[a-z]", word) and word not in own]
    return [word for word in unknown if word in options(command)] if unknown else []


def words(text: str) -> list[str]:
    """Take flags apart.

    Raises:
        UsageError: A quote is not closed.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from None


def options(command: str) -> dict[str, Any]:
    """Give the options of a command, or of all in a group, by each way to write them."""
    return {
        word: option
        for each in _each(commands.found(command))
        for option in each.params
        if option.param_type_name == "option"
        for word in (*option.opts, *option.secondary_opts)
    }


def _each(found: Any) -> Iterator[Any]:
    yield from getattr(found, "commands", {"": found}).values()


def taken(verb: str, command: str) -> list[str]:
    """Give the options that a verb takes as its command has them."""
    return [word for word in options(command) if word not in DIFFERENT.get(verb, {})]


def refused(verb: str, given: Collection[str]) -> UsageError:
    """Make the error of options that an expression of the notebook does not take."""
    word = next(iter(given))
    why = DIFFERENT[verb].get(word)
    reason = f" ({why})" if why else ""
    return UsageError(
        f"{word} is for the code of a file or a module, as in flow.py:revenue{reason}"
    )


def also(verb: str, command: str, made: MagicArgumentParser) -> str:
    """Say for the help of a verb which options it takes as its command has them."""
    own = {word for action in made._actions for word in action.option_strings}  # noqa: SLF001 - as above
    left = ", ".join(word for word in taken(verb, command) if word not in own)
    text = f"{left}: as nbflow {command} has them, which then does it and prints."
    if not left:
        text = f"With a TARGET, such as flow.py:revenue, it is nbflow {command}, with its options."
    return f"\n{textwrap.fill(text, 78)}\n"
