"""Types of activities and of workflows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from nbflow.services.swf.api import Api
from nbflow.services.swf.decisions import Seconds
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.modelbase import REGISTERED, Registration, since_epoch
from nbflow.services.swf.shapes import Data
from nbflow.services.swf.wire import TypeName, camel, given, read


@dataclass(kw_only=True)
class _Type(Registration):
    domain: Domain
    name: str
    version: str
    description: str | None = None
    task_list: str | None = None
    task_priority: int | str | None = None
    creation_date: float | None = field(default=None, compare=False, repr=False)
    deprecation_date: float | None = field(default=None, compare=False, repr=False)

    _FIXED: ClassVar[str] = "A type cannot be changed: register another version"
    _KIND: ClassVar[str]
    _DEFAULTS: ClassVar[dict[str, str]]

    @property
    def type(self) -> TypeName:
        """Its name and version."""
        return TypeName(self.name, self.version)

    def _named(self) -> Data:
        kind = {"name": self.name, "version": self.version}
        return {"domain": self.domain.name, f"{self._KIND.lower()}Type": kind}

    def upstream(self) -> Self:
        """Give what the service has."""
        found = self.api.call(f"Describe{self._KIND}Type", **self._named())
        made = type(self).of_info(self.api, self.domain, found["typeInfo"])
        for name, member in self._DEFAULTS.items():
            setattr(made, name, read(found["configuration"].get(member)))
        return made

    @classmethod
    def of_info(cls, api: Api, domain: Domain, info: Data) -> Self:
        """Make one of what a listing says of it: without its defaults."""
        kind = info[f"{cls._KIND.lower()}Type"]
        return cls(
            api=api,
            domain=domain,
            name=kind["name"],
            version=kind["version"],
            status=info["status"],
            description=info.get("description"),
            creation_date=since_epoch(info.get("creationDate")),
            deprecation_date=since_epoch(info.get("deprecationDate")),
        )

    def _register(self) -> None:
        defaults = {
            member: given(name, getattr(self, name)) for name, member in self._DEFAULTS.items()
        }
        self.api.call(
            f"Register{self._KIND}Type",
            domain=self.domain.name,
            name=self.name,
            version=self.version,
            description=self.description,
            **defaults,
        )

    def deprecate(self) -> None:
        """See to it that nothing new uses it."""
        self.api.call(f"Deprecate{self._KIND}Type", **self._named())

    def undeprecate(self) -> None:
        """Take that back."""
        self.api.call(f"Undeprecate{self._KIND}Type", **self._named())

    def delete(self) -> None:
        """Delete it, for which it is deprecated first. Executions of it stay as they are.

        Raises:
            DoesNotExist: The service has none.
        """
        if self.upstream().status == REGISTERED:
            self.deprecate()
        self.api.call(f"Delete{self._KIND}Type", **self._named())


@dataclass(kw_only=True)
class ActivityType(_Type):
    """A type of activity. What is None is left to what is said when one is scheduled.

    Attributes:
        domain: Where.
        name: Its name.
        version: Its version; the two cannot be changed, nor anything else once registered.
        description: What it does.
        task_list: Where its tasks go.
        task_priority: Higher ones are handed out first.
        schedule_to_start_timeout: Seconds that a task may wait, or ``"NONE"``.
        schedule_to_close_timeout: Seconds that it may take in all.
        start_to_close_timeout: Seconds that it may run.
        heartbeat_timeout: Seconds between two signs of life.
    """

    schedule_to_start_timeout: Seconds = None
    schedule_to_close_timeout: Seconds = None
    start_to_close_timeout: Seconds = None
    heartbeat_timeout: Seconds = None

    _KIND: ClassVar[str] = "Activity"
    _DEFAULTS: ClassVar[dict[str, str]] = {
        "task_list": "defaultTaskList",
        "task_priority": "defaultTaskPriority",
        "schedule_to_start_timeout": "defaultTaskScheduleToStartTimeout",
        "schedule_to_close_timeout": "defaultTaskScheduleToCloseTimeout",
        "start_to_close_timeout": "defaultTaskStartToCloseTimeout",
        "heartbeat_timeout": "defaultTaskHeartbeatTimeout",
    }


@dataclass(kw_only=True)
class WorkflowType(_Type):
    """A type of workflow. What is None is left to what is said when one is started.

    Attributes:
        domain: Where.
        name: Its name.
        version: Its version; the two cannot be changed, nor anything else once registered.
        description: What it does.
        task_list: Where its decision tasks go.
        task_priority: Higher ones are handed out first.
        execution_timeout: Seconds that an execution may take, a year at the most.
        decision_timeout: Seconds that a decision may take, or ``"NONE"``.
        child_policy: What becomes of children when it is terminated or takes too long:
            ``TERMINATE``, ``REQUEST_CANCEL`` or ``ABANDON``.
        lambda_role: The role in which Lambda functions are called.
    """

    execution_timeout: Seconds = None
    decision_timeout: Seconds = None
    child_policy: str | None = None
    lambda_role: str | None = None

    _KIND: ClassVar[str] = "Workflow"
    _DEFAULTS: ClassVar[dict[str, str]] = {
        "task_list": "defaultTaskList",
        "task_priority": "defaultTaskPriority",
        "execution_timeout": "defaultExecutionStartToCloseTimeout",
        "decision_timeout": "defaultTaskStartToCloseTimeout",
        "child_policy": "defaultChildPolicy",
        "lambda_role": "defaultLambdaRole",
    }

    def start(
        self, workflow_id: str, *, tags: tuple[str, ...] = (), **how: Any
    ) -> WorkflowExecution:
        """Start an execution.

        Args:
            workflow_id: Its workflow id: no other open execution of the domain may have it.
            tags: Up to five words that it is found by.
            how: ``input`` (text), and what is to be other than the type's defaults:
                ``task_list``, ``task_priority``, ``execution_timeout``, ``decision_timeout``,
                ``child_policy``, ``lambda_role``.

        Raises:
            AlreadyExists: One of that workflow id is open.
            Refused: The type is not registered, or a setting is given neither here nor there.
            TypeError: There is no such setting.
        """
        unknown = set(how) - set(self._DEFAULTS) - {"input"}
        if unknown:
            raise TypeError(f"start() has no {', '.join(sorted(unknown))}")
        request = {_started_with(name): given(name, value) for name, value in how.items()}
        kind = {"name": self.name, "version": self.version}
        made = self.api.call(
            "StartWorkflowExecution",
            domain=self.domain.name,
            workflowId=workflow_id,
            workflowType=kind,
            tagList=list(tags) or None,
            **request,
        )
        return WorkflowExecution(
            api=self.api, domain=self.domain, workflow_id=workflow_id, run_id=made["runId"]
        )


def _started_with(name: str) -> str:
    renamed = {
        "execution_timeout": "executionStartToCloseTimeout",
        "decision_timeout": "taskStartToCloseTimeout",
    }
    return renamed.get(name) or camel(name)
