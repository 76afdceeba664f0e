"""Deciders and workers to inherit from, on the emulator."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest

from nbflow.services.swf import (
    ActivityType,
    ActivityWorker,
    Api,
    CompleteWorkflowExecution,
    Decider,
    Domain,
    FailWorkflowExecution,
    History,
    Invalid,
    RecordMarker,
    ScheduleActivityTask,
    TaskCancelled,
    TypeName,
    WorkflowType,
)
from nbflow.services.swf.tasks import shortened
from tests.swf.places import Place, decision

DOUBLE = TypeName("double", "1")


class Doubling(Decider):
    """Doubles a number three times, one activity after the other."""

    def decide(self, task):
        history = History.of(task.events)
        done = [i for items in history.activities.values() for i in items if i.state == "completed"]
        latest = done[-1].attribute("result") if done else history.started.input
        if len(done) == 3:
            return [CompleteWorkflowExecution(result=latest)]
        return [
            ScheduleActivityTask(activity_type=DOUBLE, activity_id=f"d{len(done)}", input=latest)
        ]


class Doubler(ActivityWorker):
    """Doubles a number."""

    def perform(self, task):
        return str(2 * int(task.input))


class Doing(ActivityWorker):
    """Does what it is told."""

    def __init__(self, domain, task_list, do, **given):
        super().__init__(domain, task_list, **given)
        self.do = do

    def perform(self, task):
        return self.do(task)


@pytest.fixture
def domain(here: Place) -> Domain:
    domain = Domain(api=Api(here.client), name=here.domain)
    limits: dict[str, Any] = {
        "schedule_to_start_timeout": "NONE",
        "schedule_to_close_timeout": "NONE",
    }
    ActivityType(
        api=domain.api,
        domain=domain,
        name="double",
        version="1",
        task_list=here.activities["name"],
        start_to_close_timeout="NONE",
        heartbeat_timeout=30,
        **limits,
    ).save()
    return domain


def start(domain: Domain, here: Place, text: str = "5"):
    kind = WorkflowType(
        api=domain.api,
        domain=domain,
        name="flow",
        version="1",
        task_list=here.decisions["name"],
        child_policy="TERMINATE",
        execution_timeout=600,
        decision_timeout=60,
    )
    return kind.save().start("w", input=text)


def scheduled(domain: Domain, here: Place):
    """Start an execution and schedule one activity."""
    run = start(domain, here)
    here.decide(here.schedule(activityType=DOUBLE._asdict(), input="5"))
    return run


def ended(run) -> dict:
    """Give the attributes of the latest event about the activity."""
    return History.of(run.events()).activities["a-1"][-1].last.attributes


def test_a_decider_and_a_worker_are_a_few_lines(domain: Domain, here: Place):
    """A workflow of three activities, decided and worked on by ten lines each."""
    run = start(domain, here)
    decider = Doubling(domain, here.decisions["name"])
    worker = Doubler(domain, here.activities["name"], identity="w" * 300)
    for _ in range(3):
        assert decider.step()
        assert worker.step()
    assert decider.step()
    history = History.of(run.events())
    assert (history.status, history.events[-1].result) == ("completed", "40")
    assert history.activities["d0"][0].attribute("identity") == "w" * 256
    assert not worker.step()


def test_actors_run_until_they_are_stopped(domain: Domain, here: Place):
    """`run` goes on over faults of the service, and ends after `stop`."""
    run = start(domain, here)
    here.endpoint.inject("throttle", "PollForDecisionTask")
    here.endpoint.inject("throttle", "PollForActivityTask")
    actors = [Doubling(domain, here.decisions["name"]), Doubler(domain, here.activities["name"])]
    threads = [threading.Thread(target=actor.run) for actor in actors]
    for thread in threads:
        thread.start()
    for _ in range(1000):
        if run.upstream().status == "CLOSED":
            break
    for actor in actors:
        actor.stop()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert getattr(History.of(run.events()).closed, "result", None) == "40"


def test_a_decider_reads_all_pages_or_the_news_only(domain: Domain, here: Place, monkeypatch):
    """A task has the whole history, or what came since the latest one that was answered."""
    monkeypatch.setattr("nbflow.services.swf.actors._PAGE", 5)
    run = start(domain, here)
    for number in range(10):
        run.signal(f"s{number}")
    whole = Doubling(domain, here.decisions["name"])
    task: Any = whole.poll()
    assert [event.id for event in task.events] == list(range(1, 14))
    assert (task.execution, task.previous) == (("w", run.run_id), 0)
    whole.answer(task, [RecordMarker(marker_name="m")], context="c")
    run.signal("again")
    news: Any = Doubling(domain, here.decisions["name"], news_only=True).poll()
    assert [event.id for event in news.events] == list(range(task.started, news.started + 1))
    assert [event.id for event in news.new] == list(range(task.started + 1, news.started + 1))


def test_a_decider_that_fails_answers_nothing(domain: Domain, here: Place, caplog):
    """What `decide` raises is logged; the task times out, and better code can go on."""

    class Broken(Doubling):
        def decide(self, task):
            raise LookupError("a fault in the decider")

    run = start(domain, here)
    with caplog.at_level(logging.ERROR):
        assert Broken(domain, here.decisions["name"]).step()
    assert "a fault in the decider" in caplog.text
    assert run.upstream().open_counts["openDecisionTasks"] == 1
    here.pass_time(61)
    assert Doubling(domain, here.decisions["name"]).step()
    assert History.of(run.events()).activities["d0"][0].state == "scheduled"


@pytest.mark.parametrize(
    ("decisions", "says"),
    [
        ([RecordMarker(marker_name="m")] * 101, "101 decisions are too many"),
        ([CompleteWorkflowExecution(), RecordMarker(marker_name="m")], "has to be the last one"),
        ([RecordMarker(marker_name="m", details="x" * 32_000)] * 30, "bytes are too long"),
    ],
)
def test_a_response_that_would_be_refused_is_not_sent(domain: Domain, here: Place, decisions, says):
    """Too many, too long, or something after the end."""
    run = start(domain, here)
    decider = Doubling(domain, here.decisions["name"])
    task: Any = decider.poll()
    with pytest.raises(Invalid, match=says):
        decider.answer(task, decisions)
    decider.answer(task, [FailWorkflowExecution(reason="enough")])
    assert run.upstream().close_status == "FAILED"


def test_an_answer_that_comes_too_late_is_logged(domain: Domain, here: Place, caplog):
    """Whoever answers a task that is gone goes on with the next one."""
    run = start(domain, here)

    class Late(Doubling):
        def decide(self, task):
            run.terminate()
            return []

    assert Late(domain, here.decisions["name"]).step()
    assert "too late for w" in caplog.text


def test_an_error_is_told_in_full(domain: Domain, here: Place):
    """The reason is cut with a mark; the details have type, message and traceback."""
    run = scheduled(domain, here)

    def fail(task):
        raise LookupError("long " * 100)

    Doing(domain, here.activities["name"], fail).step()
    said = ended(run)
    assert said["reason"].startswith("LookupError: long")
    assert said["reason"].endswith("... (cut)")
    assert len(said["reason"]) == 256
    details = json.loads(said["details"])
    assert details["message"] == "long " * 100
    assert "raise LookupError" in details["traceback"]


@pytest.mark.parametrize(
    ("result", "says"),
    [({"a": 1}, "the result is no text, but a dict"), ("x" * 32_769, "has 32769 characters")],
)
def test_a_result_that_cannot_be_sent_fails_at_once(domain: Domain, here: Place, result, says):
    """It does not wait for a time-out: the failure says what was wrong with the result."""
    run = scheduled(domain, here)
    Doing(domain, here.activities["name"], lambda task: result).step()
    assert says in ended(run)["reason"]


@pytest.mark.case("R16")
def test_a_worker_gives_up_when_asked(domain: Domain, here: Place):
    """It hears of it by its heartbeats, and its answer is that it was cancelled."""
    run = scheduled(domain, here)

    def wait(task):
        run.signal("wake")
        here.decide(decision("RequestCancelActivityTask", activityId="a-1"))
        assert task.cancel_requested.wait(10)
        assert task.stopping
        raise TaskCancelled("half done")

    Doing(domain, here.activities["name"], wait, heartbeat=0.05).step()
    assert ended(run)["details"] == "half done"
    assert History.of(run.events()).activities["a-1"][0].state == "canceled"


def test_a_worker_learns_that_nobody_waits(domain: Domain, here: Place, caplog):
    """Once its execution is over the task is gone, and its result is dropped."""
    run = scheduled(domain, here)

    def wait(task):
        run.terminate()
        assert task.gone.wait(10)
        return "too late"

    assert Doing(domain, here.activities["name"], wait, heartbeat=0.05).step()
    assert "nobody waits for a-1 any longer" in caplog.text


def test_signs_of_life_say_how_far_it_is(domain: Domain, here: Place):
    """The details of the last heartbeat are kept when an activity times out."""
    run = scheduled(domain, here)
    worker = Doubler(domain, here.activities["name"])
    task: Any = worker.poll()
    assert worker.beat(task, "x" * 3000) is False
    here.pass_time(31)
    details = ended(run)["details"]
    assert len(details) == 2048
    assert details.endswith("... (cut)")
    assert worker.beat(task) is False
    assert task.gone.is_set()


def test_a_result_survives_a_service_that_cannot_be_reached(
    domain: Domain, here: Place, monkeypatch
):
    """An answer that does not come through is sent again; one that did is not counted twice."""
    monkeypatch.setattr("nbflow.services.swf.actors._WAITS", (0.01, 0.01, 0.01))
    run = scheduled(domain, here)
    here.endpoint.inject("throttle", "RespondActivityTaskCompleted", times=2)
    assert Doubler(domain, here.activities["name"]).step()
    assert ended(run)["result"] == "10"
    here.decide(here.schedule(activityType=DOUBLE._asdict(), input="6"))
    here.endpoint.inject("lost", "RespondActivityTaskCompleted")
    assert Doubler(domain, here.activities["name"]).step()
    assert ended(run)["result"] == "12"


def test_texts_are_cut_with_a_mark():
    """Never longer than allowed, and as they are where they fit."""
    assert shortened("abc", 3) == "abc"
    assert shortened("x" * 300, 256).endswith("... (cut)")
    assert len(shortened("x" * 300, 256)) == 256
