"""The short way of attempts whose values are small: the same as the long one, and told of alike."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core.call import CallState
from nbflow.core.events import CallScheduled, CallSucceeded
from nbflow.core.history import History
from nbflow.engine.brief import Gain, Gauge, as_answer, run_brief
from nbflow.engine.job import Answer, run_job
from nbflow.executors.threads import Threads
from nbflow.testing.collector import Collector, make_job

WAIT = 60
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.just("x" * 70_000),
    st.tuples(st.integers()),
)


def same(value: Any) -> Any:
    return value


def raises(value: Any) -> Any:
    raise KeyError(value)


async def later(value: Any) -> Any:
    return value


def measures(value: Any) -> Any:
    with nbflow.context().step("part"):
        return value


def answered(found: Gain | Answer) -> Answer:
    return found if isinstance(found, Answer) else as_answer(found)


@given(VALUES)
def test_what_comes_out_is_what_comes_out_the_long_way(value: Any) -> None:
    """Whatever an activity gives, result and size are those of `run_job`."""

    def give() -> Any:
        return value

    short, long = answered(run_brief(make_job(give), Gauge("w"))), run_job(make_job(give), "w")
    assert (short.result, short.error, short.live) == (long.result, long.error, long.live)
    assert type(short.result) is type(long.result)
    assert (short.report.worker, short.report.size) == (long.report.worker, long.report.size)


@pytest.mark.parametrize("fn", [raises, later, measures])
def test_what_is_not_so_simple_is_found_on_the_short_way_too(fn: Any) -> None:
    """Errors with the activity's own frames, coroutines, and blocks that were measured."""
    short, long = answered(run_brief(make_job(fn, 1), Gauge("w"))), run_job(make_job(fn, 1), "w")
    assert short.result == long.result
    assert bool(short.report.measured) == bool(long.report.measured) == (fn is measures)
    if fn is raises:
        assert short.error is not None
        assert long.error is not None
        assert short.error.kind == long.error.kind
        assert [f.function for f in short.error.frames] == ["raises"]
        assert short.error.frames == long.error.frames


def test_nothing_of_an_attempt_is_left_for_what_follows_it() -> None:
    """What a worker does between two attempts is not taken for a part of the first."""
    run_brief(make_job(same, 1), Gauge("w"))
    with pytest.raises(RuntimeError):
        nbflow.context()


def test_a_long_attempt_after_brief_ones_used_no_more_than_its_time() -> None:
    """Processor time that follows from an earlier look is never more than the attempt took."""
    gauge = Gauge("w")

    def work(turns: int) -> int:
        return sum(range(turns))

    reports = [
        answered(run_brief(make_job(work, turns), gauge)).report
        for turns in (1, 1, 30_000, 1, 300_000, 1) * 5
    ]
    assert all(0 <= report.cpu_ns <= report.run_ns for report in reports)
    assert all(report.cpu_ns > 0 and report.memory > 0 for report in reports)
    ends = [report.ended for report in reports]
    assert ends == sorted(ends)


def test_no_event_is_older_than_what_it_tells_of() -> None:
    """A result is in the log once its attempt has ended, which began once it was asked for."""

    @nbflow.activity
    def give(value: int) -> int:
        return value

    @nbflow.workflow
    def flow() -> int:
        return sum(nbflow.gather(*[give(n) for n in range(700)]).result())

    run = flow.start()
    assert run.result() == sum(range(700))
    asked = {e.call: e for e in run.events() if isinstance(e, CallScheduled)}
    for event in run.events():
        if isinstance(event, CallSucceeded):
            assert asked[event.call].at <= event.started + 1e-5
            assert event.report.ended <= event.at + 1e-5


@pytest.mark.parametrize("known", [False, True])
def test_to_enter_a_call_is_to_admit_and_to_record_it(known: bool) -> None:
    """One after the other or at once, the history is the same, and so is the event."""

    def asked() -> list[CallState]:
        return [
            CallState("a-1", "a", (1,)),
            CallState("b-1", "b", (), None, ("a-1",), 1, ("a-1",)),
        ]

    apart, at_once = History(), History()
    events: list[list[Any]] = [[], []]
    for seq, state in enumerate(asked(), 1):
        events[0].append(apart.record(apart.admit(state), seq, 2.5))
    for seq, state in enumerate(asked(), 1):
        events[1].append(at_once.enter(state, seq, 2.5))
    assert events[0] == events[1]
    for history in (apart, at_once):
        assert [state.id for state in history.ready] == ["a-1"]
        assert (history.last, history.groups) == (2, {1: ("a-1",)})
        assert history.calls["a-1"].dependents == [history.calls["b-1"]]
    if known:
        assert at_once.enter(at_once.calls["a-1"], 3, 3.5) is None
        assert at_once.last == 2


class Plain(Collector):
    """An inbox that knows no gains."""

    gave = None  # type: ignore[assignment]


@pytest.mark.parametrize("inbox", [Plain(), Collector()], ids=["ended", "gave"])
def test_many_jobs_at_once_are_each_answered_once(inbox: Collector) -> None:
    """Whoever takes them, by whichever way, and by no more threads than there may be."""
    pool, threads = Threads(3), set()

    def note(number: int) -> int:
        threads.add(threading.get_ident())
        return number

    for count in (1, 2, 50, 3):  # between two of these all threads may have gone to rest
        jobs = [make_job(note, n) for n in range(count)]
        pool.submit_all(jobs, inbox)
        inbox.wait(jobs, WAIT)
        assert [inbox.answer(job).result for job in jobs] == list(range(count))
    pool.close()
    assert len(threads) <= 3
    assert len(inbox.gained) == (0 if isinstance(inbox, Plain) else 56)


def test_jobs_that_come_at_once_run_at_once() -> None:
    """As many as there are threads, also where some of the threads wait already."""
    pool, inbox, meeting = Threads(4), Collector(), threading.Barrier(4)
    first = make_job(same, 1)
    pool.submit(first, inbox)
    inbox.wait([first], WAIT)
    for _ in range(3):  # no thread yet but one; then all of them
        jobs = [make_job(meeting.wait, WAIT) for _ in range(4)]
        pool.submit_all(jobs, inbox)
        inbox.wait(jobs, WAIT)
        assert {inbox.answer(job).result for job in jobs} == {0, 1, 2, 3}
    pool.close()


def test_jobs_for_a_closed_pool_are_each_refused() -> None:
    """None is lost, and none is run."""
    pool, inbox = Threads(2), Collector()
    pool.close()
    jobs = [make_job(same, n) for n in range(3)]
    pool.submit_all(jobs, inbox)
    inbox.wait(jobs, WAIT)
    assert all("is closed" in str(inbox.answer(job).error) for job in jobs)
