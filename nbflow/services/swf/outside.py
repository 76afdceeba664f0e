"""What somebody outside does with a run on SWF: cancel it with a reason, or go on with one.

A run that has ended goes on in a new execution, which begins with its log.
"""

from __future__ import annotations

import time

from nbflow.core.events import CallStarted, RunResumed, SignalReceived
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.records import CANCEL
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.kinds import WorkflowType
from nbflow.services.swf.sealing import KeySeal


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
    texts = Texts(execution.workflow_id, blobs, KeySeal())
    reader = Reader(texts)
    reader.feed(execution.events())
    if not reader.closed:
        raise Invalid(f"{execution.workflow_id} is still open: it goes on by itself")
    log = [event for event in reader.all() if not isinstance(event, CallStarted)]
    given = reader.given
    kind = WorkflowType(
        api=execution.api,
        domain=execution.domain,
        name=given["workflowType"]["name"],
        version=given["workflowType"]["version"],
    )
    return kind.start(
        execution.workflow_id,
        input=texts.write(reader.words, *log, RunResumed(0, time.time(), reason), timed=True),
        tags=tuple(given.get("tagList") or ()),
        task_list=given["taskList"]["name"],
        task_priority=given.get("taskPriority"),
        execution_timeout=given["executionStartToCloseTimeout"],
        decision_timeout=given["taskStartToCloseTimeout"],
        child_policy=given["childPolicy"],
        lambda_role=given.get("lambdaRole"),
    )


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
