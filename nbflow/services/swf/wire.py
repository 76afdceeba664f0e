"""Names and values between Python's way and the service's: ``task_list`` and ``taskList``."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, NamedTuple

from nbflow.services.swf.shapes import Data

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class TypeName(NamedTuple):
    """Name and version of an activity or workflow type."""

    name: str
    version: str


class ExecutionName(NamedTuple):
    """Workflow id and run id of an execution."""

    workflow_id: str
    run_id: str = ""


@cache
def camel(name: str) -> str:
    """Write a name as the service does.

    Example:
        >>> camel("start_to_close_timeout")
        'startToCloseTimeout'
    """
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@cache
def snake(name: str) -> str:
    """Write a name as Python does.

    Example:
        >>> snake("startToCloseTimeout")
        'start_to_close_timeout'
    """
    return _WORD.sub("_", name).lower()


def seconds(value: float | str | None) -> str | None:
    """Write a duration as the service does: whole seconds, or ``NONE`` as it is.

    Example:
        >>> seconds(90), seconds("NONE"), seconds(0.2)
        ('90', 'NONE', '1')
    """
    if value is None or isinstance(value, str):
        return value
    # Rounded up: a time limit of less than a second must not become none at all.
    return str(-int(-value // 1))


def given(name: str, value: Any) -> Any:
    """Write a member as the service does; the name says what it is."""
    if isinstance(value, TypeName):
        return {"name": value.name, "version": value.version}
    if isinstance(value, ExecutionName):
        return {"workflowId": value.workflow_id, "runId": value.run_id}
    if name.endswith("task_list") and isinstance(value, str):
        return {"name": value}
    if name.endswith("timeout"):
        return seconds(value)
    if name.endswith("task_priority") and isinstance(value, int):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def read(value: Any) -> Any:
    """Read a member that the service gave: names of types and executions become tuples."""
    if not isinstance(value, dict):
        return tuple(value) if isinstance(value, list) else value
    if set(value) == {"name", "version"}:
        return TypeName(value["name"], value["version"])
    if set(value) == {"workflowId", "runId"}:
        return ExecutionName(value["workflowId"], value["runId"])
    return value["name"] if set(value) == {"name"} else value


def structure(members: Data) -> Data:
    """Write members by Python's names as the service does, without those that are None."""
    return {camel(n): given(n, value) for n, value in members.items() if value is not None}
