"""Executions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from nbflow.services.swf.api import Api
from nbflow.services.swf.decisions import Seconds
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import SwfError
from nbflow.services.swf.events import HistoryEvent, parsed
from nbflow.services.swf.modelbase import Model, since_epoch
from nbflow.services.swf.shapes import Data
from nbflow.services.swf.wire import TypeName, read


@dataclass(kw_only=True)
class WorkflowExecution(Model):
    """An execution of a workflow, open or closed.

    Attributes:
        domain: Where.
        workflow_id: Its workflow id.
        run_id: Which execution of that workflow id; "": the open one, for what can be told to it.
        workflow_type: Its type.
        status: ``OPEN`` or ``CLOSED``.
        close_status: How it ended, such as ``COMPLETED``; None while it is open.
        started_at: When it started, in seconds since the epoch.
        closed_at: When it ended.
        tags: Its words.
        parent: What started it, if that was another execution.
        cancel_requested: Whether somebody asked it to cancel itself.
        task_list: Where its decision tasks go.
        execution_timeout: Seconds that it may take.
        decision_timeout: Seconds that a decision may take.
        child_policy: What becomes of its children.
        context: What the latest decision left as its context.
        open_counts: How much of each kind is open: ``openActivityTasks`` and so on.
    """

    domain: Domain
    workflow_id: str
    run_id: str = ""
    workflow_type: TypeName | None = None
    status: str | None = None
    close_status: str | None = None
    started_at: float | None = None
    closed_at: float | None = None
    tags: tuple[str, ...] | None = None
    parent: Any = None
    cancel_requested: bool | None = None
    task_list: str | None = None
    execution_timeout: Seconds = None
    decision_timeout: Seconds = None
    child_policy: str | None = None
    context: str | None = None
    open_counts: Data | None = field(default=None, compare=False, repr=False)

    def upstream(self) -> Self:
        """Give what the service has.

        Raises:
            DoesNotExist: It has none of that workflow id and run id.
            SwfError: It is not said which run is meant.
        """
        if not self.run_id:
            raise SwfError(f"which execution of {self.workflow_id!r}? A run_id is needed for that")
        found = self.api.call(
            "DescribeWorkflowExecution",
            domain=self.domain.name,
            execution={"workflowId": self.workflow_id, "runId": self.run_id},
        )
        made = type(self).of_info(self.api, self.domain, found["executionInfo"])
        config = found["executionConfiguration"]
        made.task_list = config["taskList"]["name"]
        made.execution_timeout = config["executionStartToCloseTimeout"]
        made.decision_timeout = config["taskStartToCloseTimeout"]
        made.child_policy = config["childPolicy"]
        made.context, made.open_counts = found.get("latestExecutionContext"), found["openCounts"]
        return made

    @classmethod
    def of_info(cls, api: Api, domain: Domain, info: Data) -> Self:
        """Make one of what a listing says of it."""
        return cls(
            api=api,
            domain=domain,
            workflow_id=info["execution"]["workflowId"],
            run_id=info["execution"]["runId"],
            workflow_type=read(info["workflowType"]),
            status=info["executionStatus"],
            close_status=info.get("closeStatus"),
            started_at=since_epoch(info["startTimestamp"]),
            closed_at=since_epoch(info.get("closeTimestamp")),
            tags=tuple(info.get("tagList") or ()),
            parent=read(info.get("parent")),
            cancel_requested=info.get("cancelRequested", False),
        )

    def _named(self) -> Data:
        return {
            "domain": self.domain.name,
            "workflowId": self.workflow_id,
            "runId": self.run_id or None,
        }

    def events(self, *, reverse: bool = False) -> Iterator[HistoryEvent]:
        """Give its events, reading on as they are asked for; the latest first if `reverse`."""
        return parsed(
            self.api.listed(
                "GetWorkflowExecutionHistory",
                domain=self.domain.name,
                execution={"workflowId": self.workflow_id, "runId": self.run_id},
                reverseOrder=reverse,
            )
        )

    def signal(self, name: str, input: str | None = None) -> None:  # noqa: A002 - SWF's word
        """Tell it something.

        Raises:
            DoesNotExist: It is not open.
        """
        self.api.call("SignalWorkflowExecution", **self._named(), signalName=name, input=input)

    def request_cancel(self) -> None:
        """Ask it to cancel itself.

        Raises:
            DoesNotExist: It is not open.
        """
        self.api.call("RequestCancelWorkflowExecution", **self._named())

    def terminate(
        self, reason: str | None = None, details: str | None = None, child_policy: str | None = None
    ) -> None:
        """End it at once.

        Raises:
            DoesNotExist: It is not open.
        """
        more = {"reason": reason, "details": details, "childPolicy": child_policy}
        self.api.call("TerminateWorkflowExecution", **self._named(), **more)
