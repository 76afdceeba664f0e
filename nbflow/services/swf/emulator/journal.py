"""Writing history: events are validated and appended here, and what follows of itself is done."""

from __future__ import annotations

from typing import Any, Final

from nbflow.core.errors import InternalError
from nbflow.services.swf.emulator.execution import CLOSING, Event, Execution
from nbflow.services.swf.emulator.world import DAY, World
from nbflow.services.swf.shapes import Data, message, problems

NONE: Final = "NONE"
_PARENT_HEARS: Final = {
    "WorkflowExecutionCompleted": ("ChildWorkflowExecutionCompleted", ("result",)),
    "WorkflowExecutionFailed": ("ChildWorkflowExecutionFailed", ("reason", "details")),
    "WorkflowExecutionTimedOut": ("ChildWorkflowExecutionTimedOut", ("timeoutType",)),
    "WorkflowExecutionCanceled": ("ChildWorkflowExecutionCanceled", ("details",)),
    "WorkflowExecutionTerminated": ("ChildWorkflowExecutionTerminated", ()),
}


class Full(Exception):
    """An execution has as many events as it may have, and was terminated."""


def present(**given: Any) -> Data:
    """Give those members that have a value."""
    return {name: value for name, value in given.items() if value is not None}


def chosen(given: Data, *names: str) -> Data:
    """Give those members of a structure, as far as it has them."""
    return {name: given[name] for name in names if given.get(name) is not None}


def record(world: World, execution: Execution, kind: str, **attributes: Any) -> Event:
    """Append an event to an open execution, and see to what follows of itself.

    Raises:
        Full: The execution had too many events and is terminated; the event is not in it.
    """
    if not execution.open:
        raise InternalError(f"{kind} for the closed run {execution.run_id}")
    if len(execution.history) + 1 >= world.limits.events and kind not in CLOSING:
        terminate(world, execution, cause="EVENT_LIMIT_EXCEEDED")
        raise Full
    event = append(world, execution, kind, attributes)
    world.follow(world, execution, event)
    return event


def append(world: World, execution: Execution, kind: str, attributes: Data) -> Event:
    """Append an event that is as the model says."""
    found = problems(f"{kind}EventAttributes", attributes)
    if found:
        raise InternalError(f"the emulator made a wrong {kind}: {message(found)}")
    event = Event.of(len(execution.history) + 1, world.now, kind, attributes)
    execution.apply(event)
    world.recorded[kind] += 1
    world.touched[execution.run_id] = execution
    return event


def tell(world: World, execution: Execution, kind: str, **attributes: Any) -> Event | None:
    """Append an event to another execution than the one at hand, if it is open and has room."""
    if not execution.open:
        return None
    try:
        return record(world, execution, kind, **attributes)
    except Full:
        return None


def begin(world: World, execution: Execution, attributes: Data) -> None:
    """Put a new execution into its domain and record that it started."""
    domain = world.domains[execution.domain]
    domain.executions[execution.run_id] = world.runs[execution.run_id] = execution
    domain.open[execution.workflow_id] = execution
    record(world, execution, "WorkflowExecutionStarted", **attributes)


def close(world: World, execution: Execution, kind: str, **attributes: Any) -> Event:
    """Record that an execution ended, and tell its parent."""
    domain = world.domains[execution.domain]
    event = append(world, execution, kind, attributes)
    domain.open.pop(execution.workflow_id, None)
    _keep(world, execution)
    if kind in _PARENT_HEARS:
        _tell_parent(world, execution, kind, attributes)
    return event


def terminate(world: World, execution: Execution, policy: str = "", **attributes: Any) -> None:
    """End an execution at once; its children fare as the child policy says."""
    policy = policy or execution.config["childPolicy"]
    close(world, execution, "WorkflowExecutionTerminated", childPolicy=policy, **attributes)
    apply_policy(world, execution, policy)


def apply_policy(world: World, execution: Execution, policy: str) -> None:
    """Do to the children of an execution that was terminated or timed out what was agreed."""
    if policy == "ABANDON":
        return
    domain = world.domains[execution.domain]
    for child in list(execution.children.values()):
        # By workflow id: one that continued as new has another run id by now.
        run = domain.open.get(child.workflow_id)
        if run is None or run.config.get("parentInitiatedEventId") != child.initiated:
            continue
        if policy == "TERMINATE":
            terminate(world, run, cause="CHILD_POLICY_APPLIED")
        else:
            tell(world, run, "WorkflowExecutionCancelRequested", cause="CHILD_POLICY_APPLIED")


def expire(world: World, execution: Execution) -> None:
    """End an execution that took too long."""
    policy = execution.config["childPolicy"]
    attributes = {"timeoutType": "START_TO_CLOSE", "childPolicy": policy}
    close(world, execution, "WorkflowExecutionTimedOut", **attributes)
    apply_policy(world, execution, policy)


def settle(world: World, execution: Execution) -> None:
    """Schedule a decision task if there is something to decide and none is under way."""
    if execution.open and execution.unseen and execution.decision is None:
        name, wait = execution.override or (execution.config["taskList"]["name"], None)
        tell(
            world,
            execution,
            "DecisionTaskScheduled",
            taskList={"name": name},
            **present(
                startToCloseTimeout=execution.config.get("taskStartToCloseTimeout"),
                taskPriority=execution.config.get("taskPriority"),
                scheduleToStartTimeout=wait,
            ),
        )


def _keep(world: World, execution: Execution) -> None:
    """See to it that a closed execution is forgotten when its domain no longer keeps it."""
    domain = world.domains[execution.domain]
    days = domain.given["workflowExecutionRetentionPeriodInDays"]
    kept = 0.0 if days == NONE else float(days) * DAY

    def forget() -> None:
        domain.executions.pop(execution.run_id, None)
        world.runs.pop(execution.run_id, None)

    world.at(world.now + kept, forget)


def _tell_parent(world: World, execution: Execution, kind: str, attributes: Data) -> None:
    given = execution.config.get("parentWorkflowExecution")
    parent = world.runs.get(given["runId"]) if given else None
    if parent is None:
        return
    child = parent.children.get(execution.config["parentInitiatedEventId"])
    if child is None:
        return
    heard, names = _PARENT_HEARS[kind]
    tell(
        world,
        parent,
        heard,
        workflowExecution=execution.name,
        workflowType=execution.config["workflowType"],
        initiatedEventId=child.initiated,
        startedEventId=child.started,
        **chosen(attributes, *names),
    )
