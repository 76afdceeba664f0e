"""Looks after the configured store: what `nbflow.store.care` does, for those who name none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbflow.core.errors import StoreError
from nbflow.running.config import DEFAULT_STORE, MEMORY, settings

if TYPE_CHECKING:
    from nbflow.store.account import Account


def store_directory(path: str | os.PathLike[str] | None = None) -> Path:
    """Give the directory of a store; of the configured one, without opening it, by default.

    Raises:
        StoreError: That one keeps nothing in files.
    """
    where = path or settings.store or os.environ.get("NBFLOW_STORE") or DEFAULT_STORE
    if not isinstance(where, str | os.PathLike):
        where = where.path
    if os.fspath(where) == MEMORY:
        message = "runs are kept in memory here: name the directory of a store"
        raise StoreError(message)
    return Path(where).expanduser().absolute()


def trust(path: str | os.PathLike[str] | None = None) -> Account:
    """Sign everything that is pickled in a store as yours, so that it can be loaded.

    nbflow loads pickles only if it sees by their signature that you wrote them, on this machine:
    to load a pickle is to run whatever code it holds, with your rights. So say this only of a
    store that nobody else has written to: one that an older nbflow made, or one that you copied
    from another machine of yours. Everything else can be looked at without: lists of runs, graphs,
    profiles, output, and values that are numbers, text, lists, tuples and dicts.

    Args:
        path: The store's directory; by default that of the configured store.

    Returns:
        What was signed.

    Raises:
        StoreError: There is no store, it cannot be written, or other users can write to it.

    Example:
        >>> nbflow.trust("results/.nbflow")
    """
    from nbflow.store import care  # noqa: PLC0415 - loads sqlite3

    return care.trust(store_directory(path))
