"""Decisions that reach other executions: signals, requests to cancel, children."""

from __future__ import annotations

from nbflow.services.swf.emulator.execution import Event, Execution
from nbflow.services.swf.emulator.journal import chosen, record, tell
from nbflow.services.swf.emulator.starting import Refused, settings, start, too_long, usable
from nbflow.services.swf.emulator.world import World
from nbflow.services.swf.shapes import Data


def signal(world: World, execution: Execution, given: Data, completed: int) -> None:
    """Send a signal to an open execution."""
    named = chosen(given, "workflowId", "runId", "control")
    initiated = record(
        world,
        execution,
        "SignalExternalWorkflowExecutionInitiated",
        decisionTaskCompletedEventId=completed,
        **named,
        **chosen(given, "signalName", "input"),
    )
    target = _target(world, execution, given)
    told = target and tell(
        world,
        target,
        "WorkflowExecutionSignaled",
        externalWorkflowExecution=execution.name,
        externalInitiatedEventId=initiated.id,
        **chosen(given, "signalName", "input"),
    )
    if target is None or told is None:
        _unknown(world, execution, "SignalExternalWorkflowExecutionFailed", initiated, named)
        return
    record(
        world,
        execution,
        "ExternalWorkflowExecutionSignaled",
        workflowExecution=target.name,
        initiatedEventId=initiated.id,
    )


def cancel(world: World, execution: Execution, given: Data, completed: int) -> None:
    """Ask an open execution to cancel itself."""
    named = chosen(given, "workflowId", "runId", "control")
    initiated = record(
        world,
        execution,
        "RequestCancelExternalWorkflowExecutionInitiated",
        decisionTaskCompletedEventId=completed,
        **named,
    )
    target = _target(world, execution, given)
    told = target and tell(
        world,
        target,
        "WorkflowExecutionCancelRequested",
        externalWorkflowExecution=execution.name,
        externalInitiatedEventId=initiated.id,
    )
    if target is None or told is None:
        _unknown(world, execution, "RequestCancelExternalWorkflowExecutionFailed", initiated, named)
        return
    record(
        world,
        execution,
        "ExternalWorkflowExecutionCancelRequested",
        workflowExecution=target.name,
        initiatedEventId=initiated.id,
    )


def _target(world: World, execution: Execution, given: Data) -> Execution | None:
    domain = world.domains[execution.domain]
    return world.find_open(domain, given["workflowId"], given.get("runId") or "")


def _unknown(world: World, execution: Execution, kind: str, initiated: Event, named: Data) -> None:
    record(
        world,
        execution,
        kind,
        cause="UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION",
        initiatedEventId=initiated.id,
        decisionTaskCompletedEventId=initiated.attributes["decisionTaskCompletedEventId"],
        **named,
    )


def start_child(world: World, execution: Execution, given: Data, completed: int) -> None:
    """Start a child execution."""
    found = _child_settings(world, execution, given)
    named = chosen(given, "workflowType", "workflowId", "control")
    if isinstance(found, str):
        _no_child(world, execution, found, 0, completed, named)
        return
    initiated = record(
        world,
        execution,
        "StartChildWorkflowExecutionInitiated",
        decisionTaskCompletedEventId=completed,
        **named,
        **chosen(given, "input", "tagList"),
        **found,
    )
    if given["workflowId"] in world.domains[execution.domain].open:
        _no_child(world, execution, "WORKFLOW_ALREADY_RUNNING", initiated.id, completed, named)
        return
    domain = world.domains[execution.domain]
    run_id = world.new_run_id()
    # The child is told of before it begins: a limit that ends the parent must not leave an orphan.
    record(
        world,
        execution,
        "ChildWorkflowExecutionStarted",
        workflowExecution={"workflowId": given["workflowId"], "runId": run_id},
        workflowType=given["workflowType"],
        initiatedEventId=initiated.id,
    )
    origin = {
        "parentWorkflowExecution": execution.name,
        "parentInitiatedEventId": initiated.id,
    }
    start(world, domain, given, found, run_id, **origin)


def _no_child(
    world: World, execution: Execution, cause: str, initiated: int, completed: int, named: Data
) -> None:
    record(
        world,
        execution,
        "StartChildWorkflowExecutionFailed",
        cause=cause,
        initiatedEventId=initiated,
        decisionTaskCompletedEventId=completed,
        **named,
    )


def _child_settings(world: World, execution: Execution, given: Data) -> Data | str:
    """Give the settings of a child, or why it cannot start."""
    domain = world.domains[execution.domain]
    registered = usable(world, domain, given["workflowType"])
    if isinstance(registered, Refused):
        return registered.cause
    if len(execution.children) >= world.limits.children:
        return "OPEN_CHILDREN_LIMIT_EXCEEDED"
    found = settings(registered, given)
    if isinstance(found, Refused):
        return found.cause
    return "OPERATION_NOT_PERMITTED" if too_long(world, found) else found
