"""The log of an execution for those who look on, and an emulator that goes on where it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.errors import NbflowError, RunNotFound
from nbflow.core.events import CallScheduled, CallStarted, CallSucceeded, RunClosed
from nbflow.services.simulation import Simulation
from nbflow.services.swf import (
    Api,
    Domain,
    WorkflowDecider,
    WorkflowExecution,
    WorkflowWorker,
    connect,
    emulator,
    run_events,
    start_workflow,
)
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.emulator.handle import EMULATOR
from nbflow.services.swf.emulator.recording import Recorded
from nbflow.services.swf.following import ExecutionLog
from nbflow.services.swf.sealing import KeySeal
from tests.swf.places import there


@nbflow.activity
def number(n):
    return n


@nbflow.activity
def add(a, b):
    return a + b


@nbflow.workflow
def tree():
    left, right = number(1), number(2)
    both = add(left, right)
    return add(both, number(both.result()))


class Clock:
    """Seconds that pass by request."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Place:
    """An emulator, and one of each actor, that do a step when they are told to."""

    def __init__(self, endpoint: emulator.Endpoint) -> None:
        self.endpoint = endpoint
        self.domain = Domain(api=Api(endpoint.client()), name="d").save()
        self.decider = WorkflowDecider(self.domain, "default", [tree], keep=0)
        self.worker = WorkflowWorker(self.domain, "default", [number, add])
        self.clock = Clock()

    def start(self) -> ExecutionLog:
        execution = start_workflow(self.domain, tree)
        texts = Texts(execution.workflow_id, None, KeySeal())
        return ExecutionLog(execution, texts, clock=self.clock)

    def look(self, log: ExecutionLog, after: int) -> list[Any]:
        self.clock.now += 60
        return list(log.events(after))


@pytest.fixture
def place() -> Iterator[Place]:
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        yield Place(endpoint)


def test_a_log_that_is_watched_grows_and_never_changes(place: Place) -> None:
    """However often it is looked at meanwhile, it is the log that is read at the end."""
    log = place.start()
    seen: list[Any] = []
    for _ in range(40):
        task = place.decider.poll()
        seen += place.look(log, len(seen))
        if task is not None:
            place.decider.handle(task)
        seen += place.look(log, len(seen))
        place.worker.step()
        seen += place.look(log, len(seen))
        if log.closed:
            break
    assert isinstance(seen[-1], RunClosed)
    assert [e.seq for e in seen] == list(range(1, len(seen) + 1))
    once = run_events(log.execution)
    assert [type(e) for e in seen] == [type(e) for e in once]
    assert [getattr(e, "call", "") for e in seen] == [getattr(e, "call", "") for e in once]
    assert list(log.whole()) == once


def test_what_happens_during_a_decision_stands_behind_what_is_decided(place: Place) -> None:
    """A result that comes in while a decision is made is held back until that is known."""
    log = place.start()
    place.decider.handle(there(place.decider.poll()))
    place.worker.step()
    task = there(place.decider.poll())
    place.worker.step()
    seen = place.look(log, 0)
    assert [type(e) for e in seen if isinstance(e, CallSucceeded)] == [CallSucceeded]
    place.decider.handle(task)
    news = place.look(log, len(seen))
    kinds = [type(e) for e in news]
    assert CallSucceeded in kinds
    assert CallScheduled not in kinds or kinds.index(CallScheduled) < kinds.index(CallSucceeded)


def test_the_service_is_asked_less_and_less_while_nothing_happens(place: Place) -> None:
    """Ten looks a second cost a poll in five seconds at most, and news end the quiet."""
    log = place.start()
    for _ in range(600):
        place.clock.now += 0.1
        list(log.events())
    assert log.polls < 25
    quiet = log.polls
    place.clock.now += 1.0
    list(log.events())
    assert log.polls - quiet <= 1
    log.soon()
    list(log.events())
    assert log.polls >= quiet + 1


def test_a_long_history_is_read_once(place: Place) -> None:
    """Each look reads what is new, not all of it again."""
    log = place.start()
    seen: list[Any] = []
    while not log.closed:
        task = place.decider.poll()
        if task is not None:
            place.decider.handle(task)
        place.worker.step()
        before = place.endpoint.stats()["eventsServed"]
        seen += place.look(log, len(seen))
        read = place.endpoint.stats()["eventsServed"] - before
        assert read <= 50
    assert any(isinstance(e, CallStarted) for e in seen)


def test_what_is_nowhere_is_not_found(place: Place) -> None:
    """An execution that SWF does not have raises RunNotFound with both of its names."""
    execution = WorkflowExecution(
        api=place.domain.api, domain=place.domain, workflow_id="nobody", run_id="nothing"
    )
    log = ExecutionLog(execution, Texts("nobody"))
    with pytest.raises(RunNotFound, match=r"nobody.*nothing"):
        list(log.events())


# ---------------------------------------------------------------- the emulator's record


def test_an_emulator_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    """Tasks, tokens and run ids are as they were, and what was under way can be answered."""
    record = tmp_path / "record"
    first = Recorded(record)
    days = {"workflowExecutionRetentionPeriodInDays": "1"}
    first.call("RegisterDomain", {"name": "d", **days}, 1.0)
    kind = {"name": "w", "version": "1"}
    lists = {"defaultTaskList": {"name": "q"}, "defaultChildPolicy": "TERMINATE"}
    limits = {
        "defaultExecutionStartToCloseTimeout": "600",
        "defaultTaskStartToCloseTimeout": "60",
    }
    first.call("RegisterWorkflowType", {"domain": "d", **kind, **lists, **limits}, 2.0)
    started = {"domain": "d", "workflowId": "one", "workflowType": kind}
    run = there(first.call("StartWorkflowExecution", started, 3.0))
    where = {"domain": "d", "taskList": {"name": "q"}}
    task = there(first.call("PollForDecisionTask", where, 4.0))
    first.close()
    with record.open("a") as file:
        file.write('[5.0, "' + "RespondDecis" * 100)  # cut off: it was never answered

    second = Recorded(record)
    done: dict[str, Any] = {"decisionType": "CompleteWorkflowExecution"}
    done["completeWorkflowExecutionDecisionAttributes"] = {"result": "x"}
    second.call("RespondDecisionTaskCompleted", {**_token(task), "decisions": [done]}, 6.0)
    execution = {"workflowId": "one", "runId": run["runId"]}
    asked = {"domain": "d", "execution": execution}
    found = there(second.call("DescribeWorkflowExecution", asked, 7.0))
    assert found["executionInfo"]["closeStatus"] == "COMPLETED"
    second.close()
    operations = [json.loads(line)[1] for line in record.read_text().splitlines()[1:]]
    assert operations[-1] == "RespondDecisionTaskCompleted"
    assert "DescribeWorkflowExecution" not in operations


def _token(task: dict[str, Any]) -> dict[str, Any]:
    return {"taskToken": task["taskToken"]}


def test_a_record_has_one_emulator_at_a_time(tmp_path: Path) -> None:
    """A second one is refused, and one that is no record is left as it is."""
    first = Recorded(tmp_path / "record")
    with pytest.raises(NbflowError, match="another emulator"):
        Recorded(tmp_path / "record")
    first.close()
    other = tmp_path / "other"
    other.write_text("something else\n")
    with pytest.raises(NbflowError, match=r"line 1.*move the file away"):
        Recorded(other)
    assert other.read_text() == "something else\n"


@pytest.mark.slow
def test_kernels_share_the_emulator_of_a_directory(tmp_path: Path) -> None:
    """Who comes second finds the first one's; it ends with the one that had started it."""
    first, second = Simulation(EMULATOR, tmp_path), Simulation(EMULATOR, tmp_path)
    found: list[str] = []
    threads = [threading.Thread(target=lambda s=s: found.append(s.url())) for s in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    api = Api(connect(endpoint_url=found[0]))
    Domain(api=api, name="kept").save()
    first.close()
    second.close()
    assert first.known() == ""
    again = Api(connect(endpoint_url=second.url()))
    assert Domain(api=again, name="kept").exists
    second.close()
