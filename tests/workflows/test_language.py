"""Markers, signals that are passed on, ids, tags and limits that the code of a class says."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import nbflow
from nbflow import CanvasFuture, Chain, FuncGroup, Group, Marker
from nbflow.core.decide import Close, Continue, Record, decide
from nbflow.core.events import (
    CallScheduled,
    ChildStarted,
    MarkerRecorded,
    RunClosed,
    SignalReceived,
)
from nbflow.core.workflow import definition

WAIT = 30


@nbflow.activity
def inc(x: int) -> int:
    """Add one."""
    return x + 1


def flow(body: Any, **options: Any) -> Any:
    """Make a workflow."""
    return nbflow.workflow(name="flow", lint=False, **options)(body)


def of(run: Any, *kinds: Any) -> list[Any]:
    """Give the events of some kinds."""
    return [e for e in run.events() if isinstance(e, kinds)]


def until(done: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + WAIT
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


# ---------------------------------------------------------------- markers


def noting() -> Any:
    """Note this and that."""
    nbflow.record_marker("rows", 1)
    value = inc(1).result()
    nbflow.record_marker("rows", {"value": value})
    nbflow.record_marker("rows", 1)  # as before: it is noted once
    nbflow.record_marker("done")
    shown = nbflow.get_event_details("marker", "rows")
    return [nbflow.list_markers(), nbflow.list_markers(all=True), shown and shown["value"]]


def test_markers_are_in_the_log_and_listed() -> None:
    """The latest of each name, or all; equal ones are noted once."""
    made = flow(noting)
    run = made.start()
    latest, everything, _ = run.result(WAIT)
    assert everything == [Marker("rows", 1), Marker("rows", {"value": 2}), Marker("done")]
    assert latest == [Marker("rows", {"value": 2}), Marker("done")]
    recorded = of(run, MarkerRecorded)
    assert [(m.name, m.of) for m in recorded] == [
        ("marker-1", "rows"),
        ("marker-2", "rows"),
        ("marker-3", "done"),
    ]
    assert nbflow.replay(run, made).check().ok


def test_a_decider_has_each_marker_written_once() -> None:
    """It is a command until the log has it."""
    made = flow(noting)
    run = made.start()
    run.wait(WAIT)
    events = list(run.events())
    first = decide(definition(made).fn, events[:1], now=0)
    assert [c.marker.name for c in first if isinstance(c, Record)] == ["marker-1"]
    last = decide(definition(made).fn, events[:-1], now=0)
    assert [type(c) for c in last] == [Close]


def test_another_marker_in_its_place_is_found() -> None:
    """Code that notes something else than the log has does not go on."""
    run = flow(noting).start()
    run.wait(WAIT)

    def body() -> Any:
        nbflow.record_marker("columns", 1)
        return noting()

    found = nbflow.replay(run, flow(body))
    assert isinstance(found.error, nbflow.NondeterminismError)
    assert "record_marker('rows')" in str(found.error)


def test_markers_of_what_cannot_be_stored_are_refused_where_they_are_noted() -> None:
    """Their details are values, which a log can have."""

    def lock() -> None:
        nbflow.record_marker("lock", threading.Lock())

    with pytest.raises(nbflow.Unserialisable, match="marker lock"):
        flow(lock).start().result(WAIT)

    def future() -> None:
        nbflow.record_marker("call", inc(1))

    with pytest.raises(nbflow.FutureMisuse, match="result"):
        flow(future).start().result(WAIT)
    with pytest.raises(nbflow.FutureMisuse, match="workflow code"):
        nbflow.record_marker("outside")


# ---------------------------------------------------------------- signals passed on


def hears(run: str) -> list[str]:
    """Give the signals that a run has had."""
    return [e.name for e in nbflow.attach(run).events() if isinstance(e, SignalReceived)]


def waits() -> Any:
    """Wait for a signal."""
    return nbflow.wait_signal("go").result()


def test_a_signal_goes_to_the_parent_and_to_all_its_children() -> None:
    """Told to one child with propagate, it reaches the family, each once."""
    child = nbflow.workflow(name="child", lint=False)(waits)

    def body() -> Any:
        both = [child(), child()]
        return [*[one.result() for one in both], nbflow.wait_signal("go").result()]

    run = flow(body).start()
    until(lambda: len(run.history().events) > 2 and _there(f"{run.id}/child-1"))
    nbflow.attach(f"{run.id}/child-1").signal("go", 7, propagate=True)
    assert run.result(WAIT) == [7, 7, 7]
    assert hears(run.id) == ["go"]
    assert hears(f"{run.id}/child-2") == ["go"]


def _there(run: str) -> bool:
    try:
        nbflow.attach(run)
    except nbflow.RunNotFound:
        return False
    return True


def test_a_child_that_is_started_later_gets_it_too() -> None:
    """What was to be passed on goes to children that come after it."""
    child = nbflow.workflow(name="child", lint=False)(waits)

    def body() -> Any:
        nbflow.signal("go", 5, propagate=True).result()
        return child().result()

    assert flow(body).start().result(WAIT) == 5


def test_a_workflow_may_keep_signals_from_its_parent() -> None:
    """``propagate_signals_to_parent=False``: it goes down, and not up."""

    def told() -> Any:
        nbflow.signal("go", 1, propagate=True).result()
        return nbflow.wait_signal("go").result()

    child = nbflow.workflow(name="child", lint=False, propagate_signals_to_parent=False)(told)
    run = flow(lambda: child().result()).start()
    assert run.result(WAIT) == 1
    assert hears(run.id) == []


# ---------------------------------------------------------------- what a class says of a run


class Named(nbflow.Workflow):
    """One whose ids and tags follow from its arguments."""

    name = "named"

    @classmethod
    def get_workflow_id(cls, day: str) -> str:
        """Give the id of the run of a day."""
        return f"{cls.name}-{day}"

    @classmethod
    def get_tag_list(cls, day: str) -> list[str]:
        """Give the tags of the run of a day."""
        return ["daily", day]

    @classmethod
    def get_task_list(cls, day: str) -> str:
        """Give where the run of a day is decided."""
        return f"list-{day}"

    def run(self, day: str) -> Any:
        """Tell who it is."""
        context = self.get_run_context()
        return [context.run, list(context.tags), day]


def test_a_class_says_the_id_and_the_tags_of_its_runs() -> None:
    """The class methods get the class once, and the run's arguments."""
    run = Named.start("mon")
    assert run.result(WAIT) == ["named-mon", ["daily", "mon"], "mon"]
    assert run.id == "named-mon"
    assert definition(Named).task_list_of(("tue",), {}) == "list-tue"


def test_a_second_run_of_the_same_id_is_refused() -> None:
    """It names the run that is there, and begins nothing."""
    Named.start("mon").wait(WAIT)
    with pytest.raises(nbflow.RunError, match=r"named-mon is there already.*attach"):
        Named.start("mon")
    assert len(nbflow.runs()) == 1


def test_an_id_that_cannot_be_one_is_refused() -> None:
    """It says what an id is made of."""
    with pytest.raises(nbflow.DefinitionError, match="get_workflow_id of named gives"):
        Named.start("../mon")


def test_children_have_the_tags_and_the_task_list_that_their_class_says() -> None:
    """The id of a child follows from its parent's; tags and task list are its own."""
    run = flow(lambda: Named.start("mon").result()).start()
    assert run.result(WAIT) == [f"{run.id}/named-1", ["daily", "mon"], "mon"]


def test_options_given_at_the_start_hold_for_the_run() -> None:
    """``options`` of a workflow that a person starts are obeyed as its own would be."""
    told: list[str] = []
    made = flow(lambda: inc(1).result())
    run = made.options(after_closed=lambda ended: told.append(ended.status)).start()
    assert run.result(WAIT) == 2
    until(lambda: told)
    assert told == ["completed"]


# ---------------------------------------------------------------- limits


def counts(rounds: int, done: int = 0) -> int:
    """Go round, and on as new now and then."""
    while done < rounds:
        nbflow.continue_as_new(rounds, done)
        done += inc(0).result()
    return done


def test_a_run_goes_on_as_new_before_its_limit() -> None:
    """With ``max_events``, continue_as_new waits until four fifths are used, in each run."""
    run = flow(counts, max_events=20).start(30)
    assert run.result(WAIT) == 30
    chain = [run]
    while chain[-1].onward is not None:
        chain.append(chain[-1].onward)
    assert len(chain) > 2
    assert all(len(list(one.events())) <= 22 for one in chain)
    found = definition(flow(counts, max_events=20))
    events = [e for e in run.events() if not isinstance(e, RunClosed)][:-1]
    commands = decide(found.fn, events, now=0, options=found.settings)
    assert [type(c) for c in commands] == [Continue]


def test_a_run_that_passes_its_limit_is_told_what_to_do() -> None:
    """Rather than growing without end it fails, and keeps what it has."""

    def body() -> None:
        while True:
            inc(0).result()

    run = flow(body, max_events=20).start()
    with pytest.raises(nbflow.RunError, match=r"max_events is 20.*continue_as_new"):
        run.result(WAIT)
    assert len(of(run, CallScheduled)) < 11


# ---------------------------------------------------------------- compositions


class Counting(CanvasFuture):
    """A future that can count."""

    def count(self) -> int:
        """Say how many there are."""
        return len(self.result())


def test_compositions_may_have_a_future_of_ones_own() -> None:
    """`future_class` is what ``submit`` gives, of groups in groups as well."""

    def body() -> Any:
        group: Any = Group((inc, 1), (inc, 2), future_class=Counting).submit()
        chain: Any = Chain((inc, 1), future_class=Counting).submit()
        return [group.count(), chain.count()]

    assert flow(body).start().result(WAIT) == [2, 1]
    wrong: Any = list
    with pytest.raises(nbflow.DefinitionError, match="CanvasFuture"):
        Group(future_class=wrong)


def test_a_run_with_children_is_replayed() -> None:
    """Children are calls of the history: the parent is replayed from its own, and each child."""
    child = nbflow.workflow(name="child", lint=False)(lambda x: inc(x).result())
    made = flow(lambda: [child(1), child(2).result()])
    run = made.start()
    assert run.result(WAIT) == [2, 3]
    found = nbflow.replay(run, made).check()
    assert (found.complete, found.same_result, found.calls) == (True, True, 2)
    assert nbflow.replay(f"{run.id}/child-1", child).check().same_result
    other = nbflow.workflow(name="child", lint=False)(lambda x, y=1: inc(x + y).result())
    assert not nbflow.replay(run, flow(lambda: [other(2), other(2).result()])).ok


# ---------------------------------------------------------------- faults that were found


def test_a_late_group_that_fails_is_the_failure_of_its_composition() -> None:
    """What its function raises does not come up where the code waits for something else."""

    def body() -> Any:
        def broken() -> Any:
            message = "no list"
            raise KeyError(message)

        chain = Chain((inc, 1), FuncGroup(broken)).submit()
        other = inc(5).result()
        error = chain.exception()
        assert error is not None
        return [other, [repr(e) for e in error.errors]]

    assert flow(body).start().result(WAIT) == [6, ["None", "KeyError('no list')"]]


def test_a_late_group_that_fails_where_it_is_submitted_fails_there() -> None:
    """It is the workflow's own code then, with its own traceback."""

    def broken() -> Any:
        message = "no list"
        raise KeyError(message)

    def body() -> Any:
        try:
            FuncGroup(broken).submit()
        except KeyError as error:
            return str(error)

    assert flow(body).start().result(WAIT) == "'no list'"


def test_once_is_stronger_than_a_decision_to_try_again(caplog: pytest.LogCaptureFixture) -> None:
    """A call of a ``once=True`` activity is not begun a second time, whoever says so."""
    ran: list[int] = []

    @nbflow.activity(once=True)
    def pay() -> None:
        ran.append(1)
        message = "refused"
        raise ValueError(message)

    def again(failure: nbflow.FailureContext) -> nbflow.Decision:
        return failure.decide_retry()

    def made(_: nbflow.FailureContext) -> nbflow.Decision:
        return nbflow.Decision("retry_now")

    for handler in (again, made):
        ran.clear()
        run = flow(lambda: pay().result(), on_task_failure=handler).start()
        with pytest.raises(ValueError, match="refused"):
            run.result(WAIT)
        assert ran == [1]
    assert "is once=True" in caplog.text


def test_a_child_whose_parent_is_cancelled_as_it_starts_is_not_left_open() -> None:
    """It is closed as cancelled, or was never created: no run waits for nobody."""
    child = nbflow.workflow(name="child", lint=False)(waits)
    for _ in range(20):
        run = flow(lambda: child().result()).start()
        until(lambda run=run: of(run, ChildStarted))
        run.cancel()
        run.wait(WAIT)
        if _there(f"{run.id}/child-1"):
            born = nbflow.attach(f"{run.id}/child-1")
            until(lambda born=born: born.status != "running")
            assert born.status == "cancelled"
