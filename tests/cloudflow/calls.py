"""Requests for every operation, and an emulator that has what they are about."""

from __future__ import annotations

import json
from typing import Any

from nbflow.services.cloudflow import emulator

FLOW = """\
Type: StateMachine
SpecVersion: v1
Name: order
StartAt: ask
States:
  - Type: Task
    Name: ask
    Action: MNS:SendMessage
    TaskMode: WaitForCustomCallback
    Parameters:
      resourceArn: acs:mns:cn-hangzhou:1:/queues/work/messages
      message:
        token.$: $Context.Current.TaskToken
        n.$: $Input.n
    End: true
"""
DOUBLED = """\
Type: StateMachine
SpecVersion: v1
Name: doubled
StartAt: double
States:
  - Type: Task
    Name: double
    Action: FC:InvokeFunction
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:1:functions/double/LATEST
      body.$: $Input
    OutputConstructor:
      n.$: $Output.Body.n
    End: true
"""
MAPPED = """\
Type: StateMachine
SpecVersion: v1
Name: mapped
StartAt: each
States:
  - Type: Map
    Name: each
    ItemsPath: $Input.items
    MaxItems: 100
    MaxConcurrency: 2
    Processor:
      StartAt: hold
      States:
        - {Type: Wait, Name: hold, Seconds: 10, End: true}
    End: true
"""


def double(body: dict[str, Any]) -> dict[str, Any]:
    return {"n": body["n"] * 2}


def furnish(endpoint: emulator.Endpoint) -> dict[str, dict[str, Any]]:
    """Make something of everything; give a request for each operation, by the SDK's names."""
    client = endpoint.client()
    client.create_flow("order", FLOW)
    client.create_flow("doubled", DOUBLED, execution_mode="Express")
    client.create_flow("mapped", MAPPED)
    client.publish_flow_version("order")
    client.publish_flow_version("order")
    client.create_flow_alias("order", "prod", {"1": 100})
    client.create_schedule("order", "daily", "0 30 9 * * *", {"n": 1})
    client.start_execution("order", "o-1", {"n": 1})
    client.start_execution("order", "o-2", {"n": 2})
    client.start_execution("mapped", "m-1", {"items": [{"v": 1}, {"v": 2}, {"v": 3}]})
    messages = [endpoint.receive("work"), endpoint.receive("work")]
    tokens = [json.loads(message["body"])["token"] for message in messages if message]
    flow, execution = {"flow_name": "order"}, {"flow_name": "order", "execution_name": "o-1"}
    run = {"flow_name": "mapped", "execution_name": "m-1", "map_run_name": "each"}
    held = {"variables": [{"name": "A", "value": "b", "description": ""}]}
    other = FLOW.replace("order", "other")
    return {
        "CreateFlow": {
            "name": "other",
            "definition": other,
            "description": "d",
            "type": "FDL",
            "environment": held,
            "execution_mode": "Standard",
            "external_storage_location": "",
            "resource_group_id": "rg",
            "role_arn": "acs:ram::1:role/r",
        },
        "UpdateFlow": {"name": "order", "description": "changed", "environment": held},
        "DescribeFlow": {"name": "order", "flow_version": "1"},
        "DeleteFlow": {"name": "order"},
        "ListFlows": {"limit": 2},
        "PublishFlowVersion": {**flow, "description": "third"},
        "ListFlowVersions": {**flow, "limit": "1"},
        "DeleteFlowVersion": {**flow, "flow_version": "2"},
        "CreateFlowAlias": {**flow, "name": "beta", "routing_configurations": routes(1, 2)},
        "UpdateFlowAlias": {**flow, "name": "prod", "routing_configurations": routes(2, 1)},
        "DescribeFlowAlias": {**flow, "name": "prod"},
        "DeleteFlowAlias": {**flow, "name": "prod"},
        "ListFlowAliases": {**flow, "limit": 5},
        "CreateSchedule": {
            **flow,
            "schedule_name": "hourly",
            "cron_expression": "@every 1h",
            "payload": '{"n":2}',
            "description": "d",
            "enable": True,
        },
        "UpdateSchedule": {**flow, "schedule_name": "daily", "enable": False},
        "DescribeSchedule": {**flow, "schedule_name": "daily"},
        "DeleteSchedule": {**flow, "schedule_name": "daily"},
        "ListSchedules": {**flow, "limit": 1000},
        "StartExecution": {**flow, "execution_name": "o-3", "input": "{}", "qualifier": "prod"},
        "StartSyncExecution": {"flow_name": "doubled", "execution_name": "x", "input": '{"n":4}'},
        "StopExecution": {**execution, "error": "Enough", "cause": "because"},
        "DescribeExecution": {**execution, "wait_time_seconds": 0},
        "ListExecutions": {
            **flow,
            "limit": 1,
            "execution_name_prefix": "o-",
            "status": "Running",
            "started_time_begin": "2020-01-01T00:00:00Z",
            "metadata_only": True,
        },
        "GetExecutionHistory": {**execution, "limit": 2},
        "ReportTaskSucceeded": {"task_token": tokens[0], "output": '{"ok":true}'},
        "ReportTaskFailed": {"task_token": tokens[1], "error": "Broken", "cause": "glass"},
        "DescribeMapRun": run,
        "UpdateMapRun": {**run, "concurrency": 3, "tolerated_failed_count": 1},
        "DescribeRegions": {"accept_language": "en-US"},
    }


def routes(first: int, second: int) -> list[dict[str, Any]]:
    return [{"version": str(first), "weight": 90}, {"version": str(second), "weight": 10}]


def snake(operation: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
