"""simpleflow's way of writing workflows, run by nbflow: change the import, and nothing else.

    >>> from nbflow.compat.simpleflow import Workflow, activity, futures
    >>> @activity.with_attributes(task_list="quickstart", version="example")
    ... def double(x):
    ...     return x * 2
    >>> class Basic(Workflow):
    ...     name, version, task_list = "basic", "example", "example"
    ...     def run(self, x):
    ...         return self.submit(double, x).result
    >>> Basic.start(2).result()
    4

The modules have the names that they have there, and so has what is in them. A run is one of
nbflow: it has a log, pictures, and can be resumed. See docs/migrating-from-simpleflow.md.
"""

from nbflow.compat.simpleflow import (
    activity,
    canvas,
    constants,
    download,
    exceptions,
    futures,
    local,
    marker,
    signal,
    step,
    swf,
    task,
    workflow,
)
from nbflow.compat.simpleflow.activity import Activity
from nbflow.compat.simpleflow.log import logger
from nbflow.compat.simpleflow.signal import WaitForSignal
from nbflow.compat.simpleflow.workflow import Workflow

__all__ = [
    "Activity",
    "WaitForSignal",
    "Workflow",
    "activity",
    "canvas",
    "constants",
    "download",
    "exceptions",
    "futures",
    "local",
    "logger",
    "marker",
    "signal",
    "step",
    "swf",
    "task",
    "workflow",
]
