"""Ids of runs: safe in any file name, address and terminal, whatever a workflow is called."""

from __future__ import annotations

import re
import secrets
from typing import Final

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_KEPT: Final = 80


def is_id(name: object) -> bool:
    """Whether a text can be the id of a run: safe in any file name, address and terminal."""
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return False
    return not _DEVICES.fullmatch(name) and not name.endswith(".")


def new_id(workflow: str) -> str:
    """Make the id of a run of a workflow, whatever that is called."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in workflow)
    made = f"{kept.strip('._-')[:_KEPT] or 'run'}-{secrets.token_hex(4)}"
    return made if is_id(made) else f"run-{made}"
