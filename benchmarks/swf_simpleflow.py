"""The runs of benchmarks/swf.py by simpleflow."""

from __future__ import annotations

import logging
from typing import Any

from simpleflow import Workflow, activity
from simpleflow.swf.executor import Executor
from simpleflow.swf.mapper.models import Domain
from simpleflow.swf.process.decider.base import DeciderPoller, process_decision
from simpleflow.swf.process.worker.base import ActivityPoller, process_task

logging.disable(logging.WARNING)  # it tells of every call otherwise


@activity.with_attributes(
    task_list="bench",
    version="1",
    start_to_close_timeout=60,
    schedule_to_close_timeout=60,
    schedule_to_start_timeout=60,
    heartbeat_timeout=60,
    raises_on_failure=True,
)
def step(x: int) -> int:
    return x + 1


class Graph(Workflow):
    name, version, task_list = "graph", "1", "bench"

    def run(self, shape: str, n: int) -> int:
        if shape == "wide":
            return sum(call.result for call in [self.submit(step, i) for i in range(n)])
        value: Any = 0
        for _ in range(n):
            value = self.submit(step, value).result
        return value


class _Decider(DeciderPoller):
    def process(self, response: Any) -> None:
        process_decision(self, response)


class _Worker(ActivityPoller):
    def process(self, response: Any) -> None:
        process_task(self, response.task_token, response.activity_task, self.middlewares)


def decide(domain: str, task_list: str, *, in_place: bool) -> None:
    place = Domain(domain)
    kind = _Decider if in_place else DeciderPoller
    executors = [Executor(place, Graph, task_list)]
    _forever(kind(executors, place, task_list, is_standalone=False))


def work(domain: str, task_list: str, *, in_place: bool) -> None:
    kind = _Worker if in_place else ActivityPoller
    _forever(kind(Domain(domain), task_list))


def _forever(poller: Any) -> None:
    poller.is_alive = True
    poller.start()
