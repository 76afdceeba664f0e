"""Time tables: when a flow is started without anybody asking."""

from __future__ import annotations

import uuid

from nbflow.services.cloudflow.emulator.answers import page, time_text
from nbflow.services.cloudflow.emulator.cron import Table
from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.emulator.world import World

_SHOWN = (
    *("ScheduleId", "ScheduleName", "CronExpression", "Payload", "Description", "Enable"),
    *("CreatedTime", "LastModifiedTime"),
)


def create_schedule(world: World, given: Data) -> Data:
    """Carry out CreateSchedule."""
    flow, name = given["flow_name"], given["schedule_name"]
    world.flow(flow)
    if world.store.get("schedule", flow, name) is not None:
        raise Fault("ScheduleAlreadyExists", name, flow)
    now = time_text(world.now)
    data = {
        "ScheduleId": str(uuid.uuid4()),
        "ScheduleName": name,
        "CronExpression": given["cron_expression"],
        "Payload": given.get("payload") or "",
        "Description": given.get("description") or "",
        "Enable": given.get("enable") is not False,
        "CreatedTime": now,
        "LastModifiedTime": now,
    }
    _keep(world, flow, data)
    return _shown(data)


def update_schedule(world: World, given: Data) -> Data:
    """Carry out UpdateSchedule: what is not given stays."""
    flow = given["flow_name"]
    data = _schedule(world, given)
    fields = {
        "CronExpression": "cron_expression",
        "Payload": "payload",
        "Description": "description",
        "Enable": "enable",
    }
    data |= {key: given[name] for key, name in fields.items() if given.get(name) is not None}
    data["LastModifiedTime"] = time_text(world.now)
    _keep(world, flow, data)
    return _shown(data)


def _keep(world: World, flow: str, data: Data) -> None:
    try:
        table = Table(data["CronExpression"])
    except ValueError as error:
        raise wrong(f"CronExpression: {error}") from None
    data["due"] = table.after(world.now) if data["Enable"] else None
    world.store.put("schedule", flow, data["ScheduleName"], data)
    world.changed()


def _schedule(world: World, given: Data) -> Data:
    world.flow(given["flow_name"])
    found = world.store.get("schedule", given["flow_name"], given["schedule_name"])
    if found is None:
        raise Fault("ScheduleNotExists", given["schedule_name"], given["flow_name"])
    return found


def _shown(data: Data) -> Data:
    return {name: data[name] for name in _SHOWN}


def describe_schedule(world: World, given: Data) -> Data:
    """Carry out DescribeSchedule."""
    return _shown(_schedule(world, given))


def delete_schedule(world: World, given: Data) -> Data:
    """Carry out DeleteSchedule."""
    _schedule(world, given)
    world.store.remove("schedule", given["flow_name"], given["schedule_name"])
    return {}


def list_schedules(world: World, given: Data) -> Data:
    """Carry out ListSchedules."""
    world.flow(given["flow_name"])
    found = [d for _, _, d in world.store.things("schedule", given["flow_name"])]
    items, token = page(found, lambda d: str(d["ScheduleName"]), given)
    return {"Schedules": [_shown(data) for data in items], **token}


def next_due(world: World) -> float | None:
    """Say when a flow is to be started next, in seconds since the epoch."""
    found = [d["due"] for _, _, d in world.store.things("schedule") if d.get("due") is not None]
    return min(found, default=None)


def start_due(world: World) -> None:
    """Start what is due by now, once for each time table: times that nobody served are gone."""
    for flow, name, data in world.store.things("schedule"):
        due = data.get("due")
        if due is None or due > world.now:
            continue
        data["due"] = Table(data["CronExpression"]).after(world.now)
        world.store.put("schedule", flow, name, data)
        asked = {"flow_name": flow, "input": data["Payload"] or "{}"}
        world.start({**asked, "execution_name": f"{name[:80]}-{int(due * 1000)}"})
