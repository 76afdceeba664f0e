"""What a workflow is told of its runs, and what it may say when one is to be cancelled."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Cancel, Close, RefuseCancel, Schedule, decide
from nbflow.core.events import (
    CallScheduled,
    CallSucceeded,
    CancelRefused,
    CancelRequested,
    Event,
    RunClosed,
    TimerStarted,
)
from nbflow.core.hooks import HOOKS, HookContext
from nbflow.core.workflow import definition
from nbflow.engine import cancelling
from nbflow.testing.checks import eventually

WAIT = 30
TOLD: list[tuple[str, str]] = []
GO: dict[str, bool] = {}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    TOLD.clear()
    GO.clear()
    yield
    GO["on"] = True


@nbflow.activity
def inc(x: int) -> int:
    """Add one."""
    return x + 1


@nbflow.activity
def hold() -> int:
    """Go on until the test says so, or nobody waits for it any more."""
    while not GO.get("on"):
        nbflow.context().heartbeat()
        time.sleep(0.005)  # an activity may: this one stands for long work
    return 1


def noting(name: str, gives: Any = None) -> Any:
    """Make a hook that notes that it was called."""

    def hook(ended: HookContext) -> Any:
        TOLD.append((name, ended.status))
        return gives

    return hook


def flow(body: Any, **options: Any) -> Any:
    """Make a workflow whose hooks are noted."""
    hooks = {n: noting(n, gives=True) for n in HOOKS}
    return nbflow.workflow(name="flow", lint=False, **{**hooks, **options})(body)


def until(run: Any, kind: Any) -> None:
    """Wait until the log has an event of a kind."""
    end = time.monotonic() + WAIT
    while not any(isinstance(e, kind) for e in run.events()):
        assert time.monotonic() < end, f"no {kind.__name__}"
        time.sleep(0.002)


def of(run: Any, *kinds: Any) -> list[Any]:
    """Give the events of some kinds."""
    return [e for e in run.events() if isinstance(e, kinds)]


AROUND = [("before_replay", "running"), ("after_replay", "running")]
ENDS = {
    "completed": [*AROUND, ("on_completed", "completed"), ("after_closed", "completed")],
    "failed": [*AROUND, ("on_failure", "failed"), ("after_closed", "failed")],
}


@pytest.mark.parametrize("fails", [False, True])
def test_hooks_are_called_around_a_run(fails: bool) -> None:
    """Each end has its hook, in the same order live and decided."""

    def body() -> Any:
        return inc(1).result() // (0 if fails else 1)

    made = flow(body)
    run = made.start()
    run.wait(WAIT)
    status = "failed" if fails else "completed"
    eventually(lambda: ENDS[status] == TOLD, "all are told, the last once the run is closed")
    TOLD.clear()
    found = definition(made)
    decide(found.fn, list(run.events())[:-1], now=0, options=found.settings)
    assert ENDS[status] == TOLD


def test_hooks_are_called_again_on_resuming() -> None:
    """A resumed run begins anew as far as its hooks go, and says how often it was resumed."""
    fails = True
    resumed: list[int] = []

    def body() -> Any:
        return inc(1).result() // (0 if fails else 1)

    made = flow(body, before_replay=lambda h: resumed.append(h.resumed))
    run = made.start()
    run.wait(WAIT)
    eventually(lambda: len(TOLD) == 3, "the last hook is told, once the run is closed")
    fails = False
    again = flow(body, before_replay=lambda h: resumed.append(h.resumed))
    assert run.resume(again).result(WAIT) == 2
    assert resumed == [0, 1]
    eventually(lambda: len(TOLD) == 6, "the last hook is told, once the run is closed")
    assert [name for name, _ in TOLD] == [
        *["after_replay", "on_failure", "after_closed"],
        *["after_replay", "on_completed", "after_closed"],
    ]


def test_hooks_of_a_class_are_methods_of_the_instance_that_ran() -> None:
    """What ``run`` has noted in ``self`` is there in them; the context says what came of it."""

    class Flow(nbflow.Workflow):
        def before_replay(self, told: HookContext) -> None:
            self.began = told.status

        def run(self, x: int) -> int:
            self.seen = inc(x).result()
            return self.seen

        def on_completed(self, told: HookContext) -> None:
            TOLD.append((self.began, str(self.seen)))
            TOLD.append((told.workflow, str(told.result)))
            TOLD.append((told.run, str(dict(told.calls))))

    run = Flow.start(1)
    assert run.result(WAIT) == 2
    assert [("running", "2"), ("Flow", "2"), (run.id, "{'inc-1': 'done'}")] == TOLD


def test_a_failure_is_told_with_its_reason_and_details() -> None:
    """As nbflow.fail said it, or the exception's class and message."""
    told: list[HookContext] = []

    def body() -> None:
        nbflow.fail("no data", "the disk is empty")

    run = flow(body, on_failure=told.append).start()
    run.wait(WAIT)
    assert [(t.reason, t.details, type(t.error)) for t in told] == [
        ("no data", "the disk is empty", nbflow.WorkflowFailed)
    ]


@pytest.mark.parametrize("name", [n for n in HOOKS if n != "should_cancel"])
def test_a_hook_that_raises_is_reported_and_hurts_nothing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends as it would have, and the log of the process has the traceback."""
    ends = {"on_failure": "failed", "on_canceled": "cancelled"}
    status = ends.get(name, "completed")

    def body() -> Any:
        if status == "cancelled":
            hold().result()
        return inc(1).result() // (0 if status == "failed" else 1)

    def broken(_: HookContext) -> None:
        message = "a broken hook"
        raise RuntimeError(message)

    with caplog.at_level(logging.ERROR, logger="nbflow"):
        run = flow(body, **{name: broken}).start()
        if status == "cancelled":
            until(run, CallScheduled)
            run.cancel()
        run.wait(WAIT)
        end = time.monotonic() + WAIT
        while "a broken hook" not in caplog.text and time.monotonic() < end:
            time.sleep(0.002)
    assert run.status == status
    assert name in caplog.text
    assert "a broken hook" in caplog.text


def test_async_hooks_are_run_to_their_end() -> None:
    """A hook may be ``async def``."""

    async def tell(ended: HookContext) -> None:
        TOLD.append(("async", ended.status))

    def body() -> int:
        return 1

    run = nbflow.workflow(name="flow", after_closed=tell, lint=False)(body).start()
    run.wait(WAIT)
    end = time.monotonic() + WAIT
    while not TOLD and time.monotonic() < end:
        time.sleep(0.002)
    assert TOLD == [("async", "completed")]


def test_what_is_no_function_is_refused_at_once() -> None:
    """The mistake is found where the workflow is defined, and named."""
    wrong: Any = "soon"
    with pytest.raises(nbflow.DefinitionError, match="on_completed is a function of a HookContext"):
        nbflow.workflow(name="flow", on_completed=wrong)(lambda: None)


# ---------------------------------------------------------------- cancelling


def cleaned() -> Any:
    """Wait, and clean up with a call."""
    try:
        return hold().result()
    finally:
        inc(41).result()


def test_code_cleans_up_with_calls_when_it_is_cancelled() -> None:
    """What it asks for on its way out is done, then the run is cancelled."""
    run = flow(cleaned).start()
    until(run, CallScheduled)
    run.cancel("enough")
    with pytest.raises(nbflow.RunCancelled, match="enough"):
        run.result(WAIT)
    assert [e.call for e in of(run, CallSucceeded)] == ["inc-1"]
    assert [name for name, _ in TOLD][:2] == ["before_replay", "should_cancel"]
    assert ("on_canceled", "cancelled") in TOLD


def test_a_cancel_is_decided_as_it_was_lived() -> None:
    """From a log: calls are given up, the clean-up asked for, and the run closed as cancelled."""
    made = flow(cleaned)
    run = made.start()
    until(run, CallScheduled)
    run.cancel("enough")
    run.wait(WAIT)
    found, events = definition(made), list(run.events())

    def decided(upto: Any) -> list[Any]:
        at = next(n for n, e in enumerate(events) if isinstance(e, upto))
        return decide(found.fn, events[: at + 1], now=0, options=found.settings)

    first = decided(CancelRequested)
    assert [c.call for c in first if isinstance(c, Cancel)] == ["hold-1"]
    assert [c.call.id for c in first if isinstance(c, Schedule)] == ["inc-1"]
    last = decide(found.fn, events[:-1], now=0, options=found.settings)
    assert [c.status for c in last if isinstance(c, Close)] == ["cancelled"]
    assert nbflow.replay(run, made).ok


def test_on_canceled_may_have_calls_made() -> None:
    """It belongs to the code: its calls are in the log, and waited for."""

    def undo(_: HookContext) -> None:
        inc(1)

    run = flow(lambda: hold().result(), on_canceled=undo).start()
    until(run, CallScheduled)
    run.cancel()
    run.wait(WAIT)
    assert [e.call for e in of(run, CallSucceeded)] == ["inc-1"]
    assert run.status == "cancelled"


def test_the_code_may_refuse_to_be_cancelled() -> None:
    """`should_cancel` is asked where the code waits; a refusal is in the log, and all goes on."""
    made = flow(lambda: hold().result(), should_cancel=noting("asked", gives=False))
    run = made.start()
    until(run, CallScheduled)
    run.cancel("please")
    until(run, CancelRefused)
    GO["on"] = True
    assert run.result(WAIT) == 1
    found, events = definition(made), list(run.events())
    at = next(n for n, e in enumerate(events) if isinstance(e, CancelRequested))
    commands = decide(found.fn, events[: at + 1], now=0, options=found.settings)
    assert [c.reason for c in commands if isinstance(c, RefuseCancel)] == ["please"]
    assert nbflow.replay(run, made).check().ok


def test_a_run_that_refused_may_be_asked_again() -> None:
    """Each request is a question of its own."""
    answers = [False, True]

    made = flow(lambda: hold().result(), should_cancel=lambda _: answers.pop(0))
    run = made.start()
    until(run, CallScheduled)
    run.cancel("first")
    until(run, CancelRefused)
    run.cancel("second")
    with pytest.raises(nbflow.RunCancelled, match="second"):
        run.result(WAIT)
    assert answers == []


def test_a_question_that_fails_is_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever cancels a run must get rid of it, whatever its hook's faults; they are reported."""
    run = flow(lambda: hold().result(), should_cancel=lambda _: 1 // 0).start()
    until(run, CallScheduled)
    run.cancel()
    run.wait(WAIT)
    assert run.status == "cancelled"
    assert "should_cancel failed" in caplog.text


def test_cleaning_up_has_a_limit() -> None:
    """Code that does not come to an end is ended; what it had under way is given up."""

    def body() -> Any:
        try:
            hold().result()
        finally:
            nbflow.sleep(3600)

    run = flow(body, clean_up_timeout=0.05, should_cancel=None).start()
    until(run, CallScheduled)
    run.cancel()
    run.wait(WAIT)
    assert run.status == "cancelled"
    assert len(of(run, TimerStarted)) == 1


def test_code_that_computes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose code does not come to where it hears of the cancel is closed all the same."""
    monkeypatch.setattr(cancelling, "_CANCEL_GRACE", 0.05)

    def body() -> None:
        inc(1).result()
        while not GO.get("on"):
            pass

    run = flow(body, should_cancel=None).start()
    until(run, CallSucceeded)
    run.cancel()
    run.wait(WAIT)
    assert run.status == "cancelled"


def test_an_error_while_cleaning_up_is_not_lost() -> None:
    """The run is cancelled, and says with what its cleaning up failed."""

    def body() -> Any:
        try:
            return hold().result()
        finally:
            message = "cannot undo"
            raise ValueError(message)

    run = flow(body).start()
    until(run, CallScheduled)
    run.cancel("enough")
    with pytest.raises(nbflow.RunCancelled, match="cannot undo") as caught:
        run.result(WAIT)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_cancelled_run_is_resumed_as_if_it_had_not_been() -> None:
    """What its code did to clean up is forgotten: if it comes to that again, it is done again."""

    def body() -> Any:
        try:
            value = hold().result()
        except BaseException:
            inc(41).result()
            raise
        return [value, inc(1).result()]

    made = flow(body)
    run = made.start()
    until(run, CallScheduled)
    run.cancel()
    run.wait(WAIT)
    GO["on"] = True
    assert run.resume(made).result(WAIT) == [1, 2]
    succeeded: list[Event] = of(run, CallSucceeded)
    assert [getattr(e, "result", None) for e in succeeded] == [42, 1, 2]
    assert len(of(run, RunClosed)) == 2


def test_code_that_is_only_waiting_in_a_finally_is_not_asked_twice() -> None:
    """Stopped by a decider, code asks for nothing in its `finally`: that is for its real end."""
    made = flow(cleaned)
    run = made.start()
    until(run, CallScheduled)
    events = [e for e in run.events() if e.seq < 3]
    commands = decide(definition(made).fn, events, now=0)
    assert [c.call.id for c in commands if isinstance(c, Schedule)] == []
    GO["on"] = True
    assert run.result(WAIT) == 1
