"""Answers on their way out."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.loopback import Reply


def internal(error: Exception) -> Fault:
    """Make the fault of a mistake of ours."""
    fault = Fault("InternalServerError")
    fault.message = f"{fault.message} {type(error).__name__}: {error}"
    return fault


def new_number() -> str:
    """Make the number of a request."""
    return str(uuid.uuid4()).upper()


def read(body: bytes) -> Data:
    """Read what is asked of the emulator itself."""
    try:
        given: Any = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise wrong("The request is no JSON object")
    return given


_TYPE: Final = ("Content-Type", "application/json;charset=utf-8")


def json_reply(data: Data, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """Write plain data."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Reply(status, text.encode(), (_TYPE, *headers))


def written(data: Data, number: str) -> Reply:
    """Write an answer of the service."""
    return json_reply({"RequestId": number, **data})


def refused(fault: Fault, number: str) -> Reply:
    """Write a refusal."""
    after = () if fault.after is None else (("x-acs-retry-after", str(fault.after)),)
    return json_reply(fault.body(number), fault.status, *after)
