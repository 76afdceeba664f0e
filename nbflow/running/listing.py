"""Finds runs by what people remember of their ids."""

from __future__ import annotations

import difflib

from nbflow.core.errors import RunNotFound
from nbflow.store.base import Store


def complete(run: str, store: Store) -> str:
    """Give the one id that `run` is, or begins.

    Raises:
        RunNotFound: None does, or several do.
    """
    ids = [row.run for row in store.runs()]
    if run in ids:
        return run
    found = [i for i in ids if i.startswith(run)] if run else []
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{run!r} begins {len(found)} run ids: {', '.join(found[:5])}"
        raise RunNotFound(message)
    near = difflib.get_close_matches(run, ids, 3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    message = f"no run {run!r} among the {len(ids)} runs in {store.path}.{hint}"
    raise RunNotFound(message)
