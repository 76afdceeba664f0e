"""Domains, types and executions as objects that can be compared with what the service has.

A model is a value: two are equal if they say the same, wherever they come from. `upstream` gives
what the service has, `changes` where the two differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from nbflow.services.swf.api import Api
from nbflow.services.swf.errors import AlreadyExists, DoesNotExist, SwfError
from nbflow.services.swf.events import HistoryEvent, parsed
from nbflow.services.swf.shapes import Data
from nbflow.services.swf.wire import TypeName, camel, given, read

Seconds: TypeAlias = float | str | None

REGISTERED = "REGISTERED"
DEPRECATED = "DEPRECATED"


class Change(NamedTuple):
    """A field in which a model differs from what the service has."""

    field: str
    here: Any
    upstream: Any


@dataclass(kw_only=True)
class Model(ABC):
    """Something that the service can be asked for.

    Attributes:
        api: How the service is reached; no part of the value.
    """

    api: Api = field(default_factory=Api, compare=False, repr=False)

    @abstractmethod
    def upstream(self) -> Self:
        """Give what the service has.

        Raises:
            DoesNotExist: It has nothing of that name.
        """

    @property
    def exists(self) -> bool:
        """Whether the service has it, deprecated or closed things included."""
        try:
            self.upstream()
        except DoesNotExist:
            return False
        return True

    @property
    def changes(self) -> list[Change]:
        """Where this differs from what the service has; fields that are None here are left to it.

        Raises:
            DoesNotExist: It has nothing of that name.
        """
        there = self.upstream()
        pairs = [
            (f.name, _plain(f.name, getattr(self, f.name)), _plain(f.name, getattr(there, f.name)))
            for f in fields(self)
            if f.compare
        ]
        return [Change(*pair) for pair in pairs if pair[1] is not None and pair[1] != pair[2]]

    @property
    def is_synced(self) -> bool:
        """Whether the service has it just as it is here."""
        try:
            return not self.changes
        except DoesNotExist:
            return False


def _plain(name: str, value: Any) -> Any:
    """Write a value as the service does, so that 60 and "60" are no difference."""
    return read(given(name, value))


@dataclass(kw_only=True)
class Registration(Model):
    """A model that is registered, and can be deprecated."""

    status: str | None = None

    _FIXED: ClassVar[str]

    @abstractmethod
    def _register(self) -> None: ...

    @abstractmethod
    def deprecate(self) -> None:
        """See to it that nothing new uses it.

        Raises:
            Deprecated: It is already.
            DoesNotExist: The service has none.
        """

    @abstractmethod
    def undeprecate(self) -> None:
        """Take that back.

        Raises:
            AlreadyExists: It is not deprecated.
            DoesNotExist: The service has none.
        """

    def save(self) -> Self:
        """See to it that the service has it as it is here: register, or change its status.

        Once more is no error. Give it as the service has it.

        Raises:
            SwfError: The service has one that is different; what is registered cannot be changed.
        """
        try:
            self._register()
        except AlreadyExists:
            self._agree()
        if self.status == DEPRECATED and self.upstream().status == REGISTERED:
            self.deprecate()
        return self.upstream()

    def _agree(self) -> None:
        there = self.changes
        if [c.field for c in there] == ["status"] and self.status == REGISTERED:
            self.undeprecate()
        elif differing := [c for c in there if c.field != "status"]:
            told = ", ".join(f"{c.field} is {c.upstream!r}, not {c.here!r}" for c in differing)
            raise SwfError(f"{self!r} is registered already, and {told}. {self._FIXED}")


@dataclass(kw_only=True)
class Domain(Registration):
    """A domain: the room in which types and executions have their names.

    Attributes:
        name: Its name.
        retention: For how many days closed executions are kept; None: as registered, 30 if new.
        description: What it is for.
        status: ``REGISTERED`` or ``DEPRECATED``; None: whatever it is.
        arn: The service's name for it; None: whatever it is.

    Example:
        ``Domain(name="analytics", retention=30).save()``
    """

    name: str
    retention: int | str | None = None
    description: str | None = None
    arn: str | None = field(default=None, repr=False)

    _FIXED: ClassVar[str] = "A domain cannot be changed: use another name"

    def upstream(self) -> Self:
        """Give what the service has."""
        found = self.api.call("DescribeDomain", name=self.name)
        info, days = found["domainInfo"], found["configuration"]
        retention = days["workflowExecutionRetentionPeriodInDays"]
        return self._of(info, int(retention) if retention.isdigit() else retention)

    def _of(self, info: Data, retention: int | str) -> Self:
        return type(self)(
            api=self.api,
            name=info["name"],
            retention=retention,
            description=info.get("description"),
            status=info["status"],
            arn=info.get("arn"),
        )

    def _register(self) -> None:
        days = 30 if self.retention is None else self.retention
        self.api.call(
            "RegisterDomain",
            name=self.name,
            workflowExecutionRetentionPeriodInDays=str(days),
            description=self.description,
        )

    def deprecate(self) -> None:
        """See to it that nothing new uses it."""
        self.api.call("DeprecateDomain", name=self.name)

    def undeprecate(self) -> None:
        """Take that back."""
        self.api.call("UndeprecateDomain", name=self.name)

    def delete(self) -> None:
        """Deprecate it: SWF deletes no domain, and refuses new types and executions in it."""
        self.deprecate()

    @property
    def tags(self) -> dict[str, str]:
        """Its resource tags."""
        found = self.api.call("ListTagsForResource", resourceArn=self._resource())
        return {tag["key"]: tag.get("value", "") for tag in found.get("tags", ())}

    def tag(self, **tags: str) -> None:
        """Set some of its resource tags."""
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        self.api.call("TagResource", resourceArn=self._resource(), tags=listed)

    def untag(self, *keys: str) -> None:
        """Take some of its resource tags away."""
        self.api.call("UntagResource", resourceArn=self._resource(), tagKeys=list(keys))

    def _resource(self) -> str:
        return self.arn or self.upstream().arn or ""


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
            creation_date=_seconds(info.get("creationDate")),
            deprecation_date=_seconds(info.get("deprecationDate")),
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


def _seconds(when: Any) -> float | None:
    return when if when is None or isinstance(when, float | int) else when.timestamp()


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
            started_at=_seconds(info["startTimestamp"]),
            closed_at=_seconds(info.get("closeTimestamp")),
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
