"""Flows, their versions and their aliases."""

from __future__ import annotations

import uuid
from typing import Any

from nbflow.services.cloudflow.emulator import answers
from nbflow.services.cloudflow.emulator.answers import page, time_text
from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.emulator.world import World
from nbflow.services.cloudflow.errors import FdlError
from nbflow.services.cloudflow.fdl.definition import FlowDefinition


def create_flow(world: World, given: Data) -> Data:
    """Carry out CreateFlow."""
    name = given["name"]
    if world.store.get("flow", name) is not None:
        raise Fault("FlowAlreadyExists", name)
    most = world.limits.flows
    if most and len(world.store.things("flow")) >= most:
        raise Fault("ResourceLimitExceeded", f"{most} flows")
    _defined(name, given["definition"])
    now = time_text(world.now)
    data = {
        "Name": name,
        "Definition": given["definition"],
        "Description": given.get("description") or "",
        "Type": given["type"],
        "ExecutionMode": given.get("execution_mode") or "Standard",
        "Id": str(uuid.uuid4()),
        "RoleArn": given.get("role_arn") or "",
        "ResourceGroupId": given.get("resource_group_id") or "",
        "ExternalStorageLocation": given.get("external_storage_location") or "",
        "Environment": answers.environment(given.get("environment")),
        "CreatedTime": now,
        "LastModifiedTime": now,
        "published": 0,
    }
    world.store.put("flow", name, "", data)
    return answers.flow(data)


def update_flow(world: World, given: Data) -> Data:
    """Carry out UpdateFlow: what is not given stays."""
    name = given["name"]
    data = world.flow(name)
    if given.get("definition"):
        _defined(name, given["definition"])
        data["Definition"] = given["definition"]
    for key, field in (("Description", "description"), ("RoleArn", "role_arn")):
        if given.get(field) is not None:
            data[key] = given[field]
    if given.get("environment") is not None:
        data["Environment"] = answers.environment(given["environment"])
    data["LastModifiedTime"] = time_text(world.now)
    world.store.put("flow", name, "", data)
    return answers.flow(data)


def _defined(name: str, text: str) -> None:
    try:
        definition = FlowDefinition.parse(text)
    except FdlError as error:
        raise wrong(f"Definition: {error}") from None
    if not definition.old and definition.name != name:
        raise wrong(f"Definition: its Name is {definition.name}, and the flow's {name}")


def describe_flow(world: World, given: Data) -> Data:
    """Carry out DescribeFlow."""
    data = world.flow(given["name"])
    if given.get("flow_version"):
        data = {**data, **world.version(given["name"], given["flow_version"])}
    return answers.flow(data)


def delete_flow(world: World, given: Data) -> Data:
    """Carry out DeleteFlow."""
    world.flow(given["name"])
    world.host.forget(given["name"])
    world.store.forget(given["name"])
    return {}


def list_flows(world: World, given: Data) -> Data:
    """Carry out ListFlows."""
    group = given.get("resource_group_id")
    found = [d for _, _, d in world.store.things("flow")]
    found = [d for d in found if not group or d["ResourceGroupId"] == group]
    items, token = page(found, lambda d: str(d["Name"]), given)
    return {"Flows": [_listed(answers.flow(data)) for data in items], **token}


def _listed(data: Data) -> Data:
    """In a list, the service's library takes an environment as a list of environments."""
    held = data.get("Environment")
    return {**data, "Environment": [held]} if held else data


# Versions


def publish_flow_version(world: World, given: Data) -> Data:
    """Carry out PublishFlowVersion."""
    flow = given["flow_name"]
    data = world.flow(flow)
    data["published"] += 1
    number = str(data["published"])
    version = {
        "Version": number,
        "Definition": data["Definition"],
        "Description": given.get("description") or "",
        "CreatedTime": time_text(world.now),
        "Environment": data["Environment"],
        "RoleArn": data["RoleArn"],
    }
    world.store.put("flow", flow, "", data)
    world.store.put("version", flow, number, version)
    return {"FlowName": flow, **_version(version)}


def _version(data: Data) -> Data:
    return {name: data[name] for name in ("Version", "Description", "CreatedTime")}


def list_flow_versions(world: World, given: Data) -> Data:
    """Carry out ListFlowVersions, the latest first."""
    world.flow(given["flow_name"])
    found = [d for _, _, d in world.store.things("version", given["flow_name"])]
    found.sort(key=lambda d: -int(d["Version"]))
    items, token = page(found, lambda d: str(d["Version"]), given)
    return {"FlowVersions": [_version(data) for data in items], **token}


def delete_flow_version(world: World, given: Data) -> Data:
    """Carry out DeleteFlowVersion; one that an alias leads to stays."""
    flow, version = given["flow_name"], given["flow_version"]
    world.flow(flow)
    world.version(flow, version)
    for _, name, alias in world.store.things("alias", flow):
        if any(route["Version"] == version for route in alias["RoutingConfigurations"]):
            raise Fault("FlowVersionInUse", version, flow, name)
    world.store.remove("version", flow, version)
    return {}


# Aliases


def create_flow_alias(world: World, given: Data) -> Data:
    """Carry out CreateFlowAlias."""
    flow, name = given["flow_name"], given["name"]
    world.flow(flow)
    if world.store.get("alias", flow, name) is not None:
        raise Fault("FlowAliasAlreadyExists", name, flow)
    data = {
        "Name": name,
        "Description": given.get("description") or "",
        "RoutingConfigurations": _routes(world, flow, given["routing_configurations"]),
        "CreatedTime": time_text(world.now),
    }
    world.store.put("alias", flow, name, data)
    return {"FlowName": flow, **data}


def _routes(world: World, flow: str, weights: dict[str, int]) -> list[dict[str, Any]]:
    for version in weights:
        world.version(flow, version)
    return [{"Version": version, "Weight": weight} for version, weight in weights.items()]


def update_flow_alias(world: World, given: Data) -> Data:
    """Carry out UpdateFlowAlias: what is not given stays."""
    flow = given["flow_name"]
    data = world.alias(flow, given["name"])
    if given.get("routing_configurations"):
        data["RoutingConfigurations"] = _routes(world, flow, given["routing_configurations"])
    if given.get("description") is not None:
        data["Description"] = given["description"]
    world.store.put("alias", flow, given["name"], data)
    return {"Alias": data}


def describe_flow_alias(world: World, given: Data) -> Data:
    """Carry out DescribeFlowAlias."""
    return {"Alias": world.alias(given["flow_name"], given["name"])}


def delete_flow_alias(world: World, given: Data) -> Data:
    """Carry out DeleteFlowAlias."""
    world.alias(given["flow_name"], given["name"])
    world.store.remove("alias", given["flow_name"], given["name"])
    return {}


def list_flow_aliases(world: World, given: Data) -> Data:
    """Carry out ListFlowAliases."""
    world.flow(given["flow_name"])
    found = [d for _, _, d in world.store.things("alias", given["flow_name"])]
    items, token = page(found, lambda d: str(d["Name"]), given)
    return {"Aliases": items, **token}
