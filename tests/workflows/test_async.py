"""Workflows that are ``async def``: asyncio's own words, on a loop that follows the log."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Close, Schedule, StartTimer, decide
from nbflow.core.events import (
    CallCancelled,
    CallScheduled,
    CallSucceeded,
    Event,
    RunStarted,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.history import History
from nbflow.core.workflow import definition
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore

WAIT = 30
RAN: list[str] = []
GATE = threading.Event()
seen_by: contextvars.ContextVar[str] = contextvars.ContextVar("seen_by", default="nobody")


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "store", MemoryStore())
    RAN.clear()


@nbflow.activity
def inc(x: int) -> int:
    """Add one."""
    RAN.append(nbflow.context().call)
    return x + 1


@nbflow.activity
def boom(x: Any) -> Any:
    """Fail."""
    message = f"no {x}"
    raise LookupError(message)


@nbflow.activity
def stuck() -> None:
    """Go on until nobody waits for it any more."""
    while True:
        nbflow.context().heartbeat()
        time.sleep(0.01)  # an activity may: this one stands for long work


@nbflow.activity
def gated() -> int:
    """Wait until the test opens the gate."""
    assert GATE.wait(WAIT)
    return 3


def asked(run: Any) -> list[str]:
    """Give the calls of a run in the order of asking."""
    return [e.call for e in run.events() if isinstance(e, CallScheduled)]


def of(run: Any, *kinds: Any) -> list[Any]:
    """Give the events of some kinds."""
    return [e for e in run.events() if isinstance(e, kinds)]


def same_everywhere(workflow: Any) -> Any:
    """Run it, decide its log at each event, and resume each beginning of it: the same each time.

    Gives the result.
    """
    run = workflow.start()
    value = run.result(WAIT)
    events = list(run.events())
    fn = definition(workflow).fn
    closes = [c for c in decide(fn, events[:-1], now=0) if isinstance(c, Close)]
    assert [(c.status, c.result) for c in closes] == [("completed", events[-1].result)]
    for cut in range(1, len(events)):
        settled = {
            s.id for s in History.of(events[:cut]).settled if isinstance(s.outcome, CallSucceeded)
        }
        RAN.clear()
        resumed = nbflow.attach(run.id, _part(run.id, events[:cut])).resume(workflow)
        assert resumed.result(WAIT) == value, f"cut after event {cut}"
        assert settled.isdisjoint(RAN), f"cut after event {cut}"
    return value


def _part(run: str, events: list[Event]) -> MemoryStore:
    store = MemoryStore()
    started, *rest = events
    assert isinstance(started, RunStarted)
    store.create(run, started)
    if rest:
        store.append(run, rest)
    return store


# ---------------------------------------------------------------- what asyncio offers


async def twice(x: int) -> int:
    """Call one after the other."""
    return await inc(await inc(x))


async def _gathered() -> Any:
    return await asyncio.gather(twice(0), inc(10), twice(20), nbflow.gather(inc(1), inc(2)))


async def _tasks() -> Any:
    tasks = [asyncio.create_task(twice(n)) for n in range(3)]
    done, pending = await asyncio.wait(tasks)
    return [len(pending), [task.result() for task in done], await inc(99)]


async def _futures_waited_for() -> Any:
    calls: Any = {inc(1), inc(2), inc(3)}  # to asyncio they are futures as any others
    done, pending = await asyncio.wait(calls)
    return [len(pending), [future.result() for future in done]]


async def _first() -> Any:
    late = asyncio.create_task(asyncio.sleep(3600, "late"))
    both: Any = {inc(1), late}
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    return [[f.result() for f in done], pending == {late}, late.cancel()]


async def _group() -> Any:
    async with asyncio.TaskGroup() as group:
        one, two = group.create_task(twice(1)), group.create_task(twice(5))
    return [one.result(), two.result()]


async def _as_they_come() -> Any:
    calls = nbflow.as_completed([inc(n) for n in range(4)])
    values = [await inc(await future) async for future in calls]
    more: list[Any] = [inc(n) for n in range(4)]
    coming = asyncio.as_completed(more)
    return sorted([*values, *[await one for one in coming]])


async def _things() -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    lock, event = asyncio.Lock(), asyncio.Event()

    async def produce() -> None:
        for n in range(3):
            await queue.put(await inc(n))
        event.set()

    producer = asyncio.create_task(produce())
    got = [await queue.get() for _ in range(3)]
    await event.wait()
    async with lock:
        got.append(await inc(7))
    await producer
    return got


async def _sleeps() -> Any:
    began = nbflow.now()
    await asyncio.gather(asyncio.sleep(0.02), nbflow.sleep(0.02), asyncio.sleep(0))
    return [(nbflow.now() - began).total_seconds() >= 0.02, await inc(1)]


async def _in_time() -> Any:
    async with asyncio.timeout(60):
        one = await inc(1)
    return [one, await asyncio.wait_for(inc(2), timeout=60)]


async def _generator() -> Any:
    async def numbers() -> Any:
        for n in range(3):
            yield await inc(n)

    return [n async for n in numbers()] + [n async for n in numbers() if n > 2]


async def _handled() -> Any:
    try:
        await asyncio.gather(inc(1), boom(2))
    except LookupError as error:
        found = str(error)
    both = await asyncio.gather(boom(3), inc(3), return_exceptions=True)
    return [found, [str(one) for one in both]]


async def _shielded() -> Any:
    inner = asyncio.create_task(twice(1))
    outer = asyncio.shield(inner)
    outer.cancel()
    return [await inner, outer.cancelled()]


BODIES = [
    _gathered,
    _tasks,
    _futures_waited_for,
    _first,
    _group,
    _as_they_come,
    _things,
    _sleeps,
    _in_time,
    _generator,
    _handled,
    _shielded,
]
VALUES = {
    "_gathered": [2, 11, 22, [2, 3]],
    "_tasks": [0, [2, 3, 4], 100],
    "_futures_waited_for": [0, [2, 3, 4]],
    "_first": [[2], True, True],
    "_group": [3, 7],
    "_as_they_come": [1, 2, 2, 3, 3, 4, 4, 5],
    "_things": [1, 2, 3, 8],
    "_sleeps": [True, 2],
    "_in_time": [2, 3],
    "_generator": [1, 2, 3, 3],
    "_handled": ["no 2", ["no 3", "4"]],
    "_shielded": [3, True],
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_asyncio_means_the_same_live_decided_and_resumed(body: Callable[..., Any]) -> None:
    """What asyncio offers works as it does elsewhere, and comes out the same from the log."""
    flow = nbflow.workflow(name=body.__name__.strip("_"), lint=False)(body)
    value = same_everywhere(flow)
    expected = VALUES[body.__name__]
    if body is _futures_waited_for:
        value = [value[0], sorted(value[1])]
    assert value == expected


def test_class_workflows_may_be_async() -> None:
    """``async def run`` of a class is driven the same way, with ``self`` and its own submit."""

    class Flow(nbflow.Workflow):
        async def run(self, x: int) -> Any:
            self.noted = await self.submit(inc, x)
            return [self.noted, await asyncio.gather(*self.map(inc, [1, 2]))]

    assert Flow.start(4).result(WAIT) == [5, [2, 3]]


def test_coroutines_wake_up_in_the_order_of_the_log() -> None:
    """Who waits for what was settled first goes on first, so a replay asks in the same order."""

    async def body() -> Any:
        order: list[int] = []

        async def one(n: int) -> None:
            await inc(n)
            order.append(n)
            await inc(100 + n)

        await asyncio.gather(*(one(n) for n in range(20)))
        return order

    flow = nbflow.workflow(name="order", lint=False)(body)
    run = flow.start()
    order = run.result(WAIT)
    first = [e.call for e in of(run, CallSucceeded)]
    assert [f"inc-{n + 1}" for n in order] == [c for c in first if int(c.split("-")[1]) <= 20]
    assert nbflow.replay(run, flow).check().ok


def test_a_decider_is_asked_again_after_each_event() -> None:
    """Nothing is asked for twice, and all that can go on side by side is asked for at once."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        return await asyncio.gather(twice(0), twice(10), asyncio.sleep(60, "slept"))

    started = RunStarted(1, 0.0, "flow", (), {})
    commands = decide(definition(flow).fn, [started], now=5.0)
    assert [c.call.id for c in commands if isinstance(c, Schedule)] == ["inc-1", "inc-2"]
    assert [(c.timer, c.due) for c in commands if isinstance(c, StartTimer)] == [("timer-1", 65.0)]


def test_a_call_that_takes_too_long_is_given_up() -> None:
    """`asyncio.timeout` cancels what is awaited, so the call ends, too, and the code goes on."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        try:
            async with asyncio.timeout(0.05):
                await stuck()
        except TimeoutError:
            return await inc(1)

    run = flow.start()
    assert run.result(WAIT) == 2
    assert [e.call for e in of(run, CallCancelled)] == ["stuck-1"]
    assert len(of(run, TimerFired)) == 1
    assert nbflow.replay(run, flow).check().ok


def test_a_time_limit_that_was_not_needed_is_taken_back() -> None:
    """The timer of a time limit that was kept is stopped: it does not hold up the run."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        return await asyncio.wait_for(inc(1), timeout=3600)

    run = flow.start()
    assert run.result(WAIT) == 2
    assert [type(e) for e in of(run, TimerStarted, TimerCancelled)] == [
        TimerStarted,
        TimerCancelled,
    ]
    assert of(run, TimerCancelled)[0].reason == ""  # by the code, not by the end of the run


def test_what_others_await_too_is_not_given_up() -> None:
    """Cancelling one task leaves alone a call that another one awaits."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        shared = gated()

        async def see() -> int:
            return await shared

        one, two = asyncio.create_task(see()), asyncio.create_task(see())
        await asyncio.sleep(0)
        one.cancel()
        await inc(1)
        GATE.set()
        return await two

    GATE.clear()
    run = flow.start()
    assert run.result(WAIT) == 3
    assert of(run, CallCancelled) == []


def test_tasks_that_nobody_awaited_end_with_the_workflow() -> None:
    """As with asyncio.run: they are cancelled, may clean up, and what they awaited is given up."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        noted: list[Any] = []

        async def watch() -> None:
            try:
                await stuck()
            finally:
                noted.append(await inc(1))

        task = asyncio.create_task(watch())
        await inc(0)
        task.add_done_callback(lambda _: noted.append("over"))
        return noted

    run = flow.start()
    assert run.result(WAIT) == [2, "over"]
    assert [e.call for e in of(run, CallCancelled)] == ["stuck-1"]


def test_an_error_in_a_task_that_nobody_looked_at_fails_the_run() -> None:
    """As the error of a call does: nothing is lost because it went unseen."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        async def fail() -> None:
            await inc(0)
            message = "unseen"
            raise ValueError(message)

        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        return 1

    with pytest.raises(ValueError, match="unseen"):
        flow.start().result(WAIT)


def test_context_variables_are_kept() -> None:
    """A task sees those of whoever made it, and changes its own copy."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        seen_by.set("main")

        async def other() -> str:
            before = seen_by.get()
            seen_by.set("other")
            await inc(1)
            return before + seen_by.get()

        return [await asyncio.create_task(other()), seen_by.get()]

    assert flow.start().result(WAIT) == ["mainother", "main"]


def test_a_cell_that_awaits_can_run_one_inline() -> None:
    """Where a loop runs already, as in a notebook, the workflow has its own within, for a while."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        return await asyncio.gather(twice(1), asyncio.sleep(0.01, "slept"))

    async def cell() -> Any:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        value = flow.on("inline").start().result(WAIT)
        await asyncio.sleep(0)
        same = asyncio.current_task() is task and asyncio.get_running_loop() is loop
        return [value, same]

    assert asyncio.run(cell()) == [[3, "slept"], True]


def test_a_traceback_shows_where_the_code_awaits() -> None:
    """An error of an activity has the lines of the coroutines that it came through."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        async def inner() -> Any:
            return await boom(1)  # here

        await asyncio.gather(inner())

    run = flow.start()
    with pytest.raises(LookupError, match="no 1") as caught:
        run.result(WAIT)
    assert caught.value.args == ("no 1",)
    assert run.status == "failed"


# ---------------------------------------------------------------- what is refused


async def _thread() -> Any:
    await asyncio.to_thread(print)


async def _program() -> Any:
    await asyncio.create_subprocess_exec("true")


async def _socket() -> Any:
    await asyncio.open_connection("localhost", 1)


async def _woken() -> Any:
    asyncio.get_running_loop().call_soon_threadsafe(print)


async def _unordered() -> Any:
    coroutines = [twice(1), twice(2)]
    try:
        for coming in asyncio.as_completed(coroutines):
            await coming
    finally:
        for coroutine in coroutines:
            coroutine.close()


async def _nothing_comes() -> Any:
    await asyncio.Event().wait()


async def _foreign() -> Any:
    class Odd:
        def __await__(self) -> Any:
            yield "something"

    await Odd()


REFUSED = {
    _thread: "run_in_executor.*activity",
    _program: "nbflow.execute.program",
    _socket: "activity",
    _woken: "run.signal",
    _unordered: "create_task",
    _nothing_comes: "for ever",
    _foreign: "activity",
}


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: body.__name__)
def test_what_cannot_be_replayed_is_refused(body: Any) -> None:
    """Threads, networks and the rest raise an error that names what to use instead."""
    flow = nbflow.workflow(name="refused", lint=False)(body)
    with pytest.raises(nbflow.FutureMisuse, match=REFUSED[body]):
        flow.start().result(WAIT)


def test_code_that_awaits_otherwise_now_is_found() -> None:
    """A coroutine that asks in another order than the log has it stops before anything runs."""
    swapped = False

    async def body() -> Any:
        first, second = (inc, boom) if swapped else (boom, inc)
        return await asyncio.gather(first(1), second(2), return_exceptions=True)

    flow = nbflow.workflow(name="swapped", lint=False)(body)
    run = flow.start()
    run.wait(WAIT)
    swapped = True
    found = nbflow.replay(run, nbflow.workflow(name="swapped", lint=False)(body))
    assert isinstance(found.error, nbflow.NondeterminismError)


def test_polling_sees_what_is_settled() -> None:
    """Code that goes round without waiting still gets on, and a replay goes round as often."""

    async def body() -> Any:
        future, rounds = inc(1), 0
        while not future.done():
            rounds += 1
            await asyncio.sleep(0)
        return [future.result(), rounds > 0]

    flow = nbflow.workflow(name="polling", lint=False)(body)
    run = flow.start()
    assert run.result(WAIT) == [2, True]
    assert nbflow.replay(run, flow).check().ok


# ---------------------------------------------------------------- cancelling


def test_cancelling_raises_cancelled_error_where_the_code_awaits() -> None:
    """The code may clean up, with calls, and the run is cancelled whatever it gives then."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        try:
            await asyncio.gather(stuck(), stuck())
        except asyncio.CancelledError:
            await inc(41)
            raise

    run = flow.start()
    while not [e for e in run.events() if isinstance(e, CallScheduled)]:
        run.events()
    run.cancel("enough")
    with pytest.raises(nbflow.RunCancelled, match="enough"):
        run.result(WAIT)
    assert asked(run) == ["stuck-1", "stuck-2", "inc-1"]
    assert [e.call for e in of(run, CallSucceeded)] == ["inc-1"]
    assert nbflow.replay(run, flow).ok
