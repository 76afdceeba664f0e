"""``%nbflow store``: looks after the file that logs are kept in."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from IPython.core.error import UsageError

from nbflow.core.errors import NbflowError
from nbflow.magics import commands
from nbflow.magics.notices import one_line
from nbflow.running.caring import store_directory

if TYPE_CHECKING:
    from IPython.core.magic_arguments import MagicArgumentParser

    from nbflow.store.account import Account

USAGE: Final = (
    "%nbflow store check|compact|trust [DIR], export FILE, import FILE, recover NEW-DIR. "
    "DIR is the directory of a store, by default the configured one"
)
TRUST: Final = (
    "Trusting {0} means that what is pickled in it is loaded from now on, and that runs whatever "
    "code it holds, with your rights. Do so only if nobody but you has written to it: an older "
    "nbflow, or another machine of yours. If so: %nbflow store trust {1} --yes"
)
_SHARED: Final = {"compact": ("blobs",), "export": ("run", "pickles"), "trust": ("yes",)}
"""Options that the command defines, by its own verbs. What a verb does is defined in
`nbflow.store.care`; here it is given as an account to be displayed, there it is printed."""


def flags(made: MagicArgumentParser) -> None:
    """Add the flags of all of them."""
    for verb, names in _SHARED.items():
        commands.flags_of(f"store {verb}", *names, of=verb)(made)
    add = made.add_argument
    add("--store", metavar="DIR", help="export, import, recover: the store, if not the configured")


def do(text: str, given: argparse.Namespace) -> Account:
    """Do what a line says after ``store``.

    Raises:
        UsageError: It makes no sense, or cannot be done; the message says why.
    """
    try:
        verb, *operands = shlex.split(text) or [""]
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from None
    act = _VERBS.get(verb)
    if act is None or len(operands) > 1:
        raise UsageError(USAGE)
    try:
        return act(operands[0] if operands else None, given)
    except NbflowError as error:
        raise UsageError(one_line(error)) from None


def _check(where: str | None, _: argparse.Namespace) -> Account:
    from nbflow.store import care  # noqa: PLC0415 - loads sqlite3

    return care.check(store_directory(where))


def _compact(where: str | None, given: argparse.Namespace) -> Account:
    from nbflow.store import care  # noqa: PLC0415 - as above

    return care.compact(store_directory(where), blobs=given.blobs)


def _trust(where: str | None, given: argparse.Namespace) -> Account:
    from nbflow.store import care  # noqa: PLC0415 - as above

    directory = store_directory(where)
    if not given.yes:
        raise UsageError(TRUST.format(directory, where or "").replace("  ", " "))
    return care.trust(directory)


def _export(file: str | None, given: argparse.Namespace) -> Account:
    from nbflow.store import care  # noqa: PLC0415 - as above

    target = _named(file, "export", "runs.zip")
    return care.export(store_directory(given.store), target, given.run, pickles=given.pickles)


def _import(file: str | None, given: argparse.Namespace) -> Account:
    from nbflow.store import care  # noqa: PLC0415 - as above

    return care.load(store_directory(given.store), _named(file, "import", "runs.zip"))


def _recover(new: str | None, given: argparse.Namespace) -> Account:
    from nbflow.store import care  # noqa: PLC0415 - as above

    return care.recover(store_directory(given.store), _named(new, "recover", "recovered"))


def _named(given: str | None, verb: str, example: str) -> Path:
    if given is None:
        raise UsageError(f"where? As in %nbflow store {verb} {example}")
    return Path(given).expanduser()


_VERBS: Final[dict[str, Callable[[str | None, argparse.Namespace], Account]]] = {
    "check": _check,
    "compact": _compact,
    "export": _export,
    "import": _import,
    "recover": _recover,
    "trust": _trust,
}
