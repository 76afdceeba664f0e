"""Workflows called by workflows: runs of their own that behave as calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.child import MOST_DEEP
from nbflow.core.decide import Close, Schedule, decide
from nbflow.core.events import ChildStarted, Event, RunClosed, RunResumed, RunStarted
from nbflow.core.workflow import definition
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore

RAN: list[str] = []
flow: Any = nbflow.workflow
"""Called in a workflow it gives a Future, which its type does not say."""


@nbflow.activity
def inc(x: int = 0) -> int:
    """Add one."""
    RAN.append(nbflow.context().idempotency_key)
    return x + 1


@nbflow.activity
def fail(x: int = 0) -> int:
    """Fail, always."""
    message = f"refused {x}"
    raise ValueError(message)


@flow(tags=["inner"])
def tagged(x: int) -> Any:
    """Call once."""
    return inc(x)


@flow
def inner(x: int) -> Any:
    """Call twice."""
    return inc(inc(x))


@flow
def broken(x: int) -> Any:
    """Fail after a success."""
    return fail(inc(x))


@pytest.fixture(autouse=True, params=["threads", "inline", "processes"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run everything everywhere, keeping nothing."""
    before = settings.on, settings.options, settings.store
    options: dict[str, Any] = {"max_workers": 1} if request.param == "processes" else {}
    nbflow.configure(on=request.param, store=MemoryStore(), **options)
    RAN.clear()
    yield request.param
    settings.on, settings.options, settings.store = before


def run(body: Any) -> Any:
    """Run a function as a workflow; see that a replay of its log decides the same close."""
    workflow = nbflow.workflow(name="flow")(body)
    handle = workflow.start()
    handle.wait(timeout=60)
    *events, closed = handle.events()
    assert isinstance(closed, RunClosed)
    (decided,) = [c for c in decide(definition(workflow).fn, events, now=0) if isinstance(c, Close)]
    assert (decided.status, decided.result) == (closed.status, closed.result)
    return handle


def test_a_workflow_in_a_workflow_is_a_run_of_its_own() -> None:
    """Its result is that of the call, and its log is under the call's id."""

    def body() -> Any:
        child = inner(1)
        return inc(child)

    handle = run(body)
    assert handle.result() == 4
    (born,) = [e for e in handle.events() if isinstance(e, ChildStarted)]
    assert (born.call, born.run) == ("inner-1", f"{handle.id}/inner-1")
    child = nbflow.attach(born.run)
    assert child.status == "completed"
    assert child.result() == 3
    started = next(child.events())
    assert isinstance(started, RunStarted)
    assert (started.parent, started.call, started.on) == (handle.id, "inner-1", settings.on)


def test_it_takes_futures_and_gives_edges() -> None:
    """A child waits for what it takes, and its graph node depends on that."""

    def body() -> Any:
        return inner(inc(1)), inner(inner(0))

    handle = run(body)
    assert handle.result() == (4, 4)
    assert handle.calls["inner-1"].status == "done"
    assert {(e.source, e.target) for e in handle.graph.edges} == {
        ("inc-1", "inner-1"),
        ("inner-2", "inner-3"),
    }


def test_a_class_workflow_can_be_a_child_and_have_children() -> None:
    """Submit takes workflows of either shape."""

    class Inner(nbflow.Workflow):
        """A child."""

        name = "small"

        def run(self, x: int) -> Any:
            """Call once."""
            return self.submit(inc, x)

    class Outer(nbflow.Workflow):
        """A parent."""

        def run(self) -> Any:
            """Call two children."""
            both = self.submit(nbflow.Group((Inner, 1), (inner, 1)))
            return [self.submit(Inner, 5).result(), *both.result()]

    assert Outer.start().result(timeout=60) == [6, 2, 3]


def test_a_failure_comes_up() -> None:
    """What a child fails with is what its call fails with, and fails the parent."""
    handle = run(lambda: broken(1))
    with pytest.raises(ValueError, match="refused 2"):
        handle.result()
    assert nbflow.attach(f"{handle.id}/broken-1").status == "failed"


def test_a_failure_can_be_caught() -> None:
    """The parent's code sees the child's error as that of an activity."""

    def body() -> str:
        try:
            broken(1).result()
        except ValueError as error:
            return str(error)
        return ""

    assert run(body).result() == "refused 2"


def test_options_of_a_child() -> None:
    """Failures of a child can be None, equal calls one, and tags are inherited or its own."""

    def body() -> Any:
        same = inner.options(idempotent=True)
        first, second = same(3), same(3)
        return (
            broken.options(raises_on_failure=False)(1).result(),
            first.call == second.call,
            tagged(1),
        )

    workflow = flow(name="flow", tags=["night"])(body)
    handle = workflow.start()
    assert handle.result(timeout=60) == (None, True, 2)
    tags = {
        e.call: s.tags
        for e in handle.events()
        if isinstance(e, ChildStarted)
        and isinstance(s := next(nbflow.attach(e.run).events()), RunStarted)
    }
    assert tags.pop("tagged-1") == ("inner",)
    assert set(tags.values()) == {("night",)}


def test_a_child_that_is_tried_again_keeps_what_succeeded(tmp_path: Path) -> None:
    """A retry resumes the child: its call that failed runs anew, the other does not."""
    mark = tmp_path / "seen"

    @nbflow.activity
    def once(x: int) -> int:
        if not mark.exists():
            mark.touch()
            message = "first"
            raise OSError(message)
        return x

    @flow
    def shaky() -> Any:
        return once(inc(1))

    again = nbflow.Retry(attempts=2, wait=0, jitter=0)
    handle = run(lambda: [shaky.options(retry=again)()])
    assert handle.result() == [2]
    assert handle.calls["shaky-1"].attempt == 2
    kinds = [type(e).__name__ for e in nbflow.attach(f"{handle.id}/shaky-1").events()]
    assert kinds.count("RunResumed") == 1
    assert kinds.count("CallScheduled") == 2


def test_a_resumed_parent_resumes_its_children(tmp_path: Path) -> None:
    """What a child has done is kept when its parent failed because of it and is resumed."""
    ready = tmp_path / "ready"

    @nbflow.activity
    def needs() -> int:
        return len(ready.read_text())

    @flow
    def child() -> Any:
        return inc(1).result() + needs().result()

    @flow
    def parent() -> Any:
        return child()

    handle = parent.start()
    with pytest.raises(FileNotFoundError):
        handle.result(timeout=60)
    ready.write_text("abc")
    RAN.clear()
    assert handle.resume(parent).result(timeout=60) == 5
    assert RAN == []


def test_a_rerun_child_is_a_new_run() -> None:
    """Rerunning its call runs all of the child again, under an id of its own."""

    @flow
    def parent() -> Any:
        return inner(1)

    handle = parent.start()
    assert handle.result(timeout=60) == 3
    assert handle.rerun("inner-1", workflow=parent).result(timeout=60) == 3
    born = [e.run for e in handle.events() if isinstance(e, ChildStarted)]
    assert born == [f"{handle.id}/inner-1", f"{handle.id}/inner-1~2"]
    assert nbflow.attach(born[1]).status == "completed"


def test_a_log_cut_after_any_event_goes_on_to_the_same_end() -> None:
    """Parent and child, cut at any event of either, complete; nothing settled runs again."""

    @flow
    def parent() -> Any:
        return inc(inner(inc(1)))

    handle = parent.start()
    value = handle.result(timeout=60)
    logs = {run: list(settings.open_store().events(run)) for run in _runs(handle.id)}
    for run, events in logs.items():
        for cut in range(1, len(events) + 1):
            store = _cut(logs, handle.id, run, cut)
            settings.store = store
            RAN.clear()
            again = nbflow.attach(handle.id, store)
            if not again.done():
                again.resume(parent)
            assert again.result(timeout=60) == value, (run, cut)


def _runs(parent: str) -> list[str]:
    return [row.run for row in nbflow.runs() if row.run.startswith(parent)]


def _cut(logs: dict[str, list[Event]], parent: str, run: str, cut: int) -> MemoryStore:
    """Give a store as it was when `run` had `cut` events."""
    last = logs[run][cut - 1].at
    store = MemoryStore()
    for name, events in logs.items():
        kept = events[:cut] if name == run else [e for e in events if e.at < last]
        if name == parent and name != run:
            # The parent has heard of its child's end after that.
            kept = [e for e in kept if e.seq <= _before(events, last)]
        if kept:
            first, *rest = kept
            assert isinstance(first, RunStarted)
            store.create(name, first)
            if rest:
                store.append(name, rest)
    return store


def _before(events: list[Event], at: float) -> int:
    seq = 0
    for event in events:
        if event.at >= at:
            break
        seq = event.seq
    return seq


def test_a_cancelled_parent_cancels_its_children(place: str, tmp_path: Path) -> None:
    """Children end with their parent, unless they say otherwise."""
    if place == "inline":
        pytest.skip("a cell that runs inline cannot cancel it")
    go = tmp_path / "go"

    @nbflow.activity
    def hang() -> int:
        while not go.exists():
            nbflow.context()
        return 1

    @flow
    def stuck() -> Any:
        return hang()

    @flow
    def parent() -> Any:
        return [stuck(), stuck.options(parent_close="cancel")()]

    handle = parent.start()
    _until(lambda: sum(row.status == "running" for row in nbflow.runs()) == 3)
    handle.cancel("enough")
    handle.wait(timeout=60)
    _until(lambda: all(row.status == "cancelled" for row in nbflow.runs()))
    assert len(nbflow.runs()) == 3
    go.touch()


def test_an_abandoned_child_goes_on(place: str, tmp_path: Path) -> None:
    """With parent_close="abandon" a child outlives its parent, and is found by a resumed one."""
    if place == "inline":
        pytest.skip("a cell that runs inline cannot cancel it")
    go = tmp_path / "go"

    @nbflow.activity
    def hang() -> int:
        while not go.exists():
            nbflow.context()
        return 1

    @flow
    def stuck() -> Any:
        return hang()

    @flow
    def parent() -> Any:
        return stuck.options(parent_close="abandon")()

    handle = parent.start()
    _until(lambda: len(nbflow.runs()) == 2)
    child = nbflow.attach(f"{handle.id}/stuck-1")
    _until(lambda: "hang-1" in child.calls)
    handle.cancel("enough")
    handle.wait(timeout=60)
    assert handle.status == "cancelled"
    handle.resume(parent)
    go.touch()
    assert child.result(timeout=60) == 1
    assert handle.result(timeout=60) == 1
    assert not [e for e in child.events() if isinstance(e, RunResumed)]


def _until(condition: Any) -> None:
    import time

    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_workflow_that_calls_itself_for_ever_is_stopped(place: str) -> None:
    """Beyond a depth there are no more children, and the error says so."""
    if place != "threads":
        pytest.skip("the same everywhere")

    @flow
    def down(n: int) -> Any:
        return down(n + 1)

    handle = down.start(0)
    with pytest.raises(nbflow.RunError, match=f"child of a child {MOST_DEEP} times over"):
        handle.result(timeout=60)


def test_arguments_that_do_not_fit_are_refused_where_the_call_is_written() -> None:
    """As of an activity."""
    handle = run(lambda: inner(1, 2))
    with pytest.raises(TypeError, match=r"inner\(x: 'int'\)"):
        handle.result()


def test_a_decider_is_told_to_start_it() -> None:
    """Deciding gives a Schedule for a child as for an activity, once what it takes is there."""
    workflow = nbflow.workflow(name="flow")(lambda: inner(1))
    started = RunStarted(1, 0.0, "flow", (), {})
    (command,) = decide(definition(workflow).fn, [started], now=0)
    assert isinstance(command, Schedule)
    assert (command.call.id, command.call.args) == ("inner-1", (1,))
    assert command.call.activity is not None
    assert command.call.activity.settings.executor == "child run"
