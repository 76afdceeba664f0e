"""What the service answers, as objects. What an answer does not have is "" or None."""

# ruff: noqa: RUF009 - these helpers make dataclass fields

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Self

OVER: Final = frozenset({"Succeeded", "Failed", "TimedOut", "Stopped"})
_SPECIAL: Final = {"callback_fn_ftask_token": "CallbackFnFTaskToken"}


def wire_name(name: str) -> str:
    """Give a field's name as it goes over the wire."""
    return _SPECIAL.get(name) or "".join(part.capitalize() for part in name.split("_"))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _whole(value: Any) -> int:
    return int(value or 0)


def _share(value: Any) -> float | None:
    return None if value in {None, ""} else float(value)


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _flag(value: Any) -> bool:
    return value in {True, "true", "True"}


def _variables(value: Any) -> dict[str, str]:
    # In lists the service's library makes an environment a list of environments.
    given = value if isinstance(value, list) else [value or {}]
    found = [v for part in given for v in (part or {}).get("Variables") or []]
    return {_text(v.get("Name")): _text(v.get("Value")) for v in found}


def _routes(value: Any) -> dict[str, int]:
    return {_text(r.get("Version")): _whole(r.get("Weight")) for r in value or []}


def _read(kind: Callable[[Any], Any]) -> Any:
    return field(default_factory=lambda: kind(None), metadata={"read": kind})


@dataclass(frozen=True, slots=True)
class Answer:
    """What every answer has."""

    request_id: str = _read(_text)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read one from plain data; what is unknown is passed over."""
        given = {
            f.name: f.metadata["read"](data.get(wire_name(f.name)))
            for f in fields(cls)
            if "read" in f.metadata
        }
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Flow(Answer):
    """A flow, or one of its versions."""

    name: str = _read(_text)
    definition: str = _read(_text)
    description: str = _read(_text)
    type: str = _read(_text)
    execution_mode: str = _read(_text)
    id: str = _read(_text)
    role_arn: str = _read(_text)
    resource_group_id: str = _read(_text)
    external_storage_location: str = _read(_text)
    environment: dict[str, str] = _read(_variables)
    created_time: datetime | None = _read(_time)
    last_modified_time: datetime | None = _read(_time)


@dataclass(frozen=True, slots=True)
class Version(Answer):
    """A version of a flow: its definition as it was when it was published."""

    flow_name: str = _read(_text)
    version: str = _read(_text)
    description: str = _read(_text)
    created_time: datetime | None = _read(_time)


@dataclass(frozen=True, slots=True)
class Alias(Answer):
    """A name for versions of a flow; executions are routed to them by weight."""

    flow_name: str = _read(_text)
    name: str = _read(_text)
    description: str = _read(_text)
    routing_configurations: dict[str, int] = _read(_routes)
    created_time: datetime | None = _read(_time)


@dataclass(frozen=True, slots=True)
class Schedule(Answer):
    """A time table by which a flow is started."""

    schedule_name: str = _read(_text)
    schedule_id: str = _read(_text)
    cron_expression: str = _read(_text)
    payload: str = _read(_text)
    description: str = _read(_text)
    enable: bool = _read(_flag)
    created_time: datetime | None = _read(_time)
    last_modified_time: datetime | None = _read(_time)


@dataclass(frozen=True, slots=True)
class Execution(Answer):
    """An execution of a flow. What it failed with is in its history only."""

    flow_name: str = _read(_text)
    name: str = _read(_text)
    status: str = _read(_text)
    input: str = _read(_text)
    output: str = _read(_text)
    error_code: str = _read(_text)
    error_message: str = _read(_text)
    flow_definition: str = _read(_text)
    role_arn: str = _read(_text)
    environment: dict[str, str] = _read(_variables)
    started_time: datetime | None = _read(_time)
    stopped_time: datetime | None = _read(_time)

    @property
    def over(self) -> bool:
        """Whether it has ended, however it did."""
        return self.status in OVER

    @property
    def value(self) -> Any:
        """Its output as plain data; None while there is none."""
        return json.loads(self.output) if self.output else None


@dataclass(frozen=True, slots=True)
class HistoryEvent(Answer):
    """Something that happened in an execution."""

    event_id: int = _read(_whole)
    schedule_event_id: int = _read(_whole)
    type: str = _read(_text)
    step_name: str = _read(_text)
    time: datetime | None = _read(_time)
    event_detail: str = _read(_text)

    @property
    def detail(self) -> dict[str, Any]:
        """What is said of it, as plain data."""
        found = json.loads(self.event_detail) if self.event_detail else {}
        return found if isinstance(found, dict) else {"value": found}


@dataclass(frozen=True, slots=True)
class Reported(Answer):
    """The event that a report became."""

    event_id: int = _read(_whole)


def _counts(value: Any) -> dict[str, int]:
    names = ("Total", "Pending", "Running", "Succeed", "Failed", "Aborted")
    return {name: _whole((value or {}).get(name)) for name in names}


@dataclass(frozen=True, slots=True)
class MapRun(Answer):
    """The executions of a distributed Map, counted."""

    flow_name: str = _read(_text)
    execution_name: str = _read(_text)
    map_run_name: str = _read(_text)
    status: str = _read(_text)
    concurrency: int = _read(_whole)
    tolerated_failed_count: int = _read(_whole)
    tolerated_failed_percentage: float | None = _read(_share)
    item_counts: dict[str, int] = _read(_counts)
    started_time: datetime | None = _read(_time)
    stopped_time: datetime | None = _read(_time)


@dataclass(frozen=True, slots=True)
class Region(Answer):
    """A region that has the service."""

    region_id: str = _read(_text)
    local_name: str = _read(_text)
    region_endpoint: str = _read(_text)
