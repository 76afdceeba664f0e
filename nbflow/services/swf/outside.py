"""What somebody outside does with a run on SWF: cancel it with a reason, or go on with one.

A run goes on in a new execution, which begins with its log: what has succeeded is not run again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from nbflow.core.errors import DefinitionError
from nbflow.core.events import (
    CallCancelled,
    CallStarted,
    CallSucceeded,
    Event,
    RunResumed,
    RunStarted,
    SignalReceived,
)
from nbflow.core.history import History
from nbflow.core.payload import Stored, pack
from nbflow.services.base import Revival
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.records import BY_HAND, CANCEL, SETTLE
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.kinds import WorkflowType
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.shipping import program, shipped, words

HAND: Final = "by hand"
"""Who settled a call that somebody outside has settled: the ``worker`` of its report."""


def resume(
    execution: WorkflowExecution, reason: str = "", *, blobs: Blobs | None = None
) -> WorkflowExecution:
    """Go on with a run that has ended: what has succeeded stays, what has not runs anew.

    The new execution has the workflow id of the old one, and its settings.

    Args:
        execution: The run, with its run id.
        reason: Why, for its log.
        blobs: Where texts go that are too long for SWF.

    Returns:
        The new execution.

    Raises:
        Invalid: It is still open; or its log is too long, and there is nowhere to keep it.
        AlreadyExists: Another execution of that workflow id is open.

    Example:
        ``resume(WorkflowExecutionQuerySet(domain).get("nightly"))``
    """
    return revive(execution, Revival(reason=reason), blobs=blobs)


def revive(
    execution: WorkflowExecution,
    how: Revival,
    *,
    blobs: Blobs | None = None,
    task_list: str = "",
) -> WorkflowExecution:
    """Go on with the log of a run in a new execution; see `resume`.

    Args:
        execution: The run, with its run id. It stays as it is. Where the new one is to have the
            same workflow id, it has to be over.
        how: What of it runs anew, by which code, and what the new one is called.
        blobs: Where texts go that are too long for SWF.
        task_list: Where deciders look for it; by default where they looked for the old one.

    Raises:
        Invalid: It is still open; or its log is too long, and there is nowhere to keep it.
        AlreadyExists: Another execution of that workflow id is open.
        DefinitionError: The code is that of another workflow.
        Unserialisable: A result that is given cannot be stored.
    """
    old = Reader(Texts(execution.workflow_id, blobs, KeySeal()))
    old.feed(execution.events())
    name = how.run or execution.workflow_id
    check(old.given["workflowType"]["name"], how)
    _check(old, execution, name)
    given, known = old.given, how.frozen.definition if how.frozen is not None else None
    kind = WorkflowType(
        api=execution.api,
        domain=execution.domain,
        name=given["workflowType"]["name"],
        version=known.version if known is not None else given["workflowType"]["version"],
    )
    text = Texts(name, blobs, KeySeal()).write(
        old.words if how.frozen is None else words(), *_log(old, how), timed=True
    )
    if known is not None and not kind.exists:
        kind.save()
    return kind.start(
        name,
        input=text,
        tags=tuple(given.get("tagList") or ()),
        task_list=task_list or given["taskList"]["name"],
        task_priority=given.get("taskPriority"),
        execution_timeout=given["executionStartToCloseTimeout"],
        decision_timeout=given["taskStartToCloseTimeout"],
        child_policy=given["childPolicy"],
        lambda_role=given.get("lambdaRole"),
    )


def _check(old: Reader, execution: WorkflowExecution, name: str) -> None:
    if old.closed:
        return
    if name == execution.workflow_id:
        raise Invalid(f"{execution.workflow_id} is still open: it goes on by itself")
    if old.children:
        under_way = ", ".join(sorted(attempt.task for attempt in old.children.values()))
        raise Invalid(
            f"{execution.workflow_id} is still open and has child runs under way ({under_way}), "
            "which no other run can have: wait for them, or terminate it first"
        )


def _log(old: Reader, how: Revival) -> Iterator[Event]:
    """Give the log that a new execution begins with."""
    events = old.all()
    history = History.of(events)
    done = {s.id for s in history.calls.values() if type(s.outcome) is CallSucceeded}
    for event in events:
        # Whether a call had begun matters only of one that came to nothing.
        if isinstance(event, CallStarted) and event.call in done:
            continue
        yield _begun(event, how) if isinstance(event, RunStarted) else event
    now = time.time()
    code = "new" if how.frozen is not None else "recorded"
    yield RunResumed(0, now, how.reason, how.again, how.allowed, code)
    for call, value in how.given.items():
        yield by_hand(call, max(1, history.calls[call].attempt), value, now)


def check(workflow: str, how: Revival) -> None:
    """See whether a run can go on as is asked for, before anything is ended for it.

    Args:
        workflow: Name of the run's workflow.
        how: What is asked for.

    Raises:
        DefinitionError: The code is that of another workflow.
        Unserialisable: A result that is given cannot be stored.
        Invalid: The code cannot be sent.
    """
    for call, value in how.given.items():
        by_hand(call, 1, value)
    if how.frozen is None:
        return
    if how.frozen.definition.name != workflow:
        raise DefinitionError(
            f"the run is one of workflow {workflow}, not of {how.frozen.definition.name}: "
            "it is as it was"
        )
    program(how.frozen)


def _begun(event: RunStarted, how: Revival) -> RunStarted:
    """Give the first event, with the code that the run goes on with."""
    return event if how.frozen is None else shipped(event, how.frozen)


def by_hand(call: str, attempt: int, value: object, at: float = 0.0) -> CallSucceeded:
    """Give the event by which somebody outside gives the result of a call.

    Raises:
        Unserialisable: The value cannot be stored.
    """
    stored: Stored = pack(value, f"the result of {call}")
    return CallSucceeded(0, at, call, attempt, stored, HAND, at)


def cancel(execution: WorkflowExecution, reason: str = "", *, blobs: Blobs | None = None) -> None:
    """Ask a run to cancel itself, and say why: SWF's own request has no room for that.

    Args:
        execution: The run.
        reason: What its code and its log are told.
        blobs: Where texts go that are too long for SWF.

    Raises:
        DoesNotExist: It is not open.

    Example:
        ``cancel(WorkflowExecutionQuerySet(domain).get("nightly"), "not needed any more")``
    """
    if reason:
        texts = Texts(execution.workflow_id, blobs, KeySeal())
        told = SignalReceived(0, 0.0, CANCEL, 0, reason)
        execution.signal(CANCEL, texts.write("cancel", told))
    execution.request_cancel()


def cancel_call(
    execution: WorkflowExecution, call: str, reason: str = "", *, blobs: Blobs | None = None
) -> None:
    """Have one call of a run given up; its worker hears of it by its next sign of life.

    Args:
        execution: The run.
        call: Id of the call. One that is settled by then stays as it is.
        reason: What the log is told.
        blobs: Where texts go that are too long for SWF.

    Raises:
        DoesNotExist: The execution is not open.
    """
    _settle(execution, CallCancelled(0, 0.0, call, reason), blobs)


def settle(
    execution: WorkflowExecution,
    call: str,
    value: object,
    *,
    attempt: int = 1,
    blobs: Blobs | None = None,
) -> None:
    """Give the result of one call of a run; what is under way for it is given up.

    Args:
        execution: The run.
        call: Id of the call. One that is settled by then stays as it is.
        value: Its result.
        attempt: Which attempt it had come to.
        blobs: Where texts go that are too long for SWF.

    Raises:
        DoesNotExist: The execution is not open.
        Unserialisable: The value cannot be stored.
    """
    _settle(execution, by_hand(call, attempt, value, time.time()), blobs)


def _settle(
    execution: WorkflowExecution, event: CallCancelled | CallSucceeded, blobs: Blobs | None
) -> None:
    texts = Texts(execution.workflow_id, blobs, KeySeal())
    execution.signal(BY_HAND, texts.write(f"{SETTLE} {event.call}", event))
