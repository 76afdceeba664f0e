"""The options that a run was started with in the place of its workflow's own, as its log has them.

So whoever drives the run on, decides for it or replays it means the same, in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import Unserialisable
from nbflow.core.payload import Stored, pack, spill, unpack

if TYPE_CHECKING:
    from nbflow.core.child import WorkflowOptions
    from nbflow.core.events import RunStarted
    from nbflow.core.payload import Fetch

TAGGED: Final = frozenset({"tags", "force_steps", "skip_steps"})
"""Options that are tags of a run, which its log has as such."""


def stored_options(
    changes: Mapping[str, Any], put: Callable[[bytes], str]
) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """Give options as a log keeps them, and the names of those that it cannot keep.

    Args:
        changes: The options.
        put: Keeps the bytes of large ones.

    Example:
        >>> stored_options({"max_events": 500, "on_completed": lock.release}, store.put)
        ({'max_events': 500}, ('on_completed',))
    """
    found: dict[str, Stored] = {}
    unkept = []
    for name, value in changes.items():
        if name in TAGGED:
            continue
        try:
            found[name] = spill(pack(value, f"the option {name}"), put)
        except Unserialisable:
            unkept.append(name)
    return found, tuple(unkept)


def with_options(settings: WorkflowOptions, started: RunStarted, fetch: Fetch) -> WorkflowOptions:
    """Give a workflow's options as its run was started with them.

    Args:
        settings: Those of the workflow.
        started: The run's first event.
        fetch: Gives the bytes of a large one.

    Raises:
        PickleRefused: Nothing shows that one of them is this user's own.
    """
    if not started.options:
        return settings
    given = {name: unpack(stored, _no_call, fetch) for name, stored in started.options.items()}
    return settings.changed(given)


def _no_call(call: str) -> object:
    message = f"an option of a run refers to {call}"
    raise Unserialisable(message)
