"""What follows from a failed attempt: one piece of code for live runs and decided ones.

The workflow is asked first (`nbflow.core.handling`), then the activity's own policy. What comes of
it is an event, which the log of the run gets; whoever drives the run only has to obey `again` and
`abort`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from nbflow.core.errors import NbflowError
from nbflow.core.events import CallCancelled, CallFailed, CallSucceeded, Report
from nbflow.core.failure import Failure
from nbflow.core.handling import judge
from nbflow.core.payload import pack, spill

if TYPE_CHECKING:
    from nbflow.core.activity import Activity
    from nbflow.core.call import CallState
    from nbflow.core.handling import Decision

_log = logging.getLogger("nbflow")
DECIDER = "on_task_failure"
"""Who settled a call that a workflow has decided about: the ``worker`` of its report."""


class Failed(NamedTuple):
    """An attempt that failed.

    Attributes:
        state: The call.
        attempt: Which attempt.
        error: What it failed with.
        report: What its worker measured, None where none did.
        abandoned: Whether it may still be running.
        timeout: The kind of the time limit that it passed, "" for none.
        final: Whether nobody may have it tried again.
    """

    state: CallState
    attempt: int
    error: Failure
    report: Report | None = None
    abandoned: bool = False
    timeout: str = ""
    final: bool = False


class Sequel(NamedTuple):
    """What follows.

    Attributes:
        event: Goes into the log; its number is still to be given.
        again: Whether there is to be another attempt, at the event's ``retry_at``.
        abort: Whether the run fails by it, whatever its code would make of it.
    """

    event: CallSucceeded | CallFailed | CallCancelled
    again: bool = False
    abort: bool = False


def sequel(
    failed: Failed,
    activity: Activity[..., Any],
    handler: Callable[..., Any] | None,
    now: Callable[[], float],
    put: Callable[[bytes], str],
) -> Sequel:
    """Say what follows from a failed attempt.

    Args:
        failed: The attempt.
        activity: Of its call.
        handler: The workflow's ``on_task_failure``, if it has one.
        now: Gives the time, in seconds of the epoch: it is asked once all are asked.
        put: Keeps the bytes of a large result that is decided.

    Example:
        >>> found = sequel(Failed(state, 1, error), state.activity, None, time.time, store.put)
        >>> found.again, found.event.retry_at
        (True, 1795388454.5)
    """
    delay = None if failed.final else retry_delay(activity, failed.error, failed.attempt)
    ignored = delay is None and not activity.settings.raises_on_failure
    if handler is not None and not failed.final:
        decision = judge(handler, failed.state, failed.attempt, failed.error, delay)
        if decision.what in {"handled", "cancel", "abort"}:
            return _settled(failed, decision, now, put)
        if decision.what != "none":
            ignored = decision.what == "ignore"
            delay = None if ignored else decision.wait
    at = now()
    event = CallFailed(
        0,
        at,
        failed.state.id,
        failed.attempt,
        failed.error,
        None if delay is None else at + delay,
        failed.report,
        failed.abandoned,
        ignored,
        failed.timeout,
    )
    return Sequel(event, again=delay is not None)


def _settled(
    failed: Failed,
    decision: Decision,
    now: Callable[[], float],
    put: Callable[[bytes], str],
) -> Sequel:
    """Do what a workflow has decided, where that settles the call."""
    call, attempt, at = failed.state.id, failed.attempt, now()
    if decision.what == "cancel":
        return Sequel(CallCancelled(0, at, call, DECIDER))
    if decision.what == "abort":
        event = CallFailed(0, at, call, attempt, failed.error, None, failed.report)
        return Sequel(event, abort=True)
    try:
        result = spill(pack(decision.result, f"the result that was decided for {call}"), put)
    except NbflowError as unfit:
        return Sequel(CallFailed(0, at, call, attempt, Failure.of(unfit)))
    return Sequel(CallSucceeded(0, at, call, attempt, result, DECIDER, at))


def retry_delay(activity: Activity[..., Any], error: Failure, attempt: int) -> float | None:
    """Ask the activity's policy; a function of the user's that fails itself means no retry."""
    try:
        return activity.settings.retry.delay(error, attempt)
    except BaseException:  # noqa: BLE001 - the user's own function may even exit
        _log.exception("nbflow: the retry function of %s failed: no retry", activity.name)
        return None
