"""The runs on SWF that were started from here, and how they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nbflow.services.notes import Notes, RunNote
from nbflow.services.swf.api import Api
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import SwfError
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.store.base import RunRow

STATUSES: Final = {
    "COMPLETED": "completed",
    "FAILED": "failed",
    "TIMED_OUT": "failed",
    "CANCELED": "cancelled",
    "TERMINATED": "cancelled",
    "CONTINUED_AS_NEW": "continued",
}
"""What nbflow calls the ends of executions."""
_ASKED: Final = 20
"""How many open runs the service is asked about: it allows some six such questions a second."""


def listed(notes: Notes, wanted: list[RunNote], api: Api | None, limit: int | None) -> list[RunRow]:
    """List noted runs, the latest first.

    Args:
        notes: Where they are noted.
        wanted: The notes of these runs.
        api: Asks how those stand that were not seen to end; None: nobody can be asked.
        limit: How many at most; None for all.
    """
    rows: list[RunRow] = []
    left = _ASKED
    for note in wanted[:limit]:
        status, closed = note.status, note.closed
        if not status and api is not None and left:
            left -= 1
            status, closed = _asked(note, api)
            if status:
                notes.close(note.run, status, closed or 0.0)
        if not status:
            driven = not note.crew or notes.is_held(note.run)
            status = "running" if driven else "stopped"
        rows.append(replace(note, status=status, closed=closed).row("swf"))
    return rows


def _asked(note: RunNote, api: Api) -> tuple[str, float | None]:
    """Give how an execution ended and when; "" if it is open, or cannot be asked about."""
    domain, workflow_id, run_id = note.run.split("/", 2)
    execution = WorkflowExecution(
        api=api, domain=Domain(api=api, name=domain), workflow_id=workflow_id, run_id=run_id
    )
    try:
        found = execution.upstream()
    except SwfError:
        return "", None
    return STATUSES.get(found.close_status or "", ""), found.closed_at
