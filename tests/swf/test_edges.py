"""Rules of the decider that only show at an edge: what comes twice, what ends, what is refused."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import SignalReceived
from nbflow.services.swf import (
    Api,
    Domain,
    WorkflowDecider,
    WorkflowExecution,
    WorkflowExecutionQuerySet,
    WorkflowWorker,
    emulator,
    run_events,
    start_workflow,
)
from nbflow.services.swf.blobs import Directory
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.errors import Throttled, Unreachable
from nbflow.services.swf.sealing import KeySeal

NUMBERS = itertools.count()


@nbflow.activity
def inc(n):
    return n + 1


@nbflow.workflow
def hearing(n):
    """Each signal once, in the order in which they come."""
    box = nbflow.signals("go")
    return [box.get().result() for _ in range(n)]


@nbflow.workflow
def stepping(n):
    value = 0
    for _ in range(n):
        value = inc(value).result()
    return value


@nbflow.activity(retry=nbflow.Retry(attempts=2, wait=3600, jitter=0))
def shaky() -> int:
    raise ValueError("not now")


@nbflow.activity(heartbeat_timeout=30, retry=nbflow.Retry(attempts=2, wait=0, jitter=0))
def watched() -> int:
    raise ValueError("not now")


@nbflow.workflow
def watching():
    return watched().exception() is not None


@nbflow.workflow
def giving_up(which):
    """A call that is under way, or waits for its next attempt, is given up by the code."""
    call = inc(1) if which == "running" else shaky()
    nbflow.wait_signal("enough").result()
    call.abandon()
    nbflow.wait_signal("never").result()


@nbflow.workflow
def long(n):
    """A timer and a queue that are older than the execution."""
    timer, box = nbflow.start_timer(600), nbflow.signals("go")
    heard = [box.get().result()]
    for number in range(n):
        inc(number).result()
    heard.append(box.get().result())
    timer.result()
    return heard


FLOWS = [hearing, stepping, watching, giving_up, long]


class Site:
    """A domain with a decider and a worker, driven by hand."""

    def __init__(self, endpoint: emulator.Endpoint, blobs: Directory) -> None:
        self.endpoint, self.blobs = endpoint, blobs
        name = f"edges-{next(NUMBERS)}"
        self.domain = Domain(api=Api(endpoint.client()), name=name, retention=1).save()
        self.decider = self.new_decider()
        self.worker = WorkflowWorker(self.domain, "default", [inc, shaky, watched], blobs=blobs)

    def new_decider(self, **how: Any) -> WorkflowDecider:
        return WorkflowDecider(self.domain, "default", FLOWS, blobs=self.blobs, **how)

    def start(self, flow: Any, *args: Any) -> WorkflowExecution:
        return start_workflow(self.domain, flow, args, blobs=self.blobs, workflow_id="run-1")

    def tell(self, execution: WorkflowExecution, value: str, id: str) -> None:  # noqa: A002
        """Send a signal as the handle of a run does."""
        told = SignalReceived(0, 0.0, "go", 0, value, id)
        texts = Texts("run-1", self.blobs, KeySeal())
        execution.signal("go", texts.write(f"signal {id}", told))

    def step(self) -> bool:
        return self.decider.step_own() or self.decider.step() or self.worker.step()

    def drive(self) -> Any:
        """Decide and work until nothing is left to do; give the result of the run."""
        for _ in range(2_000):
            latest = WorkflowExecutionQuerySet(self.domain).get("run-1")
            if not self.step() and latest.upstream().status == "CLOSED":
                closed: Any = run_events(latest, blobs=self.blobs)[-1]
                assert closed.status == "completed", closed
                return closed.result
        raise AssertionError("it does not end")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[emulator.Endpoint]:
    with emulator.running(limits=emulator.Limits(poll=0)) as found:
        yield found


@pytest.fixture
def site(endpoint: emulator.Endpoint, tmp_path: Path) -> Site:
    return Site(endpoint, Directory(tmp_path / "texts"))


@pytest.mark.parametrize("keep", [1_000, 0])
def test_a_signal_that_is_sent_twice_arrives_once(site: Site, keep: int) -> None:
    """Whoever was not sure sends it again, by its id: the run takes the next one after it."""
    site.decider = site.new_decider(keep=keep)
    execution = site.start(hearing, 2)
    assert site.step()
    for value, name in (("first", "a"), ("first", "a"), ("second", "b")):
        site.tell(execution, value, name)
    assert json_of(site.drive()) == ["first", "second"]


def test_a_decider_that_ends_gives_its_runs_back_at_once(site: Site) -> None:
    """What it decides last, any other may go on with: nobody waits for a list that is not asked."""
    site.start(stepping, 2)
    site.decider.stop()
    assert site.decider.step()
    assert site.worker.step()
    other = site.new_decider()
    assert other.step()


@pytest.mark.parametrize(
    ("which", "told"), [("running", "ActivityTaskCancelRequested"), ("waiting", "TimerCanceled")]
)
def test_what_is_given_up_is_told_so(site: Site, which: str, told: str) -> None:
    """SWF is asked to cancel what is under way, be it an activity or the wait for an attempt."""
    execution = site.start(giving_up, which)
    assert site.decider.step()
    if which == "waiting":
        assert site.worker.step()
        assert site.decider.step_own()
    execution.signal("enough")
    assert site.decider.step_own()
    kinds = [event.kind for event in execution.events()]
    assert told in kinds
    assert execution.upstream().status == "OPEN"


@pytest.mark.parametrize("again", [True, False])
def test_timers_and_signals_go_along_into_a_new_execution(site: Site, again: bool) -> None:
    """A timer fires when it was to, a signal of before is known again, and the next one is new."""
    site.decider = site.new_decider(events=30)
    first = site.start(long, 20)
    site.step()
    site.tell(first, "one", "a")
    while site.step():
        pass
    latest = WorkflowExecutionQuerySet(site.domain).get("run-1")
    assert latest.run_id != first.run_id
    if again:
        site.tell(latest, "one", "a")
    site.tell(latest, "two", "b")
    while site.step():
        pass
    site.endpoint.advance(600)
    assert json_of(site.drive()) == ["one", "two"]


def test_what_is_refused_is_not_asked_for_again_at_once(site: Site) -> None:
    """A decision that comes before its time starts a timer instead, and then it is scheduled."""
    site.endpoint.refuse("ScheduleActivityTask", "ACTIVITY_CREATION_RATE_EXCEEDED")
    execution = site.start(stepping, 1)
    assert site.decider.step()
    while site.decider.step_own():
        pass
    kinds = [event.kind for event in execution.events()]
    assert kinds.count("ScheduleActivityTaskFailed") == 1
    assert "ActivityTaskScheduled" not in kinds
    assert "TimerStarted" in kinds
    site.endpoint.advance(1)
    assert site.drive() == 1


def test_each_attempt_tells_its_worker_how_often_it_is_to_give_signs(site: Site) -> None:
    """The limit of the activity travels with every attempt, not with the first one alone."""
    execution = site.start(watching)
    assert site.drive() is True
    inputs = [event.input for event in execution.events() if event.kind == "ActivityTaskScheduled"]
    heads = [text.partition("\n")[0] for text in inputs]
    assert heads == [
        "nbflow work 1 heartbeat=30 watched-1",
        "nbflow work 2 heartbeat=30 watched-1~2",
    ]


def test_a_call_that_loses_every_worker_fails_in_the_end(site: Site) -> None:
    """After twenty of them the call is given to no other one, and the run fails as timed out."""
    site.decider = site.new_decider(lost_after=1)
    execution = site.start(stepping, 1)
    for _ in range(200):
        if execution.upstream().status == "CLOSED":
            break
        if not (site.decider.step_own() or site.decider.step() or site.worker.poll()):
            site.endpoint.advance(2)
    closed: Any = run_events(execution, blobs=site.blobs)[-1]
    assert closed.status == "failed"
    assert "gave no heartbeat" in closed.error.message or "HEARTBEAT" in closed.error.message
    kinds = [event.kind for event in execution.events()]
    assert kinds.count("ActivityTaskScheduled") == 20


class Waits(threading.Event):
    """Notes for how long somebody would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.noted.append(timeout)
        return self.is_set()


def test_whoever_is_throttled_waits_longer_each_time(site: Site) -> None:
    """Up to 15 seconds, and after an answer from the beginning."""
    slow = Throttled("ThrottlingException", "PollForActivityTask", "Rate exceeded")
    answers = iter([slow, slow, Unreachable("cut"), slow, slow, None, slow])
    waits = site.worker._over = Waits()

    def step() -> bool:
        try:
            error = next(answers)
        except StopIteration:
            site.worker.stop()
            return False
        if error is not None:
            raise error
        return True

    site.worker.repeat(step)
    assert waits.noted == [0.2, 1.0, 5.0, 15.0, 15.0, 0.2]


def json_of(stored: Any) -> Any:
    """Read a result as it is stored."""
    return json.loads(stored.data)
