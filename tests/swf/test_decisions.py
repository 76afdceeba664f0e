"""Decisions, events and histories as objects; what the model allows."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import fields
from typing import Any

import hypothesis.strategies as st
import pytest
from botocore.validate import ParamValidator
from hypothesis import given

from nbflow.services.swf import (
    DECISIONS,
    CompleteWorkflowExecution,
    Decision,
    FailWorkflowExecution,
    History,
    HistoryBroken,
    Invalid,
    ScheduleActivityTask,
    StartTimer,
    TypeName,
    shapes,
)
from nbflow.services.swf.decisions import parse as parse_decision
from nbflow.services.swf.events import HistoryEvent, parse
from nbflow.services.swf.wire import camel, snake
from tests.swf.machines import Driven, schedule
from tests.swf.places import complete, decision

WORK = TypeName("work", "1")
text = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
VALUES: dict[str, st.SearchStrategy] = {
    "activity_type": st.builds(TypeName, text, text),
    "workflow_type": st.builds(TypeName, text, text),
    "tag_list": st.lists(text, max_size=5).map(tuple),
    "child_policy": st.sampled_from(shapes.enumeration("ChildPolicy")),
    "task_priority": st.integers(-9, 9),
}


def value(name: str) -> st.SearchStrategy:
    if name in VALUES:
        return VALUES[name]
    return st.integers(0, 99_999) if name.endswith("timeout") else text


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    kind = draw(st.sampled_from(sorted(DECISIONS)))
    shape = f"{kind}DecisionAttributes"
    needed = set(shapes.required(shape))
    names = [m for m in shapes.members(shape) if m in needed or draw(st.booleans())]
    return DECISIONS[kind](**{snake(m): draw(value(snake(m))) for m in names})


def test_all_decisions_are_there():
    """There is a class for each of the 13, with every member that the model has."""
    assert set(DECISIONS) == set(shapes.enumeration("DecisionType"))
    for kind, made in DECISIONS.items():
        members = {camel(field.name) for field in fields(made)}
        assert members == set(shapes.members(f"{kind}DecisionAttributes"))


@given(decisions())
def test_decisions_go_over_the_wire_and_back(made: Decision):
    """What goes out passes botocore's own check and ours, and comes back the same."""
    wire = made.wire()
    shape = shapes.service().shape_for("Decision")
    assert not ParamValidator().validate(wire, shape).has_errors()
    assert shapes.problems("Decision", wire) == []
    assert parse_decision(json.loads(json.dumps(wire))).wire() == wire


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: FailWorkflowExecution(reason="x" * 257), "less than or equal to 256"),
        (lambda: CompleteWorkflowExecution(result="x" * 32_769), "less than or equal to 32768"),
        (lambda: ScheduleActivityTask(activity_type=WORK, activity_id="a:b"), "must not contain"),
        (lambda: ScheduleActivityTask(activity_type=WORK, activity_id=""), "greater than or equal"),
        (
            lambda: ScheduleActivityTask(activity_type=TypeName("w", "1" * 65), activity_id="a"),
            "activityType.version",
        ),
        (lambda: StartTimer(timer_id="t", start_to_fire_timeout="soon"), "a number of seconds"),
        (lambda: StartTimer(timer_id="t", start_to_fire_timeout=10**9), "less than or equal to 8"),
        (
            lambda: parse_decision(decision("RecordMarker", details="d")),
            "markerName' failed to satisfy constraint: Member must not be null",
        ),
        (lambda: parse_decision({"decisionType": "Nothing"}), "there is no decision 'Nothing'"),
        (lambda: parse_decision(decision("RecordMarker", markerName="m", x=1)), "has no x"),
    ],
)
def test_what_swf_would_refuse_cannot_be_made(make: Any, says: str):
    """A decision that is too long, forbidden or not whole raises where it is made."""
    with pytest.raises(Invalid, match=says.replace("(", "\\(")):
        make()


def test_lengths_are_counted_in_characters_up_to_the_last():
    """As many characters as allowed are allowed, whatever they are."""
    assert CompleteWorkflowExecution(result="\N{SNOWMAN}" * 32_768).wire()


def test_short_times_are_not_lost():
    """Part of a second becomes a whole one: SWF knows no others, and 0 would be none at all."""
    made = StartTimer(timer_id="t", start_to_fire_timeout=0.2)
    assert made.wire()["startTimerDecisionAttributes"]["startToFireTimeout"] == "1"
    assert StartTimer(timer_id="t", start_to_fire_timeout=0).wire()


# Events and histories


def lived() -> list[HistoryEvent]:
    """Give the history of an execution with an activity that failed and was tried again."""
    d = Driven()
    run = d.start(input="in")
    d.decide(schedule("a"), decision("RecordMarker", markerName="m"))
    d("RespondActivityTaskFailed", taskToken=d.take()["taskToken"], reason="r")
    d.decide(schedule("a"), decision("StartTimer", timerId="t", startToFireTimeout="5"))
    d("RespondActivityTaskCompleted", taskToken=d.take()["taskToken"], result="out")
    d.advance(6)
    d.signal()
    d.decide(complete())
    return [parse(json.loads(event.text)) for event in d.events(run)]


def test_events_are_read_by_pythons_names():
    """Members have names as Python has them; what an event leaves out is None."""
    first, *rest = lived()
    assert (first.input, first.workflow_type, first.task_list) == ("in", ("flow", "1"), "decisions")
    assert first.lambda_role is None
    with pytest.raises(AttributeError, match="a WorkflowExecutionStarted event has no nonsense"):
        first.nonsense  # noqa: B018 - looking is what fails
    assert parse(first.wire()) == first
    assert all(event.known for event in rest)


def test_an_event_of_a_new_kind_is_kept():
    """A kind that this version does not know is no error: it is kept as it is."""
    wire = {
        "eventId": 2,
        "eventTimestamp": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "eventType": "SomethingNew",
        "somethingNewEventAttributes": {"what": "ever"},
    }
    new = parse(wire)
    assert not new.known
    assert new.what == "ever"
    history = History.of([lived()[0], new])
    assert history.unknown == [new]


def test_a_history_says_what_became_of_everything():
    """Each attempt of an activity is there, with its states and times; so is all the rest."""
    history = History.of(lived())
    first, second = history.activities["a"]
    assert (first.state, second.state) == ("failed", "completed")
    assert [phase.state for phase in second.phases] == ["scheduled", "started", "completed"]
    assert first.attribute("reason") == "r"
    assert second.attribute("result") == "out"
    times = [second.at(state) for state in ("scheduled", "started", "completed")]
    assert times == sorted(times, key=lambda at: at or 0.0)
    assert second.at("canceled") is None
    assert history.timers["t"][0].state == "fired"
    assert [event.marker_name for event in history.markers] == ["m"]
    assert len(history.signals) == 1
    assert [item.state for item in history.decisions] == ["completed"] * 3
    assert (history.status, history.events[-1].result) == ("completed", "done")
    assert history.started.input == "in"


@given(st.data())
def test_half_a_history_is_noticed(data: st.DataObject):
    """A history without one of its events, or with two in the wrong order, is no history."""
    events = lived()
    place = data.draw(st.integers(0, len(events) - 2))
    with pytest.raises(HistoryBroken):
        History.of(events[:place] + events[place + 1 :])
    swapped = [*events]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    with pytest.raises(HistoryBroken):
        History.of(swapped)


@pytest.mark.parametrize(
    ("kind", "attributes", "says"),
    [
        (
            "ActivityTaskCompleted",
            {"scheduledEventId": 5, "startedEventId": 7},
            "event 5 is failed",
        ),
        ("ActivityTaskCompleted", {"scheduledEventId": 1, "startedEventId": 7}, "is no activity"),
        ("TimerFired", {"timerId": "t", "startedEventId": 99}, "event 99 is no timer"),
        ("TimerFired", {"timerId": "t"}, "startedEventId' failed to satisfy"),
        (
            "ActivityTaskCancelRequested",
            {"activityId": "a", "decisionTaskCompletedEventId": 4},
            "no activity 'a' is open",
        ),
    ],
)
def test_what_cannot_be_is_noticed(kind: str, attributes: dict, says: str):
    """An event about something that is over, or never began, or that is not whole."""
    history = History.of(lived()[:8])
    assert history.activities["a"][0].state == "failed"
    with pytest.raises(HistoryBroken, match=says):
        history.apply(HistoryEvent(9, 2000.0, kind, attributes))
    assert len(history.events) == 8


def test_nothing_begins_twice():
    """An activity that was started is not started again."""
    history = History.of(lived()[:7])
    again = {"scheduledEventId": 5}
    with pytest.raises(HistoryBroken, match="event 5 is started"):
        history.apply(HistoryEvent(8, 2000.0, "ActivityTaskStarted", again))


def test_nothing_comes_after_the_end():
    """A closed execution has no more events."""
    history = History.of(lived())
    with pytest.raises(HistoryBroken, match="when all was over"):
        history.apply(HistoryEvent(len(history.events) + 1, 9e9, "MarkerRecorded", {}))


def test_refused_decisions_are_listed():
    """What a decider wanted and did not get is in one place."""
    d = Driven()
    run = d.start()
    d.decide(
        decision("CancelTimer", timerId="t"),
        decision("SignalExternalWorkflowExecution", workflowId="nobody", signalName="s"),
    )
    history = History.of(parse(json.loads(e.text)) for e in d.events(run))
    assert [event.kind for event in history.refused] == ["CancelTimerFailed"]
    assert [item.state for item in history._by_name("signal_sent")["nobody"]] == ["failed"]
