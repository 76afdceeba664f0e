"""``%nbflow cache``: what is kept for later runs, and how to get rid of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

import nbflow
from nbflow.core.errors import NbflowError
from nbflow.magics.notices import one_line, say
from nbflow.running.quantities import age, size

if TYPE_CHECKING:
    from IPython.core.magic_arguments import MagicArgumentParser


def flags(made: MagicArgumentParser) -> None:
    """Add what says which results."""
    add = made.add_argument
    add("--activity", metavar="NAME", help="those of this activity")
    add("--older-than", metavar="AGE", type=_age, help="clear those older than 90s, 30m, 12h, 7d")
    add("--larger-than", metavar="SIZE", type=_size, help="clear those of more than 500k, 10M, 1G")
    add("--down-to", metavar="SIZE", type=_size, help="clear the oldest until so much is left")
    add("--all", action="store_true", help="clear all of them")
    add("--blobs", action="store_true", help="clear files that nothing refers to any more, too")


def do(what: str, given: argparse.Namespace) -> Any:
    """List what is kept, or clear it.

    Raises:
        UsageError: It is neither, or does not say what to clear.
    """
    limits = {
        "older_than": given.older_than,
        "larger_than": given.larger_than,
        "down_to": given.down_to,
        "all": given.all,
        "blobs": given.blobs,
    }
    if what in {"", "list"}:
        if any(limits.values()):
            raise UsageError("nothing was cleared: write %nbflow cache clear, then the flags")
        found = _usage(lambda: nbflow.cache.list(given.activity))
        say(f"{_usage(nbflow.cache.size)!r} in all")
        return found
    if what == "size":
        return _usage(nbflow.cache.size)
    if what == "clear":
        return _usage(lambda: nbflow.cache.clear(given.activity, **limits))
    raise UsageError(f"%nbflow cache {what}: use list, size or clear")


def _usage(what: Any) -> Any:
    try:
        return what()
    except (NbflowError, ValueError) as error:
        raise UsageError(one_line(error)) from None


def _age(text: str) -> float:
    try:
        return age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _size(text: str) -> int:
    try:
        return size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
