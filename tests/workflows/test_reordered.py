"""Code that asks as results come in asks in another order once a failure was taken back.

What it asks for is found in the log by what it is, whatever its number: nothing that succeeded
runs twice, nothing gets the value of something else, and each replay takes the same way.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.events import CallScheduled, CallSucceeded, Event, RunResumed, RunStarted
from nbflow.core.history import History
from nbflow.core.reordered import Reordered
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore
from tests.differential.program import Program
from tests.differential.service import ROOT, Service

LEFT: Counter[str] = Counter()
"""How often each thing is still to fail."""
DONE: Counter[str] = Counter()
"""How often each thing was done."""


def act(what: str) -> None:
    """Do something, or fail at it."""
    if LEFT[what]:
        LEFT[what] -= 1
        raise OSError(what)
    DONE[what] += 1


@nbflow.activity
def fetch(number: int) -> int:
    """Get a number."""
    act(f"fetch {number}")
    return number


@nbflow.activity
def process(number: Any, *_: Any) -> int:
    """Make it ten times as much; it may come in a set, which is stored as a pickle."""
    one: int = next(n for n in number if type(n) is int) if type(number) is set else number
    act(f"process {one}")
    return one * 10


@nbflow.activity
def excuse(number: int) -> int:
    """Be called where something failed."""
    act(f"excuse {number}")
    return -number


@nbflow.workflow
def child(number: Any) -> Any:
    """Do the same in a run of its own."""
    return process(number)


@nbflow.workflow(lint=False)
def flow(kinds: list[str]) -> Any:
    """Go on with each number as it comes, in one of several ways."""
    parts = {fetch(n): (n, kind) for n, kind in enumerate(kinds)}
    found: list[tuple[int, Any]] = []
    for part in nbflow.as_completed(parts):
        number, kind = parts[part]
        found.append((number, go_on(part, number, kind, len(found))))
    return [out.result() for _, out in sorted(found, key=lambda pair: pair[0])]


def go_on(part: Any, number: int, kind: str, place: int) -> Any:
    """Ask for what follows a number."""
    match kind:
        case "pass":
            return process(part)
        case "same":
            part.exception()
            return fetch(99)
        case "child":
            return child(part)
        case "marked":
            nbflow.side_effect(Told(number))
            nbflow.record_marker(f"at {number}", number)
            return process(part)
        case "placed":
            error = part.exception()
            return process(number, place) if error is None else part
        case "object":
            error = part.exception()
            return process({number, "x", "y", "z"}, place) if error is None else part
    if part.exception() is not None:
        excuse(number)
        return part
    return process(part.result())


class Told:
    """A side effect with a name of its own."""

    def __init__(self, number: int) -> None:
        self.__name__ = self.__qualname__ = f"told_{number}"

    def __call__(self) -> str:
        return self.__name__


KINDS = st.lists(
    st.sampled_from(["pass", "look", "same", "child", "marked", "object", "placed"]),
    min_size=1,
    max_size=6,
)
FAILS = st.lists(
    st.tuples(st.sampled_from(["fetch", "process", "excuse"]), st.integers(0, 5)),
    min_size=1,
    max_size=4,
)
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def kept_store() -> Iterator[None]:
    """Put the store back that the tests replace."""
    before = config.store
    yield
    config.store = before


def begin(fails: list[tuple[str, int]]) -> None:
    """Say what fails how often."""
    LEFT.clear()
    DONE.clear()
    LEFT.update(f"{what} {number}" for what, number in fails)


def expected(kinds: list[str]) -> list[int]:
    """Give what comes of it in the end."""
    return [99 if kind == "same" else 10 * n for n, kind in enumerate(kinds)]


def nothing_twice(kinds: list[str]) -> None:
    """See that what had succeeded did not run again."""
    many = {what for what, times in DONE.items() if times > 1}
    placed = {f"process {n}" for n, kind in enumerate(kinds) if kind in {"placed", "object"}}
    assert many <= {"fetch 99", *placed}, many
    assert DONE["fetch 99"] == kinds.count("same")


@settings(relaxed, max_examples=40)
@given(KINDS, FAILS, st.sampled_from(["threads", "inline"]))
def test_a_resumed_run_finds_what_it_did_in_another_order(
    kinds: list[str], fails: list[tuple[str, int]], place: str
) -> None:
    """However often it fails and is resumed: one result, nothing done twice, and it replays."""
    begin(fails)
    config.store = MemoryStore()
    run = flow.on(place).start(kinds)
    run.wait()
    while run.status == "failed":
        run.resume(workflow=flow).wait()
    assert run.result() == expected(kinds)
    nothing_twice(kinds)
    assert nbflow.replay(run, workflow=flow).check().same_result


@settings(relaxed, max_examples=40)
@given(KINDS, FAILS, st.integers(0, 999))
def test_so_does_one_that_is_decided_in_any_order(
    kinds: list[str], fails: list[tuple[str, int]], seed: int
) -> None:
    """The same where `decide` is asked after each event, with the log alone."""
    begin(fails)
    program = Program(name="flow", workflow=flow, shows=(), args=(kinds,))
    service = Service(program, random.Random(seed).choice)
    config.store = service.store
    service.play(Path())
    root = service.runs[ROOT]
    while root.history.status == "failed":
        root.add(RunResumed(0, 0.0, "once more"))
        service.go_on()
    closed = root.history.closed
    assert closed is not None
    assert service.value(closed.result) == expected(kinds)
    nothing_twice(kinds)


@settings(relaxed, max_examples=30)
@given(KINDS, FAILS, st.floats(0, 1))
def test_and_one_that_crashes_after_it_was_resumed(
    kinds: list[str], fails: list[tuple[str, int]], part: float
) -> None:
    """Cut anywhere after the resumption, it takes the way that it took before."""
    kinds = ["pass" if kind == "child" else kind for kind in kinds]
    begin(fails)
    config.store = MemoryStore()
    run = flow.on("inline").start(kinds)
    run.wait()
    while run.status == "failed":
        run.resume(workflow=flow).wait()
    log = list(run.events())
    cut = max(1, round(part * len(log)))
    left = remains(run.id, log[:cut])
    again = nbflow.attach(run.id, left)
    if again.status != "completed":
        again.resume(workflow=flow).wait()
        while again.status == "failed":
            again.resume(workflow=flow).wait()
    assert again.result() == expected(kinds)
    now = History.of(again.events()).calls
    for call, state in History.of(log[:cut]).calls.items():
        if isinstance(state.outcome, CallSucceeded):
            assert (now[call].args, now[call].deps) == (state.args, state.deps)


def remains(run: str, events: list[Event]) -> MemoryStore:
    """Give a store with a beginning of a log."""
    store = MemoryStore()
    first, *rest = events
    assert isinstance(first, RunStarted)
    store.create(run, first)
    if rest:
        store.append(run, rest)
    return store


def test_changed_code_is_still_refused_after_a_resumption() -> None:
    """What was asked for since the resumption has to be asked for again, as ever."""
    begin([("fetch", 0)])
    config.store = MemoryStore()
    run = flow.on("inline").start(["look", "pass"])
    run.wait()
    run.resume(workflow=flow).wait()
    assert run.status == "completed"

    @nbflow.workflow(name="flow", lint=False)
    def changed(kinds: list[str]) -> Any:
        parts = [fetch(n) for n, _ in enumerate(kinds)]
        return [excuse(part) for part in nbflow.as_completed(parts)]

    assert not nbflow.replay(run, workflow=changed).ok
    log = list(run.events())
    left = remains(run.id, log[:-1])
    again = nbflow.attach(run.id, left).resume(workflow=changed)
    with pytest.raises(nbflow.NondeterminismError, match="process-2"):
        again.result()


def test_a_run_that_lost_nothing_costs_nothing() -> None:
    """Only where outcomes were taken back is anything looked for by what it is."""
    history = History()
    history.apply(RunStarted(1, 0.0, "flow", (), {}))
    history.apply(CallScheduled(2, 0.0, "fetch-1", "fetch", (1,)))
    history.apply(RunResumed(3, 0.0))
    assert Reordered.of(history, lambda _: b"") is None
