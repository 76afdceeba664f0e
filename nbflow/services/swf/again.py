"""Once more: an execution as it was started, or one activity of it in this process."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbflow.core.errors import RunError
from nbflow.services.notes import Notes
from nbflow.services.swf.crew import Codes, Crew
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.kinds import WorkflowType
from nbflow.services.swf.wire import ExecutionName

if TYPE_CHECKING:
    from nbflow.services.swf.service import SwfService


def restart(execution: WorkflowExecution) -> WorkflowExecution:
    """Start an execution once more as it was started, with its input, tags, lists and limits.

    If it is open it is terminated first.

    Raises:
        DoesNotExist: There is none.

    Example:
        ``restart(WorkflowExecutionQuerySet(domain).get("nightly"))``
    """
    first = next(iter(execution.events()))
    if execution.upstream().status == "OPEN":
        execution.terminate("started once more")
    kind = WorkflowType(
        api=execution.api,
        domain=execution.domain,
        name=first.workflow_type.name,
        version=first.workflow_type.version,
    )
    return kind.start(
        execution.workflow_id,
        input=first.input,
        tags=tuple(first.tag_list or ()),
        task_list=first.task_list,
        execution_timeout=first.execution_start_to_close_timeout,
        decision_timeout=first.task_start_to_close_timeout,
        child_policy=first.child_policy,
        task_priority=first.task_priority,
        lambda_role=first.lambda_role,
    )


def copied(notes: Notes, old: str, new: str) -> bool:
    """Note of an execution that was started once more what is noted of the first; tell whether."""
    note = notes.get(old)
    if note is None:
        return False
    notes.put(replace(note, run=new, created=time.time(), status="", closed=None))
    return bool(note.crew)


def rerun(
    service: SwfService,
    run: str,
    activity: str,
    given: tuple[Any, ...],
    named: Any,
    names: tuple[str, ...] = (),
) -> Any:
    """Call an activity of a run here, by the code that the run was started with; give its result.

    Args:
        service: Where the run is.
        run: Its id.
        activity: Name of the activity.
        given: Positional arguments.
        named: Named arguments.
        names: Workflows that may be imported, besides those noted of the run, ``module:name`` each.

    Raises:
        RunError: The run has no code with it, or its code reaches no such activity.
        Invalid: Its code is for another version of Python.
        PickleRefused: Nothing shows that it is this user's own.
    """
    execution, note = service.execution(run), service.notes.get(run)
    known = Crew.read(note.crew).names if note is not None and note.crew else ()
    codes = Codes(execution.domain, service.store(), (*known, *names))
    code = codes.of(ExecutionName(execution.workflow_id, execution.run_id))
    activities = code.activities.values() if code is not None else ()
    found = next((a for a in activities if a.name == activity), None)
    if found is None:
        raise RunError(f"run {run} has no code of {activity} with it: call its function yourself")
    return found.fn(*given, **named)
