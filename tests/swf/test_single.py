"""A worker that runs one activity and is done, and what is called around activities of workers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.cli.app import main
from nbflow.core.errors import DefinitionError
from nbflow.running.config import settings
from nbflow.services.swf import (
    Api,
    Domain,
    History,
    WorkflowDecider,
    WorkflowExecution,
    emulator,
    start_workflow,
)
from nbflow.services.swf.crew import Crew
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.service import SwfService
from nbflow.services.swf.settings import Options
from nbflow.services.swf.single import answer_of

pytestmark = pytest.mark.timeout(120)
SEEN: list[str] = []


def before(context: Any) -> None:
    SEEN.append(f"before {context.call}")


def after(context: Any, result: Any = None, error: Any = None) -> None:
    SEEN.append(f"after {context.call}: {result}")


@activity
def double(n):
    SEEN.append(f"double {n}")
    return 2 * n


@workflow
def both(n):
    return [double(n), double(n + 1)]


class Site:
    """A domain with an execution of `both` whose activities wait for a worker."""

    def __init__(self, endpoint: emulator.Endpoint) -> None:
        self.url = endpoint.url
        self.domain = Domain(api=Api(endpoint.client()), name="single", retention=1).save()
        self.decider = WorkflowDecider(self.domain, "default", [both])
        self.execution: WorkflowExecution = start_workflow(self.domain, both, (3,), ship=True)
        self.decider.step()

    def worker(self, *more: str) -> int:
        """Carry out ``nbflow worker.start``, and give its exit code."""
        target = f"{__name__}.both"
        return main(["worker.start", target, "-d", "single", "--endpoint", self.url, *more])

    def states(self) -> list[str]:
        found = History.of(self.execution.events()).activities
        return [tries[-1].state for tries in found.values()]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    SEEN.clear()
    monkeypatch.chdir(tmp_path)
    kept = settings.store
    nbflow.configure(store=tmp_path / ".nbflow")
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        made = Site(endpoint)
        yield made
        made.decider.close()
        settings.close()
    settings.store = kept


def test_one_task_is_run_and_no_more(site: Site):
    """The process ends with 0; the other activity is left for the next one."""
    assert site.worker("--one-task", "--heartbeat", "5") == 0
    assert SEEN == ["double 3"]
    assert site.states() == ["completed", "scheduled"]
    assert site.worker("--one-task") == 0
    assert site.states() == ["completed", "completed"]


def test_what_is_to_be_run_may_be_given(site: Site):
    """Somebody else has polled, and hands the answer over; it is run and answered for."""
    client = site.domain.api.client
    answer = client.poll_for_activity_task(domain="single", taskList={"name": "default"})
    del answer["ResponseMetadata"]
    data = base64.b64encode(json.dumps(answer).encode()).decode()
    assert site.worker("--poll-data", data) == 0
    assert site.states() == ["completed", "scheduled"]


BROKEN = {
    "no base64": "%",
    "no JSON": base64.b64encode(b"{").decode(),
    "no object": base64.b64encode(b"[1]").decode(),
    "no token": base64.b64encode(b'{"activityId": "x"}').decode(),
    "an empty poll": base64.b64encode(b'{"taskToken": "", "activityId": "x"}').decode(),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_none_is_refused(case: str):
    """Before anything runs, with the reason."""
    with pytest.raises(Invalid, match="answer to a poll"):
        answer_of(BROKEN[case])


def test_functions_are_called_around_each_attempt(site: Site, capsys: pytest.CaptureFixture[str]):
    """By their dotted names, which the worker imports; one that is not there is said at once."""
    around = ["--middleware-pre-execution", f"{__name__}.before"]
    around += ["--middleware-post-execution", f"{__name__}.after"]
    assert site.worker("--one-task", *around) == 0
    assert SEEN == ["before double-1", "double 3", "after double-1: 6"]
    capsys.readouterr()
    assert site.worker("--one-task", "--middleware-pre-execution", "nowhere.at.all") == 1
    assert "nowhere" in capsys.readouterr().err


def test_middlewares_of_a_run_are_names(tmp_path: Path):
    """They go to the workers with the run, and are noted with it; a function cannot go along."""
    given = {"domain": "d", "middleware": {"before": "m.f"}}
    made = Options.of(given)
    assert made.middleware == {"before": ["m.f"], "after": []}
    assert Options.of(made.noted()) == made
    crew = SwfService(tmp_path, **given)._crew(None, "w")
    assert crew is not None
    assert (crew.before, crew.after) == (("m.f",), ())
    assert Crew.read(crew.write()) == crew
    for wrong in ({"before": [before]}, {"around": "m.f"}, "m.f", {"before": 7}):
        with pytest.raises(DefinitionError, match="of dotted names"):
            Options.of({"domain": "d", "middleware": wrong})
