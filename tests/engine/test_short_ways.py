"""What is done in a shorter way where calls are many and simple is the same as by the long one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import nbflow
from nbflow.core.events import CallScheduled, CallStarted, CallSucceeded, CancelRequested
from nbflow.engine.job import Answer, Job
from nbflow.engine.watched import TICK
from nbflow.executors.threads import Threads
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.collector import make_job

WAIT = 30


@nbflow.activity
def give(value: Any) -> Any:
    return value


@nbflow.activity(persist=False)
def held(value: Any) -> Any:
    return value


@nbflow.activity(raises_on_failure=False)
def fails() -> None:
    raise ValueError("for the test")


@nbflow.activity
def large(size: int) -> bytes:
    return b"x" * size


@pytest.mark.parametrize("on", ["threads", "inline"])
def test_several_at_once_are_what_they_are_one_by_one(on: str) -> None:
    """Whatever the results are: values, order, what counts as seen, and the edges from there."""

    @nbflow.workflow
    def flow(*, together: bool) -> list[Any]:
        found = [give(1), give([1]), give(None), give(1 << 70), held(2), fails(), large(2_000_000)]
        found += [give(n) for n in range(20)]
        values = nbflow.gather(*found).result() if together else [f.result() for f in found]
        done, left = nbflow.wait(found, timeout=0)
        after = give("after")
        return [values, [f.call for f in done], len(left), after]

    def edges(run: Any) -> tuple[str, ...]:
        asked = [e for e in run.events() if isinstance(e, CallScheduled)]
        return asked[-1].after

    runs = [flow.on(on).start(together=together) for together in (True, False)]
    one, other = (run.result(WAIT) for run in runs)
    assert one == other
    assert one[0][:6] == [1, [1], None, 1 << 70, 2, None]
    assert one[2] == 0
    assert edges(runs[0]) == edges(runs[1])
    assert len(edges(runs[0])) == 27


def test_of_several_failures_the_first_in_order_is_raised() -> None:
    """Results that are there already do not hide a failure among them."""

    @nbflow.activity
    def odd(n: int) -> int:
        if n % 2:
            raise ValueError(f"odd: {n}")
        return n

    @nbflow.workflow
    def flow() -> str:
        numbers = [odd(n) for n in range(6)]
        nbflow.wait(numbers)
        with pytest.raises(ValueError, match="odd: 1"):
            nbflow.gather(*numbers).result()
        return str([str(number.exception()) for number in numbers[1::2]])

    assert flow.start().result(WAIT) == "['odd: 1', 'odd: 3', 'odd: 5']"


def test_several_at_once_hear_of_a_cancel_where_one_would() -> None:
    """Between a result that was there before the request, and one that came after it."""
    asked: list[str] = []
    computes, goes_on, holds = threading.Event(), threading.Event(), threading.Event()

    def refuse(context: Any) -> bool:
        asked.append(context.reason)
        return False

    @nbflow.activity
    def hold() -> str:
        assert holds.wait(WAIT)
        return "held"

    @nbflow.workflow(should_cancel=refuse, lint=False)
    def flow() -> list[str]:
        early, late = give("early"), hold()
        early.result()
        computes.set()
        assert goes_on.wait(WAIT)  # does not look at calls meanwhile
        nbflow.gather(early, late).result()
        return [*asked]

    run = flow.start()
    assert computes.wait(WAIT)
    run.cancel("please")
    until(run, CancelRequested, 1)
    holds.set()
    until(run, CallSucceeded, 2)
    goes_on.set()
    assert run.result(WAIT) == ["please"]
    assert nbflow.replay(run, flow).check().ok


def test_several_at_once_have_callbacks_called_before_they_are_given() -> None:
    """Also those of a call that is settled already when the code comes to look at it."""
    goes_on = threading.Event()

    @nbflow.workflow(lint=False)
    def flow() -> list[str]:
        heard: list[str] = []
        both = [give(1), give(2)]
        both[1].add_done_callback(lambda future: heard.append(future.call))
        assert goes_on.wait(WAIT)  # does not look at calls meanwhile
        nbflow.gather(*both).result()
        return heard

    run = flow.start()
    until(run, CallSucceeded, 2)
    goes_on.set()
    assert run.result(WAIT) == ["give-2"]


def until(run: Any, kind: type, count: int) -> None:
    """Wait until so many events of a kind are in a run's log."""
    end = time.monotonic() + WAIT
    while sum(isinstance(e, kind) for e in run.events()) < count:
        assert time.monotonic() < end, f"no {kind.__name__}"


@pytest.mark.parametrize(
    "value",
    [(1 << 63) - 1, 1 << 63, -(1 << 63), 1 << 20_000, True, 0.5],
    ids=["most", "over", "under", "endless", "flag", "part"],
)
def test_numbers_are_themselves_whatever_their_size(value: Any, tmp_path: Path) -> None:
    """As arguments and as results, in value and type; those that JSON cannot read as well."""
    store = SqliteStore(tmp_path)
    nbflow.configure(store=store)

    @nbflow.workflow
    def flow() -> Any:
        return give(give(value))

    run = flow.start()
    found = run.result(WAIT)
    assert type(found) is type(value)
    assert found == value
    store.close()


def test_only_what_follows_from_an_answer_waits_for_the_thread_that_gives_it() -> None:
    """What is submitted from a thread at work gets another: it may be what that work waits for."""
    pool, begun, over = Threads(2), threading.Event(), threading.Event()

    def waits() -> bool:
        return begun.wait(WAIT)

    class Box:
        """Is told that the first job has begun, and submits the second one there and then."""

        answers: ClassVar[list[Any]] = []

        def began(self, job: Job, worker: str, at: float) -> None:
            pool.submit(second, self)  # type: ignore[arg-type]

        def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:
            self.answers.append(answer.result)
            if job is first:
                over.set()

    first, second = replace(make_job(waits), timeout=60.0), make_job(begun.set)
    pool.submit(first, Box())  # type: ignore[arg-type]
    assert over.wait(2 * WAIT)
    pool.close()
    assert True in Box.answers


def test_that_a_later_call_has_begun_is_written_while_it_runs() -> None:
    """What began long after the run did is told too: looking goes on as long as calls begin."""
    gate = threading.Event()

    @nbflow.activity
    def slow(name: str) -> str:
        assert gate.wait(WAIT)
        return name

    @nbflow.workflow
    def flow() -> str:
        give(0).result()
        nbflow.sleep(3 * TICK)  # until nothing has happened for a while
        return slow("late").result()

    run = flow.start()
    until(run, CallStarted, 1)
    gate.set()
    assert run.result(WAIT) == "late"
    assert [e.call for e in run.events() if isinstance(e, CallStarted)] == ["slow-1"]
