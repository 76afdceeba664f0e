"""Programs of all constructs: live, decided, or cut and resumed, they are the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import nbflow
from nbflow import Chain, FuncGroup, Group
from nbflow.core.decide import Close, decide
from nbflow.core.events import CallSucceeded, Event, RunClosed, RunStarted
from nbflow.core.history import History
from nbflow.core.workflow import definition
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore

RAN: list[str] = []


@nbflow.activity
def add(*values: Any) -> int:
    """Add up what are numbers."""
    RAN.append(nbflow.context().call)
    return sum(v for v in values if isinstance(v, int)) + 1


@nbflow.activity
def fail(*_: Any) -> int:
    """Fail, always."""
    message = "refused"
    raise ValueError(message)


@nbflow.workflow
def small(x: Any) -> Any:
    """Call twice."""
    return add(add(x))


@nbflow.workflow
def broken(x: Any) -> Any:
    """Fail after a success."""
    return fail(add(x))


@dataclass(frozen=True)
class Part:
    """A composition: its kind, options and parts."""

    kind: str
    flag: bool
    most: int | None
    parts: tuple[Any, ...]


LEAVES = {"add": (add, 1), "fail": (fail, 1), "small": (small, 2), "broken": (broken, 3)}
leaf = st.sampled_from(["add", "add", "add", "small", "fail", "broken"])
parts = st.recursive(
    leaf,
    lambda inner: st.builds(
        Part,
        st.sampled_from(["group", "chain", "func"]),
        st.booleans(),
        st.sampled_from([None, 1, 2]),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=6,
)
steps = st.one_of(
    st.builds(lambda part: ("submit", part), parts),
    st.sampled_from(
        [
            ("signal", "a"),
            ("take", "a"),
            ("latest", "a"),
            ("timer", ""),
            ("cancel", ""),
            ("look", ""),
        ]
    ),
)
programs = st.lists(steps, min_size=1, max_size=5).map(tuple)


def item(part: Any) -> Any:
    """Make what is submitted."""
    if isinstance(part, str):
        return LEAVES[part]
    inner = [item(one) for one in part.parts]
    raises = None if part.flag else False
    if part.kind == "group":
        return Group(*inner, max_parallel=part.most, raises_on_failure=raises)
    if part.kind == "func":
        return FuncGroup(lambda *_: inner, raises_on_failure=raises)
    return Chain(*inner, break_on_failure=part.flag, raises_on_failure=raises)


def said(future: Any) -> Any:
    """Give the result of a future, or the errors in it, in words."""
    error = future.exception()
    if error is None:
        return future.result()
    inner = error.flatten().errors if isinstance(error, nbflow.AggregateException) else [error]
    return sorted(str(e) for e in inner)


def make(program: tuple[Any, ...]) -> Any:
    """Make a workflow that does what a program says, and gives what it saw."""

    @nbflow.workflow(name="program", lint=False)
    def body() -> list[Any]:
        futures: list[Any] = []
        seen: list[Any] = []
        sent = taken = 0
        for kind, what in program:
            if kind == "submit":
                futures.append(
                    nbflow.submit(item(what) if isinstance(what, Part) else Group(item(what)))
                )
            elif kind == "signal":
                sent += 1
                futures.append(nbflow.signal(what, sent))
            elif kind == "take" and taken < sent:
                taken += 1
                seen.append(nbflow.signals(what).get().result())
            elif kind == "latest" and sent:
                seen.append(nbflow.wait_signal(what).result() <= sent)
            elif kind == "timer":
                futures.append(nbflow.start_timer(0))
            elif kind == "cancel":
                timer = nbflow.start_timer(3600)
                nbflow.cancel_timer(timer)
                futures.append(timer)
            elif kind == "look" and futures:
                seen.append(said(futures[-1]))
        return [*seen, *[said(future) for future in futures]]

    return body


def live(workflow: Any) -> tuple[Any, dict[str, list[Event]], str]:
    """Run it on threads; give its result and the logs of it and its children."""
    settings.store = store = MemoryStore()
    run = workflow.start()
    value = run.result(timeout=30)
    return value, {row.run: list(store.events(row.run)) for row in store.runs()}, run.id


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_decide_closes_a_live_log_as_the_run_closed(program: tuple[Any, ...]) -> None:
    """What is decided from the log of a live run is the close which that run had."""
    before = settings.store
    try:
        workflow = make(program)
        _, logs, run = live(workflow)
    finally:
        settings.store = before
    *events, closed = logs[run]
    assert isinstance(closed, RunClosed)
    commands = decide(definition(workflow).fn, events, now=0)
    assert [(c.status, c.result) for c in commands if isinstance(c, Close)] == [
        (closed.status, closed.result)
    ]


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_a_log_cut_after_any_event_resumes_to_the_same_result(program: tuple[Any, ...]) -> None:
    """Resuming gives the undisturbed result and runs only calls that were not settled."""
    before = settings.store
    try:
        workflow = make(program)
        value, logs, run = live(workflow)
        events = logs[run]
        for cut in range(1, len(events)):
            known = History.of(events[:cut])
            settled = {s.id for s in known.settled if isinstance(s.outcome, CallSucceeded)}
            settings.store = store = _cut(logs, run, cut)
            RAN.clear()
            resumed = nbflow.attach(run, store).resume(workflow)
            assert resumed.result(timeout=30) == value, f"cut after event {cut}"
            if len(logs) == 1:
                assert settled.isdisjoint(RAN), f"cut after event {cut}"
            again = History.of(resumed.events())
            assert [s.index for s in again.settled] == list(range(len(again.settled)))
    finally:
        settings.store = before


def _cut(logs: dict[str, list[Event]], run: str, cut: int) -> MemoryStore:
    """Give a store with a part of the parent's log, and the logs of the children it speaks of."""
    store = MemoryStore()
    born = History.of(logs[run][:cut]).children.values()
    for name, events in {run: logs[run][:cut], **{c: logs[c] for c in born if c in logs}}.items():
        started, *rest = events
        assert isinstance(started, RunStarted)
        store.create(name, started)
        if rest:
            store.append(name, rest)
    return store
