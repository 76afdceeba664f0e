"""Signals, timers, going on as new, failing, and what workflow code knows of its run."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Close, Command, Continue, SendSignal, StartTimer, decide
from nbflow.core.events import (
    Event,
    RunClosed,
    RunContinued,
    RunResumed,
    RunStarted,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.workflow import definition
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore


@nbflow.activity
def inc(x: int = 0) -> int:
    """Add one."""
    return x + 1


@pytest.fixture(autouse=True, params=["threads", "inline", "processes"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run everything everywhere, keeping nothing."""
    before = settings.on, settings.options, settings.store
    options: dict[str, Any] = {"max_workers": 1} if request.param == "processes" else {}
    nbflow.configure(on=request.param, store=MemoryStore(), **options)
    yield request.param
    settings.on, settings.options, settings.store = before


def replayed(workflow: Any, events: list[Event]) -> list[Command]:
    """Give what is decided from all but the end of a log."""
    return decide(definition(workflow).fn, events, now=0)


def run(body: Any, *args: Any) -> Any:
    """Run a function as a workflow; see that a replay of its log decides the same close."""
    workflow = nbflow.workflow(name="flow", lint=False)(body)
    handle = workflow.start(*args)
    handle.wait(timeout=60)
    *events, closed = handle.events()
    assert isinstance(closed, RunClosed)
    (decided,) = [c for c in replayed(workflow, events) if isinstance(c, Close)]
    assert (decided.status, decided.result) == (closed.status, closed.result)
    return handle


# ---------------------------------------------------------------- signals


def test_a_signal_to_oneself_is_waited_for_before_and_after_it_is_sent() -> None:
    """Waiting gives the value whichever comes first, and the latest one afterwards."""

    def body() -> Any:
        before = nbflow.wait_signal("go")
        nbflow.signal("go", {"n": 1}).result()
        first = before.result()
        after = nbflow.wait_signal("go").result()
        nbflow.signal("go", 2).result()
        nbflow.signals("go").get().result()
        inc(1).result()
        return first, after, nbflow.wait_signal("go").result()

    handle = run(body)
    assert handle.result() == ({"n": 1}, {"n": 1}, 2)
    kinds = [type(e) for e in handle.events()]
    assert kinds.count(SignalReceived) == kinds.count(SignalSent) == 2


def test_a_person_sends_a_signal_to_a_run(place: str) -> None:
    """run.signal reaches code that waits, and whoever is over hears no more."""
    if place == "inline":
        pytest.skip("a cell that runs inline cannot send one meanwhile")

    @nbflow.workflow
    def flow() -> Any:
        return nbflow.wait_signal("go").result() + inc(1).result()

    handle = flow.start()
    handle.signal("go", 5)
    assert handle.result(timeout=60) == 7
    with pytest.raises(nbflow.RunError, match="has completed, and hears no more"):
        handle.signal("go", 6)


def test_signals_queue_up_and_each_is_taken_once(place: str) -> None:
    """A queue gives them in order; one that is sent again under its id is not there twice."""
    if place == "inline":
        pytest.skip("a cell that runs inline cannot send one meanwhile")

    @nbflow.workflow
    def flow() -> Any:
        orders = nbflow.signals("order")
        taken = [orders.get().result(), orders.get().result()]
        last = nbflow.signals("last").get().result()
        return taken, last, orders.unread(), orders.latest().result()

    handle = flow.start()
    for number in (1, 2, 3):
        handle.signal("order", number, id=f"order-{number}")
        handle.signal("order", number, id=f"order-{number}")
    handle.signal("last", "x")
    assert handle.result(timeout=60) == ([1, 2], "x", [3], 3)
    got = [e.result for e in handle.events() if isinstance(e, SignalReceived)]
    assert got == [1, 2, 3, "x"]


def test_parents_and_children_tell_each_other() -> None:
    """A child sends to its parent, a parent to its child, and to all of them at once."""

    @nbflow.workflow(lint=False)
    def child(n: int) -> Any:
        nbflow.signal("born", n, to="parent").result()
        return nbflow.wait_signal("name").result(), nbflow.wait_signal("all").result()

    def body() -> Any:
        first, second = child(1), child(2)
        born = nbflow.signals("born")
        found = sorted([born.get().result(), born.get().result()])
        nbflow.signal("name", "a", to=first).result()
        nbflow.signal("name", "b", to=second).result()
        nbflow.signal("all", "!", propagate=True).result()
        return found, first.result(), second.result()

    assert run(body).result() == ([1, 2], ("a", "!"), ("b", "!"))


def test_an_external_run_is_told_by_its_id(place: str) -> None:
    """Code of one run sends to another one by id; a run that there is not is an error."""
    if place == "inline":
        pytest.skip("a cell that runs inline holds only one run")

    @nbflow.workflow
    def waits() -> Any:
        return nbflow.wait_signal("go").result()

    def body(other: str) -> Any:
        nbflow.signal("go", 3, to=other).result()
        try:
            nbflow.signal("go", 3, to="nowhere").result()
        except nbflow.RunNotFound as error:
            return str(error)
        return ""

    other = waits.start()
    handle = run(body, other.id)
    assert other.result(timeout=60) == 3
    assert "no run nowhere in" in handle.result()


def test_a_signal_as_an_argument_or_a_result_is_its_value() -> None:
    """Handing one to an activity waits for it; in the workflow's result it is resolved."""

    def body() -> Any:
        nbflow.signal("x", 41).result()
        return inc(nbflow.wait_signal("x")), [nbflow.wait_signal("x")]

    assert run(body).result() == (42, [41])


def test_a_signal_or_a_timer_is_no_node_of_the_graph() -> None:
    """Edges come from calls only, whatever the code has waited for before."""
    handle = run(_after_others)
    assert handle.result() == 3
    assert {(e.source, e.target) for e in handle.graph.edges} == {("inc-1", "inc-2")}


def _after_others() -> int:
    nbflow.signal("x", 1).result()
    first = nbflow.wait_signal("x").result()
    timer = nbflow.start_timer(0)
    nbflow.wait([timer])
    list(nbflow.as_completed([timer]))
    return inc(inc(first)).result()


def test_signals_can_be_raced() -> None:
    """Wait and as_completed take signals and timers like calls."""

    def body() -> Any:
        late, never = nbflow.start_timer(0.02), nbflow.wait_signal("never")
        done, rest = nbflow.wait([never, late], return_when="FIRST_COMPLETED")
        return done == [late], rest == [never]

    assert run(body).result() == (True, True)


def test_a_signal_that_was_sent_while_nobody_drove_the_run_is_there(tmp_path: Path) -> None:
    """It is on the disk, and the run has it when it is resumed, also from another process."""
    nbflow.configure(store=tmp_path)

    @nbflow.workflow
    def flow() -> Any:
        if not (tmp_path / "go").exists():  # nbflow: ok
            nbflow.fail("not yet")
        return nbflow.wait_signal("word").result()

    handle = flow.start()
    handle.wait(timeout=60)
    store = settings.open_store()
    store.append(handle.id, [RunResumed(3, 0.0)])
    code = f"""
        import nbflow
        nbflow.configure(store={str(tmp_path)!r})
        nbflow.attach({handle.id!r}).signal("word", {{"a": (1, 2)}})
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)
    (tmp_path / "go").touch()
    again = nbflow.attach(handle.id, store).resume(flow)
    assert again.result(timeout=60) == {"a": (1, 2)}
    assert not any((tmp_path / "mail").iterdir())


def test_a_signal_from_another_process_reaches_a_driven_run(place: str, tmp_path: Path) -> None:
    """Whoever drives a run that waits looks for what other processes have sent."""
    if place != "threads":
        pytest.skip("the same everywhere")
    nbflow.configure(store=tmp_path)

    @nbflow.workflow
    def flow() -> Any:
        return nbflow.wait_signal("word").result()

    handle = flow.start()
    code = f"""
        import nbflow
        nbflow.configure(store={str(tmp_path)!r})
        nbflow.attach({handle.id!r}).signal("word", "hello")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)
    assert handle.result(timeout=60) == "hello"


# ---------------------------------------------------------------- timers


def test_a_timer_is_a_future_that_can_be_cancelled() -> None:
    """Starting and cancelling are in the log; a cancelled one gives None at once."""

    def body() -> Any:
        short, long = nbflow.start_timer(0.01), nbflow.start_timer(3600, id="long")
        nbflow.cancel_timer("long")
        result = short.result(), long.result()
        nbflow.cancel_timer(short)
        details = nbflow.get_event_details("timer", "long")
        assert details is not None
        return result, details["state"]

    handle = run(body)
    assert handle.result() == ((None, None), "TimerCancelled")
    kinds = [type(e) for e in handle.events()]
    assert (kinds.count(TimerStarted), kinds.count(TimerFired)) == (2, 1)
    assert kinds.count(TimerCancelled) == 1


def test_mistakes_with_timers_are_said_where_they_are_made() -> None:
    """A time below 0, an id that is taken, a timer that there is not."""

    def body() -> Any:
        said = []
        nbflow.start_timer(0, id="a")
        for mistake in (
            lambda: nbflow.start_timer(-1),
            lambda: nbflow.start_timer(1, id="a"),
            lambda: nbflow.cancel_timer("b"),
        ):
            try:
                mistake()
            except (ValueError, nbflow.DefinitionError) as error:
                said.append(str(error)[:20])
        return said

    assert run(body).result()[:2] == ["a timer runs for a n", "timer 'a' is started"]


def test_a_decider_is_told_of_timers_and_signals() -> None:
    """Deciding gives commands to start a timer and to send a signal, each once."""

    def body() -> Any:
        nbflow.start_timer(5)
        nbflow.signal("go", 1, to="other")
        return nbflow.wait_signal("back").result()

    workflow = nbflow.workflow(name="flow", lint=False)(body)
    started = RunStarted(1, 0.0, "flow", (), {})
    timer, sent = replayed(workflow, [started])
    assert isinstance(timer, StartTimer)
    assert isinstance(sent, SendSignal)
    assert (timer.due, sent.event.to, sent.told.result) == (5.0, "other", 1)
    log: list[Event] = [
        started,
        TimerStarted(2, 0.0, timer.timer, timer.due),
        sent.event._replace(seq=3),
    ]
    assert replayed(workflow, log) == []
    (close,) = replayed(workflow, [*log, SignalReceived(4, 0.0, "back", 1, "hi")])
    assert isinstance(close, Close)
    assert close.result == "hi"


# ---------------------------------------------------------------- going on as new


def test_a_workflow_goes_on_as_new_and_its_result_is_the_last_ones() -> None:
    """Eleven runs, linked both ways; the first one's handle gives the last one's result."""

    @nbflow.workflow(tags=["long"])
    def count(n: int) -> Any:
        if n < 10:
            nbflow.continue_as_new(inc(n).result())
        return n, nbflow.run_context().tags

    handle = count.start(0)
    assert handle.result(timeout=60) == (10, ("long",))
    assert handle.status == "continued"
    ids = [row.run for row in reversed(nbflow.runs())]
    assert ids == [handle.id, *(f"{handle.id}+{n}" for n in range(2, 12))]
    assert handle.onward is not None
    assert handle.onward.id == ids[1]
    started = next(nbflow.attach(ids[3]).events())
    assert isinstance(started, RunStarted)
    assert started.continues == ids[2]


def test_a_replay_decides_to_continue() -> None:
    """Deciding gives the arguments of the next run."""

    @nbflow.workflow
    def flow(n: int) -> Any:
        if n < 2:
            nbflow.continue_as_new(inc(n).result(), after_events=2)
        return n

    handle = flow.start(1)
    assert handle.result(timeout=60) == 2
    (command,) = [c for c in replayed(flow, [*handle.events()][:-2]) if type(c) is Continue]
    assert isinstance(command, Continue)
    assert command.args == (2,)


def test_a_budget_of_events_bounds_each_log() -> None:
    """With after_events a loop goes on as new near so many events, and not before."""

    @nbflow.workflow(lint=False)
    def loop(left: int) -> Any:
        while left:
            left -= inc().result()
            nbflow.continue_as_new(left, after_events=20)
        return "done"

    handle = loop.start(30)
    assert handle.result(timeout=60) == "done"
    sizes = [sum(1 for _ in nbflow.attach(row.run).events()) for row in nbflow.runs()]
    assert max(sizes) <= 30
    assert 2 < len(sizes) < 10


def test_a_child_goes_on_as_new_within_its_call() -> None:
    """The parent gets the result of the last run of the chain."""

    @nbflow.workflow
    def child(n: int) -> Any:
        if n < 3:
            nbflow.continue_as_new(n + 1)
        return inc(n)

    assert run(lambda: child(0)).result() == 4


def test_signals_that_were_not_taken_go_along(place: str) -> None:
    """What a queue has given out stays behind, the rest is there in the new run."""
    if place == "inline":
        pytest.skip("a cell that runs inline cannot send one meanwhile")

    @nbflow.workflow
    def flow(seen: list[int]) -> Any:
        queue = nbflow.signals("n")
        seen = [*seen, queue.get().result()]
        if len(seen) < 3:
            nbflow.wait_signal("all").result()
            nbflow.continue_as_new(seen)
        return seen

    handle = flow.start([])
    for number in (1, 2, 3):
        handle.signal("n", number)
    handle.signal("all")
    assert handle.result(timeout=60) == [1, 2, 3]


def test_a_run_that_went_on_is_not_driven_again_and_cancels_its_successor(place: str) -> None:
    """Resume names the run it goes on in; cancel reaches the one that is under way."""
    if place == "inline":
        pytest.skip("a cell that runs inline cannot cancel it")

    @nbflow.workflow
    def flow(n: int) -> Any:
        if n:
            nbflow.continue_as_new(n - 1)
        return nbflow.wait_signal("never").result()

    handle = flow.start(1)
    handle.wait(timeout=60)
    with pytest.raises(nbflow.RunError, match=r"goes on in .*\+2"):
        handle.resume(flow)
    handle.cancel("enough")
    with pytest.raises(nbflow.RunCancelled):
        handle.result(timeout=60)


def test_arguments_that_do_not_fit_fail_the_run() -> None:
    """Going on with wrong arguments is an error of this run, not of the next."""

    @nbflow.workflow
    def flow(n: int) -> Any:
        nbflow.continue_as_new(1, 2)

    handle = flow.start(1)
    with pytest.raises(TypeError, match="too many positional arguments"):
        handle.result(timeout=60)
    assert len(nbflow.runs()) == 1


def test_a_run_that_goes_on_says_so_in_its_events() -> None:
    """RunContinued comes right before RunClosed."""

    @nbflow.workflow
    def flow(n: int) -> Any:
        if n:
            nbflow.continue_as_new(n - 1)
        return "end"

    handle = flow.start(1)
    assert handle.result(timeout=60) == "end"
    *_, onward, closed = handle.events()
    assert isinstance(onward, RunContinued)
    assert isinstance(closed, RunClosed)
    assert (onward.run, onward.args, closed.status) == (f"{handle.id}+2", (0,), "continued")


# ---------------------------------------------------------------- the run itself


def test_workflow_code_fails_its_run() -> None:
    """Fail ends the run with its reason and details."""
    handle = run(lambda: nbflow.fail("no stock", "of nuts"))
    with pytest.raises(nbflow.WorkflowFailed, match="no stock: of nuts") as caught:
        handle.result()
    assert (caught.value.reason, caught.value.details) == ("no stock", "of nuts")
    assert handle.status == "failed"


def test_workflow_code_knows_its_run() -> None:
    """run_context has id, workflow, tags and parent."""

    @nbflow.workflow(tags=["a"])
    def child() -> Any:
        context = nbflow.run_context()
        return context.run, context.parent, context.call, context.tags, context.workflow

    @nbflow.workflow
    def parent() -> Any:
        return child()

    handle = parent.start()
    expected = (f"{handle.id}/child-1", handle.id, "child-1", ("a",), "child")
    assert handle.result(timeout=60) == expected


def test_details_of_events_are_what_the_code_has_seen() -> None:
    """A signal not yet seen is None; a marker gives its value; another kind is refused."""

    def body() -> Any:
        before = nbflow.get_event_details("signal", "x")
        nbflow.side_effect(lambda: 5)
        nbflow.signal("x", 7).result()
        nbflow.wait_signal("x").result()
        signal = nbflow.get_event_details("signal", "x")
        marker = nbflow.get_event_details("marker", "side_effect-1")
        try:
            nbflow.get_event_details("activity", "x")  # type: ignore[arg-type]
        except ValueError as error:
            said = str(error)[:22]
        assert signal is not None
        assert marker is not None
        return before, signal["value"], marker["value"], said

    assert run(body).result() == (None, 7, 5, "the kind of an event i")


def test_outside_workflow_code_each_says_what_to_do() -> None:
    """None of these means anything outside a run's code."""
    for function in (nbflow.wait_signal, nbflow.signals, nbflow.signal):
        with pytest.raises(nbflow.FutureMisuse, match="is for workflow code"):
            function("x")
    with pytest.raises(nbflow.FutureMisuse, match="is for workflow code"):
        nbflow.run_context()
