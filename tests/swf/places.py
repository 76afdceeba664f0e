"""Where SWF is spoken to: the emulator, moto's server, the real service."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

TIMEOUTS = {
    "defaultTaskScheduleToStartTimeout": "NONE",
    "defaultTaskScheduleToCloseTimeout": "NONE",
    "defaultTaskStartToCloseTimeout": "NONE",
    "defaultTaskHeartbeatTimeout": "NONE",
}


def there(value: T | None) -> T:
    """Give what has to be there."""
    assert value is not None
    return value


def moto_lacks(reason: str) -> Callable[[F], F]:
    """Say that moto cannot pass a test. It is run there all the same, and has to fail."""

    def mark(function: F) -> F:
        function.__dict__["moto_lacks"] = reason
        return function

    return mark


class Place:
    """Somewhere to speak SWF to, with names that nobody else has."""

    def __init__(self, kind: str, client: Any, domain: str, endpoint: Any = None) -> None:
        self.kind, self.client, self.domain, self.endpoint = kind, client, domain, endpoint
        self.mark = secrets.token_hex(4)
        self.decisions = {"name": self.name("decisions")}
        self.activities = {"name": self.name("activities")}
        self._types: set[tuple[str, str]] = set()

    def name(self, word: str) -> str:
        """Make a word one's own."""
        return f"{word}-{self.mark}"

    def pass_time(self, seconds: float) -> None:
        """Let time pass: at once where that can be had."""
        if self.endpoint is not None:
            self.endpoint.advance(seconds)
        else:
            time.sleep(seconds)

    def workflow_type(self, word: str = "flow", **given: Any) -> dict[str, str]:
        kind = {"name": self.name(word), "version": "1"}
        if ("workflow", word) not in self._types:
            self._types.add(("workflow", word))
            defaults = {
                "defaultTaskList": self.decisions,
                "defaultChildPolicy": "TERMINATE",
                "defaultExecutionStartToCloseTimeout": "600",
                "defaultTaskStartToCloseTimeout": "60",
            }
            self.client.register_workflow_type(domain=self.domain, **kind, **defaults | given)
        return kind

    def activity_type(self, word: str = "work", **given: Any) -> dict[str, str]:
        kind = {"name": self.name(word), "version": "1"}
        if ("activity", word) not in self._types:
            self._types.add(("activity", word))
            defaults = {"defaultTaskList": self.activities, **TIMEOUTS}
            self.client.register_activity_type(domain=self.domain, **kind, **defaults | given)
        return kind

    def start(self, word: str = "run", **given: Any) -> dict[str, str]:
        """Start an execution; give its workflow id and run id."""
        workflow_id = given.pop("workflowId", self.name(word))
        kind = given.pop("workflowType", None) or self.workflow_type()
        made = self.client.start_workflow_execution(
            domain=self.domain, workflowId=workflow_id, workflowType=kind, **given
        )
        return {"workflowId": workflow_id, "runId": made["runId"]}

    def poll(self, task_list: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
        """Take a decision task, all pages of it."""
        task_list = task_list or self.decisions
        task: dict[str, Any] = self.client.poll_for_decision_task(
            domain=self.domain, taskList=task_list, **given
        )
        token = task.get("nextPageToken")
        while token:
            more = self.client.poll_for_decision_task(
                domain=self.domain, taskList=task_list, nextPageToken=token, **given
            )
            task["events"] += more["events"]
            token = more.get("nextPageToken")
        return task

    def respond(self, task: dict[str, Any], *decisions: dict[str, Any], **given: Any) -> None:
        self.client.respond_decision_task_completed(
            taskToken=task["taskToken"], decisions=list(decisions), **given
        )

    def decide(self, *decisions: dict[str, Any], **given: Any) -> dict[str, Any]:
        """Take a decision task and answer it."""
        task = self.poll()
        self.respond(task, *decisions, **given)
        return task

    def take(self, task_list: dict[str, str] | None = None) -> dict[str, Any]:
        """Take an activity task."""
        task: dict[str, Any] = self.client.poll_for_activity_task(
            domain=self.domain, taskList=task_list or self.activities
        )
        return task

    def schedule(self, activity: str = "a-1", word: str = "work", **given: Any) -> dict[str, Any]:
        """Make the decision that schedules an activity."""
        return decision(
            "ScheduleActivityTask",
            activityType=given.pop("activityType", None) or self.activity_type(word),
            activityId=activity,
            **given,
        )

    def signal(self, run: dict[str, str], name: str, **given: Any) -> None:
        self.client.signal_workflow_execution(domain=self.domain, **run, signalName=name, **given)

    def history(self, run: dict[str, str], **given: Any) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_workflow_execution_history")
        found = pages.paginate(domain=self.domain, execution=run, **given)
        return [event for page in found for event in page["events"]]

    def kinds(self, run: dict[str, str]) -> list[str]:
        return [event["eventType"] for event in self.history(run)]

    def last(self, run: dict[str, str], kind: str) -> dict[str, Any]:
        """Give the attributes of the latest event of a kind."""
        member = f"{kind[0].lower()}{kind[1:]}EventAttributes"
        found = [event for event in self.history(run) if event["eventType"] == kind]
        assert found, f"no {kind} in {self.kinds(run)}"
        attributes: dict[str, Any] = found[-1][member]
        return attributes


def decision(kind: str, **given: Any) -> dict[str, Any]:
    """Make a decision."""
    return {"decisionType": kind, f"{kind[0].lower()}{kind[1:]}DecisionAttributes": given}


def complete(result: str = "done") -> dict[str, Any]:
    """Make the decision that ends an execution well."""
    return decision("CompleteWorkflowExecution", result=result)
