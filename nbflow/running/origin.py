"""Where a run comes from, if not from a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbflow.core.child import WorkflowOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What made a run. See `RunStarted` for the fields.

    Attributes:
        run: Its id; "" to make one up.
    """

    run: str = ""
    parent: str = ""
    call: str = ""
    tags: tuple[str, ...] | None = None
    continues: str = ""


BY_HAND = Origin()


def changed(changes: dict[str, Any] | None) -> Origin:
    """Give the origin of a run that a person starts with other options than the workflow's."""
    if not changes or "tags" not in changes:
        return BY_HAND
    return Origin(tags=WorkflowOptions().changed({"tags": changes["tags"]}).tags)
