"""nbflow: dataflow in notebooks. Activities, workflows, and runs that you can watch and resume."""

from nbflow.__about__ import __version__
from nbflow.core.activity import Activity, activity
from nbflow.core.cachekey import CacheKey
from nbflow.core.edges import EdgeTypeWarning
from nbflow.core.errors import (
    ActivityCancelled,
    ActivityError,
    ActivityInterrupted,
    ActivityTimeout,
    DefinitionError,
    FutureMisuse,
    InternalError,
    NbflowError,
    NondeterminismError,
    PoisonActivity,
    RemoteError,
    RunCancelled,
    RunError,
    RunNotFound,
    StoreConflict,
    StoreError,
    StoreUnusable,
    Unserialisable,
    WorkerDied,
)
from nbflow.core.future import Future
from nbflow.core.retry import Retry
from nbflow.core.waiting import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    as_completed,
    gather,
    wait,
)
from nbflow.core.workflow import Workflow, workflow
from nbflow.engine.job import context
from nbflow.magics import pump as _pump
from nbflow.running.caching import cache
from nbflow.running.comparing import compare
from nbflow.running.config import configure
from nbflow.running.planning import plan
from nbflow.running.run import Run
from nbflow.running.starting import attach, run, runs, start

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "Activity",
    "ActivityCancelled",
    "ActivityError",
    "ActivityInterrupted",
    "ActivityTimeout",
    "CacheKey",
    "DefinitionError",
    "EdgeTypeWarning",
    "Future",
    "FutureMisuse",
    "InternalError",
    "NbflowError",
    "NondeterminismError",
    "PoisonActivity",
    "RemoteError",
    "Retry",
    "Run",
    "RunCancelled",
    "RunError",
    "RunNotFound",
    "StoreConflict",
    "StoreError",
    "StoreUnusable",
    "Unserialisable",
    "WorkerDied",
    "Workflow",
    "__version__",
    "activity",
    "as_completed",
    "attach",
    "cache",
    "compare",
    "configure",
    "context",
    "gather",
    "plan",
    "run",
    "runs",
    "start",
    "wait",
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
