"""The client: every operation as a method, for threads and for coroutines."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from nbflow.services.cloudflow.client import requests
from nbflow.services.cloudflow.client.answers import Execution
from nbflow.services.cloudflow.client.base import Listing, Request, Wire
from nbflow.services.cloudflow.client.calls import Sent, SentAsync
from nbflow.services.cloudflow.client.errors import Invalid
from nbflow.services.cloudflow.client.requests import OPERATIONS
from nbflow.services.cloudflow.client.transport import Settings, Transport
from nbflow.services.cloudflow.client.waiting import following, waiting

A = TypeVar("A")
T = TypeVar("T")

SYNC_SECONDS: Final = 300.0
"""Seconds that an express flow may take."""


class CloudFlow:
    """A client of CloudFlow. All threads and event loops may share one.

    Args:
        endpoint: Host or address; by default that of the region, or NBFLOW_CLOUDFLOW_ENDPOINT.
        region: Such as ``cn-hangzhou``; by default ALIBABA_CLOUD_REGION_ID.
        settings: Further members of `Settings`: ``access_key_id``, ``credential``, ``attempts``,
            ``signature`` ... Without credentials those of the environment are used, then the
            chain of alibabacloud_credentials; on loopback those of the emulator.

    Raises:
        Invalid: Nothing says where the service is.

    Example:
        >>> client = CloudFlow(region="cn-hangzhou")
        >>> client.create_flow("order", Path("order.yaml").read_text())
        >>> client.describe_flow("order").definition
        >>> client.start_execution("order", "o-17", {"id": 17}, callback_fn_ftask_token=token)
        >>> client.wait("order", "o-17").value

    Source:
        https://help.aliyun.com/document_detail/2590640.html
    """

    def __init__(
        self, endpoint: str | None = None, *, region: str | None = None, **settings: Any
    ) -> None:
        try:
            self.settings = Settings(endpoint=endpoint, region=region, **settings)
        except TypeError as error:
            known = ", ".join(Settings.__dataclass_fields__)
            raise Invalid(f"{error}: CloudFlow takes {known}") from None
        self._transport = Transport(self.settings)

    @property
    def host(self) -> str:
        """Where requests go to."""
        return self._transport.host

    def send(self, request: Request[A]) -> A:
        """Send a request and give its answer.

        Raises:
            Invalid: The request is not as the service wants it; it was not sent.
            Refused: The service said no.
            Unreachable: There was no answer.

        Example:
            ``client.send(DescribeFlow("order"))``
        """
        request = _named(request)
        wire, wait = request.wire(), _wait(request)
        answer = self._transport.send(wire, wait=wait, repeatable=request.repeatable)
        return request.read(answer)

    async def send_async(self, request: Request[A]) -> A:
        """Send a request from a coroutine; see `send`."""
        request = _named(request)
        wire, wait = request.wire(), _wait(request)
        again = request.repeatable
        return request.read(await self._transport.send_async(wire, wait=wait, repeatable=again))

    def call(self, action: str, /, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send any operation by its name, with the parameters' own names; nothing is checked.

        Example:
            ``client.call("DescribeFlow", {"Name": "order"})["Definition"]``

        Raises:
            Refused: The service said no.
            Unreachable: There was no answer.
        """
        return self._transport.send(_loose(action, params or {}), wait=_LOOSE_WAIT)

    async def call_async(
        self, action: str, /, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send any operation from a coroutine; see `call`."""
        return await self._transport.send_async(_loose(action, params or {}), wait=_LOOSE_WAIT)

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Go through a list; further pages are asked for when they are come to.

        Example:
            ``for flow in client.each(ListFlows()): print(flow.name)``
        """
        asked: Listing[T] | None = listing
        while asked is not None:
            page = self.send(asked)
            yield from page
            asked = following(asked, page)

    async def each_async(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Go through a list in a coroutine; see `each`."""
        asked: Listing[T] | None = listing
        while asked is not None:
            page = await self.send_async(asked)
            for item in page:
                yield item
            asked = following(asked, page)

    def wait(self, flow_name: str, execution_name: str, timeout: float | None = None) -> Execution:
        """Wait for an execution to be over, however it ends.

        Args:
            flow_name: The flow.
            execution_name: The execution.
            timeout: Seconds; None for as long as it takes.

        Raises:
            NotOver: It is not over in time. It goes on.
            Refused: There is no such execution.
        """
        steps = waiting(flow_name, execution_name, timeout)
        try:
            asked = next(steps)
            while True:
                if isinstance(asked, float):
                    time.sleep(asked)
                    asked = next(steps)
                else:
                    asked = steps.send(self.send(asked))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def wait_async(
        self,
        flow_name: str,
        execution_name: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as `wait`
    ) -> Execution:
        """Wait in a coroutine for an execution to be over; see `wait`."""
        steps = waiting(flow_name, execution_name, timeout)
        try:
            asked = next(steps)
            while True:
                if isinstance(asked, float):
                    await asyncio.sleep(asked)
                    asked = next(steps)
                else:
                    asked = steps.send(await self.send_async(asked))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    create_flow = Sent(requests.CreateFlow)
    update_flow = Sent(requests.UpdateFlow)
    describe_flow = Sent(requests.DescribeFlow)
    delete_flow = Sent(requests.DeleteFlow)
    list_flows = Sent(requests.ListFlows)
    publish_flow_version = Sent(requests.PublishFlowVersion)
    list_flow_versions = Sent(requests.ListFlowVersions)
    delete_flow_version = Sent(requests.DeleteFlowVersion)
    create_flow_alias = Sent(requests.CreateFlowAlias)
    update_flow_alias = Sent(requests.UpdateFlowAlias)
    describe_flow_alias = Sent(requests.DescribeFlowAlias)
    delete_flow_alias = Sent(requests.DeleteFlowAlias)
    list_flow_aliases = Sent(requests.ListFlowAliases)
    create_schedule = Sent(requests.CreateSchedule)
    update_schedule = Sent(requests.UpdateSchedule)
    describe_schedule = Sent(requests.DescribeSchedule)
    delete_schedule = Sent(requests.DeleteSchedule)
    list_schedules = Sent(requests.ListSchedules)
    start_execution = Sent(requests.StartExecution)
    start_sync_execution = Sent(requests.StartSyncExecution)
    stop_execution = Sent(requests.StopExecution)
    describe_execution = Sent(requests.DescribeExecution)
    list_executions = Sent(requests.ListExecutions)
    get_execution_history = Sent(requests.GetExecutionHistory)
    report_task_succeeded = Sent(requests.ReportTaskSucceeded)
    report_task_failed = Sent(requests.ReportTaskFailed)
    describe_map_run = Sent(requests.DescribeMapRun)
    update_map_run = Sent(requests.UpdateMapRun)
    describe_regions = Sent(requests.DescribeRegions)

    create_flow_async = SentAsync(requests.CreateFlow)
    update_flow_async = SentAsync(requests.UpdateFlow)
    describe_flow_async = SentAsync(requests.DescribeFlow)
    delete_flow_async = SentAsync(requests.DeleteFlow)
    list_flows_async = SentAsync(requests.ListFlows)
    publish_flow_version_async = SentAsync(requests.PublishFlowVersion)
    list_flow_versions_async = SentAsync(requests.ListFlowVersions)
    delete_flow_version_async = SentAsync(requests.DeleteFlowVersion)
    create_flow_alias_async = SentAsync(requests.CreateFlowAlias)
    update_flow_alias_async = SentAsync(requests.UpdateFlowAlias)
    describe_flow_alias_async = SentAsync(requests.DescribeFlowAlias)
    delete_flow_alias_async = SentAsync(requests.DeleteFlowAlias)
    list_flow_aliases_async = SentAsync(requests.ListFlowAliases)
    create_schedule_async = SentAsync(requests.CreateSchedule)
    update_schedule_async = SentAsync(requests.UpdateSchedule)
    describe_schedule_async = SentAsync(requests.DescribeSchedule)
    delete_schedule_async = SentAsync(requests.DeleteSchedule)
    list_schedules_async = SentAsync(requests.ListSchedules)
    start_execution_async = SentAsync(requests.StartExecution)
    start_sync_execution_async = SentAsync(requests.StartSyncExecution)
    stop_execution_async = SentAsync(requests.StopExecution)
    describe_execution_async = SentAsync(requests.DescribeExecution)
    list_executions_async = SentAsync(requests.ListExecutions)
    get_execution_history_async = SentAsync(requests.GetExecutionHistory)
    report_task_succeeded_async = SentAsync(requests.ReportTaskSucceeded)
    report_task_failed_async = SentAsync(requests.ReportTaskFailed)
    describe_map_run_async = SentAsync(requests.DescribeMapRun)
    update_map_run_async = SentAsync(requests.UpdateMapRun)
    describe_regions_async = SentAsync(requests.DescribeRegions)


def _named(request: Request[A]) -> Request[A]:
    """Give an execution a name, so that a repeated request starts none a second time."""
    if isinstance(request, requests.StartExecution) and request.execution_name is None:
        return cast("Request[A]", replace(request, execution_name=f"e-{uuid.uuid4()}"))
    return request


def _wait(request: Request[Any]) -> float:
    if isinstance(request, requests.StartSyncExecution):
        return SYNC_SECONDS
    return float(getattr(request, "wait_time_seconds", None) or 0)


_LOOSE_WAIT: Final = 60.0


def _text(value: Any) -> str:
    """Write a value as the service's library does: objects as JSON, the rest as Python has it."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _loose(action: str, params: Mapping[str, Any]) -> Wire:
    given = {name: _text(value) for name, value in params.items() if value is not None}
    kind = OPERATIONS.get(action)
    if kind is not None and kind.method == "GET":
        return Wire(action, "GET", given, None)
    addressed = kind.addressed if kind is not None else frozenset()
    query = {name: value for name, value in given.items() if name in addressed}
    return Wire(action, "POST", query, {n: v for n, v in given.items() if n not in addressed})
