"""simpleflow's local executor: every call is executed where it is submitted, one after another."""

from __future__ import annotations

import logging
import os
from typing import Any

import shapes

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from simpleflow import Workflow, activity
from simpleflow.local import Executor

logging.disable(logging.WARNING)  # it tells of every call otherwise
ACTIVITIES = {
    shape: activity.with_attributes(raises_on_failure=True)(fn)
    for shape, (fn, _) in shapes.SHAPES.items()
}


class Graph(Workflow):
    name, version, task_list = "graph", "1", "default"

    def run(self, shape: str, n: int) -> int:
        _, build = shapes.SHAPES[shape]
        called = ACTIVITIES[shape]

        def call(*args: Any) -> Any:
            return self.submit(called, *args)

        return sum(handle.result for handle in build(call, n))


class System:
    def __init__(self, workers: int) -> None:
        """Take no notice of `workers`: there is one thread."""

    def prepare(self) -> None:
        """Nothing is left of the run before."""

    def run(self, shape: str, n: int) -> int:
        return Executor(Graph).run({"args": [shape, n], "kwargs": {}})

    def check(self, n: int) -> None:
        """Its history is not kept."""

    def close(self) -> None:
        """There is nothing to close."""
