"""How commands end: what goes wrong is one line on stderr and a number that scripts can test."""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

import click

import nbflow
from nbflow.cli.spoken import spoken
from nbflow.core.errors import NbflowError, RunNotFound
from nbflow.viz.wording import clean

DONE: Final = 0
"""The command did what it was asked for, and the run that it is about has completed."""
FAILED: Final = 1
"""The run failed or was cancelled, or the command could not be carried out."""
USAGE: Final = 2
"""The command line makes no sense."""
UNKNOWN: Final = 3
"""There is no such run, call or file."""
INTERRUPTED: Final = 130
"""Ctrl-C."""

_LONGEST: Final = 2_000


class CommandError(click.ClickException):
    """What one line tells the user.

    Args:
        message: The line.
        code: What the command exits with.
    """

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        setattr(self, "exit_code", code)  # noqa: B010 - click declares it of the class

    def show(self, file: Any = None) -> None:
        """Write the line."""
        click.echo(f"nbflow: {line_of(spoken(self.message))}", file=file or sys.stderr)


def line_of(text: str) -> str:
    """Put a message on one line, with nothing in it that a terminal obeys."""
    words = " ".join(text.split("\n")[0:1] + [part.strip() for part in text.split("\n")[1:]])
    return clean(words, _LONGEST)


def warn_in_a_line() -> None:
    """Have warnings of nbflow itself be a line on stderr, without a place in its code."""
    usual = warnings.showwarning
    own = str(Path(nbflow.__file__).parent)

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if filename.startswith(own) and file is None:
            click.echo(f"nbflow: warning: {line_of(spoken(str(message)))}", err=True)
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def unknown(what: str, name: str, known: Iterable[str]) -> CommandError:
    """Make the error of a name that there is not, with the nearest ones."""
    near = difflib.get_close_matches(name, sorted(set(known)), 3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return CommandError(f"no {what} {name!r:.80}.{hint}", UNKNOWN)


def guarded(do: Callable[[], Any]) -> Any:
    """Do it; what nbflow refuses becomes a line and a number.

    Raises:
        CommandError: It was refused.
    """
    try:
        return do()
    except RunNotFound as error:
        raise CommandError(str(error), UNKNOWN) from error
    except BrokenPipeError:
        raise
    except (NbflowError, OSError) as error:
        notes = getattr(error, "__notes__", [])
        raise CommandError("; ".join([str(error), *notes])) from error


def leave(code: int) -> NoReturn:
    """End the process with a code, whatever threads still do."""
    raise SystemExit(code)


def quiet_pipe() -> int:
    """Make sure that nothing is written to a pipe that nobody reads, not even at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return FAILED
