"""``%nbflow cache``: what is kept for later runs, and how to get rid of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

import nbflow
from nbflow.core.errors import NbflowError
from nbflow.magics import commands
from nbflow.magics.notices import one_line, say

if TYPE_CHECKING:
    import argparse

flags = commands.flags_of(
    "cache clear", "activity", "older_than", "larger_than", "down_to", "every", "blobs"
)
"""Adds what says which results: in the words of the command, whose bodies are as short as these.

What differs is what is given: here the results themselves, to be displayed and asked.
"""


def do(what: str, given: argparse.Namespace) -> Any:
    """List what is kept, or clear it.

    Raises:
        UsageError: It is neither, or does not say what to clear.
    """
    limits = {
        "older_than": given.older_than,
        "larger_than": given.larger_than,
        "down_to": given.down_to,
        "all": given.every,
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
