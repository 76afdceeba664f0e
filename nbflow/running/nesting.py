"""Runs that activities start: allowed where their workers are, up to a depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nbflow.core.errors import RunError
from nbflow.engine.job import _context
from nbflow.executors.threads import lent
from nbflow.running.watching import meanwhile

if TYPE_CHECKING:
    from nbflow.running.session import Session

DEEPEST: Final = 10
"""So many runs may be within each other by way of activities."""

if lent not in meanwhile:
    meanwhile.append(lent)  # a thread of the pool that waits for a run lends its place


def depth_here(sessions: Mapping[str, Session], name: str) -> int:
    """Give how many runs a run that is started here is within, by way of activities.

    Args:
        sessions: The runs that this process drives, by id.
        name: The workflow that is to be started, for the message.

    Raises:
        RunError: Too many, or this is a worker process, which knows neither the store nor the
            settings of the notebook.
    """
    job = _context.get()
    if job is None:
        return 0
    outer = sessions.get(job.run)
    if outer is None:
        message = (
            f"{job.call} of run {job.run} cannot start a run of {name}: it runs in a process of "
            f"its own, which has not the notebook's store. Call {name} in the workflow's code, "
            "where it becomes a child run, or let the activity run in a thread: "
            f"{job.code.name}.options(executor='threads')"
        )
        raise RunError(message)
    depth = outer.depth + 1
    if depth > DEEPEST:
        message = (
            f"{job.call} of run {job.run} cannot start a run of {name}: {DEEPEST} runs are within "
            "each other already, each started by an activity of the one before. Does this end?"
        )
        raise RunError(message)
    return depth
