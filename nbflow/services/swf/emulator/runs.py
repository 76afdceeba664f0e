"""Operations on executions: to start, tell and end them, and to see what there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

from nbflow.services.swf.emulator.execution import Execution
from nbflow.services.swf.emulator.faults import Fault, execution_text, invalid, type_text, unknown
from nbflow.services.swf.emulator.journal import chosen, present, tell, terminate
from nbflow.services.swf.emulator.paging import Page, history_page, page
from nbflow.services.swf.emulator.starting import Refused, settings, start, too_long, usable
from nbflow.services.swf.emulator.world import Domain, World
from nbflow.services.swf.shapes import Data

_FILTERS: Final = ("executionFilter", "typeFilter", "tagFilter", "closeStatusFilter")


def _start(world: World, given: Data) -> Data:
    domain = world.domain(given["domain"], fit=True)
    kind = given["workflowType"]
    registered = usable(world, domain, kind)
    if isinstance(registered, Refused):
        raise _refusal(registered, type_text("Workflow", kind["name"], kind["version"]))
    if given["workflowId"] in domain.open:
        raise Fault("WorkflowExecutionAlreadyStartedFault", "Already Started")
    found = settings(registered, given)
    if isinstance(found, Refused):
        raise Fault("DefaultUndefinedFault", found.setting)
    if too_long(world, found):
        raise invalid(
            "Value at 'executionStartToCloseTimeout' failed to satisfy constraint: "
            f"it must be a number of at most {world.limits.execution_seconds} seconds"
        )
    return {"runId": start(world, domain, given, found).run_id}


def _refusal(refused: Refused, text: str) -> Fault:
    if refused.cause == "WORKFLOW_TYPE_DEPRECATED":
        return Fault("TypeDeprecatedFault", text)
    if refused.cause == "WORKFLOW_TYPE_DOES_NOT_EXIST":
        return unknown(f"Unknown type: {text}")
    return Fault("LimitExceededFault", refused.cause)


def _open(world: World, given: Data) -> Execution:
    domain = world.domain(given["domain"])
    run_id = given.get("runId") or ""
    found = world.find_open(domain, given["workflowId"], run_id)
    if found is None:
        raise unknown(execution_text(given["workflowId"], run_id))
    return found


def _signal(world: World, given: Data) -> Data:
    more = chosen(given, "signalName", "input")
    tell(world, _open(world, given), "WorkflowExecutionSignaled", **more)
    return {}


def _cancel(world: World, given: Data) -> Data:
    tell(world, _open(world, given), "WorkflowExecutionCancelRequested")
    return {}


def _terminate(world: World, given: Data) -> Data:
    execution = _open(world, given)
    more = chosen(given, "reason", "details")
    policy = given.get("childPolicy") or ""
    terminate(world, execution, policy, cause="OPERATOR_INITIATED", **more)
    return {}


def _info(execution: Execution) -> Data:
    config = execution.config
    info = {
        "execution": execution.name,
        "workflowType": config["workflowType"],
        "startTimestamp": execution.started_at,
        "executionStatus": "OPEN" if execution.open else "CLOSED",
        "cancelRequested": execution.cancel_requested,
        **chosen(config, "tagList"),
    }
    if config.get("parentWorkflowExecution"):
        info["parent"] = config["parentWorkflowExecution"]
    if not execution.open:
        info |= {"closeTimestamp": execution.closed_at, "closeStatus": execution.status}
    return info


def _describe(world: World, given: Data) -> Data:
    execution = world.execution(world.domain(given["domain"]), given["execution"])
    names = ("taskStartToCloseTimeout", "executionStartToCloseTimeout", "taskList", "childPolicy")
    counts = {
        "openActivityTasks": len(execution.activities),
        "openDecisionTasks": int(execution.decision is not None),
        "openTimers": len(execution.timers),
        "openChildWorkflowExecutions": len(execution.children),
        "openLambdaFunctions": len(execution.functions),
    }
    answer: Data = {
        "executionInfo": _info(execution),
        "executionConfiguration": chosen(execution.config, *names, "taskPriority", "lambdaRole"),
        # What is still open counts no more once the execution itself is closed.
        "openCounts": counts if execution.open else dict.fromkeys(counts, 0),
    }
    if execution.latest_activity_at:
        answer["latestActivityTaskTimestamp"] = execution.latest_activity_at
    return answer | present(latestExecutionContext=execution.context)


def _history(world: World, given: Data) -> Data:
    execution = world.execution(world.domain(given["domain"]), given["execution"])
    found = history_page(world, execution, given, kind=f"history/{execution.run_id}")
    return found.answer("events")


def _list(*, closed: bool) -> Callable[[World, Data], Data]:
    def operation(world: World, given: Data) -> Data:
        domain = world.domain(given["domain"])
        found = [_info(e) for e in _matching(domain, given, closed=closed)]
        listed: Page[Data] = page(world, given, f"list/{closed}/{domain.name}", found)
        return listed.answer("executionInfos")

    return operation


def _count(*, closed: bool) -> Callable[[World, Data], Data]:
    def operation(world: World, given: Data) -> Data:
        found = _matching(world.domain(given["domain"]), given, closed=closed)
        return {"count": len(found), "truncated": False}

    return operation


def _matching(domain: Domain, given: Data, *, closed: bool) -> list[Execution]:
    """Give the executions that a request is about, the latest first."""
    if sum(given.get(name) is not None for name in _FILTERS) > 1:
        raise invalid(f"Only one of {', '.join(_FILTERS)} can be specified")
    by_close = given.get("closeTimeFilter") is not None
    if closed and by_close == (given.get("startTimeFilter") is not None):
        raise invalid("Must specify exactly one of startTimeFilter and closeTimeFilter")
    span = given["closeTimeFilter" if by_close else "startTimeFilter"]
    oldest, latest = _seconds(span["oldestDate"]), span.get("latestDate")
    until = float("inf") if latest is None else _seconds(latest)

    def when(execution: Execution) -> float:
        return execution.closed_at if by_close else execution.started_at

    pool = [e for e in domain.executions.values() if not e.open] if closed else domain.open.values()
    found = [e for e in pool if oldest <= when(e) <= until and _fits(e, given)]
    return sorted(found, key=when, reverse=not given.get("reverseOrder"))


def _seconds(when: float | dt.datetime) -> float:
    return when.timestamp() if isinstance(when, dt.datetime) else float(when)


def _fits(execution: Execution, given: Data) -> bool:
    wanted, kind = given.get("typeFilter"), execution.config["workflowType"]
    if wanted is not None:
        version = wanted.get("version") or kind["version"]
        if (kind["name"], kind["version"]) != (wanted["name"], version):
            return False
    for name, is_so in _FITS.items():
        if given.get(name) is not None and not is_so(execution, given[name]):
            return False
    return True


_FITS: Final[dict[str, Callable[[Execution, Data], bool]]] = {
    "executionFilter": lambda e, wanted: e.workflow_id == wanted["workflowId"],
    "tagFilter": lambda e, wanted: wanted["tag"] in (e.config.get("tagList") or ()),
    "closeStatusFilter": lambda e, wanted: e.status == wanted["status"],
}

OPERATIONS: Final[dict[str, Callable[[World, Data], Data]]] = {
    "StartWorkflowExecution": _start,
    "SignalWorkflowExecution": _signal,
    "RequestCancelWorkflowExecution": _cancel,
    "TerminateWorkflowExecution": _terminate,
    "DescribeWorkflowExecution": _describe,
    "GetWorkflowExecutionHistory": _history,
    "ListOpenWorkflowExecutions": _list(closed=False),
    "ListClosedWorkflowExecutions": _list(closed=True),
    "CountOpenWorkflowExecutions": _count(closed=False),
    "CountClosedWorkflowExecutions": _count(closed=True),
}
