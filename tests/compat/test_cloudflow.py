"""Programs for simpleflow on CloudFlow: their hooks and their signals go where their runs go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbflow.compat.simpleflow import Workflow, activity, futures
from nbflow.compat.simpleflow.task import TaskFailureContext
from nbflow.core.capture import capture
from nbflow.core.events import RunClosed
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.services.cloudflow.emulator.handle import running
from nbflow.testing.checks import eventually
from tests.cloudflow.crews import Site

pytest.importorskip("alibabacloud_tea_openapi")
pytestmark = pytest.mark.timeout(120)


@activity.with_attributes(raises_on_failure=True)
def stumble() -> None:
    """Fail."""
    raise LookupError("nothing there")


class Forgiving(Workflow):
    """Decides that a failure is none."""

    name = "forgiving"
    version = task_list = "example"

    def run(self) -> Any:
        """Call what fails."""
        return self.submit(stumble).result

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext:
        """Give a result in the place of the error."""
        instead = futures.Future()
        instead.set_finished("nothing lost")
        return failure_context.decide_handled(failure_context.a_task, instead)


class Telling(Workflow):
    """Sends a signal, and is over."""

    name = "telling"
    version = task_list = "example"

    def run(self) -> None:
        """Send it to whom it concerns."""
        futures.wait(self.submit(self.signal("ready", 3)))


class Hearing(Workflow):
    """Waits for what its child says."""

    name = "hearing"
    version = task_list = "example"

    def run(self) -> Any:
        """Begin the child, and wait."""
        child, heard = self.submit(Telling), self.submit(self.wait_signal("ready"))
        futures.wait(child, heard)
        return "heard"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CloudFlowService]:
    """Have an emulator with an orchestrator and a worker, who look for letters seldom."""
    with running() as endpoint:
        place = Site(endpoint, tmp_path)
        place.crew = replace(place.crew, pace=1.0)
        place.conduct()
        place.work()
        yield place.service(tmp_path / "home")
        place.close()


def ended(service: CloudFlowService, flow: type[Workflow]) -> Any:
    """Run a workflow, and give how it was closed."""
    run = service.start(capture(flow), (), {})
    eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
    return [*service.events(run)][-1]


def test_what_a_workflow_decides_about_failures_goes_along(service: CloudFlowService) -> None:
    """The class that runs are made of stands in no module; its hooks are asked all the same."""
    last = ended(service, Forgiving)
    assert (last.status, last.result) == ("completed", "nothing lost"), last.error


def test_a_signal_of_a_child_that_ends_at_once_reaches_its_parent(
    service: CloudFlowService,
) -> None:
    """What a run sends to itself, to be passed on, is passed on though it is over by then."""
    last = ended(service, Hearing)
    assert (last.status, last.result) == ("completed", "heard"), last.error
