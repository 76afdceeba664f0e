"""Verbs that the notebook has no form of its own for: the command ``nbflow`` has them."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Container
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError

from nbflow.running.run import Run

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_PROCESSES: Final = frozenset({"decider", "emulator", "standalone", "worker"})
"""What runs until it is ended, and so is for a terminal."""
_APP = "nbflow.cli.app"
"""Asked for by name: the command stands above the magics, and uses them."""


def others(known: Container[str]) -> list[str]:
    """Give the verbs of the command but for these."""
    found = _app().app.commands
    return [name for name in found if name not in known and name not in _PROCESSES]


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
    failed = _app().carry_out([_word(shell, word) for word in words])
    if failed:
        raise UsageError(failed)


def _word(shell: InteractiveShell, word: str) -> str:
    found = shell.user_ns.get(word)
    return found.id if isinstance(found, Run) else word


def _app() -> Any:
    return importlib.import_module(_APP)
