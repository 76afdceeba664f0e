"""The emulator's state machine, driven by hand."""

from __future__ import annotations

from typing import Any

from nbflow.services.swf.emulator import Event, Limits, Machine
from tests.swf.places import TIMEOUTS, decision

DOMAIN = "d"
FLOW = {"name": "flow", "version": "1"}
WORK = {"name": "work", "version": "1"}
DEFAULTS = {
    "defaultTaskList": {"name": "decisions"},
    "defaultChildPolicy": "TERMINATE",
    "defaultExecutionStartToCloseTimeout": "600",
    "defaultTaskStartToCloseTimeout": "60",
}


class Driven:
    """A machine with a domain and types, and a time that the test says."""

    def __init__(self, limits: Limits | None = None, retention: str = "1") -> None:
        self.machine, self.now = Machine(limits, seed="test"), 1000.0
        days = {"workflowExecutionRetentionPeriodInDays": retention}
        self("RegisterDomain", name=DOMAIN, **days)
        self("RegisterWorkflowType", domain=DOMAIN, **FLOW, **DEFAULTS)
        work = {"defaultTaskList": {"name": "work"}, **TIMEOUTS}
        self("RegisterActivityType", domain=DOMAIN, **WORK, **work)

    def __call__(self, operation: str, **given: Any) -> Any:
        return self.machine.call(operation, given, self.now)

    def start(self, workflow_id: str = "w", **given: Any) -> dict[str, str]:
        made = self(
            "StartWorkflowExecution",
            domain=DOMAIN,
            workflowId=workflow_id,
            workflowType=FLOW,
            **given,
        )
        return {"workflowId": workflow_id, "runId": made["runId"]}

    def poll(self, name: str = "decisions", **given: Any) -> Any:
        return self("PollForDecisionTask", domain=DOMAIN, taskList={"name": name}, **given)

    def respond(self, task: Any, *decisions: Any, **given: Any) -> None:
        self(
            "RespondDecisionTaskCompleted",
            taskToken=task["taskToken"],
            decisions=list(decisions),
            **given,
        )

    def decide(self, *decisions: Any, **given: Any) -> Any:
        task = self.poll()
        self.respond(task, *decisions, **given)
        return task

    def take(self, name: str = "work") -> Any:
        return self("PollForActivityTask", domain=DOMAIN, taskList={"name": name})

    def signal(self, workflow_id: str = "w") -> None:
        self("SignalWorkflowExecution", domain=DOMAIN, workflowId=workflow_id, signalName="s")

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.machine.advance(self.now)

    def events(self, run: dict[str, str]) -> list[Event]:
        return list(self.machine.world.runs[run["runId"]].history)

    def kinds(self, run: dict[str, str]) -> list[str]:
        return [event.kind for event in self.events(run)]


def schedule(activity: str, **given: Any) -> dict[str, Any]:
    return decision("ScheduleActivityTask", activityType=WORK, activityId=activity, **given)


def child(workflow_id: str, **given: Any) -> dict[str, Any]:
    start = "StartChildWorkflowExecution"
    return decision(start, workflowType=FLOW, workflowId=workflow_id, **given)
