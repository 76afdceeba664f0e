"""nbflow: dataflow in notebooks. Activities, workflows, and runs that you can watch and resume."""

from nbflow import execute
from nbflow.__about__ import __version__
from nbflow.core.activity import Activity, activity
from nbflow.core.cachekey import CacheKey
from nbflow.core.canvas import Chain, FuncGroup, Group, submit
from nbflow.core.composed import CanvasFuture
from nbflow.core.edges import EdgeTypeWarning
from nbflow.core.errors import (
    ActivityCancelled,
    ActivityError,
    ActivityInterrupted,
    ActivityTimeout,
    AggregateException,
    Cancelled,
    DefinitionError,
    ExecutionError,
    ExecutionTimeout,
    FutureMisuse,
    InternalError,
    MiddlewareError,
    NbflowError,
    NondeterminismError,
    PickleRefused,
    PoisonActivity,
    RemoteError,
    RunCancelled,
    RunError,
    RunNotFound,
    SecretMissing,
    StoreConflict,
    StoreError,
    StoreUnusable,
    Unserialisable,
    WorkerDied,
    WorkflowFailed,
)
from nbflow.core.future import Future
from nbflow.core.handling import Decision, FailureContext
from nbflow.core.helpers import now, patched, random, side_effect, sleep, uuid4
from nbflow.core.hooks import HookContext, Hooks
from nbflow.core.lint import DeterminismWarning
from nbflow.core.options import PRIORITY_NOT_SET
from nbflow.core.retry import Retry
from nbflow.core.secret import Secret
from nbflow.core.steps import Steps
from nbflow.core.telling import (
    Marker,
    RunContext,
    Signals,
    cancel_timer,
    continue_as_new,
    fail,
    get_event_details,
    list_markers,
    record_marker,
    run_context,
    signal,
    signals,
    start_timer,
    wait_signal,
)
from nbflow.core.waiting import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    as_completed,
    gather,
    wait,
)
from nbflow.core.windowed import windowed
from nbflow.core.workflow import Workflow, workflow
from nbflow.engine.context import context
from nbflow.magics import pump as _pump
from nbflow.running.caching import cache
from nbflow.running.caring import trust
from nbflow.running.comparing import compare
from nbflow.running.config import configure
from nbflow.running.flowing import to_fdl
from nbflow.running.histories import RunHistory, load_history
from nbflow.running.planning import plan
from nbflow.running.replaying import Replay, replay
from nbflow.running.run import Run
from nbflow.running.starting import attach, run, runs, start
from nbflow.running.steps import done_steps, forget_steps

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "PRIORITY_NOT_SET",
    "Activity",
    "ActivityCancelled",
    "ActivityError",
    "ActivityInterrupted",
    "ActivityTimeout",
    "AggregateException",
    "CacheKey",
    "Cancelled",
    "CanvasFuture",
    "Chain",
    "Decision",
    "DefinitionError",
    "DeterminismWarning",
    "EdgeTypeWarning",
    "ExecutionError",
    "ExecutionTimeout",
    "FailureContext",
    "FuncGroup",
    "Future",
    "FutureMisuse",
    "Group",
    "HookContext",
    "Hooks",
    "InternalError",
    "Marker",
    "MiddlewareError",
    "NbflowError",
    "NondeterminismError",
    "PickleRefused",
    "PoisonActivity",
    "RemoteError",
    "Replay",
    "Retry",
    "Run",
    "RunCancelled",
    "RunContext",
    "RunError",
    "RunHistory",
    "RunNotFound",
    "Secret",
    "SecretMissing",
    "Signals",
    "Steps",
    "StoreConflict",
    "StoreError",
    "StoreUnusable",
    "Unserialisable",
    "WorkerDied",
    "Workflow",
    "WorkflowFailed",
    "__version__",
    "activity",
    "as_completed",
    "attach",
    "cache",
    "cancel_timer",
    "compare",
    "configure",
    "context",
    "continue_as_new",
    "done_steps",
    "execute",
    "fail",
    "forget_steps",
    "gather",
    "get_event_details",
    "list_markers",
    "load_history",
    "now",
    "patched",
    "plan",
    "random",
    "record_marker",
    "replay",
    "run",
    "run_context",
    "runs",
    "side_effect",
    "signal",
    "signals",
    "sleep",
    "start",
    "start_timer",
    "submit",
    "to_fdl",
    "trust",
    "uuid4",
    "wait",
    "wait_signal",
    "windowed",
    "workflow",
]

_pump.install()


def load_ipython_extension(shell: object) -> None:
    """Give a notebook its magics: called by ``%load_ext nbflow``."""
    from nbflow.magics import load  # noqa: PLC0415 - needs IPython

    load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Take them away again: called by ``%unload_ext nbflow``."""
    from nbflow.magics import unload  # noqa: PLC0415 - needs IPython

    unload(shell)
