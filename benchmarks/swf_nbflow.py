"""The runs of benchmarks/swf.py by nbflow."""

from __future__ import annotations

import nbflow
from nbflow.services.swf import Domain
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flowworker import WorkflowWorker


@nbflow.activity
def step(x: int) -> int:
    return x + 1


@nbflow.workflow
def graph(shape: str, n: int) -> int:
    if shape == "wide":
        return sum(call.result() for call in [step(i) for i in range(n)])
    value: object = 0
    for _ in range(n):
        value = step(value).result()
    return value


def decide(domain: str, task_list: str) -> None:
    WorkflowDecider(Domain(name=domain), task_list, [graph], activity_task_list=task_list).run()


def work(domain: str, task_list: str) -> None:
    WorkflowWorker(Domain(name=domain), task_list, [step]).run()
