"""The emulator's state machine: every event, every limit, and what holds whatever happens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nbflow.services.swf import History, shapes
from nbflow.services.swf.emulator import Event, Execution, Fault, Limits, Machine, machine
from nbflow.services.swf.emulator.world import Answer
from nbflow.services.swf.events import parse
from tests.swf.machines import DOMAIN, Driven, child, schedule
from tests.swf.places import complete, decision

FOLDED = (
    "config",
    "decision",
    "unseen",
    "processed",
    "override",
    "context",
    "status",
    "activity_ids",
    "timers",
    "children",
    "functions",
    "cancel_requested",
)


def check(execution: Execution) -> None:
    """See whether an execution is what its history says, and its history one that can be read."""
    events = execution.history
    rebuilt = Execution.rebuilt("", "", "", events)
    assert {n: getattr(rebuilt, n) for n in FOLDED} == {n: getattr(execution, n) for n in FOLDED}
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)
    history = History.of(parse(json.loads(event.text)) for event in events)
    assert (history.status == "open") == execution.open
    assert len(list(history.open_items("activity"))) == len(execution.activities)


def faults(code: str) -> pytest.RaisesExc:
    return pytest.raises(Fault, check=lambda e: e.kind == code)


def test_every_operation_is_there():
    """The machine has all operations of botocore's model, and no other."""
    assert set(machine._OPERATIONS) == set(shapes.operations())
    assert len(shapes.operations()) == 39


def _activities(d: Driven) -> None:
    d.start("activities")
    timed = schedule("slow", startToCloseTimeout="5")
    d.decide(*(schedule(n) for n in ("done", "failed", "stopped", "waiting")), timed, timed)
    for name, task in ((t["activityId"], t) for t in iter(d.take, None)):
        if name == "done":
            d("RespondActivityTaskCompleted", taskToken=task["taskToken"])
        elif name == "failed":
            d("RespondActivityTaskFailed", taskToken=task["taskToken"])
        elif name == "stopped":
            stopped = task
    cancel = "RequestCancelActivityTask"
    d.decide(*(decision(cancel, activityId=n) for n in ("stopped", "nobody")))
    d("RespondActivityTaskCanceled", taskToken=stopped["taskToken"])
    d.advance(6)
    d.decide(decision("CancelWorkflowExecution"))


def _timers(d: Driven) -> None:
    d.start("timers")
    d.machine.world.causes["RecordMarker"] = ["OPERATION_NOT_PERMITTED"]
    timer = decision("StartTimer", timerId="t", startToFireTimeout="1")
    other = decision("StartTimer", timerId="u", startToFireTimeout="1")
    marker = decision("RecordMarker", markerName="m")
    d.decide(timer, timer, other, decision("CancelTimer", timerId="u"), marker, marker)
    d.advance(1)
    d.decide(decision("CancelTimer", timerId="t"), decision("FailWorkflowExecution"))
    d.start("late")
    late = d.poll()
    d.advance(61)
    d.poll()
    with faults("UnknownResourceFault"):
        d.respond(late)
    d.advance(600)


def _children(d: Driven) -> None:
    d.start("parent", executionStartToCloseTimeout="9999")
    short = {"executionStartToCloseTimeout": "5"}
    names = ["completed", "failed", "canceled", "timed out", "terminated"]
    nursery = {"taskList": {"name": "nursery"}}
    d.decide(*(child(n, **nursery, **(short if n == "timed out" else {})) for n in names))
    d("TerminateWorkflowExecution", domain=DOMAIN, workflowId="terminated")
    d.respond(d.poll("nursery"), complete())
    d.respond(d.poll("nursery"), decision("FailWorkflowExecution"))
    d.respond(d.poll("nursery"), decision("CancelWorkflowExecution"))
    d.advance(6)
    d.start("other", taskList={"name": "elsewhere"})
    calls = ("SignalExternalWorkflowExecution", {"signalName": "s"})
    ask: tuple[str, dict] = ("RequestCancelExternalWorkflowExecution", {})
    d.decide(
        child("other"),
        *(
            decision(kind, workflowId=who, **more)
            for kind, more in (calls, ask)
            for who in ("other", "nobody")
        ),
    )
    d.decide(decision("ContinueAsNewWorkflowExecution", workflowTypeVersion="9"))
    d.decide(decision("ContinueAsNewWorkflowExecution"))
    d("TerminateWorkflowExecution", domain=DOMAIN, workflowId="parent")
    d("TerminateWorkflowExecution", domain=DOMAIN, workflowId="other")


def _functions(d: Driven) -> None:
    d.machine.world.functions |= {
        "good": Answer(result="1"),
        "bad": Answer(reason="r", details="d"),
        "slow": Answer(hangs=True),
    }
    d.start("functions", lambdaRole="role")
    d.decide(
        *(
            decision("ScheduleLambdaFunction", id=n, name=n, startToCloseTimeout="5")
            for n in ("good", "bad", "slow", "slow", "none")
        )
    )
    d.advance(6)
    d.decide(complete())
    d.start("no role")
    d.decide(decision("ScheduleLambdaFunction", id="f", name="good"))
    d.decide(complete())


def _news(d: Driven) -> None:
    for kind in ("Complete", "Fail", "Cancel"):
        d.start(f"news {kind}")
        task = d.poll()
        d.signal(f"news {kind}")
        d.respond(task, decision(f"{kind}WorkflowExecution"))
        d.decide(complete())


def test_every_event_can_be_seen():
    """Each of the 54 types is recorded by what it is for, and every history holds together."""
    d = Driven()
    for scene in (_activities, _timers, _children, _functions, _news):
        scene(d)
    for execution in d.machine.world.runs.values():
        check(execution)
    assert set(d.machine.world.recorded) == set(shapes.enumeration("EventType"))
    assert len(shapes.enumeration("EventType")) == 54


def test_what_is_recorded_is_checked():
    """An event that the model does not allow is a fault of the emulator's own, not an event."""
    d = Driven()
    run = d.start()
    d.machine.world.functions["f"] = Answer(result="x" * 40_000)
    d("TerminateWorkflowExecution", domain=DOMAIN, workflowId="w")
    run = d.start(lambdaRole="role")
    with pytest.raises(Exception, match="made a wrong LambdaFunctionCompleted"):
        d.decide(decision("ScheduleLambdaFunction", id="f", name="f"))
    assert "LambdaFunctionCompleted" not in d.kinds(run)


# Limits


def test_open_activities_are_limited():
    """One activity too many is refused with a cause; when one is over there is room again."""
    d = Driven(Limits(activities=2))
    run = d.start()
    d.decide(schedule("a"), schedule("b"), schedule("c"))
    (failed,) = [e for e in d.events(run) if e.kind == "ScheduleActivityTaskFailed"]
    assert failed.attributes["cause"] == "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    d("RespondActivityTaskCompleted", taskToken=d.take()["taskToken"])
    d.decide(schedule("c"))
    assert d.kinds(run).count("ActivityTaskScheduled") == 3


def test_timers_children_and_functions_are_limited():
    """One too many of each is refused with a cause."""
    d = Driven(Limits(timers=1, children=1, functions=1))
    d.machine.world.functions["f"] = Answer(hangs=True)
    run = d.start(lambdaRole="role")
    d.decide(
        *(decision("StartTimer", timerId=f"t{n}", startToFireTimeout="9") for n in range(2)),
        *(child(f"c{n}") for n in range(2)),
        *(decision("ScheduleLambdaFunction", id=f"f{n}", name="f") for n in range(2)),
    )
    causes = [e.attributes["cause"] for e in d.events(run) if "cause" in e.attributes]
    assert causes == [
        "OPEN_TIMERS_LIMIT_EXCEEDED",
        "OPEN_CHILDREN_LIMIT_EXCEEDED",
        "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED",
    ]


@given(limit=st.integers(5, 30), markers=st.integers(1, 9))
def test_an_execution_has_only_so_many_events(limit: int, markers: int):
    """With its last possible event an execution is terminated, whatever was being done to it."""
    d = Driven(Limits(events=limit))
    run = d.start()
    for _ in range(limit):
        task = d.poll()
        if task is None:
            break
        d.respond(task, *(decision("RecordMarker", markerName="m") for _ in range(markers)))
        if d.machine.world.runs[run["runId"]].open:
            d.signal()
    assert len(d.events(run)) == limit
    assert d.events(run)[-1].attributes["cause"] == "EVENT_LIMIT_EXCEEDED"
    check(d.machine.world.runs[run["runId"]])


def test_a_response_has_only_so_many_decisions():
    """A response with too many decisions is refused as a whole; one with fewer is taken then."""
    d = Driven()
    run = d.start()
    task = d.poll()
    markers = [decision("RecordMarker", markerName="m")] * 101
    with faults("ValidationException"):
        d.respond(task, *markers)
    d.respond(task, *markers[:100])
    assert d.kinds(run).count("MarkerRecorded") == 100


def test_an_account_has_only_so_much():
    """Domains, types, open executions, tags and days are limited."""
    d = Driven(Limits(domains=1, types=1, executions=1, tags=1))
    days = {"workflowExecutionRetentionPeriodInDays": "1"}
    with faults("LimitExceededFault"):
        d("RegisterDomain", name="e", **days)
    with faults("LimitExceededFault"):
        d("RegisterWorkflowType", domain=DOMAIN, name="x", version="1")
    d.start()
    with faults("LimitExceededFault"):
        d.start("v")
    arn = d("DescribeDomain", name=DOMAIN)["domainInfo"]["arn"]
    with faults("TooManyTagsFault"):
        d("TagResource", resourceArn=arn, tags=[{"key": "a"}, {"key": "b"}])
    with faults("ValidationException"):
        days["workflowExecutionRetentionPeriodInDays"] = "91"
        d("RegisterDomain", name="f", **days)


@pytest.mark.parametrize("seconds", ["NONE", "31536001"])
def test_an_execution_may_not_take_for_ever(seconds: str):
    """An execution may take a year at the most."""
    with faults("ValidationException"):
        Driven().start(executionStartToCloseTimeout=seconds)


@pytest.mark.parametrize(("retention", "kept"), [("2", 2 * 86_400.0), ("NONE", 0.0)])
def test_closed_executions_are_kept_for_so_long(retention: str, kept: float):
    """A closed execution is there until its domain's days are over, an open one for longer."""
    d = Driven(retention=retention)
    run, stays = d.start(), d.start("stays", executionStartToCloseTimeout="999999")
    d.decide(complete())
    history = {"domain": DOMAIN, "execution": run}
    if kept:
        d.advance(kept - 1)
        assert d("GetWorkflowExecutionHistory", **history)["events"]
        d.advance(2)
    with faults("UnknownResourceFault"):
        d("GetWorkflowExecutionHistory", **history)
    assert d.events(stays)


def test_a_deprecated_domain_takes_nothing_new():
    """What runs there goes on; nothing starts, and no type is registered."""
    d = Driven()
    run = d.start()
    d("DeprecateDomain", name=DOMAIN)
    with faults("DomainDeprecatedFault"):
        d.start("v")
    with faults("DomainDeprecatedFault"):
        d("RegisterActivityType", domain=DOMAIN, name="x", version="1")
    d.decide(complete())
    assert d.kinds(run)[-1] == "WorkflowExecutionCompleted"


# Tokens, time, order


def test_tokens_cannot_be_made_up():
    """A token that was changed, and one that is for something else, is refused."""
    d = Driven()
    d.start()
    task = d.poll()
    for token in ("nonsense", task["taskToken"][:-4] + "AAAA", ""):
        with faults("ValidationException"):
            d.respond({"taskToken": token}, complete())
    with faults("ValidationException"):
        d("RespondActivityTaskCompleted", taskToken=task["taskToken"])
    with faults("ValidationException"):
        d("ListDomains", registrationStatus="REGISTERED", nextPageToken=task["taskToken"])
    d.respond(task, complete())


def test_the_same_requests_have_the_same_answers():
    """Two machines of a seed agree on everything, run ids and tokens included."""
    tasks = []
    for _ in range(2):
        d = Driven()
        d.start()
        task = d.decide(schedule("a"))
        tasks.append((task["taskToken"], [e.text for e in task["events"]], d.take()))
    assert tasks[0] == tasks[1]
    assert Machine(seed="other").world.new_run_id() != Machine(seed="one").world.new_run_id()


def test_what_is_due_happens_in_order_at_its_own_time():
    """However far the clock jumps, each timer fires at its own time, in order."""
    d = Driven()
    run = d.start()
    d.decide(
        *(decision("StartTimer", timerId=f"t{n}", startToFireTimeout=str(n)) for n in (30, 10, 20))
    )
    began = d.now
    d.advance(100)
    fired = [
        (e.attributes["timerId"], e.at - began) for e in d.events(run) if e.kind == "TimerFired"
    ]
    assert fired == [("t10", 10), ("t20", 20), ("t30", 30)]


def test_a_task_of_an_execution_that_is_over_is_not_handed_out():
    """Neither decision nor activity tasks outlive their execution."""
    d = Driven()
    d.start()
    d.decide(schedule("a"))
    d.signal()
    d("TerminateWorkflowExecution", domain=DOMAIN, workflowId="w")
    assert d.take() is None
    assert d.poll() is None
    where = {"domain": DOMAIN, "taskList": {"name": "work"}}
    assert d("CountPendingActivityTasks", **where)["count"] == 0


def test_a_refused_request_changes_nothing():
    """After a request that is refused everything is as it was."""
    d = Driven()
    run = d.start()
    before = d.events(run)
    with faults("ValidationException"):
        d(
            "SignalWorkflowExecution",
            domain=DOMAIN,
            workflowId="w",
            signalName="s",
            input="x" * 40_000,
        )
    with faults("UnknownOperationException"):
        d("Nonsense")
    assert d.events(run) == before
    assert "Nonsense" not in d.machine.world.requests


@contextmanager
def or_fault(code: str) -> Iterator[None]:
    """Let something be refused with a fault, this one only."""
    try:
        yield
    except Fault as fault:
        if fault.kind != code:
            raise


class Life(RuleBasedStateMachine):
    """Whatever deciders, workers and people do, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.d = Driven(Limits(activities=3, timers=2, children=2, events=120))
        self.decisions: list = []
        self.activities: list = []
        self.handed: Counter = Counter()

    @initialize()
    def begin(self) -> None:
        self.d.start("w0")

    @rule(number=st.integers(0, 3))
    def start(self, number: int) -> None:
        with or_fault("WorkflowExecutionAlreadyStartedFault"):
            self.d.start(f"w{number}")

    @rule()
    def poll(self) -> None:
        task = self.d.poll()
        if task is not None:
            self.handed[task["taskToken"]] += 1
            self.decisions.append(task)

    @rule()
    def take(self) -> None:
        task = self.d.take()
        if task is not None:
            self.handed[task["taskToken"]] += 1
            self.activities.append(task)

    @precondition(lambda self: self.decisions)
    @rule(data=st.data())
    def respond(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.decisions))
        some = st.lists(st.sampled_from(OPENERS), max_size=4)
        chosen = data.draw(some) + data.draw(st.lists(st.sampled_from(CLOSERS), max_size=1))
        sticky: dict[str, Any] = data.draw(
            st.sampled_from([{}, {"taskListScheduleToStartTimeout": "5"}])
        )
        if sticky:
            sticky["taskList"] = {"name": "decisions"}
        with or_fault("UnknownResourceFault"):
            self.d.respond(task, *chosen, **sticky)

    @precondition(lambda self: self.activities)
    @rule(data=st.data(), how=st.sampled_from(["Completed", "Failed", "Canceled", ""]))
    def answer(self, data: st.DataObject, how: str) -> None:
        task = data.draw(st.sampled_from(self.activities))
        name = f"RespondActivityTask{how}" if how else "RecordActivityTaskHeartbeat"
        with or_fault("UnknownResourceFault"):
            self.d(name, taskToken=task["taskToken"])

    @rule(number=st.integers(0, 3), how=st.sampled_from(["Signal", "RequestCancel", "Terminate"]))
    def tell(self, number: int, how: str) -> None:
        more = {"signalName": "s"} if how == "Signal" else {}
        with or_fault("UnknownResourceFault"):
            self.d(f"{how}WorkflowExecution", domain=DOMAIN, workflowId=f"w{number}", **more)

    @rule(seconds=st.sampled_from([0, 1, 4, 30, 700]))
    def wait(self, seconds: int) -> None:
        self.d.advance(seconds)

    @invariant()
    def holds_together(self) -> None:
        for execution in self.d.machine.world.runs.values():
            check(execution)
        assert all(count == 1 for count in self.handed.values())

    @invariant()
    def nobody_is_forgotten(self) -> None:
        for execution in self.d.machine.world.runs.values():
            assert not execution.open or not execution.unseen or execution.decision is not None


OPENERS = [
    schedule("a", heartbeatTimeout="3"),
    schedule("b", scheduleToCloseTimeout="3"),
    schedule("c"),
    decision("RequestCancelActivityTask", activityId="a"),
    decision("StartTimer", timerId="t", startToFireTimeout="2"),
    decision("CancelTimer", timerId="t"),
    decision("RecordMarker", markerName="m"),
    child("w1"),
    child("w2", childPolicy="REQUEST_CANCEL"),
    decision("SignalExternalWorkflowExecution", workflowId="w0", signalName="s"),
    decision("RequestCancelExternalWorkflowExecution", workflowId="w2"),
]
CLOSERS = [
    complete(),
    decision("FailWorkflowExecution"),
    decision("CancelWorkflowExecution"),
    decision("ContinueAsNewWorkflowExecution"),
]

TestLife = Life.TestCase
TestLife.__doc__ = "Whatever happens, histories hold together and tasks are handed out once."
TestLife.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_an_event_is_written_once():
    """What goes over the wire is made when the event is, with names as the service has them."""
    event = Event.of(3, 12.34567, "TimerFired", {"timerId": "t", "startedEventId": 1})
    assert json.loads(event.text) == {
        "eventId": 3,
        "eventTimestamp": 12.346,
        "eventType": "TimerFired",
        "timerFiredEventAttributes": {"timerId": "t", "startedEventId": 1},
    }
