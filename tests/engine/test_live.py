"""How a run is driven: what is written when, who sees it when, and what is dropped."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest

import nbflow
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    RunClosed,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.engine.brief import Gauge, run_brief
from nbflow.engine.clock import clock
from nbflow.engine.job import run_job
from nbflow.engine.watched import TICK
from nbflow.testing import Gate
from nbflow.testing.checks import eventually
from tests.engine.parts import ByHand, Watched

WAIT = 30
PLACES = ["threads", "inline", "asyncio"]


def of(run: nbflow.Run[Any], kind: Any) -> list[Any]:
    """Give the events of one kind."""
    return [event for event in run.events() if isinstance(event, kind)]


def more(*values: int) -> int:
    """Add up, and one more."""
    return sum(values) + 1


@nbflow.activity
def double(n: int) -> int:
    """Multiply by two."""
    return 2 * n


@nbflow.workflow
def one() -> int:
    """Make one call."""
    return double(4).result()


# -------------------------------------------------------------------- the log comes first


@pytest.mark.parametrize("place", [*PLACES, "processes"])
def test_nothing_happens_before_it_is_in_the_log(place: str) -> None:
    """No call runs before it is written; no value is seen, or used, before its result is."""
    store = Watched()
    disk = threading.Event()
    store.before = lambda _: disk.wait(0.005)  # it takes its time
    nbflow.configure(store=store)
    apart = place == "processes"

    def ran(*values: int) -> int:
        store.note("ran", nbflow.context().call)
        return sum(values) + 1

    step = nbflow.activity(name="step")(more if apart else ran)

    @nbflow.workflow
    def flow() -> int:
        first = [step(n) for n in range(5)]
        for n, future in enumerate(first):
            future.result()
            store.note("saw", f"step-{n + 1}")
        last = step(*first, step(first[0], first[1]))
        for future in nbflow.as_completed([last, step(7)]):
            store.note("saw", future.call)
        return last.result()

    run = flow.on(place).start()
    run.result(WAIT)
    store.note("over", None)
    diary = store.diary
    for n, (what, call) in enumerate(diary):
        if what == "ran":
            assert store.written(CallScheduled, call) < n
            for dep in diary[store.written(CallScheduled, call)][1].deps:
                assert store.written(CallSucceeded, dep) < n
        if what == "saw":
            assert store.written(CallSucceeded, call) < n
    kinds = [type(event) for what, event in diary if what == "written"]
    assert kinds[-1] is RunClosed
    assert diary[-1] == ("over", None)
    assert sum(what == "saw" for what, _ in diary) == 7
    assert sum(what == "ran" for what, _ in diary) == (0 if apart else 8)


def test_while_an_append_takes_its_time_nobody_sees_its_events() -> None:
    """Neither the workflow, nor a dependent call, nor whoever holds the run."""
    store, writing, go = Watched(), threading.Event(), threading.Event()
    nbflow.configure(store=store)
    saw = threading.Event()

    def slow(events: Any) -> None:
        if any(isinstance(event, CallSucceeded) for event in events) and not go.is_set():
            writing.set()
            assert go.wait(WAIT)

    store.before = slow

    @nbflow.workflow
    def flow() -> int:
        first = double(1)
        second = double(first)
        first.result()
        saw.set()
        return second.result()

    run = flow.start()
    assert writing.wait(WAIT)
    assert not saw.wait(0.1)
    assert not run.done()
    assert not of(run, CallSucceeded)
    go.set()
    assert run.result(WAIT) == 4
    assert saw.is_set()


@pytest.mark.parametrize("place", PLACES)
def test_a_call_that_runs_is_in_the_log_as_started(place: str, tmp_path: Any) -> None:
    """A start is written while the call runs, a tick later at the most; for short ones never."""
    gate = Gate(tmp_path / "gate")

    @nbflow.activity
    async def hold() -> None:
        await gate.enter_async()

    @nbflow.workflow
    def flow() -> None:
        double(1).result()
        hold().result()

    if place == "inline":
        found: list[Any] = []

        def watch() -> None:
            gate.wait_for(1)
            handle = nbflow.attach(nbflow.runs()[0].run)
            eventually(lambda: of(handle, CallStarted), "the start is written", 10)
            found.extend(of(handle, CallStarted))
            gate.open()

        watcher = threading.Thread(target=watch)
        watcher.start()
        run = flow.on(place).start()
        watcher.join()
    else:
        run = flow.on(place).start()
        gate.wait_for(1)
        eventually(lambda: of(run, CallStarted), "the start is written", 10)
        found = of(run, CallStarted)
        gate.open()
    run.wait(WAIT)
    assert [event.call for event in found] == ["hold-1"]
    (success,) = [e for e in of(run, CallSucceeded) if e.call == "hold-1"]
    assert found[0].attempt == 1
    assert found[0].worker == success.worker
    assert abs(found[0].at - success.started) < 0.05
    assert TICK < 1


@pytest.mark.parametrize("place", ["threads", "inline"])
def test_many_calls_take_few_appends(place: str) -> None:
    """10,000 calls: far fewer appends than events, and each call is there once."""
    store = Watched()
    nbflow.configure(store=store)

    @nbflow.workflow
    def flow() -> int:
        return sum(future.result() for future in [double(n) for n in range(10_000)])

    run = flow.on(place).start()
    assert run.result(WAIT) == 2 * sum(range(10_000))
    events = list(run.events())
    assert len({e.call for e in events if isinstance(e, CallSucceeded)}) == 10_000
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert len(events) >= 20_000
    assert len(store.appends) < len(events) / 10


def test_an_answer_that_took_its_time_does_not_wait_for_company() -> None:
    """A call of milliseconds is written when it ends, though its executor has more to do at once.

    A small one waits for others; so many at the most, and so long.
    """
    store, hand = Watched(), ByHand(slots=9)
    nbflow.configure(store=store)

    @nbflow.workflow
    def flow() -> int:
        return sum(nbflow.gather(*[double(n) for n in range(3)]).result())

    run = flow.on(hand).start()
    jobs = [hand.job(n) for n in range(3)]
    live: Any = jobs[0][1]
    live._flushing = True  # nobody else ends a turn meanwhile
    small, large = (run_brief(job, Gauge("w")) for job, _ in jobs[:2])
    assert isinstance(small, tuple)
    assert isinstance(large, tuple)
    before = len(store.appends)
    live.gave(jobs[0][0], small, True)
    assert len(store.appends) == before
    live.gave(jobs[1][0], (*large[:3], 2_000_000, *large[4:]), True)
    assert store.appends[before:] == [2]
    hand.end(2)
    assert run.result(WAIT) == 6


def test_the_times_of_outcomes_are_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of one turn, whichever ways their answers came, and what was asked meanwhile."""

    @nbflow.workflow
    def flow() -> int:
        return sum(nbflow.gather(*[double(n) for n in range(6)]).result())

    hand, times = ByHand(slots=6), itertools.count(int(time.time()) + 100)
    run = flow.on(hand).start()
    jobs = [hand.job(n) for n in range(6)]
    with monkeypatch.context() as patched:
        patched.setattr(clock, "time", lambda: float(next(times)))
        live: Any = jobs[0][1]
        for n, (job, _) in enumerate(jobs):  # all of them are in the inbox before anybody looks
            found = run_brief(job, Gauge("w")) if n % 2 else run_job(job, "w")
            live._inbox.append((job, found))
        live._drain()
        assert run.result(WAIT) == 30
    outcomes = of(run, CallSucceeded)
    assert [e.call for e in outcomes] == [job.call for job, _ in jobs]
    assert [e.at for e in outcomes] == sorted(e.at for e in outcomes)


# -------------------------------------------------------------------- late and false answers


def test_a_late_answer_is_not_taken_for_the_next_attempts() -> None:
    """What a given-up attempt says afterwards is dropped, whatever has become of its call."""
    hand = ByHand()
    slow = double.options(timeout=0.05, retry=nbflow.Retry(attempts=3, wait=0, jitter=0))

    @nbflow.workflow
    def flow() -> int:
        return slow(21).result()

    run = flow.on(hand).start()
    hand.begin(0)
    second, _ = hand.job(1)
    assert (second.call, second.attempt) == ("double-1", 2)
    hand.end(0)  # the first attempt, while the second one is open
    hand.begin(0)
    assert not of(run, CallSucceeded)
    assert [e.attempt for e in of(run, CallStarted)] == [1]
    hand.end(1)
    assert run.result(WAIT) == 42
    hand.end(0)  # when all is over
    hand.end(1)
    (success,) = of(run, CallSucceeded)
    assert success.attempt == 2
    assert [(e.attempt, e.abandoned) for e in of(run, CallFailed)] == [(1, True)]
    assert [job.attempt for job in hand.given_up] == [1]
    assert isinstance(list(run.events())[-1], RunClosed)


def test_a_second_answer_is_dropped() -> None:
    """An executor that answers twice does no harm to the run."""
    hand = ByHand()

    @nbflow.workflow
    def flow() -> int:
        return double(1).result() + double(2).result()

    run = flow.on(hand).start()
    hand.end(0)
    hand.end(0)
    hand.begin(0)
    hand.end(1)
    assert run.result(WAIT) == 6
    assert [e.call for e in of(run, CallSucceeded)] == ["double-1", "double-2"]
    assert not of(run, CallStarted)


@pytest.mark.parametrize("stops", [True, False])
def test_a_cancelled_run_takes_no_more_answers(stops: bool) -> None:
    """Its log is closed; whether the attempts could be stopped is in it."""
    hand = ByHand(slots=2, stops=stops)

    @nbflow.workflow
    def flow() -> Any:
        return [double(1), double(2)]

    run = flow.on(hand).start()
    hand.begin(0)
    hand.job(1)
    run.cancel("enough")
    run.wait(WAIT)
    events = list(run.events())
    hand.end(0)
    hand.end(1)
    hand.begin(1)
    assert list(run.events()) == events
    cancelled = of(run, CallCancelled)
    assert [(e.call, e.reason, e.abandoned) for e in cancelled] == [
        ("double-1", "enough", not stops),
        ("double-2", "enough", not stops),
    ]
    assert all(job.dropped for job, _ in hand.jobs)


def test_the_time_limit_counts_from_when_the_worker_began() -> None:
    """By the worker's own clock: an executor that tells late does not lengthen it."""
    hand = ByHand()
    slow = double.options(timeout=30)

    @nbflow.workflow
    def flow() -> int:
        return slow(1).result()

    run = flow.on(hand).start()
    hand.begin(0, at=time.time() - 31)
    with pytest.raises(nbflow.ActivityTimeout):
        run.result(WAIT)


def test_an_attempt_that_nobody_began_does_not_time_out() -> None:
    """Waiting for a worker is not the attempt's time."""
    hand = ByHand()
    quick = double.options(timeout=0.01)

    @nbflow.workflow
    def flow() -> int:
        return quick(1).result() + double.options(executor="threads")(1).result()

    run = flow.on(hand).start()
    hand.job(0)
    assert one.start().result(WAIT) == 8  # meanwhile
    assert not of(run, CallFailed)
    hand.end(0)
    assert run.result(WAIT) == 4


# -------------------------------------------------------------------- cancelling


def test_a_call_that_waits_for_its_retry_is_cancelled_at_once() -> None:
    """There is no further attempt, and the run does not wait for the back-off."""
    hand = ByHand()

    @nbflow.activity(retry=nbflow.Retry(attempts=2, wait=60, cap=60, jitter=0))
    def fail() -> None:
        raise OSError

    @nbflow.workflow
    def flow() -> None:
        fail().result()

    run = flow.on(hand).start()
    hand.end(0)
    assert run.counts() == {"retrying": 1}
    run.cancel()
    run.wait(10)
    assert run.status == "cancelled"
    assert run.counts() == {"cancelled": 1}
    assert len(hand.jobs) == 1


def test_code_that_never_waits_cannot_hold_up_a_cancel() -> None:
    """The run is closed all the same, and what the code does later changes nothing."""
    there, go, over = threading.Event(), threading.Event(), threading.Event()

    @nbflow.workflow
    def flow() -> int:
        there.set()
        go.wait(WAIT)
        try:
            return double(1).result()
        finally:
            over.set()

    run = flow.start()
    assert there.wait(WAIT)
    run.cancel()
    run.wait(10)
    assert run.status == "cancelled"
    events = list(run.events())
    go.set()
    assert over.wait(WAIT)
    assert list(run.events()) == events
    assert not of(run, CallScheduled)


# -------------------------------------------------------------------- timers


def test_a_wait_with_a_time_limit_is_in_the_log() -> None:
    """The timer fires once if nothing came, and is cancelled if something did."""
    hand = ByHand(slots=2)

    @nbflow.workflow
    def flow() -> list[int]:
        slow, quick = double(1), double(2)
        done, late = nbflow.wait([slow], timeout=0.05)
        counts = [len(done), len(late)]
        done, late = nbflow.wait([slow, quick], return_when="FIRST_COMPLETED", timeout=60)
        return [*counts, len(done), len(late), slow.result()]

    run = flow.on(hand).start()
    eventually(lambda: len(of(run, TimerStarted)) == 2, "the second timer is started")
    hand.end(1)
    eventually(lambda: of(run, TimerCancelled), "the second timer is cancelled")
    hand.end(0)
    assert run.result(WAIT) == [0, 1, 1, 1, 2]
    started, fired = of(run, TimerStarted), of(run, TimerFired)
    assert [e.timer for e in started] == ["timer-1", "timer-2"]
    assert [e.timer for e in fired] == ["timer-1"]
    assert [e.timer for e in of(run, TimerCancelled)] == ["timer-2"]
    assert fired[0].at >= started[0].due - 0.01
