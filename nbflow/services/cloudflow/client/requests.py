"""The 29 operations of CloudFlow's interface of 2019-03-15, each a class with its fields.

Source: the models of alibabacloud_fnf20190315 2.0.1, and help.aliyun.com, documents 2590640 and
2590644 and their neighbours.
"""

# ruff: noqa: RUF009 - `needed` and `optional` make dataclass fields

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from nbflow.services.cloudflow.client import answers, checks
from nbflow.services.cloudflow.client.answers import Answer
from nbflow.services.cloudflow.client.base import Listing, Page, Request, needed, optional
from nbflow.services.cloudflow.client.checks import STATUSES, one_of, text, whole

if TYPE_CHECKING:
    from nbflow.services.cloudflow.fdl.definition import FlowDefinition

Definition: TypeAlias = "str | FlowDefinition"
Moment: TypeAlias = datetime | str
Kind: TypeAlias = type[Answer]
MODES: Final = ("Standard", "Express")

_mode = one_of("", *MODES)
_free = text()
_page = whole(1, 999)
_version = text(1, 128)
_error = text(1, 128)
_cause = text(1, 4096)
_token = text(1)


@dataclass(frozen=True)
class CreateFlow(Request[answers.Flow]):
    """Create a flow. Its name must be the one in the definition, if that has one."""

    name: str = needed()
    definition: Definition = needed(checks.definition)
    description: str = optional(_free, default="")
    type: str = optional(one_of("FDL"), default="FDL")
    execution_mode: str | None = optional(_mode, default=None)
    role_arn: str | None = optional(_free, default=None)
    environment: Mapping[str, str] | None = optional(checks.variables, default=None)
    external_storage_location: str | None = optional(_free, default=None)
    resource_group_id: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Flow


@dataclass(frozen=True)
class UpdateFlow(Request[answers.Flow]):
    """Change a flow; executions that run keep the definition that they began with."""

    name: str = needed()
    definition: Definition | None = optional(checks.definition, default=None)
    description: str | None = optional(_free, default=None)
    type: str | None = optional(one_of("FDL"), default=None)
    role_arn: str | None = optional(_free, default=None)
    environment: Mapping[str, str] | None = optional(checks.variables, default=None)
    answer: ClassVar[Kind] = answers.Flow


@dataclass(frozen=True)
class DescribeFlow(Request[answers.Flow]):
    """Look at a flow, or at one of its versions."""

    name: str = needed()
    flow_version: str | None = optional(_version, default=None)
    method: ClassVar[str] = "GET"
    answer: ClassVar[Kind] = answers.Flow


@dataclass(frozen=True)
class DeleteFlow(Request[Answer]):
    """Delete a flow with its versions, aliases, schedules, executions and their histories."""

    name: str = needed()


@dataclass(frozen=True)
class ListFlows(Listing[answers.Flow]):
    """List flows."""

    limit: int | None = optional(_page, default=None)
    next_token: str | None = optional(_free, default=None)
    resource_group_id: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Flow
    inside: ClassVar[str] = "Flows"


@dataclass(frozen=True)
class PublishFlowVersion(Request[answers.Version]):
    """Keep a flow's definition as it is now, under the next number."""

    flow_name: str = needed()
    description: str | None = optional(_free, default=None)
    repeatable: ClassVar[bool] = False
    answer: ClassVar[Kind] = answers.Version


@dataclass(frozen=True)
class ListFlowVersions(Listing[answers.Version]):
    """List the versions of a flow."""

    flow_name: str = needed()
    limit: int | None = optional(_page, default=None)
    next_token: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Version
    inside: ClassVar[str] = "FlowVersions"


@dataclass(frozen=True)
class DeleteFlowVersion(Request[Answer]):
    """Delete a version of a flow."""

    flow_name: str = needed()
    flow_version: str = needed(_version)


@dataclass(frozen=True)
class CreateFlowAlias(Request[answers.Alias]):
    """Create an alias: a name for one or two versions of a flow, by weight."""

    flow_name: str = needed()
    name: str = needed()
    routing_configurations: Mapping[str, int] = needed(checks.routes)
    description: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Alias


@dataclass(frozen=True)
class UpdateFlowAlias(Request[answers.Alias]):
    """Change where an alias leads."""

    flow_name: str = needed()
    name: str = needed()
    routing_configurations: Mapping[str, int] | None = optional(checks.routes, default=None)
    description: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Alias
    inside: ClassVar[str] = "Alias"


@dataclass(frozen=True)
class DescribeFlowAlias(Request[answers.Alias]):
    """Look at an alias."""

    flow_name: str = needed()
    name: str = needed()
    method: ClassVar[str] = "GET"
    answer: ClassVar[Kind] = answers.Alias
    inside: ClassVar[str] = "Alias"


@dataclass(frozen=True)
class DeleteFlowAlias(Request[Answer]):
    """Delete an alias."""

    flow_name: str = needed()
    name: str = needed()


@dataclass(frozen=True)
class ListFlowAliases(Listing[answers.Alias]):
    """List the aliases of a flow."""

    flow_name: str = needed()
    limit: int | None = optional(_page, default=None)
    next_token: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Alias
    inside: ClassVar[str] = "Aliases"


@dataclass(frozen=True)
class CreateSchedule(Request[answers.Schedule]):
    """Have a flow started by a time table."""

    flow_name: str = needed()
    schedule_name: str = needed()
    cron_expression: str = needed(checks.cron)
    payload: Any = optional(checks.data, default=None)
    description: str | None = optional(_free, default=None)
    enable: bool | None = optional(checks.flag, default=None)
    answer: ClassVar[Kind] = answers.Schedule


@dataclass(frozen=True)
class UpdateSchedule(Request[answers.Schedule]):
    """Change a time table."""

    flow_name: str = needed()
    schedule_name: str = needed()
    cron_expression: str | None = optional(checks.cron, default=None)
    payload: Any = optional(checks.data, default=None)
    description: str | None = optional(_free, default=None)
    enable: bool | None = optional(checks.flag, default=None)
    answer: ClassVar[Kind] = answers.Schedule


@dataclass(frozen=True)
class DescribeSchedule(Request[answers.Schedule]):
    """Look at a time table."""

    flow_name: str = needed()
    schedule_name: str = needed()
    method: ClassVar[str] = "GET"
    answer: ClassVar[Kind] = answers.Schedule


@dataclass(frozen=True)
class DeleteSchedule(Request[Answer]):
    """Delete a time table."""

    flow_name: str = needed()
    schedule_name: str = needed()


@dataclass(frozen=True)
class ListSchedules(Listing[answers.Schedule]):
    """List the time tables of a flow."""

    flow_name: str = needed()
    limit: int | None = optional(whole(1, 1000), default=None)
    next_token: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.Schedule
    inside: ClassVar[str] = "Schedules"


@dataclass(frozen=True)
class StartExecution(Request[answers.Execution]):
    """Start a flow. While an execution of that name runs, that one is answered."""

    flow_name: str = needed()
    execution_name: str | None = optional(checks.name, default=None)
    input: Any = optional(checks.data, default=None)
    callback_fn_ftask_token: str | None = optional(_token, default=None)
    qualifier: str | None = optional(_version, default=None)
    answer: ClassVar[Kind] = answers.Execution


@dataclass(frozen=True)
class StartSyncExecution(Request[answers.Execution]):
    """Start an express flow and have its result as the answer."""

    flow_name: str = needed()
    execution_name: str | None = optional(checks.name, default=None)
    input: Any = optional(checks.data, default=None)
    qualifier: str | None = optional(_version, default=None)
    repeatable: ClassVar[bool] = False
    answer: ClassVar[Kind] = answers.Execution


@dataclass(frozen=True)
class StopExecution(Request[answers.Execution]):
    """Have an execution end; it may take a moment until it has."""

    flow_name: str = needed()
    execution_name: str = needed()
    error: str | None = optional(_error, default=None)
    cause: str | None = optional(_cause, default=None)
    answer: ClassVar[Kind] = answers.Execution


@dataclass(frozen=True)
class DescribeExecution(Request[answers.Execution]):
    """Look at an execution, or wait up to 60 seconds for its end."""

    flow_name: str = needed()
    execution_name: str = needed()
    wait_time_seconds: int | None = optional(whole(0, 60), default=None)
    method: ClassVar[str] = "GET"
    answer: ClassVar[Kind] = answers.Execution


@dataclass(frozen=True)
class ListExecutions(Listing[answers.Execution]):
    """List executions of a flow, the latest first."""

    flow_name: str = needed()
    limit: int | None = optional(whole(1, 99), default=None)
    next_token: str | None = optional(_free, default=None)
    execution_name_prefix: str | None = optional(text(1, 128), default=None)
    status: str | None = optional(one_of(*STATUSES), default=None)
    started_time_begin: Moment | None = optional(checks.moment, default=None)
    started_time_end: Moment | None = optional(checks.moment, default=None)
    map_run_name: str | None = optional(_free, default=None)
    metadata_only: bool | None = optional(checks.flag, default=None)
    qualifier: str | None = optional(_version, default=None)
    answer: ClassVar[Kind] = answers.Execution
    inside: ClassVar[str] = "Executions"


@dataclass(frozen=True)
class GetExecutionHistory(Listing[answers.HistoryEvent]):
    """Read what happened in an execution, in order."""

    flow_name: str = needed()
    execution_name: str = needed()
    limit: int | None = optional(_page, default=None)
    next_token: str | None = optional(_free, default=None)
    answer: ClassVar[Kind] = answers.HistoryEvent
    inside: ClassVar[str] = "Events"


@dataclass(frozen=True)
class ReportTaskSucceeded(Request[answers.Reported]):
    """Say what a call gave, by the token that it was given."""

    task_token: str = needed(_token)
    output: Any = needed(checks.data)
    addressed: ClassVar[frozenset[str]] = frozenset({"TaskToken"})
    answer: ClassVar[Kind] = answers.Reported


@dataclass(frozen=True)
class ReportTaskFailed(Request[answers.Reported]):
    """Say that a call failed, by the token that it was given."""

    task_token: str = needed(_token)
    error: str = needed(_error)
    cause: str | None = optional(_cause, default=None)
    addressed: ClassVar[frozenset[str]] = frozenset({"TaskToken"})
    answer: ClassVar[Kind] = answers.Reported


@dataclass(frozen=True)
class DescribeMapRun(Request[answers.MapRun]):
    """Look at how far the executions of a distributed Map are."""

    flow_name: str = needed()
    execution_name: str = needed()
    map_run_name: str = needed(_free)
    request_id: str | None = optional(_free, default=None)
    method: ClassVar[str] = "GET"
    answer: ClassVar[Kind] = answers.MapRun


@dataclass(frozen=True)
class UpdateMapRun(Request[answers.MapRun]):
    """Change how many executions of a distributed Map run at once, and how many may fail."""

    flow_name: str = needed()
    execution_name: str = needed()
    map_run_name: str = needed(_free)
    concurrency: int | None = optional(whole(1, 100), default=None)
    tolerated_failed_count: int | None = optional(whole(0), default=None)
    tolerated_failed_percentage: float | None = optional(checks.percentage, default=None)
    request_id: str | None = optional(_free, default=None)
    method: ClassVar[str] = "GET"
    answer: ClassVar[Kind] = answers.MapRun


@dataclass(frozen=True)
class DescribeRegions(Request[Page[answers.Region]]):
    """List the regions that have the service."""

    accept_language: str | None = optional(_free, default=None)

    def _read(self, data: Mapping[str, Any]) -> Any:
        regions = (data.get("Regions") or {}).get("Region") or []
        return Page([answers.Region.of(r) for r in regions], "", data.get("RequestId") or "")


OPERATIONS: Final[dict[str, type[Request[Any]]]] = {
    kind.__name__: kind
    for kind in (
        *(CreateFlow, UpdateFlow, DescribeFlow, DeleteFlow, ListFlows),
        *(PublishFlowVersion, ListFlowVersions, DeleteFlowVersion),
        *(CreateFlowAlias, UpdateFlowAlias, DescribeFlowAlias, DeleteFlowAlias, ListFlowAliases),
        *(CreateSchedule, UpdateSchedule, DescribeSchedule, DeleteSchedule, ListSchedules),
        *(StartExecution, StartSyncExecution, StopExecution, DescribeExecution, ListExecutions),
        *(GetExecutionHistory, ReportTaskSucceeded, ReportTaskFailed),
        *(DescribeMapRun, UpdateMapRun, DescribeRegions),
    )
}
"""The operations by name."""
