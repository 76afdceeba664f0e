"""Domains, types and executions as objects that can be compared with what the service has."""

from nbflow.services.swf.domains import Domain
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.kinds import ActivityType, WorkflowType
from nbflow.services.swf.modelbase import DEPRECATED, REGISTERED, Change, Model

__all__ = [
    "DEPRECATED",
    "REGISTERED",
    "ActivityType",
    "Change",
    "Domain",
    "Model",
    "WorkflowExecution",
    "WorkflowType",
]
