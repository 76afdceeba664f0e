"""The error that a run ended with, as people get it."""

from __future__ import annotations

import os
from pathlib import Path

from nbflow.core.errors import RunCancelled
from nbflow.core.events import CallFailed, RunClosed
from nbflow.core.failure import Failure
from nbflow.core.history import History

_OWN = str(Path(__file__).parents[1]) + os.sep


def error_of(run: str, history: History, closed: RunClosed) -> BaseException | None:
    """Rebuild what a run failed with; None if it did not fail.

    Args:
        run: Its id.
        history: The fold of its events.
        closed: Its end.
    """
    if closed.status == "cancelled":
        reason = history.cancelling.reason if history.cancelling else ""
        text = f"run {run} was cancelled{': ' if reason else ''}{reason}"
        return _cancelled(text, closed.error)
    if closed.error is None:
        return None
    error = closed.error.rebuild()
    _tell_where(error, _failure(history, closed))
    return error


def _failure(history: History, closed: RunClosed) -> Failure | None:
    """Give what is kept of the error: of the call it came from, else of the workflow."""
    call = history.calls.get(closed.call)
    outcome = call.outcome if call is not None else None
    return outcome.error if isinstance(outcome, CallFailed) else closed.error


def _cancelled(text: str, failure: Failure | None) -> RunCancelled:
    """Make the error of a cancelled run, with what its code failed with as it cleaned up."""
    if failure is None:
        return RunCancelled(text)
    error = RunCancelled(f"{text}. Cleaning up failed: {failure.kind}: {failure.message}")
    error.__cause__ = failure.rebuild()
    return error


def _tell_where(error: BaseException, failure: Failure | None) -> None:
    """Note the user's own lines, which the traceback of a rebuilt exception does not have."""
    if failure is None or error.__traceback__ is not None:
        return
    for frame in failure.frames:
        if not frame.file.startswith(_OWN):
            source = f"\n    {frame.source}" if frame.source else ""
            error.add_note(f'  File "{frame.file}", line {frame.line}, in {frame.function}{source}')
