"""What goes wrong between here and the service: the cases of docs/reliability.md under R."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from nbflow import activity, workflow
from nbflow.core.errors import NbflowError
from nbflow.core.events import CallSucceeded, RunStarted
from nbflow.core.profile import Profile
from nbflow.services.swf import (
    Api,
    Domain,
    WorkflowExecution,
    connect,
    emulator,
)
from nbflow.services.swf.blobs import LIMIT, fetched, stowed
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.errors import (
    Deprecated,
    HistoryBroken,
    Invalid,
    Refused,
    SwfError,
    Throttled,
    Unreachable,
)
from nbflow.services.swf.events import HistoryEvent
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import run_events, start_workflow
from nbflow.services.swf.flowworker import WorkflowWorker
from nbflow.services.swf.kinds import WorkflowType
from nbflow.services.swf.sealing import KeySeal

RAN: list[int] = []


@activity(timeout=5)
def double(n):
    RAN.append(n)
    return 2 * n


@workflow
def twice(n):
    return double(double(n)).result()


class Site:
    """A domain with a decider and a worker whose clients try nothing twice by themselves."""

    def __init__(self, endpoint: emulator.Endpoint) -> None:
        self.endpoint = endpoint
        self.api = Api(endpoint.client(retries=1))
        self.domain = Domain(api=self.api, name="remote", retention=1).save()
        self.decider = WorkflowDecider(self.domain, "default", [twice])
        self.worker = WorkflowWorker(self.domain, "default", [double])
        self.execution: WorkflowExecution = start_workflow(self.domain, twice, (5,))

    def drive(self) -> Any:
        """Decide and work until the run is over; give its events."""
        for _ in range(200):
            if self.execution.upstream().status == "CLOSED":
                return run_events(self.execution)
            if not (self.decider.step_own() or self.decider.step() or self.worker.step()):
                self.endpoint.advance(1)
        raise AssertionError("it does not end")


@pytest.fixture
def site() -> Iterator[Site]:
    RAN.clear()
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        yield Site(endpoint)


def test_r01_throttling_is_no_failure(site: Site, caplog: pytest.LogCaptureFixture):
    """An actor that is told to slow down waits and goes on, and so does an answer."""
    site.endpoint.inject("throttle", "PollForDecisionTask", times=2)
    refused = []

    def step() -> bool:
        try:
            found = site.decider.step()
        except Throttled as error:
            refused.append(error)
            raise
        site.decider.stop()
        return found

    site.decider.repeat(step)
    assert len(refused) == 2
    assert "Rate exceeded" in caplog.text
    site.endpoint.inject("throttle", "RespondActivityTaskCompleted", times=1)
    site.decider = WorkflowDecider(site.domain, "default", [twice])
    assert site.drive()[-1].result == 20
    assert RAN == [5, 10]


def test_r02_without_credentials_nothing_is_polled(monkeypatch: pytest.MonkeyPatch):
    """What is missing is said once, and an actor ends rather than ask for ever."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    client = connect(region="eu-west-1", endpoint_url="http://swf.invalid")
    worker = WorkflowWorker(Domain(api=Api(client), name="x"), "default", [double])
    with pytest.raises(SwfError, match="credentials"):
        worker.run()


@pytest.mark.parametrize(
    ("case", "code"), [("R2", "ExpiredTokenException"), ("R3", "AccessDeniedException")]
)
def test_r02_r03_what_is_refused_names_the_operation(site: Site, case: str, code: str):
    """An expired token or a right that is missing ends the actor, with what was asked for."""
    client = site.endpoint.client(retries=1)
    worker = WorkflowWorker(Domain(api=Api(client), name="remote"), "default", [double])
    with Stubber(client) as stub:
        stub.add_client_error("poll_for_activity_task", code, f"said by {case}")
        with pytest.raises(Refused, match=f"PollForActivityTask was refused: {code}: said by"):
            worker.run()


def test_r04_an_answer_that_was_cut_off_is_sent_again(site: Site):
    """Whether it was heard, the history says: the activity does not run once more."""
    assert site.decider.step()
    site.endpoint.inject("lost", "RespondActivityTaskCompleted", times=1)
    assert site.worker.step()
    assert site.drive()[-1].result == 20
    assert RAN == [5, 10]


def test_r04_a_poll_that_was_cut_off_is_begun_anew(site: Site, caplog: pytest.LogCaptureFixture):
    """It is logged, nothing ends, and the task that went with it comes again when it is due."""
    site.endpoint.inject("lost", "PollForDecisionTask", times=1)

    def step() -> bool:
        site.decider.step()  # the first time, what it gets is lost on its way
        site.decider.stop()
        return True

    site.decider.repeat(step)
    assert "PollForDecisionTask got no answer" in caplog.text
    assert site.decider.begun == 0
    site.decider = WorkflowDecider(site.domain, "default", [twice])
    assert site.drive()[-1].result == 20
    kinds = [event.kind for event in site.execution.events()]
    assert kinds.count("DecisionTaskTimedOut") == 1


def test_r05_a_decision_whose_answer_was_lost_counts_as_the_history_has_it(site: Site):
    """The decider does not know whether it was taken, forgets, and reads the whole."""
    site.endpoint.inject("lost", "RespondDecisionTaskCompleted", times=1)
    with pytest.raises(Unreachable):
        site.decider.step()
    log = site.drive()
    assert log[-1].result == 20
    assert [e.call for e in log if isinstance(e, CallSucceeded)] == ["double-1", "double-2"]
    assert site.decider.begun == 2


def test_r06_a_result_that_comes_too_late_is_dropped(site: Site, caplog: pytest.LogCaptureFixture):
    """It is told once by the log of the worker, and the worker goes on."""
    assert site.decider.step()
    outcome = site.worker.outcome

    def late(task: Any) -> Any:
        site.endpoint.advance(6)
        return outcome(task)

    site.worker.outcome = late  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        assert site.worker.step()
    assert caplog.text.count("nobody waits for double-1 any longer") == 1
    assert site.drive()[-1].status == "failed"


def test_r07_a_task_that_is_delivered_twice_counts_once(site: Site):
    """The second answer is refused, and the log has one result of each call."""
    assert site.decider.step()
    site.endpoint.inject("duplicate", "PollForActivityTask", times=1)
    for _ in range(3):
        site.worker.step()
    log = site.drive()
    assert [e.call for e in log if isinstance(e, CallSucceeded)] == ["double-1", "double-2"]


def test_r08_a_history_with_a_hole_is_not_decided(site: Site):
    """In whatever order pages come: only the whole, in order, is read."""
    events = list(site.execution.events())
    site.drive()
    events = list(site.execution.events())
    chance = random.Random(8)
    for _ in range(20):
        shuffled = events[:]
        while shuffled == events:
            chance.shuffle(shuffled)
        with pytest.raises(HistoryBroken, match="follows event"):
            _reader(site).feed(shuffled)
    with pytest.raises(HistoryBroken, match="follows event"):
        _reader(site).feed(events[:4] + events[5:])


def _reader(site: Site) -> Reader:
    return Reader(Texts(site.execution.workflow_id, None, KeySeal()))


@pytest.mark.parametrize("letter", ["x", "ü", "𝄞"])
def test_r09_a_text_is_as_long_as_it_has_characters(letter: str):
    """32,768 of them go to SWF as they are; one more is refused before anything is sent."""
    fits = letter * LIMIT
    assert stowed(fits, None) == fits
    assert fetched(fits, None) == fits
    with pytest.raises(Invalid, match="a text of 32769 characters is too long for SWF"):
        stowed(letter * (LIMIT + 1), None)


def test_r12_clocks_that_disagree_change_no_order(site: Site):
    """Events are ordered by their numbers; times that go backwards spoil no picture."""
    log = site.drive()
    events = list(site.execution.events())
    skewed = [e._replace(at=e.at + 600 * (-1) ** e.id) for e in events]
    reader = _reader(site)
    reader.feed(skewed)
    found = reader.all()
    assert [type(e) for e in found] == [type(e) for e in log]
    assert all(bar.seconds(bar.started) >= 0 for bar in Profile.of(found).bars)


def test_r13_types_are_registered_before_they_are_needed(site: Site):
    """Nobody has to register a type, and none is asked for twice."""
    site.drive()
    asked = site.endpoint.stats()["requests"]
    assert asked["RegisterWorkflowType"] == 1
    assert asked["RegisterActivityType"] == 1


def test_r14_a_deprecated_type_is_not_started(site: Site):
    """The refusal names the fault."""
    kind = WorkflowType(api=site.api, domain=site.domain, name="twice", version="1")
    kind.deprecate()
    with pytest.raises(Deprecated, match="TypeDeprecatedFault"):
        start_workflow(site.domain, twice, (1,))


def test_r17_events_that_nobody_knows_decide_nothing(site: Site):
    """A kind that came after this version is passed over, and the run is what it was."""
    log = site.drive()
    new = {"DecisionTaskScheduled": "QuantumTaskEntangled"}
    events = [e._replace(kind=new.get(e.kind, e.kind)) for e in site.execution.events()]
    assert sum(not event.known for event in events) >= 3
    reader = _reader(site)
    reader.feed(events)
    assert reader.all() == log


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text(max_size=80).map("nbflow run\n".__add__),
    st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists).map(
        lambda value: f"nbflow run\n{json.dumps(value)}"
    ),
    st.sampled_from([
        "nbflow run\n" + "[" * 30_000,
        'nbflow run\n[["RunStarted", []]]',
        'nbflow run\n[["CallScheduled", ["x"]]]',
        f"nbflow+blob:{'0' * 64} 5",
    ]),
)  # fmt: skip


@given(HOSTILE, st.sampled_from(["input", "control", "details", "result"]))
def test_r18_a_hostile_text_is_an_error_of_its_run(text: str, member: str):
    """Whatever stands in a history: it is read, or an error of nbflow's says that it is broken."""
    texts = Texts("run-1", None, KeySeal())
    kinds = {
        "input": "WorkflowExecutionStarted",
        "control": "ActivityTaskScheduled",
        "details": "MarkerRecorded",
        "result": "WorkflowExecutionCompleted",
    }
    attributes = {member: text, "activityId": "a", "decisionTaskCompletedEventId": 1}
    begun = texts.write("run", RunStarted(0, 0.0, "flow", (), {}))
    history = [HistoryEvent(1, 1.0, "WorkflowExecutionStarted", {"input": begun})]
    if member == "input":
        history.clear()
    history.append(HistoryEvent(len(history) + 1, 1.0, kinds[member], attributes))
    with contextlib.suppress(NbflowError):
        reader = Reader(texts)
        reader.feed(history)
        reader.all()


def test_r21_a_wrong_address_is_said_soon(tmp_path: Path):
    """Where nobody listens, the error has the address, and comes after no more than a few tries."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = Api(connect(endpoint_url=f"http://127.0.0.1:{port}", retries=1))
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
        api.list_domains(registrationStatus="REGISTERED")
