"""How a run on CloudFlow is ended at once: its log is closed, and nothing of it is left running."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final

from nbflow.core.errors import RunNotFound, StoreConflict
from nbflow.core.events import CallCancelled, Event, RunClosed, TimerCancelled
from nbflow.core.history import History
from nbflow.services.cloudflow.client.requests import ListExecutions
from nbflow.services.cloudflow.dynamic.names import Flows, slug
from nbflow.services.cloudflow.dynamic.store import ServiceSide
from nbflow.services.cloudflow.errors import CloudFlowError

_TRIES: Final = 50
_PAGE: Final = 99


def closing(side: ServiceSide, run: str, reason: str) -> None:
    """Close the log of a run, and those of its children: whoever drives it is refused from now on.

    Raises:
        NbflowError: The service cannot be had.
    """
    for _ in range(_TRIES):
        history = History.of(side.logs.events(run, soon=True))
        if history.closed is not None:
            return
        try:
            side.append(run, _last(history, reason))
        except StoreConflict:
            continue  # whoever drives it has written meanwhile
        for child in history.children.values():
            with contextlib.suppress(RunNotFound):
                closing(side, child, reason)
        return
    raise StoreConflict(f"run {run} is written to faster than it can be ended: try again")


def _last(history: History, reason: str) -> list[Event]:
    now, found = time.time(), []
    for state in history.calls.values():
        if state.outcome is not None:
            continue
        event: Any = None
        if state.name and state.recorded:
            event = CallCancelled(0, now, state.id, reason, abandoned=True)
        elif not state.name and state.retry_at is not None:
            event = TimerCancelled(0, now, state.id, reason)
        if event is not None:
            found.append(event)
    events = [*found, RunClosed(0, now, "cancelled")]
    return [event._replace(seq=history.last + n) for n, event in enumerate(events, 1)]


def stop_all(client: Any, flows: Flows, root: str, reason: str) -> None:
    """Stop the execution of a run, and those of its attempts that run.

    Raises:
        CloudFlowError: The service cannot be had; the run's log is closed all the same.
    """
    cause = reason[:1_000] or "the run was ended"
    with contextlib.suppress(CloudFlowError):
        client.stop_execution(flows.run, slug(root), cause=cause)
    listing = ListExecutions(
        flows.activity,
        limit=_PAGE,
        execution_name_prefix=f"{slug(root)}--",
        status="Running",
        metadata_only=True,
    )
    for execution in list(client.each(listing)):
        client.stop_execution(flows.activity, execution.name, cause=cause)
