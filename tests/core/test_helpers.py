"""Time, chance and values from outside, in workflow code: the same again whenever it is run."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.decide import Close, Command, Record, Schedule, StartTimer, decide
from nbflow.core.events import (
    CallScheduled,
    CallSucceeded,
    Event,
    MarkerFailed,
    MarkerRecorded,
    RunClosed,
    RunStarted,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.history import History
from nbflow.core.payload import Ref
from nbflow.core.workflow import definition
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore
from nbflow.testing.checks import eventually

WAIT = 30


@nbflow.activity
def add(*values: float) -> float:
    """Add up."""
    return sum(values)


def of(run: nbflow.Run[Any], kind: type) -> list[Any]:
    """Give the events of a kind."""
    return [event for event in run.events() if isinstance(event, kind)]


def restore(events: list[Event]) -> tuple[MemoryStore, str]:
    """Make a store that holds just those events."""
    store = MemoryStore()
    started, *rest = events
    assert isinstance(started, RunStarted)
    store.create("cut", started)
    if rest:
        store.append("cut", rest)
    return store, "cut"


def resumed(events: list[Event], workflow: Any) -> nbflow.Run[Any]:
    """Go on where these events end."""
    store, run = restore(events)
    config.store = store
    return nbflow.attach(run, store).resume(workflow)


# ---------------------------------------------------------------- outside workflows


def test_outside_workflows_they_do_the_plain_thing() -> None:
    """Clock, chance and sleep are the ordinary ones there, in activities too."""
    before = datetime.now(UTC)
    assert before <= nbflow.now() <= datetime.now(UTC)
    assert nbflow.uuid4() != nbflow.uuid4()
    assert nbflow.uuid4().version == 4
    assert 0 <= nbflow.random().random() < 1
    began = time.monotonic()
    nbflow.sleep(0.02)
    assert time.monotonic() - began >= 0.02

    @nbflow.activity
    def inside() -> list[bool]:
        clock = abs(nbflow.now() - datetime.now(UTC)) < timedelta(seconds=5)
        return [clock, nbflow.uuid4() != nbflow.uuid4()]

    @nbflow.workflow
    def flow() -> Any:
        return inside()

    assert flow.on("inline").start().result(WAIT) == [True, True]


def test_sleep_outside_a_workflow_does_not_hold_a_loop_up() -> None:
    """Awaited by an ``async def``, it lets other coroutines run."""

    async def main() -> list[str]:
        order = []

        async def other() -> None:
            order.append("other")

        waiting = asyncio.ensure_future(other())
        await nbflow.sleep(0.01)
        order.append("slept")
        await waiting
        return order

    assert asyncio.run(main()) == ["other", "slept"]


@pytest.mark.parametrize(
    ("use", "instead"),
    [
        (lambda: nbflow.side_effect(len, []), r"side_effect\(\) is for workflow code: call len"),
        (lambda: nbflow.patched("x"), r"patched\(\) is for workflow code: there is no run"),
    ],
    ids=["side_effect", "patched"],
)
def test_what_means_nothing_outside_workflows_says_so(
    use: Callable[[], object], instead: str
) -> None:
    """The message says what to do there."""
    with pytest.raises(nbflow.FutureMisuse, match=instead):
        use()


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", None, True], ids=str)
def test_sleep_takes_a_time_only(seconds: Any) -> None:
    """What is no time to wait is refused with a message that says what is."""
    with pytest.raises((TypeError, ValueError), match="sleep takes a number of seconds"):
        nbflow.sleep(seconds)


def test_bad_arguments_are_refused_in_workflows() -> None:
    """Each message names what was given and what is wanted."""

    @nbflow.workflow
    def flow() -> list[str]:
        found = []
        for use in (
            lambda: nbflow.side_effect(3),  # type: ignore[arg-type]
            lambda: nbflow.side_effect(len, add(1)),
            lambda: nbflow.patched(""),
            lambda: nbflow.random(3),  # type: ignore[arg-type]
        ):
            try:
                use()
            except TypeError as error:
                found.append(str(error))
        return found

    given_3, future, empty, seed = flow().result(WAIT)
    assert "not int: write nbflow.side_effect(fn, ...)" in given_3
    assert "future.result()" in future
    assert "name of a change" in empty
    assert "not 3: nbflow seeds it from the run" in seed


# ---------------------------------------------------------------- now


def test_now_is_the_time_of_the_latest_event_that_was_seen() -> None:
    """It begins with the start of the run and follows what the code waits for, nothing else."""

    @nbflow.workflow
    def flow() -> list[float]:
        first = nbflow.now()
        add(1).result()
        second = nbflow.now()
        nbflow.sleep(0.02)
        return [t.timestamp() for t in (first, second, nbflow.now(), nbflow.now())]

    run = flow()
    found = run.result(WAIT)
    (started,), (done,), (fired,) = of(run, RunStarted), of(run, CallSucceeded), of(run, TimerFired)
    assert found == pytest.approx([started.at, done.at, fired.at, fired.at], abs=1e-5)


@pytest.mark.case("U35")
def test_now_is_in_utc_and_never_goes_back() -> None:
    """A clock that was set back during the run does not show."""

    @nbflow.workflow
    def flow() -> list[str]:
        add(1).result()
        first = nbflow.now()
        add(2).result()
        return [first.isoformat(), nbflow.now().isoformat()]

    run = flow()
    run.wait(WAIT)
    late = {"add-1": 7200.0, "add-2": 3600.0}
    begun = next(iter(run.events())).at
    events = [
        event._replace(at=begun + late[event.call]) if isinstance(event, CallSucceeded) else event
        for event in run.events()
    ]
    first, second = resumed(events[:-1], flow).result(WAIT)
    assert first == second == datetime.fromtimestamp(begun + 7200, UTC).isoformat()


# ---------------------------------------------------------------- random and uuid4


def test_chance_is_another_in_each_run_and_the_same_in_each_replay() -> None:
    """It comes from the run and the scope; what one scope draws does not move another."""

    @nbflow.workflow
    def flow(noise: int) -> list[Any]:
        for _ in range(noise):
            nbflow.random("noise").random()
        drawn = [nbflow.random().random() for _ in range(3)]
        return [drawn, nbflow.random("a").random(), str(nbflow.uuid4()), str(nbflow.uuid4())]

    run = flow(0)
    first, other = run.result(WAIT), flow(0).result(WAIT)
    assert len({*first[0], *other[0], first[1], other[1]}) == 8
    assert len({first[2], first[3], other[2], other[3]}) == 4
    assert uuid.UUID(first[2]).version == 4
    events = list(run.events())
    assert resumed(events[:1], flow).result(WAIT) == first
    begun = events[0]
    assert isinstance(begun, RunStarted)
    noisy: list[Event] = [begun._replace(args=(5,))]
    assert resumed(noisy, flow).result(WAIT) == first


def test_a_log_without_a_seed_takes_the_id_of_the_run() -> None:
    """Logs of before have no seed: their chance is still the same each time."""

    @nbflow.workflow
    def flow() -> float:
        return nbflow.random().random()

    run = flow()
    run.result(WAIT)
    begun = next(iter(run.events()))
    assert isinstance(begun, RunStarted)
    old: list[Event] = [begun._replace(seed="")]
    assert resumed(list(old), flow).result(WAIT) == resumed(list(old), flow).result(WAIT)


# ---------------------------------------------------------------- sleep


@pytest.mark.case("U35")
def test_a_resumed_run_sleeps_what_is_left() -> None:
    """The timer's time is in the log: one whose time has passed fires once, and at once."""

    @nbflow.workflow
    def flow() -> str:
        nbflow.sleep(3600)
        return "slept"

    started = RunStarted(1, time.time() - 4000, "flow", (), {})
    due = TimerStarted(2, started.at, "timer-1", started.at + 3600)
    run = resumed([started, due], flow)
    assert run.result(WAIT) == "slept"
    assert len(of(run, TimerFired)) == 1
    assert len(of(run, TimerStarted)) == 1


def test_a_sleep_that_was_cut_short_by_a_cancel_goes_on() -> None:
    """Cancelling a run ends its sleep; the resumed run is due when it was, not at once."""

    @nbflow.workflow
    def flow() -> str:
        nbflow.sleep(3600)
        return "slept"

    run = flow()
    eventually(lambda: of(run, TimerStarted), "the timer is started")
    run.cancel("enough")
    run.wait(WAIT)
    assert of(run, TimerCancelled)[0].reason == "enough"
    log = list(run.events())
    again = resumed(log, flow)
    state = History.of(again.events()).calls["timer-1"]
    assert state.outcome is None
    assert state.retry_at == of(run, TimerStarted)[0].due
    again.cancel()
    again.wait(WAIT)


def test_async_workflows_await_a_sleep() -> None:
    """`sleep` is a timer there, too, and gives None."""

    @nbflow.workflow
    async def flow() -> list[Any]:
        nothing: Any = nbflow.sleep(timedelta(milliseconds=10))
        return [await nothing, await add(1, 2)]

    run = flow()
    assert run.result(WAIT) == [None, 3]
    assert len(of(run, TimerFired)) == 1


# ---------------------------------------------------------------- side effects


def test_a_side_effect_happens_once() -> None:
    """Its value is in the log before the code goes on, and a resumed run gets it from there."""
    made: list[int] = []

    def roll() -> list[int]:
        made.append(len(made))
        return made

    @nbflow.workflow
    def flow() -> list[Any]:
        value = nbflow.side_effect(roll)
        value.append(99)  # a copy of its own
        return [value, add(1).result()]

    run = flow.on("inline").start()
    assert run.result(WAIT) == [[0, 99], 1]
    events = list(run.events())
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("MarkerRecorded") < kinds.index("CallScheduled")
    (marker,) = of(run, MarkerRecorded)
    assert (marker.name, marker.of) == ("side_effect-1", "roll")
    assert resumed(events[:-1], flow).result(WAIT) == [[0, 99], 1]


def test_the_function_of_a_side_effect_is_not_workflow_code() -> None:
    """Activities that it calls are plain functions, and ask for no calls."""

    @nbflow.workflow
    def flow() -> float:
        return nbflow.side_effect(lambda: add(1, 2))  # type: ignore[return-value]

    run = flow()
    assert run.result(WAIT) == 3
    assert not of(run, CallScheduled)


def test_a_failed_side_effect_is_recorded_and_tried_again_by_a_resume() -> None:
    """The code sees the error again in a replay; a resumption of a failed run calls it anew."""
    fine = threading.Event()

    def ask() -> str:
        if not fine.is_set():
            message = "no answer"
            raise LookupError(message)
        return "yes"

    @nbflow.workflow
    def flow() -> str:
        return nbflow.side_effect(ask)

    run = flow.on("inline").start()
    with pytest.raises(LookupError, match="no answer") as caught:
        run.result(WAIT)
    assert any("side_effect(ask)" in note for note in caught.value.__notes__)
    (failed,) = of(run, MarkerFailed)
    assert failed.error.kind == "LookupError"
    assert failed.error.frames[-1].function == "ask"
    (close,) = decide(definition(flow).fn, list(run.events())[:-1], now=0)
    assert isinstance(close, Close)
    assert close.status == "failed"
    fine.set()
    assert run.resume(flow).result(WAIT) == "yes"


def test_a_value_that_cannot_be_stored_fails_the_side_effect() -> None:
    """The message names the side effect."""

    @nbflow.workflow
    def flow() -> object:
        return nbflow.side_effect(threading.Lock)

    with pytest.raises(nbflow.Unserialisable, match=r"side_effect-1 \(allocate_lock\)|side_effect"):
        flow().result(WAIT)


def test_a_rerun_takes_along_side_effects_and_timers_behind_it() -> None:
    """What was made after a result was read may depend on it, so it is made anew."""
    made: list[float] = []

    def note(value: float) -> float:
        made.append(value)
        return value

    numbers = [1.0, 2.0]

    @nbflow.activity
    def number() -> float:
        return numbers.pop(0)

    @nbflow.workflow
    def flow() -> list[float]:
        before = nbflow.side_effect(note, -1)
        value = number().result()
        nbflow.sleep(0.01)
        return [before, nbflow.side_effect(note, value)]

    run = flow.on("inline").start()
    assert run.result(WAIT)[0] == -1
    again = run.rerun("number-1").result(WAIT)
    assert len(made) == 3
    assert again == [-1, made[-1]]
    assert len(of(run, TimerFired)) == 2


# ---------------------------------------------------------------- patched


def test_patched_is_true_in_new_runs_and_recorded_once() -> None:
    """A run that comes there for the first time takes the new code, and so do its replays."""

    @nbflow.workflow
    def flow() -> list[bool]:
        return [nbflow.patched("a"), nbflow.patched("a"), nbflow.patched("b")]

    run = flow()
    assert run.result(WAIT) == [True, True, True]
    assert [m.name for m in of(run, MarkerRecorded)] == ["patched:a", "patched:b"]
    assert nbflow.replay(run, flow).check().same_result


def test_patched_is_false_where_a_run_has_been_without_it() -> None:
    """A run that was begun by the old code goes on with it; one further back takes the new."""

    @nbflow.workflow(name="flow")
    def old() -> float:
        first = add(1).result()
        return add(first, 1).result()

    @nbflow.workflow(name="flow")
    def new() -> float:
        first = add(1).result()
        if nbflow.patched("ten times"):
            return add(10 * first, 1).result()
        return add(first, 1).result()

    run = old()
    assert run.result(WAIT) == 2
    events = list(run.events())
    assert nbflow.replay(run, new).check().same_result
    assert resumed(events[:-1], new).result(WAIT) == 2
    assert resumed(events[:3], new).result(WAIT) == 11


# ---------------------------------------------------------------- what is planned


def test_a_plan_goes_past_sleeps_and_stops_before_side_effects() -> None:
    """Nothing is made for a plan, and it takes no time."""
    made: list[int] = []

    @nbflow.workflow
    def flow() -> None:
        nbflow.sleep(3600)
        if nbflow.patched("x"):
            add(1)
        nbflow.side_effect(made.append, 1)
        add(2)

    plan = nbflow.plan(flow)
    assert [node.activity for node in plan.graph] == ["add"]
    assert not plan.whole
    assert not made


# ---------------------------------------------------------------- any program


@dataclass(frozen=True)
class Use:
    """One thing that workflow code does; `n` is a number for it."""

    what: str
    n: int


uses = st.builds(
    Use,
    st.sampled_from(
        [
            *("add", "add", "read", "now", "random", "uuid4", "sleep", "effect", "patched"),
            *("branch", "wait", "completed"),
        ]
    ),
    st.integers(0, 3),
)
programs = st.lists(uses, min_size=1, max_size=10).map(tuple)

EFFECTS: list[int] = []


def _effect(n: int) -> int:
    EFFECTS.append(n)
    return 1000 * n + len(EFFECTS)


def _given(what: str, n: int) -> Any:
    """Give what a helper gives."""
    match what:
        case "now":
            return nbflow.now().isoformat()
        case "random":
            return nbflow.random(str(n)).random()
        case "uuid4":
            return str(nbflow.uuid4())
        case "effect":
            return nbflow.side_effect(_effect, n)
        case "patched":
            return nbflow.patched(str(n))
    nbflow.sleep(n / 1000)
    return None


def _used(use: Use, futures: list[Any], seen: list[Any]) -> None:
    """Do one thing."""
    future = futures[use.n % len(futures)]
    match use.what:
        case "add":
            futures.append(add(nbflow.now().timestamp(), future))
        case "read":
            seen.append(future.result())
        case "branch":
            if nbflow.random().random() < 0.5:
                futures.append(add(len(seen), future))
        case "wait":
            done, late = nbflow.wait([future, futures[-1]], timeout=60)
            seen.append(len(done) + len(late))
        case "completed":
            for one in nbflow.as_completed(dict.fromkeys(futures[:3])):
                seen.append(one.call)
                nbflow.sleep(0)
        case what:
            seen.append(_given(what, use.n))


def make(program: tuple[Use, ...]) -> Any:
    """Make a workflow that does what a program says, and gives what it saw."""

    @nbflow.workflow(name="program")
    def body() -> list[Any]:
        futures: list[Any] = [add(0)]
        seen: list[Any] = []
        for use in program:
            _used(use, futures, seen)
        return [*seen, *[future.result() for future in futures]]

    return body


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_live_decided_and_replayed_are_the_same(program: tuple[Use, ...]) -> None:
    """The log of a live run is decided to its close, and replays to its result."""
    workflow = make(program)
    config.store = MemoryStore()
    run = workflow.start()
    run.result(WAIT)
    events = list(run.events())
    closed = events[-1]
    assert isinstance(closed, RunClosed)
    made = len(EFFECTS)
    (close,) = [c for c in decide(definition(workflow).fn, events[:-1], 0) if isinstance(c, Close)]
    assert (close.status, close.result) == (closed.status, closed.result)
    assert nbflow.replay(run, workflow).check().same_result
    for cut in range(1, len(events)):
        nbflow.replay(
            nbflow.RunHistory(run.id, tuple(events[:cut]), bytes.fromhex), workflow
        ).check()
    assert len(EFFECTS) == made


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_resumed_after_any_event_it_sees_what_it_saw(program: tuple[Use, ...]) -> None:
    """What helpers gave before the cut they give again: the log is what it was, and goes on."""
    workflow = make(program)
    config.store = MemoryStore()
    run = workflow.start()
    run.result(WAIT)
    events = list(run.events())
    for cut in range(1, len(events)):
        kept = events[:cut]
        again = resumed(kept, workflow)
        again.result(WAIT)
        whole = list(again.events())
        assert whole[:cut] == kept
        markers = [e.name for e in whole if isinstance(e, MarkerRecorded)]
        assert len(markers) == len(set(markers)), f"cut after event {cut}"
        timers = [e.timer for e in whole if isinstance(e, TimerFired)]
        assert len(timers) == len(set(timers)), f"cut after event {cut}"
        nbflow.replay(again, workflow).check()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_decided_step_by_step_it_comes_to_an_end_that_replays(program: tuple[Use, ...]) -> None:
    """A service that carries out each command ends with a log that live code agrees with."""
    workflow = make(program)
    fn = definition(workflow).fn
    log: list[Event] = [RunStarted(1, 1.0, "program", (), {}, seed="program-1")]
    for _ in range(200):
        commands = decide(fn, log, now=float(len(log)))
        assert commands, "neither closed nor anything to do"
        if isinstance(commands[0], Close):
            break
        for command in commands:
            log.extend(_carried_out(command, History.of(log)))
    close = commands[0]
    assert isinstance(close, Close)
    assert close.status == "completed"
    closed = RunClosed(len(log) + 1, float(len(log)), "completed", close.result)
    history = nbflow.RunHistory("program-1", (*log, closed), bytes.fromhex)
    assert nbflow.replay(history, workflow).check().same_result


def _carried_out(command: Command, before: History) -> list[Event]:
    seq = before.last + 1
    at = float(seq)
    match command:
        case Schedule(call=call):
            values = [
                before.calls[a.call].outcome.result if isinstance(a, Ref) else a  # type: ignore[union-attr]
                for a in call.args
            ]
            scheduled = CallScheduled(seq, at, call.id, call.name, call.args, None, call.deps)
            done = CallSucceeded(seq + 1, at, call.id, 1, sum(values), "w", at)  # type: ignore[arg-type]
            return [scheduled, done]
        case StartTimer():
            started = TimerStarted(seq, at, command.timer, command.due)
            return [started, TimerFired(seq + 1, command.due, command.timer)]
        case Record(marker=marker):
            return [marker.event(seq, at)]
    assert command.__class__.__name__ == "Cancel"
    return []
