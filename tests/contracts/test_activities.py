"""What the options of activities promise, wherever calls run: by the public API alone."""

from __future__ import annotations

import concurrent.futures as cf
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Close, decide
from nbflow.core.events import CallFailed, CallHeartbeat, CallScheduled, CallStarted, CallSucceeded
from nbflow.core.workflow import definition
from nbflow.testing import FaultTable, Gate
from nbflow.testing.checks import eventually
from tests.contracts.conftest import SLOTS
from tests.contracts.test_runs import WAIT, holder, of, start


@pytest.fixture(autouse=True)
def no_middleware() -> Iterator[None]:
    """Leave no middleware behind."""
    yield
    nbflow.configure(middleware={})


def is_foreign(place: Any) -> bool:
    """Whether calls run in processes of somebody else's."""
    return isinstance(place, cf.Executor) and not isinstance(place, cf.ThreadPoolExecutor)


def agrees(run: Any, flow: Any) -> None:
    """Check that `decide`, given the log, closes the run as it closed."""
    events = list(run.events())
    (close,) = [c for c in decide(definition(flow).fn, events[:-1], now=0) if type(c) is Close]
    assert (close.status, close.result) == (events[-1].status, events[-1].result)


# -------------------------------------------------------------------- failures that are ignored


def test_a_failure_that_does_not_raise_is_none(place: Any) -> None:
    """``result()`` is None, for code and for calls that take it; ``exception()`` tells."""

    @nbflow.activity(raises_on_failure=False, retry=nbflow.Retry(attempts=2, wait=0))
    def shaky(x: int) -> int:
        message = f"no {x}"
        raise ValueError(message)

    @nbflow.activity
    def saw(x: int | None) -> str:
        return repr(x)

    @nbflow.workflow
    def flow() -> Any:
        failed = shaky(1)
        after = saw(failed)
        return after.result(), failed.result(), repr(failed.exception()), shaky(2)

    run = flow.on(place).start()
    assert run.result(timeout=WAIT) == ("None", None, "ValueError('no 1')", None)
    assert run.status == "completed"
    assert [call.id for call in run.failed] == ["shaky-1", "shaky-2"]
    assert [e.ignored for e in of(run, CallFailed) if e.call == "shaky-1"] == [False, True]
    agrees(run, flow)


# -------------------------------------------------------------------- time limits


LIMITS = {
    "start_to_close_timeout": "START_TO_CLOSE",
    "schedule_to_close_timeout": "SCHEDULE_TO_CLOSE",
    "heartbeat_timeout": "HEARTBEAT",
}


@pytest.mark.parametrize("option", LIMITS)
def test_an_attempt_that_takes_too_long_names_the_limit(
    place: Any, gate: Gate, option: str
) -> None:
    """The error's `kind` and the event say which limit it was; it is retried like a failure."""
    if place == "inline":
        pytest.skip("the thread that would go on is the one that is held")
    if option == "heartbeat_timeout" and is_foreign(place):
        pytest.skip("a foreign process tells nothing before its answer")
    hold = holder(place, gate, retry=nbflow.Retry(attempts=2, wait=0), **{option: 0.3})

    @nbflow.workflow
    def flow() -> Any:
        error: Any = hold().exception()
        return type(error).__name__, error.kind

    run = start(flow, place)
    try:
        assert run.result(timeout=WAIT) == ("ActivityTimeout", LIMITS[option])
    finally:
        gate.open()
    failures = of(run, CallFailed)
    assert [e.attempt for e in failures] == [1, 2]
    assert {e.timeout for e in failures} == {LIMITS[option]}
    agrees(run, flow)


def test_a_call_that_finds_no_worker_in_time_fails(place: Any, gate: Gate) -> None:
    """``SCHEDULE_TO_START``: it never runs, and those that hold the workers are not disturbed."""
    if place in {"inline", "asyncio"} or not isinstance(place, str):
        pytest.skip("has no queue of its own that could be waited for")
    hold = holder(place, gate)

    @nbflow.activity(schedule_to_start_timeout=0.2)
    def late() -> float:
        return time.time()

    @nbflow.workflow
    def flow() -> Any:
        held = [hold() for _ in range(SLOTS)]
        error: Any = late().exception()
        return error.kind, [h.result() for h in held]

    run = flow.on(place, max_workers=SLOTS).start()
    eventually(lambda: of(run, CallFailed), "the late call fails")
    gate.open()
    assert run.result(timeout=WAIT) == ("SCHEDULE_TO_START", ["held"] * SLOTS)
    assert not [e for e in of(run, CallStarted) if e.call == "late-1"]


# -------------------------------------------------------------------- heartbeats


def test_progress_is_in_the_log_and_in_the_graph(place: Any, gate: Gate) -> None:
    """The latest of a second is written, while the attempt runs."""
    if place == "inline":
        pytest.skip("nothing looks on while a call runs inline")
    if is_foreign(place):
        pytest.skip("a foreign process tells nothing before its answer")
    if place == "asyncio":

        @nbflow.activity
        async def work() -> None:
            for n in range(50):
                nbflow.context().progress(n + 1, 50, f"row {n}")
            await gate.enter_async()

    else:

        @nbflow.activity
        def work() -> None:
            for n in range(50):
                nbflow.context().progress(n + 1, 50, f"row {n}")
            gate.enter()

    @nbflow.workflow
    def flow() -> None:
        work().result()

    run = flow.on(place).start()
    eventually(lambda: [e for e in of(run, CallHeartbeat) if e.done == 50], "the progress is told")
    events = of(run, CallHeartbeat)
    assert len(events) <= 2
    assert (events[-1].details, events[-1].total) == ("row 49", 50)
    gate.open()
    run.result(timeout=WAIT)
    from nbflow.core.graph import Graph
    from nbflow.core.profile import Profile

    node = Graph.of(run.events()).node("work-1")
    (bar,) = Profile.of(run.events()).bars
    for found in (node, bar):
        assert (found.details, found.done, found.total) == ("row 49", 50, 50)


@pytest.mark.parametrize("how", ["cancelled", "late", "over"])
def test_a_heartbeat_learns_that_nobody_waits(how: str) -> None:
    """In a thread, which cannot be stopped, the next heartbeat raises ActivityCancelled."""
    seen: list[BaseException] = []
    begun, ended = threading.Event(), threading.Event()
    nbflow.configure(on="threads")

    @nbflow.activity(timeout=0.2 if how == "late" else None)
    def work() -> None:
        begun.set()
        try:
            while not ended.wait(0.001):
                nbflow.context().heartbeat({"alive": True})
        except nbflow.ActivityCancelled as error:
            seen.append(error)
            raise
        finally:
            ended.set()

    @nbflow.activity
    def fails() -> None:
        begun.wait(WAIT)
        message = "so the run ends"
        raise ValueError(message)

    @nbflow.workflow
    def flow() -> None:
        working = work()
        if how == "over":
            fails().result()
        working.result()

    # What the activity notes must be this very list, not the copy that a run works with.
    work.fn.__module__ = "not.main"
    run = flow.start()
    begun.wait(WAIT)
    if how == "cancelled":
        run.cancel()
    with pytest.raises((nbflow.RunCancelled, nbflow.ActivityTimeout, ValueError)):
        run.result(timeout=WAIT)
    assert ended.wait(WAIT)
    eventually(lambda: seen, "the activity is told")
    assert "nobody waits for work-1" in str(seen[0])


def test_what_a_heartbeat_says_has_to_be_plain() -> None:
    """Text, numbers, lists and dicts: no object of the user's is shown by its own code."""

    @nbflow.activity
    def bad() -> None:
        nbflow.context().heartbeat(object())

    @nbflow.activity
    def worse() -> None:
        nbflow.context().progress("many")  # type: ignore[arg-type]

    @nbflow.workflow
    def flow() -> list[str]:
        return [str(f.exception()) for f in (bad(), worse())]

    one, other = flow.start().result(timeout=WAIT)
    assert one.startswith("what a heartbeat says is text, or what JSON has a form of")
    assert other == "done is a number, not 'many'"


# -------------------------------------------------------------------- classes


def test_a_class_is_an_activity(place: Any) -> None:
    """Made of the call's arguments, it knows its context; ``post_execute`` gets the result."""

    @nbflow.activity
    class Report:
        context: Any

        def __init__(self, x: int, *, y: int = 1) -> None:
            self.told = [x, y, self.context["activity_id"]]

        def execute(self) -> list[Any]:
            return [*self.told, self.context["workflow_id"], self.context.attempt]

        def post_execute(self, result: list[Any]) -> None:
            result.append("after")

    @nbflow.workflow
    def flow() -> Any:
        return Report(1, y=2).result()  # type: ignore[attr-defined]

    run = flow.on(place).start()
    assert run.result(timeout=WAIT) == [1, 2, "Report-1", run.id, 1, "after"]
    agrees(run, flow)


def test_an_async_class_is_an_activity() -> None:
    """``async def execute`` and ``post_execute`` are awaited."""

    @nbflow.activity
    class Fetch:
        def __init__(self, x: int) -> None:
            self.x = x

        async def execute(self) -> list[int]:
            return [self.x]

        async def post_execute(self, result: list[int]) -> None:
            result.append(2)

    @nbflow.workflow
    def flow() -> Any:
        return Fetch(1)

    assert flow.start().result(timeout=WAIT) == [1, 2]


# -------------------------------------------------------------------- ids


def test_equal_calls_of_an_idempotent_activity_are_one(place: Any) -> None:
    """By value, by name or by default: one call, one Future, in whatever order they are asked."""

    @nbflow.activity(idempotent=True)
    def fetch(region: Any, rows: int = 5) -> str:
        return f"{region} {rows}"

    @nbflow.activity
    def first() -> str:
        return "eu"

    @nbflow.workflow
    def flow() -> Any:
        region = first()
        same = [fetch("eu"), fetch("eu", 5), fetch(rows=5, region="eu")]
        by_call = [fetch(region), fetch(region)]
        other = [fetch("us"), fetch("eu", 6), fetch(["eu"])]
        assert len({*same}) == len({*by_call}) == 1
        return [f.result() for f in (*same, *by_call, *other)]

    run = flow.on(place).start()
    assert run.result(timeout=WAIT) == ["eu 5"] * 5 + ["us 5", "eu 6", "['eu'] 5"]
    assert len(of(run, CallSucceeded)) == 6
    agrees(run, flow)


def test_a_call_can_have_an_id_of_its_own(place: Any) -> None:
    """It is the id in the log and for dependants; a second call of that id is refused."""

    @nbflow.activity
    def fetch(region: str) -> str:
        return region

    @nbflow.workflow
    def flow() -> Any:
        one = fetch.submit("eu", call_id="orders-eu")
        try:
            fetch.submit("us", call_id="orders-eu")
        except nbflow.DefinitionError as error:
            return fetch(one).result(), str(error)

    run = flow.on(place).start()
    message = "call_id 'orders-eu' is taken: each call of a run needs an id of its own"
    assert run.result(timeout=WAIT) == ("eu", message)
    assert [e.call for e in of(run, CallScheduled)] == ["orders-eu", "fetch-1"]
    agrees(run, flow)


# -------------------------------------------------------------------- turns


def test_those_of_the_highest_priority_go_first(place: Any, gate: Gate) -> None:
    """What waits for a worker begins by priority, equal ones in the order of asking."""
    if place in {"inline", "asyncio"} or not isinstance(place, str):
        pytest.skip("the order is seen where one worker is held")
    hold = holder(place, gate)

    @nbflow.activity(task_priority=1)
    def work(n: int) -> int:
        return n

    @nbflow.workflow
    def flow() -> Any:
        held = hold()
        calls = [work.submit(n, task_priority=p) for n, p in enumerate([0, 5, -1, 5, None])]
        calls.append(work(9))
        order = [f.result() for f in nbflow.as_completed(calls)]
        return order, held.result()

    run = flow.on(place, max_workers=1).start()
    gate.wait_for(1)
    eventually(lambda: len(of(run, CallScheduled)) == 7, "all are asked for")
    gate.open()
    assert run.result(timeout=WAIT) == ([1, 3, 9, 0, 4, 2], "held")


def test_no_more_run_at_once_than_may_across_runs(gate: Gate) -> None:
    """`max_running` counts the calls of all runs of this process, and the others do run."""
    hold = holder("threads", gate, max_running=2)

    @nbflow.activity
    def free() -> int:
        return 1

    @nbflow.workflow
    def flow() -> Any:
        held = [hold() for _ in range(3)]
        return free().result(), [h.result() for h in held]

    runs = [flow.on("threads", max_workers=8).start() for _ in range(2)]
    gate.wait_for(2)
    for run in runs:
        eventually(partial(of, run, CallSucceeded), "the other activity runs")
    assert gate.entered() == 2
    gate.open()
    for run in runs:
        assert run.result(timeout=WAIT) == (1, ["held"] * 3)
    assert gate.entered() == 6


def test_a_cancelled_run_gives_its_places_back(gate: Gate) -> None:
    """Another run, which waits for them, goes on."""
    hold = holder("threads", gate, max_running=1)

    @nbflow.workflow
    def flow() -> Any:
        return hold().result()

    first = flow.start()
    gate.wait_for(1)
    second = flow.start()
    first.cancel()
    gate.wait_for(2)
    gate.open()
    assert second.result(timeout=WAIT) == "held"


# -------------------------------------------------------------------- middlewares


def test_middlewares_are_called_around_each_attempt(place: Any, tmp_path: Path) -> None:
    """Before it, and after it with the result or the error: also on failure, where it runs."""
    log = tmp_path / "log"

    def note(text: str) -> None:
        with log.open("a") as file:
            file.write(text + "\n")

    def before(context: Any) -> None:
        note(f"before {context.call} {context.attempt}")

    def after(context: Any, result: Any, error: Any) -> None:
        note(f"after {context.call} {context.attempt} {result} {error!r}")

    @nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0))
    def shaky() -> int:
        if nbflow.context().attempt == 1:
            raise OSError("once")
        return 7

    @nbflow.workflow
    def flow() -> Any:
        return shaky().result()

    nbflow.configure(middleware={"before": [before], "after": after})
    assert flow.on(place).start().result(timeout=WAIT) == 7
    assert log.read_text().splitlines() == [
        "before shaky-1 1",
        "after shaky-1 1 None OSError('once')",
        "before shaky-1 2",
        "after shaky-1 2 7 None",
    ]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_of_a_middleware_is_the_attempts_failure(place: Any, when: str) -> None:
    """It has a name of its own, and says which function it was."""

    def audit(*_: Any, **__: Any) -> None:
        raise KeyError("gone")

    @nbflow.activity
    def fine() -> int:
        return 1

    @nbflow.workflow
    def flow() -> Any:
        error = fine().exception()
        return type(error).__name__, str(error)

    nbflow.configure(middleware={when: [audit]})
    kind, message = flow.on(place).start().result(timeout=WAIT)
    assert kind == "MiddlewareError"
    assert message.endswith(f"audit, called {when}: KeyError: 'gone'")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"during": []}, "middleware takes"),
        ([], "middleware takes"),
        ({"before": ["no.such.module.f"]}, "no.such.module.f cannot be imported"),
        ({"after": [3]}, "3 is no function"),
        ({"after": 3}, "is a list of functions"),
    ],
)
def test_a_middleware_that_is_none_is_refused(given: Any, message: str) -> None:
    """When it is configured, not when the first call runs."""
    with pytest.raises(nbflow.DefinitionError, match=message):
        nbflow.configure(middleware=given)


# -------------------------------------------------------------------- large values


def test_copy_isolates_a_large_result() -> None:
    """What one consumer does to it, no other sees; without `copy`, large values are shared."""
    large = 2 * 1024 * 1024

    def make() -> list[str]:
        return ["x" * large]

    @nbflow.activity
    def push(values: list[str]) -> int:
        values.append("y")
        return len(values)

    @nbflow.workflow
    def flow(copy: bool) -> list[int]:
        value = nbflow.activity(name="make", copy=copy)(make)()
        first = push(value).result()
        return [first, push(value).result()]

    assert flow.start(copy=True).result(timeout=WAIT) == [2, 2]
    assert flow.start(copy=False).result(timeout=WAIT) == [2, 3]


# -------------------------------------------------------------------- resumed


def test_a_resumed_run_keeps_a_failure_that_was_ignored(tmp_path: Path) -> None:
    """Code has built upon its None, so it is not run again; by name it can be, and is told."""
    faults = FaultTable(tmp_path / "faults", {"bad": [ValueError("no")], "late": [OSError("gone")]})

    @nbflow.activity(raises_on_failure=False)
    def bad() -> str:
        faults.act("bad")
        return "mended"

    @nbflow.activity
    def late(x: str | None) -> str | None:
        faults.act("late")
        return x

    @nbflow.workflow
    def flow() -> Any:
        return late(bad()).result()

    run = flow.start()
    with pytest.raises(OSError, match="gone"):
        run.result(timeout=WAIT)
    resumed = run.resume(flow)
    assert resumed.result(timeout=WAIT) is None
    assert (faults.count("bad"), faults.count("late")) == (1, 2)
    again = resumed.rerun("bad-1")
    assert again.result(timeout=WAIT) == "mended"
    assert (faults.count("bad"), faults.count("late")) == (2, 3)
