"""Amazon SWF: its operations, domains, types, executions, histories and actors as Python objects.

Everything here can be used by itself, on the service or on the emulator
(`nbflow.services.swf.emulator`). It needs boto3: ``pip install 'jupyter-nbflow[swf]'``.

::

    from nbflow.services import swf

    domain = swf.Domain(name="analytics", retention=30).save()
    swf.start_workflow(domain, revenue, (["eu", "us"],))
    for execution in swf.WorkflowExecutionQuerySet(domain).filter("CLOSED", close_status="FAILED"):
        print(execution.workflow_id, swf.History.of(execution.events()).refused)
"""

from nbflow.services.swf.actors import ActivityWorker, Decider
from nbflow.services.swf.api import Api
from nbflow.services.swf.blobs import BlobMissing, Bucket, Directory
from nbflow.services.swf.connection import connect
from nbflow.services.swf.decisions import (
    DECISIONS,
    CancelTimer,
    CancelWorkflowExecution,
    CompleteWorkflowExecution,
    ContinueAsNewWorkflowExecution,
    Decision,
    FailWorkflowExecution,
    RecordMarker,
    RequestCancelActivityTask,
    RequestCancelExternalWorkflowExecution,
    ScheduleActivityTask,
    ScheduleLambdaFunction,
    SignalExternalWorkflowExecution,
    StartChildWorkflowExecution,
    StartTimer,
)
from nbflow.services.swf.errors import (
    AlreadyExists,
    Deprecated,
    DoesNotExist,
    HistoryBroken,
    Invalid,
    LimitExceeded,
    Refused,
    SwfError,
    Throttled,
    Unreachable,
)
from nbflow.services.swf.events import HistoryEvent
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import run_events, start_workflow
from nbflow.services.swf.flowworker import WorkflowWorker
from nbflow.services.swf.history import History
from nbflow.services.swf.models import (
    ActivityType,
    Change,
    Domain,
    WorkflowExecution,
    WorkflowType,
)
from nbflow.services.swf.querysets import (
    ActivityTypeQuerySet,
    DomainQuerySet,
    WorkflowExecutionQuerySet,
    WorkflowTypeQuerySet,
)
from nbflow.services.swf.tasks import ActivityTask, DecisionTask, TaskCancelled
from nbflow.services.swf.wire import ExecutionName, TypeName

__all__ = [
    "DECISIONS",
    "ActivityTask",
    "ActivityType",
    "ActivityTypeQuerySet",
    "ActivityWorker",
    "AlreadyExists",
    "Api",
    "BlobMissing",
    "Bucket",
    "CancelTimer",
    "CancelWorkflowExecution",
    "Change",
    "CompleteWorkflowExecution",
    "ContinueAsNewWorkflowExecution",
    "Decider",
    "Decision",
    "DecisionTask",
    "Deprecated",
    "Directory",
    "DoesNotExist",
    "Domain",
    "DomainQuerySet",
    "ExecutionName",
    "FailWorkflowExecution",
    "History",
    "HistoryBroken",
    "HistoryEvent",
    "Invalid",
    "LimitExceeded",
    "RecordMarker",
    "Refused",
    "RequestCancelActivityTask",
    "RequestCancelExternalWorkflowExecution",
    "ScheduleActivityTask",
    "ScheduleLambdaFunction",
    "SignalExternalWorkflowExecution",
    "StartChildWorkflowExecution",
    "StartTimer",
    "SwfError",
    "TaskCancelled",
    "Throttled",
    "TypeName",
    "Unreachable",
    "WorkflowDecider",
    "WorkflowExecution",
    "WorkflowExecutionQuerySet",
    "WorkflowType",
    "WorkflowTypeQuerySet",
    "WorkflowWorker",
    "connect",
    "run_events",
    "start_workflow",
]
