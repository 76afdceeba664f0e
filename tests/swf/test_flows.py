"""Workflows of nbflow on the emulator: the same results, calls and edges as on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallSucceeded,
    ChildStarted,
    MarkerRecorded,
    RunClosed,
)
from nbflow.core.graph import Graph
from nbflow.core.history import History as Fold
from nbflow.core.profile import Profile
from nbflow.services.swf import (
    Api,
    Domain,
    History,
    WorkflowExecution,
    emulator,
)
from nbflow.services.swf.blobs import Directory
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import run_events, start_workflow
from nbflow.services.swf.flowworker import WorkflowWorker

RAN: Counter = Counter()


class Point:
    """A class that only pickle can hold."""

    def __init__(self, x: int) -> None:
        self.x = x


@activity
def number(n):
    RAN["number"] += 1
    return n


@activity
def add(*terms):
    return sum(terms)


@activity
def point(x):
    return Point(x)


@activity
def double(p):
    return Point(2 * p.x)


@activity
def fail(text):
    raise LookupError(text)


@activity(raises_on_failure=False)
def shrug():
    raise LookupError("nobody minds")


@activity(retry=nbflow.Retry(attempts=3, wait=5, jitter=0.5))
def flaky(key):
    RAN[key] += 1
    if RAN[key] < 3:
        raise OSError(f"attempt {RAN[key]}")
    return RAN[key]


@activity(retry=nbflow.Retry(attempts=5, wait=0, on=(OSError,)))
def picky():
    RAN["picky"] += 1
    raise ValueError("not one of those")


@activity
def big(size):
    return "x" * size


@activity(retry=lambda error, attempt: attempt < 3)
def by_function():
    RAN["by_function"] += 1
    if RAN["by_function"] < 3:
        raise OSError(f"attempt {RAN['by_function']}")
    return RAN["by_function"]


@activity(timeout=5, retry=1)
def slow():
    return "never runs"


KNOWN: list[Any] = [number, add, point, double, fail, shrug, flaky, picky, big, by_function, slow]


@workflow
def diamond(n):
    one = number(n)
    two, three = add(one, 1), add(one, 2)
    if two.result() > 3:
        return [add(two, three), number(7)]
    return []


@workflow
def wide(n):
    return add(*[number(i) for i in range(n)])


@workflow
def pickled():
    return double(double(point(3))).result().x


@workflow
def failing():
    number(1)
    return fail("the reason").result()


@workflow
def caught():
    try:
        fail("inside").result()
    except LookupError as error:
        return f"{type(error).__name__}: {error}"


@workflow
def shrugged():
    return [shrug(), number(1)]


@workflow
def trying(key):
    return flaky(key)


@workflow
def choosy():
    return picky()


@workflow
def sleepy():
    first = nbflow.now()
    nbflow.sleep(10)
    return (nbflow.now() - first).total_seconds() >= 10


@workflow
def chancy():
    made = nbflow.side_effect(random.random)
    other = number(2)
    return [made, nbflow.random().random(), other.result()]


@workflow
def in_order():
    futures = [number(i) for i in range(5)]
    return [future.result() for future in nbflow.as_completed(futures)]


@workflow
def patient():
    return [nbflow.wait_signal("go").result(), number(1).result()]


@workflow
async def racing():
    try:
        return await asyncio.wait_for(number(1), 5)
    except TimeoutError:
        return "too late"


@workflow
async def moving_on():
    try:
        return await asyncio.wait_for(number(1), 5)
    except TimeoutError:
        return await number(2)


@workflow
def heavy(size):
    return len(big(size).result())


@workflow
def parent():
    return diamond(3)


@workflow
def functional():
    return by_function()


@workflow(on_task_failure=lambda failure: failure.decide_handled("instead"))
def asking():
    return fail("a reason")


@workflow
def timed():
    return slow()


FLOWS = [
    asking,
    diamond,
    wide,
    pickled,
    failing,
    caught,
    shrugged,
    trying,
    choosy,
    sleepy,
    chancy,
    in_order,
    patient,
    racing,
    moving_on,
    heavy,
    parent,
    functional,
    timed,
]


class Nearby(NamedTuple):
    """An emulator for all tests, each of which has a domain of its own there."""

    endpoint: emulator.Endpoint
    api: Api
    numbers: Iterator[int]


class Site:
    """A domain with a decider and a worker, driven by hand."""

    def __init__(self, nearby: Nearby, blobs: Any = None) -> None:
        self.endpoint, self.blobs = nearby.endpoint, blobs
        name = f"d{next(nearby.numbers)}"
        self.domain = Domain(api=nearby.api, name=name, retention=1)
        self.domain.save()
        self.decider = WorkflowDecider(self.domain, "default", FLOWS, blobs=blobs)
        self.worker = WorkflowWorker(self.domain, "default", KNOWN, blobs=blobs)

    def start(self, flow: Any, *args: Any) -> WorkflowExecution:
        return start_workflow(self.domain, flow, args, blobs=self.blobs)

    def drive(self, execution: WorkflowExecution, *, work: bool = True) -> list:
        """Decide and work until the execution is over; give the run's events."""
        for _ in range(1000):
            if execution.upstream().status == "CLOSED":
                History.of(execution.events())
                return run_events(execution, blobs=self.blobs)
            decided = self.decider.step_own() or self.decider.step()
            if not ((work and self.worker.step()) or decided):
                self.endpoint.advance(1)
        raise AssertionError(f"it does not end: {[e.kind for e in execution.events()][-20:]}")

    def run(self, flow: Any, *args: Any) -> list:
        return self.drive(self.start(flow, *args))


@pytest.fixture(scope="module")
def nearby() -> Iterator[Nearby]:
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        yield Nearby(endpoint, Api(endpoint.client()), itertools.count())


@pytest.fixture
def site(nearby: Nearby) -> Site:
    RAN.clear()
    return Site(nearby)


def outcome(events: list) -> Any:
    """Give the result of a run, or what it failed with."""
    closed = events[-1]
    assert isinstance(closed, RunClosed)
    if closed.error is not None:
        return (closed.status, closed.error.message)
    return (closed.status, closed.result)


def shape(events: list) -> dict:
    """Give what was called, with what it took and how it ended."""
    calls = Fold.of(events).calls.values()
    return {s.id: (s.name, s.deps, s.status) for s in calls if s.name and s.status != "skipped"}


@pytest.mark.parametrize(
    ("flow", "args"),
    [
        (diamond, (3,)),
        (diamond, (1,)),
        (wide, (12,)),
        (pickled, ()),
        (failing, ()),
        (caught, ()),
        (shrugged, ()),
        (choosy, ()),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_workflow_runs_as_it_does_here(site: Site, flow: Any, args: tuple):
    """Result or error, calls, what they take and how they end, and the graph are the same."""
    local = nbflow.start(flow, *args)
    with contextlib.suppress(LookupError, ValueError):
        local.result()
    here, there = list(local.events()), site.run(flow, *args)
    assert outcome(there) == outcome(here)
    assert shape(there) == shape(here)
    assert [e.seq for e in there] == list(range(1, len(there) + 1))
    edges = [{(e.source, e.target) for e in Graph.of(log).edges} for log in (here, there)]
    assert edges[0] == edges[1]
    assert len(Profile.of(there).by_activity()) == len(Profile.of(here).by_activity())


def test_other_errors_than_the_policys_are_not_tried_again(site: Site):
    """A policy for some classes of errors leaves the others alone."""
    events = site.run(choosy)
    assert [e.attempt for e in events if isinstance(e, CallFailed)] == [1]
    assert RAN["picky"] == 1


@pytest.mark.parametrize("keep", [1000, 0])
def test_a_failed_attempt_is_tried_again_after_its_wait(site: Site, keep: int):
    """Waits are timers, each attempt is a task of its own, also for who reads all each time."""
    site.decider = WorkflowDecider(site.domain, "default", FLOWS, keep=keep)
    execution = site.start(trying, "k1")
    assert site.decider.step()
    assert site.worker.step()
    assert site.decider.step_own() or site.decider.step()
    execution.signal("poke")  # a decision while it waits does not start it once more
    events = site.drive(execution)
    assert outcome(events) == ("completed", 3)
    failed = [e for e in events if isinstance(e, CallFailed)]
    assert [(e.attempt, e.error.message) for e in failed] == [(1, "attempt 1"), (2, "attempt 2")]
    waits = [(e.retry_at or 0.0) - e.at for e in failed]
    assert 2.5 <= waits[0] <= 5
    assert 5 <= waits[1] <= 10
    history = History.of(execution.events())
    assert set(history.activities) == {"flaky-1", "flaky-1~2", "flaky-1~3"}
    assert [[t.state for t in timers] for timers in history.timers.values()] == [["fired"]] * 2
    assert history.refused == []
    timers = [timers[0].first.start_to_fire_timeout for timers in history.timers.values()]
    assert all(abs(int(told) - wait) < 2 for told, wait in zip(timers, waits, strict=True))


def test_an_activity_that_takes_too_long_is_tried_again(site: Site):
    """A time-out of SWF's is a failed attempt like any other."""
    execution = site.start(timed)
    assert site.decider.step()
    for _ in range(2):
        assert site.worker.poll() is not None
        site.endpoint.advance(6)
        site.decider.step()
        site.endpoint.advance(61)
        site.decider.step()
    events = site.drive(execution)
    failed = [e for e in events if isinstance(e, CallFailed)]
    assert [(e.attempt, e.timeout) for e in failed] == [
        (1, "START_TO_CLOSE"),
        (2, "START_TO_CLOSE"),
    ]
    assert events[-1].status == "failed"


def test_time_and_chance_are_the_histories(site: Site):
    """Sleeping is a timer, and what was made outside once is in the history from then on."""
    assert outcome(site.run(sleepy)) == ("completed", True)
    execution = site.start(chancy)
    events = site.drive(execution)
    (marker,) = (e for e in events if isinstance(e, MarkerRecorded))
    result = events[-1].result.data
    assert str(marker.value) in result


def test_the_order_of_completion_is_that_of_the_history(site: Site):
    """Code that goes by which ended first takes the same way at each decision."""
    execution = site.start(in_order)
    site.decider.step()
    tasks = [site.worker.poll() for _ in range(5)]
    for task in [tasks[3], tasks[0], tasks[4], tasks[1], tasks[2]]:
        assert task is not None
        site.worker.outcome(task)()
    assert outcome(site.drive(execution))[1].data == "[3,0,4,1,2]"


def test_what_comes_during_a_decision_is_seen_by_the_next(site: Site):
    """A signal that comes while a decision is made neither confuses nor loses anything."""
    execution = site.start(patient)
    task = site.decider.poll()
    assert task is not None
    execution.signal("go", "now")
    site.decider.answer(task, site.decider.decide(task))
    events = site.drive(execution)
    assert outcome(events)[1].data == '["now",1]'


def test_a_call_can_be_given_up(site: Site):
    """A call that is cancelled is over at once, and what its worker says later is dropped."""
    execution = site.start(racing)
    site.decider.step()
    task = site.worker.poll()
    assert task is not None
    site.endpoint.advance(6)
    events = site.drive(execution, work=False)
    assert outcome(events) == ("completed", "too late")
    (cancelled,) = (e for e in events if isinstance(e, CallCancelled))
    assert (cancelled.call, cancelled.abandoned) == ("number-1", True)


def test_what_a_worker_says_of_a_call_that_was_given_up_is_dropped(site: Site):
    """The call stays cancelled, though its activity completes while the run goes on."""
    execution = site.start(moving_on)
    site.decider.step()
    task = site.worker.poll()
    assert task is not None
    site.endpoint.advance(6)
    assert site.decider.step_own()
    site.worker.outcome(task)()
    events = site.drive(execution)
    assert outcome(events) == ("completed", 2)
    done = [e.call for e in events if isinstance(e, CallSucceeded)]
    assert done == ["number-2"]
    kinds = [event.kind for event in execution.events()]
    assert kinds.count("ActivityTaskCompleted") == 2


def test_a_run_is_cancelled_when_asked(site: Site):
    """A request to cancel ends the run as cancelled, and gives up what is open."""
    execution = site.start(diamond, 3)
    site.decider.step()
    execution.request_cancel()
    events = site.drive(execution, work=False)
    assert events[-1].status == "cancelled"
    assert execution.upstream().close_status == "CANCELED"


@pytest.mark.case("R9")
def test_values_that_are_too_long_go_elsewhere(nearby: Nearby, tmp_path: Path):
    """With a place to keep them long values travel; without, the call fails and says so."""
    events = Site(nearby, Directory(tmp_path / "blobs")).run(heavy, 100_000)
    assert outcome(events) == ("completed", 100_000)
    status, said = outcome(Site(nearby).run(heavy, 100_000))
    assert status == "failed"
    assert "give a Directory or a Bucket as blobs" in said


@pytest.mark.case("R11")
def test_1500_wide_stays_inside_the_limits(nearby: Nearby):
    """However wide, no response is refused and no activity is scheduled in vain."""
    site = Site(nearby)
    execution = site.start(wide, 1500)
    for _ in range(60):
        if not (site.decider.step_own() or site.decider.step()):
            break
    counts = execution.upstream().open_counts
    assert counts is not None
    assert counts["openActivityTasks"] == 1000
    refused = [e.kind for e in execution.events() if e.kind.endswith("Failed")]
    assert refused == []
    execution.terminate()


@workflow
def chain(n):
    last = number(0)
    for _ in range(n):
        last = add(last, 1)
        last.result()
    return last


def test_every_event_is_read_once(site: Site):
    """A decider that knows an execution reads what is new only, and decides the same."""
    site.decider = WorkflowDecider(site.domain, "default", [chain])
    before = site.endpoint.stats()["eventsServed"]
    execution = site.start(chain, 20)
    while execution.upstream().status == "OPEN":
        assert site.decider.step_own() or site.decider.step()
        site.worker.step()
    served = site.endpoint.stats()["eventsServed"] - before
    events = list(execution.events())
    assert outcome(run_events(execution)) == ("completed", 20)
    # Each decision reads the event once more that handed the one before out.
    assert served <= len(events) + 22
    assert {e.kind for e in events} & {"DecisionTaskTimedOut"} == set()


@pytest.mark.parametrize("keep", [1000, 0])
def test_another_decider_takes_over(site: Site, keep: int):
    """When a decider is gone its executions go to another one, at once or after some seconds."""
    first = WorkflowDecider(site.domain, "default", [chain], keep=keep)
    site.decider = WorkflowDecider(site.domain, "default", [chain])
    execution = site.start(chain, 4)
    for _ in range(2):
        assert first.step_own() or first.step()
        assert site.worker.step()
    assert site.decider.step() == (keep == 0)
    if keep:
        site.endpoint.advance(11)
    assert outcome(site.drive(execution)) == ("completed", 4)


def test_a_decider_that_forgot_reads_all_again(site: Site):
    """A task of news for an execution that is not kept any more is decided all the same."""
    site.decider = WorkflowDecider(site.domain, "default", [chain], keep=1)
    runs = [site.start(chain, 3) for _ in range(3)]
    for run in runs:
        assert outcome(site.drive(run)) == ("completed", 3)


def test_decider_and_worker_run_by_themselves(site: Site):
    """In threads of their own, until they are stopped, whatever the service does."""
    site.endpoint.inject("throttle", "PollForDecisionTask")
    actors = [site.decider, site.worker]
    threads = [threading.Thread(target=actor.run) for actor in actors]
    for thread in threads:
        thread.start()
    execution = site.start(wide, 30)
    for _ in range(2000):
        if execution.upstream().status == "CLOSED":
            break
    for actor in actors:
        actor.stop()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert outcome(run_events(execution)) == ("completed", sum(range(30)))


@pytest.mark.case("R11")
def test_a_refused_schedule_is_tried_again_after_a_while(site: Site):
    """What SWF does not schedule is held back, longer each time, and not for ever."""
    site.endpoint.refuse("ScheduleActivityTask", "ACTIVITY_CREATION_RATE_EXCEEDED", times=3)
    execution = site.start(trying, "k2")
    assert outcome(site.drive(execution)) == ("completed", 3)
    kinds = Counter(event.kind for event in execution.events())
    assert kinds["ScheduleActivityTaskFailed"] == 3
    site.endpoint.refuse("ScheduleActivityTask", "OPERATION_NOT_PERMITTED", times=100)
    status, said = outcome(site.run(diamond, 1))
    site.endpoint.calm()
    assert status == "failed"
    assert "SWF refused to schedule number-1 8 times" in said


def test_a_retry_option_that_is_a_function_is_asked_by_the_decider(site: Site):
    """Where a policy is code, whoever has the code says what follows, and the history keeps it."""
    assert outcome(site.run(functional)) == ("completed", 3)


def test_a_child_is_a_run_of_its_own(site: Site):
    """A workflow that is called is an execution, and its result is the call's."""
    execution = site.start(parent)
    events = site.drive(execution)
    (child,) = (e for e in events if isinstance(e, ChildStarted))
    assert child.run.startswith(f"{execution.workflow_id}/")
    assert outcome(events)[0] == "completed"


def test_changed_code_leaves_the_run_as_it_is(site: Site, caplog: pytest.LogCaptureFixture):
    """Code that disagrees with the history answers nothing; with the old code the run goes on."""
    execution = site.start(diamond, 3)
    site.decider.step()
    site.worker.step()

    @workflow(name="diamond")
    def changed(n):
        return add(number(n + 1), 1)

    other = WorkflowDecider(site.domain, "default", [changed])
    site.endpoint.advance(11)
    with caplog.at_level(logging.ERROR):
        assert other.step()
    assert "NondeterminismError" in caplog.text
    site.endpoint.advance(61)
    assert outcome(site.drive(execution))[0] == "completed"


@pytest.mark.case("R15")
def test_a_worker_runs_no_other_version(site: Site):
    """An attempt of another version than the worker has fails and says so; it is not run."""

    @activity(name="number", version="2")
    def newer(n):
        return n

    execution = site.start(diamond, 3)
    site.decider.step()
    assert WorkflowWorker(site.domain, "default", [newer]).step()
    status, said = outcome(site.drive(execution))
    assert status == "failed"
    assert "version 1 of number was asked for" in said
    assert RAN["number"] == 0


@pytest.mark.case("R18")
def test_no_pickle_of_somebody_else_is_loaded(site: Site):
    """A pickle that was put into a history without the user's key is not loaded."""
    execution = site.start(pickled)
    site.decider.step()
    task = site.worker.poll()
    assert task is not None
    site.worker.outcome(task)()
    site.decider.step_own()
    stolen = site.worker.poll()
    assert stolen is not None
    assert stolen.input is not None
    stolen.input = stolen.input.replace('"sig":"', '"sig":"0', 1)
    site.worker.outcome(stolen)()
    (failed,) = (e for e in run_events(execution) if isinstance(e, CallFailed))
    assert "a pickled value is not loaded" in failed.error.message


def test_a_text_counts_only_where_it_belongs(site: Site):
    """The input and the result of one attempt do not pass for those of another one."""
    execution = site.start(in_order)
    site.decider.step()
    one, two, three = (site.worker.poll() for _ in range(3))
    assert one is not None
    assert two is not None
    assert three is not None
    assert one.input is not None
    site.worker.outcome(dataclasses.replace(one, token=two.token))()
    site.worker.outcome(dataclasses.replace(three, input=one.input))()
    first, second = list(run_events(execution))[-2:]
    assert isinstance(first, CallSucceeded)
    assert str(first.result).startswith("nbflow result 1 number-1")
    assert isinstance(second, CallFailed)
    assert "the input of number-3 is that of number-1" in second.error.message


def test_what_was_not_started_by_nbflow_is_not_decided(
    site: Site, caplog: pytest.LogCaptureFixture
):
    """An execution of a foreign decider is left alone, and reading it says why."""
    execution = site.start(diamond, 1)
    execution.terminate()
    foreign = site.domain.api.call(
        "StartWorkflowExecution",
        domain=site.domain.name,
        workflowId="foreign",
        workflowType={"name": "diamond", "version": diamond.__definition__().version},
        taskList={"name": "default"},
        childPolicy="ABANDON",
        executionStartToCloseTimeout="600",
        taskStartToCloseTimeout="60",
        input="something",
    )
    assert site.decider.step()
    assert "was not started by nbflow" in caplog.text
    mine = WorkflowExecution(
        api=site.domain.api, domain=site.domain, workflow_id="foreign", run_id=foreign["runId"]
    )
    with pytest.raises(nbflow.NbflowError, match="was not started by nbflow"):
        run_events(mine)
    mine.terminate()


def test_what_a_workflow_decides_about_failures_is_in_the_history(site: Site):
    """A workflow that is asked settles its call; whoever reads all again is told the same."""
    execution = site.start(asking)
    events = site.drive(execution)
    assert outcome(events) == ("completed", "instead")
    assert run_events(execution) == events


def test_wrong_arguments_start_nothing(site: Site):
    """A workflow that does not take the arguments is not started."""
    with pytest.raises(TypeError):
        start_workflow(site.domain, diamond, (1, 2, 3))
