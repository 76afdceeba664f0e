"""What SWF does, seen through boto3: on the emulator, on moto, and, if asked for, on the service.

``pytest -m aws --endpoint https://swf.eu-west-1.amazonaws.com tests/swf/test_conformance.py`` runs
them on an account of one's own, in a domain named ``nbflow-conformance``, which stays.
"""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from botocore.exceptions import ClientError

from tests.swf.places import TIMEOUTS, Place, complete, decision, moto_lacks


def refused(code: str) -> pytest.RaisesExc:
    """Expect a fault."""
    return pytest.raises(ClientError, check=lambda e: e.response["Error"]["Code"] == code)


def since() -> dict[str, dt.datetime]:
    return {"oldestDate": dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)}


# Domains and types


def test_domains_have_a_life(place: Place):
    """A domain is registered once, described, listed, deprecated once, and brought back."""
    if place.kind == "aws":
        pytest.skip("domains cannot be deleted, so none is made on somebody's account")
    name = place.name("another")
    retention = {"workflowExecutionRetentionPeriodInDays": "7"}
    place.client.register_domain(name=name, description="about", **retention)
    with refused("DomainAlreadyExistsFault"):
        place.client.register_domain(name=name, **retention)
    found = place.client.describe_domain(name=name)
    assert found["domainInfo"]["description"] == "about"
    assert found["configuration"] == retention
    place.client.deprecate_domain(name=name)
    with refused("DomainDeprecatedFault"):
        place.client.deprecate_domain(name=name)
    listed = place.client.list_domains(registrationStatus="DEPRECATED")["domainInfos"]
    assert name in {info["name"] for info in listed}
    place.client.undeprecate_domain(name=name)
    assert place.client.describe_domain(name=name)["domainInfo"]["status"] == "REGISTERED"
    with refused("UnknownResourceFault"):
        place.client.describe_domain(name=place.name("nowhere"))


@pytest.mark.parametrize("kind", ["activity", "workflow"])
def test_types_have_a_life(place: Place, kind: str):
    """A type is registered once, described, listed, deprecated once, and brought back."""
    call = {
        word: getattr(place.client, f"{word}_{kind}_type")
        for word in ("register", "describe", "deprecate", "undeprecate")
    }
    named = {"name": place.name("t"), "version": "1"}
    given = {"domain": place.domain, f"{kind}Type": named}
    call["register"](domain=place.domain, **named, defaultTaskList={"name": "there"})
    with refused("TypeAlreadyExistsFault"):
        call["register"](domain=place.domain, **named)
    found = call["describe"](**given)
    assert found["configuration"]["defaultTaskList"] == {"name": "there"}
    assert found["typeInfo"]["status"] == "REGISTERED"
    call["deprecate"](**given)
    with refused("TypeDeprecatedFault"):
        call["deprecate"](**given)
    lists = getattr(place.client, f"list_{kind}_types")
    listed = lists(domain=place.domain, registrationStatus="DEPRECATED", name=named["name"])
    assert [info[f"{kind}Type"] for info in listed["typeInfos"]] == [named]
    call["undeprecate"](**given)
    with refused("TypeAlreadyExistsFault"):
        call["undeprecate"](**given)
    with refused("UnknownResourceFault"):
        call["describe"](domain=place.domain, **{f"{kind}Type": {**named, "version": "2"}})


@moto_lacks("the deletion of types")
@pytest.mark.parametrize("kind", ["activity", "workflow"])
def test_types_are_deleted_once_deprecated(place: Place, kind: str):
    """A type that is not deprecated is not deleted; one that is deleted can be registered anew."""
    named = {"name": place.name("t"), "version": "1"}
    given = {"domain": place.domain, f"{kind}Type": named}
    register = getattr(place.client, f"register_{kind}_type")
    delete = getattr(place.client, f"delete_{kind}_type")
    register(domain=place.domain, **named)
    with refused("TypeNotDeprecatedFault"):
        delete(**given)
    getattr(place.client, f"deprecate_{kind}_type")(**given)
    delete(**given)
    with refused("UnknownResourceFault"):
        delete(**given)
    register(domain=place.domain, **named)


def test_domains_have_tags(place: Place):
    """Resource tags are set, listed and taken away."""
    arn = place.client.describe_domain(name=place.domain)["domainInfo"]["arn"]
    place.client.tag_resource(resourceArn=arn, tags=[{"key": k, "value": "1"} for k in "ab"])
    place.client.untag_resource(resourceArn=arn, tagKeys=["b"])
    tags = place.client.list_tags_for_resource(resourceArn=arn)["tags"]
    assert {"key": "a", "value": "1"} in tags
    assert "b" not in {tag["key"] for tag in tags}


# Starting


def test_nothing_starts_of_a_type_that_is_not_there(place: Place):
    """A type that is unknown is no resource; one that is deprecated is told so."""
    with refused("UnknownResourceFault"):
        place.start(workflowType={"name": place.name("none"), "version": "1"})
    kind = place.workflow_type()
    place.client.deprecate_workflow_type(domain=place.domain, workflowType=kind)
    with refused("TypeDeprecatedFault"):
        place.start()


def test_a_workflow_id_is_open_once(place: Place):
    """A second execution of an open workflow id is refused; after the first one ended it is not."""
    first = place.start()
    with refused("WorkflowExecutionAlreadyStartedFault"):
        place.start()
    place.decide(complete())
    assert place.start()["runId"] != first["runId"]


def test_a_setting_must_be_given_somewhere(place: Place):
    """What neither the type nor the start says is an error that names it."""
    kind = {"name": place.name("bare"), "version": "1"}
    place.client.register_workflow_type(domain=place.domain, **kind)
    with refused("DefaultUndefinedFault"):
        place.start(workflowType=kind, taskList=place.decisions, childPolicy="ABANDON")


def test_the_history_begins_with_what_was_given(place: Place):
    """The first event has input, type and settings, the second asks for a decision."""
    run = place.start(input="given", taskStartToCloseTimeout="30")
    first, second = place.history(run)[:2]
    started = first["workflowExecutionStartedEventAttributes"]
    assert started["input"] == "given"
    assert started["taskStartToCloseTimeout"] == "30"
    assert started["executionStartToCloseTimeout"] == "600"
    assert started["workflowType"] == place.workflow_type()
    assert second["eventType"] == "DecisionTaskScheduled"


@moto_lacks("tags, priorities and roles in the first event")
def test_the_history_begins_with_tags_and_priority(place: Place):
    """The first event has tags and priority."""
    run = place.start(tagList=["one", "two"], taskPriority="7")
    started = place.last(run, "WorkflowExecutionStarted")
    assert started["tagList"] == ["one", "two"]
    assert started["taskPriority"] == "7"


# Decisions


def test_a_decision_task_has_the_history_so_far(place: Place):
    """A decision task is of one execution and ends with the event that handed it out."""
    run = place.start()
    task = place.poll(identity="me")
    assert task["workflowExecution"] == run
    assert task["workflowType"] == place.workflow_type()
    assert task["startedEventId"] == len(task["events"]) == 3
    assert task["events"][-1]["decisionTaskStartedEventAttributes"]["identity"] == "me"


@moto_lacks("the member that says so")
def test_the_first_decision_task_has_none_before_it(place: Place):
    """The member previousStartedEventId is 0 at first, then the one of the task before."""
    place.start()
    task = place.decide(place.schedule())
    assert task["previousStartedEventId"] == 0
    place.client.respond_activity_task_completed(taskToken=place.take()["taskToken"])
    assert place.poll()["previousStartedEventId"] == task["startedEventId"]


@moto_lacks("the empty token")
def test_a_poll_without_a_task_ends_with_an_empty_token(place: Place):
    """When the time of a poll is over, its answer has an empty task token."""
    nowhere = {"name": place.name("nowhere")}
    where = {"domain": place.domain, "taskList": nowhere}
    assert place.client.poll_for_decision_task(**where)["taskToken"] == ""
    assert place.client.poll_for_activity_task(**where)["taskToken"] == ""


@moto_lacks("polls that are woken")
def test_a_poll_that_waits_is_given_a_task_that_comes(place: Place):
    """A task that comes while a poll waits is handed out at once, not at the next poll."""
    place.workflow_type()
    got = []

    def poll() -> None:
        task = place.client.poll_for_decision_task(domain=place.domain, taskList=place.decisions)
        got.append((time.monotonic(), task.get("taskToken")))

    thread = threading.Thread(target=poll)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    began = time.monotonic()
    place.start()
    thread.join(10)
    assert got[0][1]
    assert got[0][0] - began < 0.5


def test_a_decision_is_answered_once(place: Place):
    """The second answer to a decision task finds it gone, and changes nothing."""
    run = place.start()
    task = place.decide(decision("RecordMarker", markerName="m"))
    with refused("UnknownResourceFault"):
        place.respond(task, complete())
    assert place.kinds(run).count("MarkerRecorded") == 1


def test_the_closing_decision_is_the_last(place: Place):
    """A response that goes on after closing is refused as a whole."""
    run = place.start()
    task = place.poll()
    with refused("ValidationException"):
        place.respond(task, complete(), decision("RecordMarker", markerName="m"))
    place.respond(task, complete("fine"))
    assert place.kinds(run)[-2:] == ["DecisionTaskCompleted", "WorkflowExecutionCompleted"]
    assert place.last(run, "WorkflowExecutionCompleted")["result"] == "fine"


def test_an_execution_can_fail(place: Place):
    """FailWorkflowExecution ends it with reason and details."""
    run = place.start()
    place.decide(decision("FailWorkflowExecution", reason="why", details="more"))
    failed = place.last(run, "WorkflowExecutionFailed")
    assert (failed["reason"], failed["details"]) == ("why", "more")


def test_the_context_of_a_decision_is_kept(place: Place):
    """The latest executionContext is in the history and in the description."""
    run = place.start()
    place.decide(executionContext="waiting")
    assert place.last(run, "DecisionTaskCompleted")["executionContext"] == "waiting"
    found = place.client.describe_workflow_execution(domain=place.domain, execution=run)
    assert found["latestExecutionContext"] == "waiting"


@moto_lacks("UNHANDLED_DECISION: the signal is lost")
@pytest.mark.parametrize(
    "kind",
    [
        "CompleteWorkflowExecution",
        "FailWorkflowExecution",
        "CancelWorkflowExecution",
        "ContinueAsNewWorkflowExecution",
    ],
)
def test_an_execution_does_not_end_on_news(place: Place, kind: str):
    """Closing fails if something came during the decision, and there is a new decision task."""
    run = place.start()
    task = place.poll()
    place.signal(run, "news")
    place.respond(task, decision(kind))
    assert place.last(run, f"{kind}Failed")["cause"] == "UNHANDLED_DECISION"
    again = place.poll()
    kinds = [event["eventType"] for event in again["events"]]
    assert "WorkflowExecutionSignaled" in kinds
    place.respond(again, complete())
    assert place.kinds(run)[-1] == "WorkflowExecutionCompleted"


@moto_lacks("batches: each signal makes a decision task")
def test_news_come_in_one_decision_task(place: Place):
    """However much happened, there is one decision task, with every event by itself."""
    run = place.start()
    for name in ("a", "b", "c"):
        place.signal(run, name, input=name)
    task = place.decide()
    kinds = [event["eventType"] for event in task["events"]]
    assert kinds.count("DecisionTaskScheduled") == 1
    assert kinds.count("WorkflowExecutionSignaled") == 3
    assert place.kinds(run)[-1] == "DecisionTaskCompleted"


@moto_lacks("signals without input")
def test_a_signal_needs_no_input(place: Place):
    """A signal may have nothing but its name."""
    run = place.start()
    place.signal(run, "knock")
    assert place.last(run, "WorkflowExecutionSignaled")["signalName"] == "knock"
    with refused("UnknownResourceFault"):
        place.signal({"workflowId": place.name("nobody")}, "knock")


def test_markers_are_recorded(place: Place):
    """A marker has name and details."""
    run = place.start()
    place.decide(decision("RecordMarker", markerName="m", details="d"))
    found = place.last(run, "MarkerRecorded")
    assert (found["markerName"], found["details"]) == ("m", "d")


# Activities


def test_an_activity_is_scheduled_started_and_completed(place: Place):
    """The events of an activity name each other, and its end brings a new decision task."""
    run = place.start()
    place.decide(place.schedule("a-1", input="in", control="c"))
    task = place.take()
    assert (task["activityId"], task["input"]) == ("a-1", "in")
    assert task["workflowExecution"] == run
    place.client.respond_activity_task_completed(taskToken=task["taskToken"], result="out")
    scheduled = place.last(run, "ActivityTaskScheduled")
    assert (scheduled["control"], scheduled["taskList"]) == ("c", place.activities)
    done = place.last(run, "ActivityTaskCompleted")
    assert (done["result"], done["startedEventId"]) == ("out", task["startedEventId"])
    assert place.kinds(run)[-1] == "DecisionTaskScheduled"


def test_an_activity_can_fail(place: Place):
    """A failure has reason and details."""
    run = place.start()
    place.decide(place.schedule())
    place.client.respond_activity_task_failed(
        taskToken=place.take()["taskToken"], reason="why", details="more"
    )
    failed = place.last(run, "ActivityTaskFailed")
    assert (failed["reason"], failed["details"]) == ("why", "more")


@moto_lacks("a plain fault: it answers with HTTP 500")
def test_an_activity_is_answered_once(place: Place):
    """The second answer for an activity finds it gone."""
    place.start()
    place.decide(place.schedule())
    token = place.take()["taskToken"]
    place.client.respond_activity_task_failed(taskToken=token)
    with refused("UnknownResourceFault"):
        place.client.respond_activity_task_completed(taskToken=token)


@moto_lacks("the ids of activities that are over")
def test_the_id_of_a_closed_activity_is_free(place: Place):
    """An activity id is taken while its activity is open, and free afterwards."""
    run = place.start()
    place.decide(place.schedule("a"), place.schedule("a"))
    assert place.last(run, "ScheduleActivityTaskFailed")["cause"] == "ACTIVITY_ID_ALREADY_IN_USE"
    place.client.respond_activity_task_failed(taskToken=place.take()["taskToken"])
    place.decide(place.schedule("a"))
    assert place.take()["activityId"] == "a"


def test_what_cannot_be_scheduled_says_why(place: Place):
    """An unknown or deprecated type and a missing default are events with a cause."""
    run = place.start()
    none = {"name": place.name("none"), "version": "1"}
    old, bare = (
        {"name": place.name("old"), "version": "1"},
        {
            "name": place.name("bare"),
            "version": "1",
        },
    )
    place.client.register_activity_type(domain=place.domain, **old, **TIMEOUTS)
    place.client.deprecate_activity_type(domain=place.domain, activityType=old)
    place.client.register_activity_type(domain=place.domain, **bare, **TIMEOUTS)
    place.decide(
        *(place.schedule(f"x-{n}", activityType=t) for n, t in enumerate([none, old, bare]))
    )
    causes = [
        event["scheduleActivityTaskFailedEventAttributes"]["cause"]
        for event in place.history(run)
        if event["eventType"] == "ScheduleActivityTaskFailed"
    ]
    assert causes == [
        "ACTIVITY_TYPE_DOES_NOT_EXIST",
        "ACTIVITY_TYPE_DEPRECATED",
        "DEFAULT_TASK_LIST_UNDEFINED",
    ]
    assert place.kinds(run)[-1] == "DecisionTaskScheduled"


@moto_lacks("RequestCancelActivityTask")
def test_an_activity_that_nobody_began_is_cancelled_at_once(place: Place):
    """Cancelling an activity that waits ends it, and nobody gets it any more."""
    run = place.start()
    place.decide(place.schedule())
    place.signal(run, "wake")
    place.decide(decision("RequestCancelActivityTask", activityId="a-1"))
    cancelled = place.last(run, "ActivityTaskCanceled")
    assert cancelled["startedEventId"] == 0
    assert not place.take().get("taskToken")


@moto_lacks("RequestCancelActivityTask")
def test_an_activity_that_runs_hears_that_it_should_stop(place: Place):
    """A worker learns from its heartbeat that it should stop, and says when it has."""
    run = place.start()
    place.decide(place.schedule())
    token = place.take()["taskToken"]
    beat = place.client.record_activity_task_heartbeat
    assert beat(taskToken=token, details="half")["cancelRequested"] is False
    place.signal(run, "wake")
    place.decide(decision("RequestCancelActivityTask", activityId="a-1"))
    assert beat(taskToken=token)["cancelRequested"] is True
    place.client.respond_activity_task_canceled(taskToken=token, details="stopped")
    cancelled = place.last(run, "ActivityTaskCanceled")
    assert cancelled["details"] == "stopped"
    assert cancelled["latestCancelRequestedEventId"]


@moto_lacks("RequestCancelActivityTask")
def test_an_activity_that_is_not_there_cannot_be_cancelled(place: Place):
    """Cancelling an unknown activity is an event with a cause."""
    run = place.start()
    place.decide(decision("RequestCancelActivityTask", activityId="nobody"))
    assert place.last(run, "RequestCancelActivityTaskFailed")["cause"] == "ACTIVITY_ID_UNKNOWN"


@moto_lacks("priorities of activities")
def test_higher_priorities_go_first(place: Place):
    """Of the tasks that wait, the one with the highest priority is handed out first."""
    place.start()
    place.decide(*(place.schedule(f"p{n}", taskPriority=n) for n in ("1", "-5", "9")))
    assert [place.take()["activityId"] for _ in range(3)] == ["p9", "p1", "p-5"]


# Timers


def test_a_timer_fires(place: Place):
    """A timer that is due brings a new decision task."""
    run = place.start()
    place.decide(decision("StartTimer", timerId="t", startToFireTimeout="1", control="c"))
    place.pass_time(1.2)
    assert place.last(run, "TimerStarted")["control"] == "c"
    assert place.last(run, "TimerFired")["timerId"] == "t"
    assert place.poll()["taskToken"]


@moto_lacks("the name of the event that says so")
def test_a_timer_can_be_cancelled(place: Place):
    """A cancelled timer does not fire; an unknown one cannot be cancelled."""
    run = place.start()
    place.decide(decision("StartTimer", timerId="t", startToFireTimeout="1"))
    place.signal(run, "wake", input="")
    place.decide(decision("CancelTimer", timerId="t"), decision("CancelTimer", timerId="u"))
    assert place.last(run, "TimerCanceled")["timerId"] == "t"
    failed = place.last(run, "CancelTimerFailed")
    assert (failed["timerId"], failed["cause"]) == ("u", "TIMER_ID_UNKNOWN")
    place.pass_time(1.2)
    assert "TimerFired" not in place.kinds(run)


@moto_lacks("a decision task after that failure")
def test_a_timer_id_is_open_once(place: Place):
    """A second open timer of an id is refused, which the decider hears of."""
    run = place.start()
    timer = decision("StartTimer", timerId="t", startToFireTimeout="60")
    place.decide(timer, timer)
    assert place.last(run, "StartTimerFailed")["cause"] == "TIMER_ID_ALREADY_IN_USE"
    assert place.kinds(run)[-1] == "DecisionTaskScheduled"


# Cancelling, terminating, going on


@moto_lacks("RequestCancelWorkflowExecution")
def test_an_execution_is_asked_to_cancel_itself(place: Place):
    """A request to cancel is an event; the decider says when the execution is cancelled."""
    run = place.start()
    place.client.request_cancel_workflow_execution(domain=place.domain, **run)
    assert "WorkflowExecutionCancelRequested" in place.kinds(run)
    described = place.client.describe_workflow_execution(domain=place.domain, execution=run)
    assert described["executionInfo"]["cancelRequested"] is True
    place.decide(decision("CancelWorkflowExecution", details="as asked"))
    assert place.last(run, "WorkflowExecutionCanceled")["details"] == "as asked"
    with refused("UnknownResourceFault"):
        place.client.request_cancel_workflow_execution(domain=place.domain, **run)


def test_an_execution_is_terminated(place: Place):
    """An execution that is terminated is over at once, and can be told nothing more."""
    run = place.start()
    place.client.terminate_workflow_execution(
        domain=place.domain, workflowId=run["workflowId"], reason="enough", details="really"
    )
    found = place.last(run, "WorkflowExecutionTerminated")
    assert (found["reason"], found["cause"]) == ("enough", "OPERATOR_INITIATED")
    with refused("UnknownResourceFault"):
        place.signal(run, "late", input="")
    assert not place.poll().get("taskToken")


@moto_lacks("ContinueAsNewWorkflowExecution")
def test_an_execution_goes_on_as_new(place: Place):
    """The new execution has the old one's workflow id and type, and a history of its own."""
    run = place.start(tagList=["kept"])
    place.decide(decision("ContinueAsNewWorkflowExecution", input="more"))
    closed = place.last(run, "WorkflowExecutionContinuedAsNew")
    new = {**run, "runId": closed["newExecutionRunId"]}
    started = place.last(new, "WorkflowExecutionStarted")
    assert started["continuedExecutionRunId"] == run["runId"]
    assert (started["input"], started["tagList"]) == ("more", ["kept"])
    task = place.decide(complete())
    assert task["workflowExecution"] == new


@moto_lacks("ContinueAsNewWorkflowExecution")
def test_an_execution_does_not_go_on_as_what_is_not_there(place: Place):
    """Continuing as an unknown version fails with a cause, and the execution is open still."""
    run = place.start()
    place.decide(decision("ContinueAsNewWorkflowExecution", workflowTypeVersion="99"))
    cause = place.last(run, "ContinueAsNewWorkflowExecutionFailed")["cause"]
    assert cause == "WORKFLOW_TYPE_DOES_NOT_EXIST"
    place.decide(complete())


# Children and others


def child(place: Place, word: str = "child", **given: object) -> dict:
    return decision(
        "StartChildWorkflowExecution",
        workflowType=place.workflow_type(),
        workflowId=place.name(word),
        **given,
    )


@moto_lacks("StartChildWorkflowExecution")
@pytest.mark.parametrize(
    ("closing", "heard"),
    [
        (complete("grown"), "ChildWorkflowExecutionCompleted"),
        (decision("FailWorkflowExecution", reason="r"), "ChildWorkflowExecutionFailed"),
        (decision("CancelWorkflowExecution", details="d"), "ChildWorkflowExecutionCanceled"),
    ],
)
def test_a_parent_hears_how_its_child_ends(place: Place, closing: dict, heard: str):
    """A child is an execution that knows its parent, and whose end is an event of it."""
    run = place.start()
    place.decide(child(place, control="c", input="i", taskList={"name": place.name("nursery")}))
    task = place.poll({"name": place.name("nursery")})
    started = task["events"][0]["workflowExecutionStartedEventAttributes"]
    assert started["parentWorkflowExecution"] == run
    assert started["input"] == "i"
    place.respond(task, closing)
    initiated = place.last(run, "StartChildWorkflowExecutionInitiated")
    assert initiated["control"] == "c"
    ended = place.last(run, heard)
    assert ended["workflowExecution"] == task["workflowExecution"]
    assert ended["startedEventId"] > ended["initiatedEventId"]


@moto_lacks("StartChildWorkflowExecution")
def test_a_child_that_cannot_start_says_why(place: Place):
    """An unknown type and a workflow id that is open are events with a cause."""
    run = place.start()
    nowhere = {"name": place.name("none"), "version": "1"}
    other = decision(
        "StartChildWorkflowExecution", workflowType=nowhere, workflowId=place.name("x")
    )
    place.decide(other, decision("RecordMarker", markerName="m"))
    failed = place.last(run, "StartChildWorkflowExecutionFailed")
    assert (failed["cause"], failed["initiatedEventId"]) == ("WORKFLOW_TYPE_DOES_NOT_EXIST", 0)
    place.decide(child(place, "run"))
    failed = place.last(run, "StartChildWorkflowExecutionFailed")
    assert failed["cause"] == "WORKFLOW_ALREADY_RUNNING"
    assert failed["initiatedEventId"] > 0


@moto_lacks("StartChildWorkflowExecution")
@pytest.mark.parametrize(
    ("policy", "event"),
    [
        ("TERMINATE", "WorkflowExecutionTerminated"),
        ("REQUEST_CANCEL", "WorkflowExecutionCancelRequested"),
        ("ABANDON", None),
    ],
)
def test_the_child_policy_is_applied(place: Place, policy: str, event: str | None):
    """What becomes of children of a terminated execution is what was agreed."""
    run = place.start()
    place.decide(child(place))
    started = place.last(run, "ChildWorkflowExecutionStarted")["workflowExecution"]
    place.client.terminate_workflow_execution(
        domain=place.domain, workflowId=run["workflowId"], childPolicy=policy
    )
    kinds = place.kinds(started)
    assert (
        (event in kinds)
        if event
        else kinds == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]
    )
    if event:
        assert place.last(started, event)["cause"] == "CHILD_POLICY_APPLIED"


@moto_lacks("SignalExternalWorkflowExecution")
def test_executions_signal_each_other(place: Place):
    """A signal to another execution arrives with its sender; one to nobody fails with a cause."""
    other = place.start("other")
    place.decide()
    run = place.start()
    signal = "SignalExternalWorkflowExecution"
    place.decide(
        decision(signal, workflowId=other["workflowId"], signalName="s", input="i", control="c"),
        decision(signal, workflowId=place.name("nobody"), signalName="s"),
    )
    got = place.last(other, "WorkflowExecutionSignaled")
    assert (got["signalName"], got["input"]) == ("s", "i")
    assert got["externalWorkflowExecution"] == run
    assert place.last(run, "ExternalWorkflowExecutionSignaled")["workflowExecution"] == other
    failed = place.last(run, f"{signal}Failed")
    assert failed["cause"] == "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"


@moto_lacks("RequestCancelExternalWorkflowExecution")
def test_executions_ask_each_other_to_cancel(place: Place):
    """A request to cancel another execution arrives with its sender; to nobody it fails."""
    other = place.start("other")
    place.decide()
    run = place.start()
    ask = "RequestCancelExternalWorkflowExecution"
    place.decide(
        decision(ask, workflowId=other["workflowId"]),
        decision(ask, workflowId=place.name("nobody")),
    )
    got = place.last(other, "WorkflowExecutionCancelRequested")
    assert got["externalWorkflowExecution"] == run
    told = place.last(run, "ExternalWorkflowExecutionCancelRequested")
    assert told["workflowExecution"] == other
    failed = place.last(run, f"{ask}Failed")
    assert failed["cause"] == "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"


@moto_lacks("ScheduleLambdaFunction")
def test_a_function_needs_a_role(place: Place):
    """A Lambda function of an execution without a role cannot start, which is an event."""
    run = place.start()
    place.decide(decision("ScheduleLambdaFunction", id="f-1", name="nothing", input="1"))
    place.pass_time(1)
    assert place.last(run, "LambdaFunctionScheduled")["id"] == "f-1"
    assert place.last(run, "StartLambdaFunctionFailed")["cause"] == "ASSUME_ROLE_FAILED"


# Time-outs


@moto_lacks("the time-outs of activities but for heartbeats")
@pytest.mark.parametrize(
    ("member", "kind", "begun"),
    [
        ("scheduleToStartTimeout", "SCHEDULE_TO_START", False),
        ("scheduleToCloseTimeout", "SCHEDULE_TO_CLOSE", False),
        ("startToCloseTimeout", "START_TO_CLOSE", True),
        ("scheduleToCloseTimeout", "SCHEDULE_TO_CLOSE", True),
    ],
)
def test_an_activity_may_take_so_long(place: Place, member: str, kind: str, begun: bool):
    """Each time limit of an activity ends it, and whoever answers later finds it gone."""
    run = place.start()
    place.decide(place.schedule(**{member: "1"}))
    token = place.take()["taskToken"] if begun else ""
    place.pass_time(1.3)
    out = place.last(run, "ActivityTaskTimedOut")
    assert out["timeoutType"] == kind
    assert bool(out["startedEventId"]) == begun
    if begun:
        with refused("UnknownResourceFault"):
            place.client.respond_activity_task_completed(taskToken=token)
    else:
        assert not place.take().get("taskToken")


@moto_lacks("the start of that clock: it runs before the activity does")
def test_an_activity_has_to_give_signs_of_life(place: Place):
    """The heartbeat time-out begins with the activity and again with each heartbeat."""
    run = place.start()
    place.decide(place.schedule(heartbeatTimeout="2"))
    place.pass_time(2.5)
    token = place.take()["taskToken"]
    place.pass_time(1.5)
    place.client.record_activity_task_heartbeat(taskToken=token, details="half")
    place.pass_time(1.5)
    assert "ActivityTaskTimedOut" not in place.kinds(run)
    place.pass_time(1)
    out = place.last(run, "ActivityTaskTimedOut")
    assert (out["timeoutType"], out["details"]) == ("HEARTBEAT", "half")


def test_a_decision_may_take_so_long(place: Place):
    """A decision task that takes too long is handed out again, and its answer comes too late."""
    run = place.start(taskStartToCloseTimeout="1")
    late = place.poll()
    place.pass_time(1.3)
    again = place.poll()
    assert place.last(run, "DecisionTaskTimedOut")["timeoutType"] == "START_TO_CLOSE"
    place.respond(again, complete())
    with refused("UnknownResourceFault"):
        place.respond(late, complete())


def test_an_execution_may_take_so_long(place: Place):
    """An execution that takes too long is over."""
    run = place.start(executionStartToCloseTimeout="1")
    place.pass_time(1.3)
    assert place.last(run, "WorkflowExecutionTimedOut")["timeoutType"] == "START_TO_CLOSE"


# Reading


@moto_lacks("pages of histories")
@pytest.mark.parametrize("reverse", [False, True])
def test_histories_come_in_pages(place: Place, reverse: bool):
    """Pages of the size asked for, in the order asked for, hold every event once."""
    run = place.start()
    place.decide(*(decision("RecordMarker", markerName=f"m{n}") for n in range(20)))
    pages = place.client.get_paginator("get_workflow_execution_history").paginate(
        domain=place.domain, execution=run, maximumPageSize=7, reverseOrder=reverse
    )
    found = [[event["eventId"] for event in page["events"]] for page in pages]
    assert [len(page) for page in found] == [7, 7, 7, 3]
    ids = [number for page in found for number in page]
    assert ids == sorted(range(1, 25), reverse=reverse)


@moto_lacks("pages of polls")
def test_polls_come_in_pages(place: Place):
    """The pages of a decision task are had by polling again, and end with its own event."""
    run = place.start()
    for number in range(10):
        place.signal(run, f"s{number}")
    task = place.poll(maximumPageSize=4)
    assert [event["eventId"] for event in task["events"]] == list(range(1, 14))
    place.respond(task, complete())


@moto_lacks("startAtPreviousStartedEvent")
def test_a_poll_may_ask_for_news_only(place: Place):
    """From the latest decision task on, its own event included, and no further back."""
    place.start()
    task = place.decide(place.schedule())
    place.client.respond_activity_task_completed(taskToken=place.take()["taskToken"])
    news = place.poll(startAtPreviousStartedEvent=True)
    ids = [event["eventId"] for event in news["events"]]
    assert ids == list(range(task["startedEventId"], news["startedEventId"] + 1))


@moto_lacks("sticky task lists")
def test_a_task_list_can_stand_in(place: Place):
    """The next decision task goes to another list; if nobody takes it there, to its own again."""
    run = place.start()
    mine = {"name": place.name("mine")}
    place.decide(place.schedule(), taskList=mine, taskListScheduleToStartTimeout="2")
    place.client.respond_activity_task_completed(taskToken=place.take()["taskToken"])
    scheduled = place.last(run, "DecisionTaskScheduled")
    assert (scheduled["taskList"], scheduled["scheduleToStartTimeout"]) == (mine, "2")
    place.pass_time(2.3)
    out = place.last(run, "DecisionTaskTimedOut")
    assert out["timeoutType"] == "SCHEDULE_TO_START"
    place.decide(complete())


@moto_lacks("sticky task lists")
def test_a_task_list_stands_in_no_more_once_its_decider_is_slow(place: Place):
    """A decision that takes too long after the list that stands in goes to its own list again."""
    run = place.start(taskStartToCloseTimeout="1")
    mine = {"name": place.name("mine")}
    place.decide(taskList=mine, taskListScheduleToStartTimeout="60")
    place.signal(run, "wake")
    assert place.poll(mine)["taskToken"]
    place.pass_time(1.3)
    assert place.last(run, "DecisionTaskScheduled")["taskList"] == place.decisions


@moto_lacks("counts that are kept")
def test_a_description_counts_what_is_open(place: Place):
    """Open activities, timers and decision tasks are counted."""
    run = place.start()
    place.decide(
        place.schedule("a"),
        place.schedule("b"),
        decision("StartTimer", timerId="t", startToFireTimeout="600"),
    )
    place.client.respond_activity_task_completed(taskToken=place.take()["taskToken"])
    found = place.client.describe_workflow_execution(domain=place.domain, execution=run)
    assert found["openCounts"] == {
        "openActivityTasks": 1,
        "openDecisionTasks": 1,
        "openTimers": 1,
        "openChildWorkflowExecutions": 0,
        "openLambdaFunctions": 0,
    }
    assert found["executionInfo"]["executionStatus"] == "OPEN"
    assert found["executionConfiguration"]["taskList"] == place.decisions


def test_tasks_that_wait_are_counted(place: Place):
    """Tasks of a list that nobody took are counted."""
    place.start()
    where = {"domain": place.domain, "taskList": place.decisions}
    assert place.client.count_pending_decision_tasks(**where)["count"] == 1
    place.decide(place.schedule("a"), place.schedule("b"))
    where["taskList"] = place.activities
    assert place.client.count_pending_activity_tasks(**where)["count"] == 2


def _closed(place: Place) -> dict[str, dict[str, str]]:
    runs = {}
    for word in ("one", "two", "three"):
        runs[word] = place.start(word, tagList=[place.name(word)])
        place.decide(complete() if word != "two" else decision("FailWorkflowExecution"))
    return runs


@moto_lacks("the filters of listings")
@pytest.mark.parametrize(
    "which", ["executionFilter", "tagFilter", "closeStatusFilter", "typeFilter"]
)
def test_closed_executions_are_filtered(place: Place, which: str):
    """A filter leaves those that it names, in listings as in counts."""
    runs = _closed(place)
    wanted: dict[str, dict[str, str]] = {
        "executionFilter": {"workflowId": runs["two"]["workflowId"]},
        "tagFilter": {"tag": place.name("two")},
        "closeStatusFilter": {"status": "FAILED"},
        "typeFilter": {"name": place.name("flow")},
    }
    expected = {"one", "two", "three"} if which == "typeFilter" else {"two"}
    request = {"domain": place.domain, "startTimeFilter": since(), which: wanted[which]}
    listed = place.client.list_closed_workflow_executions(**request)["executionInfos"]
    mine = [i["execution"] for i in listed if i["execution"] in list(runs.values())]
    assert sorted(mine, key=str) == sorted((runs[w] for w in expected), key=str)
    count = place.client.count_closed_workflow_executions(**request)["count"]
    assert count == len(listed)


@moto_lacks("pages and order of listings")
def test_executions_are_listed_in_pages(place: Place):
    """The latest first, or the earliest, in pages that hold each execution once."""
    for word in ("one", "two", "three"):
        place.start(word)
        place.pass_time(1)
    for reverse in (False, True):
        pages = place.client.get_paginator("list_open_workflow_executions").paginate(
            domain=place.domain,
            startTimeFilter=since(),
            typeFilter={"name": place.name("flow")},
            maximumPageSize=2,
            reverseOrder=reverse,
        )
        found = [i["execution"]["workflowId"] for page in pages for i in page["executionInfos"]]
        words = ["one", "two", "three"] if reverse else ["three", "two", "one"]
        assert found == [place.name(word) for word in words]


def test_open_executions_are_listed(place: Place):
    """An execution is in the listing of the open ones until it is closed."""
    run = place.start()
    request = {"domain": place.domain, "startTimeFilter": since()}
    listed = place.client.list_open_workflow_executions(**request)["executionInfos"]
    assert run in [info["execution"] for info in listed]
    place.decide(complete())
    listed = place.client.list_open_workflow_executions(**request)["executionInfos"]
    assert run not in [info["execution"] for info in listed]


@moto_lacks("CountOpenWorkflowExecutions")
def test_open_executions_are_counted(place: Place):
    """An open execution counts."""
    run = place.start()
    count = place.client.count_open_workflow_executions(
        domain=place.domain,
        startTimeFilter=since(),
        executionFilter={"workflowId": run["workflowId"]},
    )
    assert count["count"] == 1


# What the service does not take


@moto_lacks("the limits of lengths")
def test_what_is_too_long_is_refused(place: Place):
    """A text over its limit is refused, and with it the whole request."""
    with refused("ValidationException"):
        place.start(input="x" * 32_769)
    run = place.start()
    task = place.poll()
    with refused("ValidationException"):
        place.respond(
            task,
            decision("RecordMarker", markerName="fine"),
            decision("FailWorkflowExecution", reason="x" * 257),
        )
    assert "MarkerRecorded" not in place.kinds(run)
    place.respond(task, complete("x" * 32_768))


@moto_lacks("the letters that names may not have")
@pytest.mark.parametrize("name", ["a:b", "a/b", "a|b", "arn", "a\tb"])
def test_forbidden_names_are_refused(place: Place, name: str):
    """Names may hold nothing that separates the parts of a resource's name."""
    with refused("ValidationException"):
        place.start(workflowId=name)
