"""Random programs of all constructs, in random order, with crashes: one meaning.

A program is run on threads; by a service in miniature that asks `decide` after every event, runs
what could run in a random order, and loses whoever drives the runs at random points; and on
threads again from the logs of the first run, cut at random. All of these have to agree.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import nbflow
from nbflow import Chain, FuncGroup, Group
from nbflow.core.events import CallSucceeded, Event, RunStarted, SignalReceived, SignalSent
from nbflow.core.history import History
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore
from nbflow.testing.checks import eventually
from tests.differential.outcome import Outcome
from tests.differential.program import Program
from tests.differential.service import Service

RAN: list[str] = []
flow: Any = nbflow.workflow

# ---------------------------------------------------------------- what programs are made of


@nbflow.activity
def add(*values: Any) -> int:
    """Add up what are numbers, and one."""
    RAN.append(nbflow.context().idempotency_key)
    return sum(v for v in values if isinstance(v, int)) + 1


@nbflow.activity
def fail(*_: Any) -> int:
    """Fail, always."""
    message = "refused"
    raise ValueError(message)


@nbflow.activity(raises_on_failure=False)
def shrug(*_: Any) -> int:
    """Fail, always, and have None for a result."""
    message = "shrugged"
    raise ValueError(message)


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0, jitter=0))
def flaky(*values: Any) -> int:
    """Fail at the first attempt."""
    if nbflow.context().attempt == 1:
        message = "not yet"
        raise OSError(message)
    return add.fn(*values) * 2


@flow
def small(x: Any = 0) -> Any:
    """Call twice."""
    return add(add(x))


@flow
def broken(x: Any = 0) -> Any:
    """Fail after a success."""
    return fail(add(x))


@flow
def deep(x: Any = 0) -> Any:
    """Have a child, and wait a moment."""
    found = small(x)
    nbflow.sleep(0)
    return add(found)


@flow
def onward(x: int = 0) -> Any:
    """Go on as new, twice."""
    if x < 2:
        nbflow.continue_as_new(x + 1)
    return add(x)


@flow(lint=False)
async def awaits(x: Any = 0) -> Any:
    """Be a coroutine."""
    found: Any = await asyncio.gather(add(x), flaky(1))
    return await add(*found)


TARGETS: dict[str, Any] = {
    **{t.name: t for t in (add, fail, shrug, flaky, small, broken, deep, awaits)},
    "onward": onward,
}


@dataclass(frozen=True)
class Part:
    """A composition: its kind, options and parts."""

    kind: str
    flag: bool
    most: int | None
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """A random program.

    Attributes:
        steps: What it does.
        awaits: Whether it is an ``async def``.
        verdict: What it decides about failures.
    """

    steps: tuple[tuple[str, Any], ...]
    awaits: bool
    verdict: str


leaf = st.sampled_from(["add", "add", "add", "flaky", "fail", "shrug", "small", "broken"])
parts = st.recursive(
    leaf,
    lambda inner: st.builds(
        Part,
        st.sampled_from(["group", "chain", "func"]),
        st.booleans(),
        st.sampled_from([None, 1, 2]),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=5,
)
steps = st.one_of(
    st.tuples(st.just("call"), st.tuples(st.sampled_from(sorted(TARGETS)), st.integers(0, 3))),
    st.tuples(st.just("compose"), parts),
    st.tuples(st.sampled_from(["signal", "take", "latest", "timer", "stop", "mark"]), st.none()),
    st.tuples(st.sampled_from(["look", "all", "first"]), st.integers(0, 3)),
)
plans = st.builds(
    Plan,
    st.lists(steps, min_size=1, max_size=6).map(tuple),
    st.booleans(),
    st.sampled_from(["", "", "ignore", "handle", "retry", "cancel"]),
)


def decided(verdict: str) -> Any:
    """Give a function that decides about failures."""

    def decide(failure: nbflow.FailureContext) -> Any:
        if verdict == "retry":
            return failure.decide_retry() if failure.attempt < 2 else None
        if verdict == "handle":
            return failure.decide_handled(7)
        return failure.decide_ignore() if verdict == "ignore" else failure.decide_cancel()

    return decide if verdict else None


def item(part: Any) -> Any:
    """Make what is submitted."""
    if isinstance(part, str):
        return (TARGETS[part], 1)
    inner = [item(one) for one in part.parts]
    raises = None if part.flag else False
    if part.kind == "group":
        return Group(*inner, max_parallel=part.most, raises_on_failure=raises)
    if part.kind == "func":
        return FuncGroup(lambda *_: inner, raises_on_failure=raises)
    return Chain(*inner, break_on_failure=part.flag, raises_on_failure=raises)


class Doing:
    """Does what a plan says, but for waiting, of which there are two kinds."""

    def __init__(self) -> None:
        self.futures: list[Any] = []
        self.seen: list[Any] = []
        self.sent = self.taken = 0

    def do(self, kind: str, what: Any) -> Any:  # noqa: C901 - one case a kind
        """Do one thing; give the futures that are to be waited for."""
        match kind:
            case "call":
                name, back = what
                given = [] if name == "onward" else self.futures[-back:] if back else []
                plain = [f for f in given if type(f) is nbflow.Future and f._state.name][:1]
                self.futures.append(nbflow.submit(TARGETS[name], *plain))
            case "compose":
                self.futures.append(nbflow.submit(Group(item(what))))
            case "signal":
                self.sent += 1
                self.futures.append(nbflow.signal("a", self.sent))
            case "take" if self.taken < self.sent:
                self.taken += 1
                return [nbflow.signals("a").get()]
            case "latest" if self.sent:
                self.seen.append(nbflow.wait_signal("a").result() <= self.sent)
            case "timer" | "stop":
                timer = nbflow.start_timer(0 if kind == "timer" else 3600)
                if kind == "stop":
                    nbflow.cancel_timer(timer)
                self.futures.append(timer)
            case "mark":
                self.seen.append(nbflow.side_effect(lambda: 5))
            case "look":
                return self.futures[-1 - what :][:1]
            case "all" | "first" if self.futures:
                when = nbflow.ALL_COMPLETED if kind == "all" else nbflow.FIRST_COMPLETED
                nbflow.wait(self.futures[-1 - what :], return_when=when)  # type: ignore[arg-type]
        return []


def said(error: BaseException | None, value: Any = None) -> Any:
    """Give a value, or the errors in its place, in words."""
    if error is None:
        return value
    inner = error.flatten().errors if isinstance(error, nbflow.AggregateException) else [error]
    return sorted(f"{type(e).__name__} {str(e)[:7]}" for e in inner)


def looked(future: Any) -> Any:
    """Wait as plain code does."""
    error = future.exception()
    return said(error) if error is not None else future.result()


async def awaited(future: Any) -> Any:
    """Wait as a coroutine does."""
    try:
        return await future
    except Exception as error:
        return said(error)


def make(plan: Plan) -> Any:
    """Make the workflow of a plan."""

    def plain() -> list[Any]:
        doing = Doing()
        for step in plan.steps:
            doing.seen.extend([looked(future) for future in doing.do(*step)])
        return [*doing.seen, *[looked(future) for future in doing.futures]]

    async def coroutine() -> list[Any]:
        doing = Doing()
        for step in plan.steps:
            doing.seen.extend([await awaited(future) for future in doing.do(*step)])
        return [*doing.seen, *await asyncio.gather(*[awaited(f) for f in doing.futures])]

    made = nbflow.workflow(name="plan", lint=False, on_task_failure=decided(plan.verdict))
    return made(coroutine if plan.awaits else plain)


# ---------------------------------------------------------------- how it is run


def meaning(outcome: Outcome) -> list[Any]:
    """Give what neither timing nor crashes may change: ids are given in the order of asking."""
    found = []
    for run in outcome.runs.values():
        calls = Counter(
            (call.rpartition("-")[0], what[-1].partition("attempt ")[2][2:] or what[-1])
            for call, what in run.calls.items()
            if not what[-1].startswith("is ")
        )
        timers = sorted(what[-1] for what in run.timers.values())
        marks = [run.markers[name] for name in sorted(run.markers)]
        parts = (run.status, repr(run.result), run.error, timers, marks, run.onward != "")
        found.append((parts, sorted(calls.items())))
    return sorted(found, key=repr)


def live(workflow: Any) -> tuple[str, dict[str, list[Event]], Outcome]:
    """Run it on threads; give its id, the logs of all its runs, and what came of it."""
    store = config.store = MemoryStore()
    return over(workflow.start(), store)


def over(run: Any, store: MemoryStore) -> tuple[str, dict[str, list[Event]], Outcome]:
    """Wait for the end of a run and of all runs that it called."""
    eventually(
        lambda: run.done() and all(row.status != "running" for row in store.runs()), "it ends"
    )
    logs = {row.run: list(store.events(row.run)) for row in store.runs()}
    return run.id, logs, Outcome.of(run.id, logs, store.get)


def played(workflow: Any, seed: int, crashes: list[int]) -> Outcome:
    """Run it by deciding after every event."""
    program = Program(name="plan", workflow=workflow, shows=())
    service = Service(program, random.Random(seed).choice, crashes)
    config.store = service.store
    return service.play(Path())


@pytest.fixture(autouse=True)
def kept_store() -> Iterator[None]:
    """Put the store back that the tests replace."""
    before = config.store
    yield
    config.store = before


SKIPPED = Plan(
    (("call", ("broken", 0)), ("call", ("add", 1)), ("look", 0), ("call", ("broken", 0))),
    awaits=False,
    verdict="",
)
"""A call that cannot run is looked at, and others are asked for after that."""
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(relaxed, max_examples=40)
@given(plans, st.integers(0, 999), st.lists(st.integers(2, 60), max_size=3))
@example(SKIPPED, 0, [])
def test_live_and_decided_agree_in_any_order_and_over_crashes(
    plan: Plan, seed: int, crashes: list[int]
) -> None:
    """What a program means depends neither on who drives it, nor on order, nor on crashes."""
    workflow = make(plan)
    *_, found = live(workflow)
    assert meaning(played(workflow, seed, crashes)) == meaning(found)


@settings(relaxed, max_examples=20)
@given(plans, st.data())
def test_cut_anywhere_it_is_resumed_to_the_same_meaning(plan: Plan, data: st.DataObject) -> None:
    """Parent and children, each cut somewhere, end as if nothing had been; nothing runs twice."""
    workflow = make(plan)
    root, logs, found = live(workflow)
    cut = data.draw(st.integers(1, len(logs[root]) - 1), label="events of the parent")
    store, kept = remains(root, logs, cut, data)
    RAN.clear()
    config.store = store
    *_, again = over(nbflow.attach(root, store).resume(workflow), store)
    assert meaning(again) == meaning(found)
    assert kept.isdisjoint(RAN)


def remains(
    root: str, logs: dict[str, list[Event]], cut: int, data: st.DataObject
) -> tuple[MemoryStore, set[str]]:
    """Give what a crash leaves, and what has succeeded by then, as run and call."""
    whole = History.of(logs[root][:cut])
    left = {root: logs[root][:cut]}
    settled = [run for call, run in whole.children.items() if whole.calls[call].outcome]
    for run in sorted(set(logs) - {root}):
        if any(run == s or run.startswith((f"{s}/", f"{s}+")) for s in settled):
            left[run] = logs[run]  # its end is in the log of its parent
        elif run in whole.children.values() and not any("+" in other for other in logs):
            length = data.draw(st.integers(0, len(logs[run]) - 1), label=f"events of {run}")
            if length and not any(other.startswith(f"{run}/") for other in logs):
                left[run] = logs[run][:length]
    store = MemoryStore()
    kept = set()
    for run, events in left.items():
        first, *rest = events
        assert isinstance(first, RunStarted)
        store.create(run, first)
        if rest:
            store.append(run, rest)
        state = History.of(events)
        kept |= {f"{run}/{s.id}" for s in state.settled if isinstance(s.outcome, CallSucceeded)}
    _on_its_way(root, logs[root], left[root], store)
    return store, kept


def _on_its_way(root: str, whole: list[Event], left: list[Event], store: MemoryStore) -> None:
    """Have the store's mail hold what was sent and had not been heard yet."""
    sent = {f"{root}/{event.name}" for event in left if isinstance(event, SignalSent)}
    heard = {event.id for event in left if isinstance(event, SignalReceived)}
    for event in whole:
        if isinstance(event, SignalReceived) and event.id in sent - heard:
            store.mail.post(root, event)
