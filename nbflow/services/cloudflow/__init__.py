"""Alibaba CloudFlow: a client, its flow definition language, workflows as flows, an emulator.

See docs/cloudflow.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from nbflow.services.cloudflow.client.client import CloudFlow
from nbflow.services.cloudflow.errors import (
    ActionError,
    CloudFlowError,
    EvaluationError,
    FdlError,
)
from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.fdl.evaluate import Scope, construct, evaluate, holds, mapped

if TYPE_CHECKING:
    from nbflow.services.cloudflow.export.write import Export, Exported, to_fdl
    from nbflow.services.cloudflow.fc_handler import write_package
    from nbflow.services.cloudflow.interpret.local import LocalExecution, LocalFlows

__all__ = [
    "ActionError",
    "CloudFlow",
    "CloudFlowError",
    "EvaluationError",
    "Export",
    "Exported",
    "FdlError",
    "FlowDefinition",
    "LocalExecution",
    "LocalFlows",
    "Scope",
    "construct",
    "evaluate",
    "holds",
    "mapped",
    "to_fdl",
    "write_package",
]

_LATE: Final = {
    "Export": "export.write",
    "Exported": "export.write",
    "LocalExecution": "interpret.local",
    "LocalFlows": "interpret.local",
    "to_fdl": "export.write",
    "write_package": "fc_handler",
}
"""Names that are loaded when they are asked for, by the modules that have them."""


def __getattr__(name: str) -> Any:
    """Load what is not always needed."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
