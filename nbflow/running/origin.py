"""Where a run comes from, if not from a person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from nbflow.core.capture import Captured
from nbflow.core.errors import DefinitionError, RunError, StoreConflict
from nbflow.core.events import RunStarted
from nbflow.core.workflow import Target, definition
from nbflow.store.base import Store
from nbflow.store.ids import is_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What made a run. See `RunStarted` for the fields.

    Attributes:
        run: Its id; "" to make one up.
        changes: Options in the place of the workflow's own.
    """

    run: str = ""
    parent: str = ""
    call: str = ""
    tags: tuple[str, ...] | None = None
    continues: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


BY_HAND = Origin()
_TAGGED: Final = frozenset({"tags", "force_steps", "skip_steps"})
"""Options that are tags of a run."""


def changed(target: Target, changes: dict[str, Any] | None) -> Origin:
    """Give the origin of a run that a person starts with other options than the workflow's."""
    given = {name: value for name, value in (changes or {}).items() if name != "task_list"}
    if not given:
        return BY_HAND
    tags = definition(target).settings.changed(given).tags
    return Origin(tags=tags if _TAGGED & set(given) else None, changes=given)


def changed_options(frozen: Captured, changes: dict[str, Any]) -> Captured:
    """Give a workflow with other options in the place of its own."""
    if not changes:
        return frozen
    rules = frozen.definition.settings.changed(changes)
    return replace(frozen, definition=replace(frozen.definition, settings=rules))


def create_as(store: Store, run: str, event: RunStarted, *, by_hand: bool) -> None:
    """Create a run of an id that was chosen."""
    if by_hand and not is_id(run):
        message = (
            f"get_workflow_id of {event.workflow} gives {run!r:.60}, which can be no id: letters, "
            "digits and . _ -, up to 128, beginning with a letter or digit"
        )
        raise DefinitionError(message)
    try:
        store.create(run, event)
    except StoreConflict:
        if not by_hand:
            raise
        message = (
            f"run {run} is there already, so none was started: nbflow.attach({run!r}) gives it, "
            "or have get_workflow_id give another id"
        )
        raise RunError(message) from None
