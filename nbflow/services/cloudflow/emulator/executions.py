"""Executions, their histories, reports of calls, and the executions of a distributed Map."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nbflow.services.cloudflow.client.answers import OVER
from nbflow.services.cloudflow.emulator import answers
from nbflow.services.cloudflow.emulator.answers import time_text
from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.emulator.world import World

_COUNTED = {
    "Running": "Running",
    "Succeeded": "Succeed",
    "Failed": "Failed",
    "TimedOut": "Failed",
    "Stopped": "Aborted",
}


def start_execution(world: World, given: Data) -> Data:
    """Carry out StartExecution."""
    return answers.execution(world.host.start(given))


def start_sync_execution(world: World, given: Data) -> Data:
    """Carry out StartSyncExecution; the server answers once it is over."""
    return world.host.start(given, express=True)


def stop_execution(world: World, given: Data) -> Data:
    """Carry out StopExecution; of one that is over nothing changes."""
    error, cause = given.get("error") or "FnF.ExecutionStopped", given.get("cause") or ""
    data = world.host.stop(given["flow_name"], given["execution_name"], error, cause)
    return {**answers.execution(data), "RoleArn": data["role"]}


def find(world: World, given: Data) -> Data:
    """Give an execution by its flow and its name.

    Raises:
        Fault: There is none.
    """
    found = world.store.named(given["flow_name"], given["execution_name"])
    if found is None:
        world.flow(given["flow_name"])
        raise Fault("ExecutionNotExists", given["execution_name"], given["flow_name"])
    return found


def describe_execution(world: World, given: Data) -> Data:
    """Carry out DescribeExecution; the server sees to waiting."""
    return answers.execution(find(world, given))


def sync_answer(data: Data) -> Data:
    """Give the answer to StartSyncExecution for an execution that is over."""
    failed = data["status"] != "Succeeded"
    return {
        **answers.execution(data, brief=True),
        "Output": data.get("output") or "",
        "ErrorCode": data.get("error") or "" if failed else "",
        "ErrorMessage": data.get("cause") or "" if failed else "",
    }


def list_executions(world: World, given: Data) -> Data:
    """Carry out ListExecutions, the latest first."""
    flow = given["flow_name"]
    world.flow(flow)
    where, values = ["flow = ?"], [flow]
    for sql, value in (
        ("status = ?", given.get("status")),
        ("started >= ?", _seconds(given.get("started_time_begin"))),
        ("started <= ?", _seconds(given.get("started_time_end"))),
        ("json_extract(data, '$.map_run') = ?", given.get("map_run_name")),
        ("json_extract(data, '$.qualifier') = ?", given.get("qualifier")),
    ):
        if value is not None:
            where.append(sql)
            values.append(value)
    prefix = given.get("execution_name_prefix")
    if prefix:
        where.append("substr(name, 1, ?) = ?")
        values += [len(prefix), prefix]
    return _page(world, given, " and ".join(where), values)


def _page(world: World, given: Data, where: str, values: list[Any]) -> Data:
    limit = given.get("limit") or 60
    token = given.get("next_token")
    if token:
        first = world.store.named(given["flow_name"], token)
        if first is None:
            raise wrong(f"NextToken {token!r:.80} is of no page of this list")
        where += " and (started < ? or started = ? and id <= ?)"
        values = [*values, first["started"], first["started"], first["id"]]
    found = world.store.executions(where, tuple(values), limit + 1)
    more = {"NextToken": found[limit]["name"]} if len(found) > limit else {}
    brief = bool(given.get("metadata_only"))
    return {"Executions": [_listed(data, brief=brief) for data in found[:limit]], **more}


def _listed(data: Data, *, brief: bool) -> Data:
    """In a list, the service's library takes an environment as a list of environments."""
    shown = answers.execution(data, brief=brief)
    held = shown.get("Environment")
    return {**shown, "Environment": [held]} if held else shown


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def get_execution_history(world: World, given: Data) -> Data:
    """Carry out GetExecutionHistory; the token is the number of the next event."""
    data = find(world, given)
    limit, token = given.get("limit") or 60, given.get("next_token") or "1"
    if not token.isdecimal():
        raise wrong(f"NextToken {token!r:.80} is of no page of this list")
    events = world.store.events(data["id"], int(token), limit + 1)
    more = {"NextToken": str(events[limit]["id"])} if len(events) > limit else {}
    return {"Events": [answers.event(event) for event in events[:limit]], **more}


def report_task_succeeded(world: World, given: Data) -> Data:
    """Carry out ReportTaskSucceeded."""
    detail = {"output": answers.plain(given["output"])}
    return {"EventId": world.host.report(given["task_token"], "TaskSucceeded", detail)}


def report_task_failed(world: World, given: Data) -> Data:
    """Carry out ReportTaskFailed."""
    detail = {"error": given["error"], "cause": given.get("cause") or ""}
    return {"EventId": world.host.report(given["task_token"], "TaskFailed", detail)}


# The executions of a distributed Map


def _map_run(world: World, given: Data) -> tuple[Data, Data]:
    execution, name = find(world, given), given["map_run_name"]
    found = world.store.get("maprun", given["flow_name"], f"{execution['name']}/{name}")
    if found is None:
        raise Fault("MapRunNotExists", name, execution["name"])
    return execution, found


def describe_map_run(world: World, given: Data) -> Data:
    """Carry out DescribeMapRun."""
    execution, data = _map_run(world, given)
    counts = dict.fromkeys(("Total", "Pending", "Running", "Succeed", "Failed", "Aborted"), 0)
    where = "json_extract(data, '$.parent[0]') = ? and json_extract(data, '$.map_run') = ?"
    for child in world.store.executions(where, (execution["id"], given["map_run_name"])):
        counts[_COUNTED[child["status"]]] += 1
    started = sum(counts.values())
    counts["Total"] = max(started, data["total"])
    counts["Pending"] = counts["Total"] - started if execution["status"] not in OVER else 0
    status = "Running" if counts["Running"] or counts["Pending"] else data["status"]
    return {
        **_limits(given, data),
        "ItemCounts": counts,
        "Status": status if execution["status"] not in OVER else execution["status"],
        "StartedTime": time_text(data["started"]),
        "StoppedTime": time_text(execution.get("stopped")),
    }


def _limits(given: Data, data: Data) -> Data:
    return {
        "FlowName": given["flow_name"],
        "ExecutionName": given["execution_name"],
        "MapRunName": given["map_run_name"],
        "Concurrency": data["concurrency"],
        "ToleratedFailedCount": data["tolerated_failed_count"],
        "ToleratedFailedPercentage": data["tolerated_failed_percentage"],
    }


def update_map_run(world: World, given: Data) -> Data:
    """Carry out UpdateMapRun: what is not given stays."""
    execution, data = _map_run(world, given)
    if execution["status"] in OVER:
        raise wrong(f"execution {execution['name']} is over")
    names = ("concurrency", "tolerated_failed_count", "tolerated_failed_percentage")
    changed = {name: given[name] for name in names if given.get(name) is not None}
    data |= changed
    key = f"{execution['name']}/{given['map_run_name']}"
    world.store.put("maprun", given["flow_name"], key, data)
    world.host.adjust(execution["id"], given["map_run_name"], changed)
    return _limits(given, data)


def describe_regions(world: World, given: Data) -> Data:  # noqa: ARG001 - there is one only
    """Carry out DescribeRegions."""
    region = {"RegionId": world.region, "LocalName": "Emulator", "RegionEndpoint": "127.0.0.1"}
    return {"Regions": {"Region": [region]}}
