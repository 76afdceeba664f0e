"""A client of CloudFlow: every operation, checked before it is sent. See docs/cloudflow.md."""

from __future__ import annotations

from nbflow.services.cloudflow.client import answers, requests
from nbflow.services.cloudflow.client.answers import Execution, Flow, HistoryEvent
from nbflow.services.cloudflow.client.base import Page, Request
from nbflow.services.cloudflow.client.client import CloudFlow
from nbflow.services.cloudflow.client.errors import (
    AlreadyExists,
    Denied,
    DoesNotExist,
    Invalid,
    NotOver,
    Refused,
    TaskOver,
    Throttled,
    Unreachable,
)
from nbflow.services.cloudflow.client.transport import Settings

__all__ = [
    "AlreadyExists",
    "CloudFlow",
    "Denied",
    "DoesNotExist",
    "Execution",
    "Flow",
    "HistoryEvent",
    "Invalid",
    "NotOver",
    "Page",
    "Refused",
    "Request",
    "Settings",
    "TaskOver",
    "Throttled",
    "Unreachable",
    "answers",
    "requests",
]
