"""What the emulator has, as the service would put it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from nbflow.services.cloudflow.emulator.faults import wrong
from nbflow.services.cloudflow.emulator.store import Data

T = TypeVar("T")

_FLOW: Final = (
    *("Name", "Definition", "Description", "Type", "ExecutionMode", "Id", "RoleArn"),
    *("ResourceGroupId", "CreatedTime", "LastModifiedTime", "Environment"),
    "ExternalStorageLocation",
)


def time_text(seconds: float | None) -> str:
    """Write a time as the service does, "" for none."""
    if seconds is None:
        return ""
    at = datetime.fromtimestamp(seconds, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def flow(data: Data) -> Data:
    """Give a flow."""
    return {name: data[name] for name in _FLOW if data.get(name) is not None}


def environment(variables: dict[str, str] | None) -> Data | None:
    """Give an environment."""
    if not variables:
        return None
    return {"Variables": [{"Name": n, "Value": v, "Description": ""} for n, v in variables.items()]}


def execution(data: Data, *, brief: bool = False) -> Data:
    """Give an execution; a brief one is without its input, output and definition."""
    found = {
        "FlowName": data["flow"],
        "Name": data["name"],
        "Status": data["status"],
        "StartedTime": time_text(data["started"]),
        "StoppedTime": time_text(data.get("stopped")),
    }
    if brief:
        return found
    return {
        **found,
        "FlowDefinition": data["definition"],
        "Input": data["input"],
        "Output": data.get("output") or "",
        **({"Environment": data["environment"]} if data.get("environment") else {}),
    }


def event(data: Data) -> Data:
    """Give an event of a history."""
    return {
        "EventId": data["id"],
        "ScheduleEventId": data["schedule"],
        "StepName": data["step"],
        "Type": data["type"],
        "Time": time_text(data["time"]),
        "EventDetail": data["detail"],
    }


def plain(value: Any) -> Any:
    """Read a JSON text; what is no text is plain data already."""
    return json.loads(value) if isinstance(value, str) else value


def page(
    items: list[T], key: Callable[[T], str], given: Data, usual: int = 60
) -> tuple[list[T], dict[str, str]]:
    """Cut a list: give a part of it, and the token of the next if there is one.

    The token is the key of the first item of the next page, as the service has it.
    """
    token, limit = given.get("next_token") or "", given.get("limit") or usual
    start = 0
    if token:
        keys = [key(item) for item in items]
        if token not in keys:
            raise wrong(f"NextToken {token!r:.80} is of no page of this list")
        start = keys.index(token)
    rest = items[start + limit :]
    return items[start : start + limit], ({"NextToken": key(rest[0])} if rest else {})
