"""Alibaba CloudFlow: its flow definition language, as objects. See docs/cloudflow.md."""

from __future__ import annotations

from nbflow.services.cloudflow.errors import CloudFlowError, EvaluationError, FdlError
from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.fdl.evaluate import Scope, construct, evaluate, holds, mapped

__all__ = [
    "CloudFlowError",
    "EvaluationError",
    "FdlError",
    "FlowDefinition",
    "Scope",
    "construct",
    "evaluate",
    "holds",
    "mapped",
]
