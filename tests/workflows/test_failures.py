"""What a workflow decides about calls that fail, how many are open, and in what order they go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import nbflow
from nbflow.core.child import WorkflowOptions
from nbflow.core.decide import Schedule, decide
from nbflow.core.events import CallCancelled, CallFailed, CallScheduled, RunStarted
from nbflow.core.workflow import definition
from nbflow.running.config import settings


@nbflow.activity
def inc(x: int = 0) -> int:
    """Add one."""
    return x + 1


@nbflow.activity
def shaky(x: int = 0) -> int:
    """Fail at the first two attempts."""
    if nbflow.context().attempt < 3:
        message = f"attempt {nbflow.context().attempt}"
        raise OSError(message)
    return x


@nbflow.activity
def fail(x: int = 0) -> int:
    """Fail, always."""
    message = "no"
    raise ValueError(message)


@pytest.fixture(autouse=True, params=["threads", "inline", "processes"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run everything everywhere, keeping nothing."""
    before = settings.on, settings.options, settings.store
    options: dict[str, Any] = {"max_workers": 1} if request.param == "processes" else {}
    nbflow.configure(on=request.param, store=":memory:", **options)
    yield request.param
    settings.on, settings.options, settings.store = before


def start(body: Any, **options: Any) -> Any:
    """Run a function as a workflow with options, to its end."""
    handle = nbflow.workflow(name="flow", lint=False, **options)(body).start()
    handle.wait(timeout=60)
    return handle


def test_ignore_gives_none() -> None:
    """The call is settled, its result is None, and what needs it runs."""
    handle = start(lambda: [fail().result(), inc(1)], on_task_failure=lambda f: f.decide_ignore())
    assert handle.result() == [None, 2]


def test_handled_gives_a_result() -> None:
    """The call succeeds with what was decided, in the log too."""
    handle = start(lambda: inc(fail()), on_task_failure=lambda f: f.decide_handled(41))
    assert handle.result() == 42
    assert handle.calls["fail-1"].status == "done"


def test_handled_with_what_cannot_be_stored_fails_the_call() -> None:
    """A result that cannot be kept is an error of the call."""
    handle = start(
        lambda: fail().result(), on_task_failure=lambda f: f.decide_handled(threading.Lock())
    )
    with pytest.raises(nbflow.Unserialisable, match="the result that was decided for fail-1"):
        handle.result()


def test_cancel_settles_the_call_as_cancelled() -> None:
    """Its code gets ActivityCancelled."""
    handle = start(lambda: fail().result(), on_task_failure=lambda f: f.decide_cancel())
    with pytest.raises(nbflow.ActivityCancelled, match="on_task_failure"):
        handle.result()
    assert any(isinstance(e, CallCancelled) for e in handle.events())


def test_retry_now_and_later() -> None:
    """A call is tried again as often as it is decided; later is a time in the log."""
    waits = {1: 0, 2: 0.01}
    handle = start(lambda: shaky(5), on_task_failure=lambda f: f.decide_retry(waits[f.attempt]))
    assert handle.result() == 5
    due = [(e.retry_at or 0) - e.at for e in handle.events() if isinstance(e, CallFailed)]
    assert [round(wait, 3) for wait in due] == [0, 0.01]


def test_abort_fails_the_run_whatever_its_code_would_do() -> None:
    """Code that would catch the error does not get to."""

    def body() -> Any:
        try:
            return fail().result()
        except ValueError:
            return "caught"

    handle = start(body, on_task_failure=lambda f: f.decide_abort())
    assert handle.status == "failed"
    with pytest.raises(ValueError, match="no"):
        handle.result()


def test_no_decision_leaves_it_to_the_policy_and_so_does_an_error_of_the_handler() -> None:
    """None, and a handler that fails, are no decision."""
    again = nbflow.Retry(attempts=3, wait=0, jitter=0)
    patient = shaky.options(retry=again)
    assert start(lambda: patient(1), on_task_failure=lambda _: None).result() == 1
    assert start(lambda: patient(1), on_task_failure=lambda _: 1 // 0).result() == 1


def test_the_context_says_what_failed() -> None:
    """Call, activity, attempt, exception, reason and the policy's own decision."""
    seen: list[Any] = []

    class Careful(nbflow.Workflow):
        """Asks what to do."""

        def run(self) -> Any:
            """Call once."""
            return self.submit(fail).result()

        def on_task_failure(self, failure: nbflow.FailureContext) -> Any:
            """Note what is known."""
            said = (failure.call, failure.activity, failure.attempt, failure.retry_count)
            return failure.decide_handled([*said, str(failure.exception), failure.reason])

    handle = Careful.start()
    assert handle.result(timeout=60) == ["fail-1", "fail", 1, 0, "no", "ValueError: no"]
    assert seen == []


def test_a_child_that_fails_is_decided_about_like_a_call() -> None:
    """on_task_failure hears of child runs."""

    @nbflow.workflow
    def child() -> Any:
        return fail()

    handle = start(lambda: [child()], on_task_failure=lambda f: f.decide_handled("none"))
    assert handle.result() == ["none"]


def test_no_more_calls_are_open_than_may_be() -> None:
    """With max_open_activity_count=2 the third call is asked for once one is settled."""
    handle = start(lambda: [inc(n) for n in range(6)], max_open_activity_count=2)
    assert handle.result() == [1, 2, 3, 4, 5, 6]
    now = most = 0
    for event in handle.events():
        now += isinstance(event, CallScheduled) - (type(event).__name__ == "CallSucceeded")
        most = max(most, now)
    assert most == 2


def test_a_decider_stops_there_too() -> None:
    """Deciding gives no more than so many calls."""
    workflow = nbflow.workflow(name="flow", lint=False)(lambda: [inc(n) for n in range(6)])
    log = [RunStarted(1, 0.0, "flow", (), {})]
    options = WorkflowOptions(max_open_activity_count=2)
    commands = decide(definition(workflow).fn, log, 0, options=options)
    assert [c.call.id for c in commands if isinstance(c, Schedule)] == ["inc-1", "inc-2"]


def test_a_priority_comes_from_the_nearest_that_says_one(place: str) -> None:
    """Call before activity before workflow; None says that there is to be none."""
    if place != "inline":
        pytest.skip("one after another only there")

    low = inc.options(name="low", task_priority=-1)
    none = inc.options(name="none", task_priority=None)
    top = inc.options(name="top")

    def body() -> Any:
        return [low(1), none(1), inc(1), top.submit(1, task_priority=9)]

    handle = start(body, task_priority=5)
    assert handle.result() == [2, 2, 2, 2]
    ended = [e.call for e in handle.events() if type(e).__name__ == "CallSucceeded"]
    assert set(ended) == {"low-1", "none-1", "inc-1", "top-1"}
    assert handle.calls["inc-1"].id == "inc-1"
    states = handle._history().calls
    ranks = {c: s.activity.settings.task_priority for c, s in states.items() if s.activity}
    assert ranks == {"low-1": -1, "none-1": None, "inc-1": 5, "top-1": 9}


def test_options_that_make_no_sense_are_refused() -> None:
    """One clear error where the workflow is defined."""
    for options, words in (
        ({"parent_close": "kill"}, "parent_close is one of"),
        ({"tags": "a"}, "tags are a list"),
        ({"max_open_activity_count": 0}, "whole number from 1"),
        ({"on_failure": 3}, "on_failure is a function"),
        ({"retries": 3}, "unknown option retries"),
    ):
        make: Any = nbflow.workflow(name="x", **options)
        with pytest.raises(nbflow.DefinitionError, match=words):
            make(lambda: 1)


def test_a_child_is_one_node_whose_worker_is_its_run() -> None:
    """The graph shows it as any other call; where it ran is the id of its run."""

    @nbflow.workflow
    def child() -> Any:
        return inc(1)

    handle = start(lambda: [child()])
    assert handle.result() == [2]
    (node,) = handle.graph.nodes
    assert (node.id, node.status, node.worker) == ("child-1", "done", f"{handle.id}/child-1")
