"""Histories written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.decide import Close, Schedule
from nbflow.core.events import CallFailed, CallStarted, CallSucceeded
from nbflow.core.history import History
from nbflow.testing import HistoryBuilder, HistoryGap

RAN: list[str] = []
ATTEMPTS = (CallStarted, CallSucceeded, CallFailed)


@nbflow.activity
def fetch(region):
    RAN.append(region)
    return region


@nbflow.activity
def load(rows):
    RAN.append("load")
    return rows


@nbflow.workflow
def nightly(regions):
    parts = [fetch(r) for r in regions]
    nbflow.sleep(60)
    total = sum(p.result() for p in parts)
    if nbflow.wait_signal("approved").result():
        return load(total).result()
    raise ValueError("refused")


@pytest.fixture(autouse=True)
def nothing_runs():
    """No test of this file runs an activity."""
    RAN.clear()
    yield
    assert RAN == []


def test_the_next_commands_follow_from_what_was_written():
    """Each line of a history leads the workflow on, and nothing is executed."""
    history = HistoryBuilder(nightly, ["eu", "us"])
    assert history.commands() == ["call fetch-1", "call fetch-2", "start timer-1 for 60 s"]
    history.call("fetch-1").succeeded(3).timer("timer-1").fired()
    assert history.commands() == []
    history.call("fetch-2").succeeded(4)
    assert history.commands() == []
    history.signal("approved", True)
    [command] = history.decide()
    assert isinstance(command, Schedule)
    assert (command.call.id, command.call.args) == ("load-1", (7,))
    history.call("load-1").succeeded("loaded")
    assert history.result() == "loaded"
    assert isinstance(history.decide()[0], Close)


def test_failures_fail_the_run_as_they_would():
    """A settled failure reaches the code, one that is to be tried again does not."""
    history = HistoryBuilder(nightly, ["eu"]).call("fetch-1").failed(OSError("away"), retry_in=5)
    history.timer("timer-1").fired()
    assert history.commands() == []
    history.call("fetch-1").started()
    history.call("fetch-1").failed(OSError("gone"))
    [line] = history.commands()
    assert line == "fail OSError: gone"
    with pytest.raises(OSError, match="gone"):
        history.result()


def test_attempts_are_numbered():
    """The second attempt of a call is the second, begun or not."""
    history = HistoryBuilder(nightly, ["eu"])
    history.call("fetch-1").failed(OSError("away"), retry_in=5)
    history.call("fetch-1").started().failed(OSError("away"), retry_in=5)
    history.call("fetch-1").succeeded(1)
    kinds = [(type(e).__name__, e.attempt) for e in history.events if isinstance(e, ATTEMPTS)]
    assert kinds == [
        ("CallFailed", 1),
        ("CallStarted", 2),
        ("CallFailed", 2),
        ("CallSucceeded", 3),
    ]


def test_what_cannot_have_happened_is_refused():
    """The error says what the workflow does instead, and what the history lacks."""
    history = HistoryBuilder(nightly, ["eu"])
    with pytest.raises(HistoryGap, match=r"does not ask for load-1 here.*lacks.*fetch-1") as caught:
        history.call("load-1")
    assert "call fetch-1" in str(caught.value)
    with pytest.raises(HistoryGap, match="timer-7"):
        history.timer("timer-7")
    with pytest.raises(HistoryGap, match="side_effect-1"):
        history.marker("side_effect-1")
    with pytest.raises(HistoryGap, match="not over"):
        history.result()
    history.call("fetch-1").succeeded(1)
    with pytest.raises(HistoryGap, match="fetch-1 is done already, by event"):
        history.call("fetch-1").succeeded(2)
    assert len(history.events) == 4  # what was refused was not written


def test_time_is_the_historys_own():
    """Timers are due by it, and the code's clock reads it."""

    @nbflow.workflow
    def flow():
        first = nbflow.now().timestamp()
        nbflow.sleep(3600)
        return nbflow.now().timestamp() - first

    history = HistoryBuilder(flow, at=1000.0)
    history.timer("timer-1").fired()
    assert history.result() == 3600
    with pytest.raises(ValueError, match="time does not go back"):
        history.later(-1)


def test_markers_are_given_their_values():
    """The function of a side effect is not called: its value stands in the history."""

    def ask() -> int:
        RAN.append("side effect")
        return 0

    @nbflow.workflow
    def flow():
        number = nbflow.side_effect(ask)
        return number + (10 if nbflow.patched("more") else 0)

    history = HistoryBuilder(flow)
    assert history.commands() == ["record side_effect-1"]
    history.marker("side_effect-1").gave(5)
    history.marker("patched:more").gave()
    assert history.result() == 15
    failed = HistoryBuilder(flow).marker("side_effect-1").raised(OSError("no"))
    assert failed.commands()[0].endswith("OSError: no")


def test_new_code_is_held_against_an_old_history():
    """What a change makes of a run that is under way, or why it cannot go on with it."""

    @nbflow.workflow
    def once(regions):
        return load(fetch(regions[0]).result()).result()

    @nbflow.workflow(name="once")
    def longer(regions):
        rows = load(fetch(regions[0]).result()).result()
        return load(rows + 1).result()

    @nbflow.workflow(name="once")
    def another(regions):
        return load(regions[0]).result()

    history = HistoryBuilder(once, ["eu"]).call("fetch-1").succeeded(1).call("load-1").succeeded(2)
    assert history.commands() == ["complete"]
    assert history.commands(longer) == ["call load-2"]
    with pytest.raises(nbflow.NondeterminismError):
        history.commands(another)


def test_children_compositions_and_cancellation():
    """A child run is a call like others, a composition asks for what is next."""

    @nbflow.workflow
    def child(x):
        return x

    @nbflow.workflow
    def parent():
        late = nbflow.start_timer(50)
        chain = nbflow.Chain((fetch, "eu"), (fetch, "us")).submit()
        found = child(1).result()
        nbflow.cancel_timer(late)
        return [found, *chain.result()]

    history = HistoryBuilder(parent)
    assert history.commands() == ["call fetch-1", "call child-1", "start timer-1 for 50 s"]
    history.call("child-1").succeeded(9).call("fetch-1").succeeded("a")
    assert history.commands() == ["call fetch-2", "cancel timer-1"]
    history.call("fetch-2").succeeded("b")
    assert history.result() == [9, "a", "b"]
    assert "TimerCancelled" in [type(e).__name__ for e in history.events]


def test_calls_can_be_written_without_asking():
    """For the history of code that is not at hand."""
    history = HistoryBuilder(nightly, ["eu"]).call("fetch-1", fetch, "eu").succeeded(1)
    assert history.commands() == ["start timer-1 for 60 s"]
    wrong = HistoryBuilder(nightly, ["eu"]).call("load-1", load, 1).succeeded(1)
    with pytest.raises(nbflow.NondeterminismError):
        wrong.decide()


def test_arguments_are_checked():
    """They are those of the workflow."""
    with pytest.raises(TypeError, match="nightly"):
        HistoryBuilder(nightly)


def test_a_resumed_run_runs_anew_what_failed():
    """As a run that was resumed does."""

    @nbflow.workflow
    def flow():
        return fetch("eu").result()

    history = HistoryBuilder(flow).call("fetch-1").timed_out()
    with pytest.raises(nbflow.ActivityTimeout):
        history.result()
    history.closed().resumed()
    assert history.commands() == []
    history.call("fetch-1").succeeded("now")
    assert history.result() == "now"
    with pytest.raises(HistoryGap, match="not over"):
        HistoryBuilder(flow).closed()


def test_calls_that_cannot_run_are_skipped():
    """What takes the result of a failure has failed with it, and is not to be called."""

    @nbflow.workflow
    def flow():
        late = load(fetch("eu"))
        try:
            return late.result()
        except OSError:
            return load(0).result()

    history = HistoryBuilder(flow)
    assert history.commands() == ["call fetch-1"]
    history.call("fetch-1").failed(OSError("away"))
    assert history.commands() == ["call load-2"]
    history.call("load-2").succeeded(5)
    assert history.result() == 5


def test_somebody_wants_to_cancel_the_run():
    """The code ends, or refuses; either is a command."""

    def refuse(_):
        return False

    @nbflow.workflow
    def plain():
        return fetch("eu").result()

    @nbflow.workflow(should_cancel=refuse)
    def stubborn():
        return fetch("eu").result()

    history = HistoryBuilder(plain)
    history.call("fetch-1").started()
    history.cancel_requested()
    assert history.commands() == ["cancel fetch-1"]
    history.call("fetch-1").cancelled()
    assert history.commands() == ["end cancelled"]
    with pytest.raises(nbflow.RunCancelled):
        history.result()
    history = HistoryBuilder(stubborn)
    history.call("fetch-1").started()
    history.cancel_requested()
    assert history.commands() == ["refuse to be cancelled"]


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(4)), st.lists(st.integers(), min_size=4, max_size=4))
def test_any_order_of_results_gives_the_same(order, values):
    """Which call ends first makes no difference to code that waits for all of them."""

    @nbflow.workflow
    def flow():
        return [f.result() for f in [fetch(n) for n in range(4)]]

    history = HistoryBuilder(flow)
    for n in order:
        assert "complete" not in history.commands()
        history.call(f"fetch-{n + 1}").succeeded(values[n])
    assert history.result() == values
    assert [e.seq for e in history.events] == list(range(1, len(history.events) + 1))
    assert History.of(history.events).last == len(history.events)
