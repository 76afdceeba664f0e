"""Faults, with the type that goes over the wire and the words that the service uses."""

from __future__ import annotations

from typing import Final

from nbflow.core.errors import NbflowError
from nbflow.services.swf.shapes import Data

_MODEL: Final = "com.amazonaws.swf.base.model#"
_PLACES: Final = {
    "ValidationException": "com.amazon.coral.validate#",
    "SerializationException": "com.amazon.coral.service#",
    "UnknownOperationException": "com.amazon.coral.service#",
    "InternalFailure": "com.amazon.coral.service#",
    "ThrottlingException": "com.amazon.coral.availability#",
}
_STATUS: Final = {"InternalFailure": 500, "RequestEntityTooLarge": 413}


class Fault(NbflowError):
    """An answer that says no.

    Attributes:
        kind: The fault's name, such as ``UnknownResourceFault``.
        message: What it says.
        status: The HTTP status that it goes with.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message
        self.status = _STATUS.get(kind, 400)

    @property
    def body(self) -> Data:
        """What goes over the wire."""
        return {"__type": _PLACES.get(self.kind, _MODEL) + self.kind, "message": self.message}


def invalid(message: str) -> Fault:
    """Make the fault of a request that is not as the model wants it."""
    return Fault("ValidationException", message)


def unknown(message: str) -> Fault:
    """Make the fault of something that is not there."""
    return Fault("UnknownResourceFault", message)


def type_text(kind: str, name: str, version: str) -> str:
    """Name a type as the service does; `kind` is ``Activity`` or ``Workflow``."""
    return f"{kind}Type=[name={name}, version={version}]"


def execution_text(workflow_id: str, run_id: str = "") -> str:
    """Name an execution that is not there as the service does."""
    if not run_id:
        return f"Unknown execution, workflowId = {workflow_id}"
    return f"Unknown execution: WorkflowExecution=[workflowId={workflow_id}, runId={run_id}]"
