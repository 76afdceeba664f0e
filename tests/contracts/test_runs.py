"""What people rely on in a run, wherever its calls run: by the public API alone."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CancelRequested,
    RunClosed,
)
from nbflow.core.payload import Blob
from nbflow.testing import FaultTable, Gate
from nbflow.testing.checks import eventually
from tests.contracts.conftest import SLOTS

WAIT = 30


def start(flow: Any, place: Any, *args: Any) -> Any:
    """Start a run and give its handle at once, also where calls are inline."""
    if place != "inline":
        return flow.on(place).start(*args)
    known = {row.run for row in nbflow.runs()}
    threading.Thread(target=flow.on(place).start, args=args, daemon=True).start()
    eventually(lambda: len(nbflow.runs()) > len(known), "the run is created")
    (run,) = {row.run for row in nbflow.runs()} - known
    return nbflow.attach(run)


def of(run: nbflow.Run[Any], kind: Any) -> list[Any]:
    """Give the events of one kind."""
    return [event for event in run.events() if isinstance(event, kind)]


def holder(place: Any, gate: Gate, **options: Any) -> Any:
    """Make an activity that stays at a gate. On a loop it has to be a polite one."""
    if place == "asyncio":

        @nbflow.activity(name="hold", **options)
        async def hold(*_: Any) -> str:
            await gate.enter_async()
            return "held"

    else:

        @nbflow.activity(name="hold", **options)
        def hold(*_: Any) -> str:
            gate.enter()
            return "held"

    return hold


# -------------------------------------------------------------------- retries


@pytest.mark.case("U2")
def test_a_failed_attempt_is_retried_after_a_back_off(place: Any, tmp_path: Path) -> None:
    """Each failure is in the log with the time of the next attempt, which begins no earlier."""
    faults = FaultTable(tmp_path / "faults", {"x": [OSError("one"), OSError("two")]})

    @nbflow.activity(retry=nbflow.Retry(attempts=4, wait=0.02, factor=3, jitter=0))
    def shaky(key: str) -> str:
        faults.act(key)
        return f"{key} at attempt {nbflow.context().attempt}"

    @nbflow.workflow
    def flow() -> str:
        return shaky("x").result()

    run = start(flow, place)
    assert run.result(WAIT) == "x at attempt 3"
    assert faults.count("x") == 3
    first, second = of(run, CallFailed)
    (success,) = of(run, CallSucceeded)
    assert [first.attempt, second.attempt, success.attempt] == [1, 2, 3]
    assert [first.error.message, second.error.message] == ["one", "two"]
    assert first.retry_at - first.at == pytest.approx(0.02, abs=0.001)
    assert second.retry_at - second.at == pytest.approx(0.06, abs=0.001)
    assert first.report.ended <= second.report.started
    # Clocks differ: the wait is measured by one that nobody can set.
    assert second.report.started >= first.retry_at - 0.01
    assert success.started >= second.retry_at - 0.01
    assert run.calls["shaky-1"].attempt == 3
    assert run.counts() == {"done": 1}


def test_attempts_are_limited(place: Any, tmp_path: Path) -> None:
    """After the last attempt the call fails with the last error, and nothing runs any more."""
    faults = FaultTable(tmp_path / "faults", {"x": [OSError(str(n)) for n in range(1, 9)]})

    @nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0, jitter=0))
    def shaky(key: str) -> None:
        faults.act(key)

    @nbflow.workflow
    def flow() -> None:
        shaky("x").result()

    run = start(flow, place)
    with pytest.raises(OSError, match="3"):
        run.result(WAIT)
    assert faults.count("x") == 3
    failed = of(run, CallFailed)
    assert [(e.attempt, e.retry_at is None) for e in failed] == [(1, False), (2, False), (3, True)]
    assert [call.id for call in run.failed] == ["shaky-1"]


def test_only_the_named_errors_are_retried(place: Any, tmp_path: Path) -> None:
    """`on` matches by class, subclasses included; any other error settles the call."""
    plan: dict[str, Any] = {"missing": [FileNotFoundError("gone")], "wrong": [ValueError("no")]}
    faults = FaultTable(tmp_path / "faults", plan)

    @nbflow.activity(retry=nbflow.Retry(attempts=5, wait=0, jitter=0, on=(OSError, KeyError)))
    def shaky(key: str) -> str:
        faults.act(key)
        return key

    @nbflow.workflow
    def flow() -> list[str]:
        wrong = shaky("wrong")
        assert isinstance(wrong.exception(), ValueError)
        return [shaky("missing").result()]

    assert start(flow, place).result(WAIT) == ["missing"]
    assert (faults.count("missing"), faults.count("wrong")) == (2, 1)


def test_a_function_may_decide_on_retries(place: Any, tmp_path: Path) -> None:
    """It is given the error itself and the attempt, and says: seconds, yes, or no."""
    acts = [OSError("first"), OSError("second"), ValueError("third")]
    faults = FaultTable(tmp_path / "faults", {"x": acts})
    asked: list[tuple[str, int]] = []

    def again(error: BaseException, attempt: int) -> float | bool:
        asked.append((repr(error), attempt))
        return 0.01 if isinstance(error, OSError) else False

    @nbflow.activity(retry=again)
    def shaky(key: str) -> None:
        faults.act(key)

    @nbflow.workflow
    def flow() -> None:
        shaky("x").result()

    run = start(flow, place)
    with pytest.raises(ValueError, match="third"):
        run.result(WAIT)
    assert asked == [("OSError('first')", 1), ("OSError('second')", 2), ("ValueError('third')", 3)]
    assert faults.count("x") == 3
    delays = [e.retry_at and e.retry_at - e.at for e in of(run, CallFailed)]
    assert delays == [pytest.approx(0.01, abs=0.001), pytest.approx(0.01, abs=0.001), None]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_retry_function_that_fails_means_no_retry(place: Any, error: type[BaseException]) -> None:
    """The call then fails with its own error; the engine goes on, whatever the function raised."""

    def broken(_: BaseException, attempt: int) -> bool:
        raise error(attempt)

    @nbflow.activity(retry=broken)
    def fail() -> None:
        raise OSError("the error itself")

    @nbflow.workflow
    def flow() -> str:
        return str(fail().exception())

    assert start(flow, place).result(WAIT) == "the error itself"


# -------------------------------------------------------------------- what runs is seen to run


def test_a_call_that_runs_is_soon_seen_to_run(place: Any, gate: Gate, tmp_path: Path) -> None:
    """So is one that begins long after it was asked for, in the place of one that ended."""
    if place == "inline":
        pytest.skip("nothing looks on while a call runs inline")
    other = Gate(tmp_path / "other")
    first, last = holder(place, gate), holder(place, other).options(name="last")

    @nbflow.workflow
    def flow() -> list[str]:
        return nbflow.gather(*[first(n) for n in range(SLOTS)], last()).result()

    run = start(flow, place)
    eventually(lambda: len(of(run, CallStarted)) == SLOTS, "the first are seen to run")
    gate.open()
    eventually(lambda: "last-1" in {e.call for e in of(run, CallStarted)}, "so is the last")
    other.open()
    assert run.result(WAIT) == ["held"] * (SLOTS + 1)
    assert sorted(e.call for e in of(run, CallStarted)) == ["hold-1", "hold-2", "last-1"]


# -------------------------------------------------------------------- timeouts


@pytest.mark.case("U3")
def test_an_attempt_that_takes_too_long_is_given_up(place: Any, gate: Gate) -> None:
    """The call fails with ActivityTimeout as soon as the time is over, though it may still run."""
    hold = holder(place, gate, timeout=0.2)

    @nbflow.workflow
    def flow() -> Any:
        return hold().result()

    run = start(flow, place)
    eventually(lambda: of(run, CallFailed), "the attempt times out")
    (began,), (failed,) = of(run, CallStarted), of(run, CallFailed)
    assert 0.2 <= failed.at - began.at + 0.001 < 2
    assert failed.error.kind.endswith("ActivityTimeout")
    stoppable = place in {"processes", "asyncio"}
    assert failed.abandoned is not stoppable
    if place != "inline":
        run.wait(WAIT)
        assert gate.left() == 0
    gate.open()
    run.wait(WAIT)
    with pytest.raises(nbflow.ActivityTimeout, match=r"hold-1 took longer than its 0\.2 s"):
        run.result(WAIT)
    assert run.status == "failed"
    assert len(of(run, CallSucceeded)) == 0


def test_a_late_attempt_is_retried_and_its_answer_dropped(
    place: Any, gate: Gate, tmp_path: Path
) -> None:
    """The next attempt gives the result, also when the late one answers in the end."""
    numbers = FaultTable(tmp_path / "faults")
    options: dict[str, Any] = {"timeout": 0.3, "retry": nbflow.Retry(attempts=2, wait=0, jitter=0)}
    if place == "asyncio":

        @nbflow.activity(**options)
        async def slow() -> str:
            number = numbers.act("slow")
            if number == 1:
                await gate.enter_async()
            return f"invocation {number}"

    else:

        @nbflow.activity(**options)
        def slow() -> str:
            number = numbers.act("slow")
            if number == 1:
                gate.enter()
            return f"invocation {number}"

    @nbflow.workflow
    def flow() -> Any:
        return slow().result()

    run = start(flow, place)
    eventually(lambda: of(run, CallFailed), "the first attempt times out")
    if place == "inline":
        gate.open()
    assert run.result(WAIT) == "invocation 2"
    gate.open()
    (success,) = of(run, CallSucceeded)
    assert success.attempt == 2
    assert numbers.count("slow") == 2


def test_waiting_in_the_queue_is_not_charged(place: Any) -> None:
    """The time limit of an attempt counts from its start, not from when it was asked for."""

    @nbflow.activity(timeout=0.6)
    def work(_: int) -> float:
        end = time.monotonic() + 0.15
        while time.monotonic() < end:
            threading.Event().wait(0.15)
        return time.time()

    @nbflow.workflow
    def flow() -> float:
        ended = nbflow.gather(*[work(n) for n in range(10)]).result()
        return max(ended) - min(ended)

    assert start(flow, place).result(WAIT) > 0.6 - 0.15


# -------------------------------------------------------------------- cancelling


def test_a_run_can_be_cancelled_while_calls_run_and_wait(
    place: Any, gate: Gate, tmp_path: Path
) -> None:
    """It ends as cancelled with a whole log; queued calls never run; other runs are not touched."""
    hold = holder(place, gate)
    ran = FaultTable(tmp_path / "ran")

    @nbflow.activity
    def after(*_: Any) -> None:
        ran.act("after")

    @nbflow.workflow
    def flow() -> list[Any]:
        held = [hold(n) for n in range(8 * SLOTS)]
        return [after(held[0]), *(after(h) for h in held[-4:])]

    run = start(flow, place)
    slots = 1 if place == "inline" else SLOTS
    gate.wait_for(slots)
    run.cancel("enough")
    run.wait(WAIT)
    assert run.status == "cancelled"
    with pytest.raises(nbflow.RunCancelled, match="enough"):
        run.result(WAIT)
    events = list(run.events())
    assert isinstance(events[-1], RunClosed)
    assert events[-1].status == "cancelled"
    assert [e.reason for e in events if isinstance(e, CancelRequested)] == ["enough"]
    asked = {e.call for e in events if isinstance(e, CallScheduled)}
    settled = [e.call for e in events if isinstance(e, CallCancelled | CallSucceeded)]
    skipped = {call.id for call in run.calls.values() if call.status == "skipped"}
    assert len(settled) == len(set(settled))
    assert set(settled) | skipped == asked
    gate.open()
    run.cancel("twice")

    @nbflow.activity
    def double(n: int) -> int:
        return 2 * n

    @nbflow.workflow
    def other() -> list[int]:
        return nbflow.gather(*[double(n) for n in range(3 * SLOTS)]).result()

    assert start(other, place).result(WAIT) == [2 * n for n in range(3 * SLOTS)]
    # What a foreign pool has fetched for a worker counts as begun and cannot be taken back.
    assert gate.entered() <= (4 * SLOTS if "Pool" in type(place).__name__ else slots)
    assert ran.count("after") == 0
    assert list(run.events()) == events


def test_a_run_whose_code_is_busy_is_cancelled_too(place: Any) -> None:
    """Whatever the workflow's code was doing when it was cancelled, the run ends as cancelled."""
    there, go = threading.Event(), threading.Event()

    @nbflow.activity
    def one() -> int:
        return 1

    @nbflow.workflow
    def flow() -> int:
        future = one()
        there.set()
        go.wait(WAIT)
        return future.result()

    run = start(flow, place)
    assert there.wait(WAIT)
    run.cancel()
    go.set()
    run.wait(WAIT)
    assert run.status == "cancelled"
    assert [type(e) for e in run.events()].count(RunClosed) == 1


# -------------------------------------------------------------------- failures


@pytest.mark.case("U1", "G4")
def test_a_failure_skips_what_depends_on_it_once(place: Any, tmp_path: Path) -> None:
    """Other branches run to their end; the run fails with the activity's own error."""
    faults = FaultTable(tmp_path / "faults", {"top": [ZeroDivisionError("top")]})

    @nbflow.activity
    def step(key: str, *_: Any) -> str:
        faults.act(key)
        return key

    @nbflow.workflow
    def flow() -> Any:
        top = step("top")
        left, right = step("left", top), step("right", [top, {"again": top}])
        bottom = step("bottom", left, right, top)
        return [step("alone", step("free")), bottom]

    run = start(flow, place)
    with pytest.raises(ZeroDivisionError, match="top"):
        run.result(WAIT)
    found = {
        call.args[0] if not call.error else call.id: call.status for call in run.calls.values()
    }
    assert found == {
        "step-1": "failed",
        "step-2": "skipped",
        "step-3": "skipped",
        "step-4": "skipped",
        "free": "done",
        "alone": "done",
    }
    assert [call.id for call in run.failed] == ["step-1"]
    assert len(of(run, CallFailed)) == 1
    assert {e.call for e in of(run, CallStarted)} <= {"step-1", "step-5", "step-6"}
    assert [faults.count(k) for k in ("top", "left", "right", "bottom")] == [1, 0, 0, 0]
    assert [faults.count(k) for k in ("free", "alone")] == [1, 1]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RecursionError, MemoryError])
def test_any_error_of_an_activity_can_be_handled_by_the_workflow(
    place: Any, error: type[BaseException]
) -> None:
    """It arrives as itself, with a note of the call it came from."""

    @nbflow.activity
    def fail() -> None:
        raise error("out")

    @nbflow.workflow
    def flow() -> tuple[str, list[str]]:
        try:
            fail().result()
        except error as found:
            return str(found), found.__notes__
        return "nothing", []

    assert start(flow, place).result(WAIT) == ("out", ["in fail-1"])


@pytest.mark.parametrize("behind", [False, True], ids=["at-once", "behind-another"])
def test_an_executor_that_there_is_not_fails_the_call(place: Any, behind: bool) -> None:
    """The call fails with DefinitionError, whichever thread would have started it."""

    @nbflow.activity
    def first() -> int:
        return 1

    @nbflow.activity(executor="treads")
    def lost(_: int) -> int:
        return 2

    @nbflow.workflow
    def flow() -> int:
        return lost(first() if behind else 1).result()

    with pytest.raises(nbflow.DefinitionError, match="Did you mean 'threads'"):
        start(flow, place).result(WAIT)


def test_an_option_that_a_place_does_not_take_is_told_with_those_it_takes() -> None:
    """One sentence names the option, and all that there are."""
    message = r"Processes takes no option workers. Its options: max_workers, chunk"
    with pytest.raises(nbflow.DefinitionError, match=message):
        nbflow.configure(on="processes", workers=3)
    with pytest.raises(nbflow.DefinitionError, match="Inline takes no option max_workers"):
        nbflow.configure(on="inline", max_workers=3)


# -------------------------------------------------------------------- data


@pytest.mark.case("U11")
def test_large_results_go_to_the_store_and_to_who_needs_them(place: Any) -> None:
    """5 MB are a blob in the log, arrive whole, and in the same process without a copy."""
    seen: list[bytes] = []

    @nbflow.activity
    def make() -> bytes:
        seen.append(bytes(range(256)) * 20_000)
        return seen[0]

    @nbflow.activity
    def use(data: bytes, kept: dict[str, bytes]) -> tuple[int, bytes]:
        seen.extend([data, kept["data"]])
        return len(data), data[-3:]

    @nbflow.workflow
    def flow() -> tuple[int, bytes]:
        data = make()
        return use(data, {"data": data}).result()

    nbflow.configure(store=None)
    run = start(flow, place)
    assert run.result(WAIT) == (5_120_000, b"\xfd\xfe\xff")
    result = of(run, CallSucceeded)[0].result
    assert isinstance(result, Blob)
    assert result.size >= 5_120_000
    assert run.calls["make-1"].result == bytes(range(256)) * 20_000
    if seen:  # the activities ran in this very process
        assert len(seen) == 3
        assert seen[1] is seen[0]
        assert seen[2] is seen[0]


def test_large_arguments_arrive(place: Any) -> None:
    """300 kB of argument, of the workflow and of a call, are blobs in the log and arrive whole."""
    text = "é" * 100_000 + "x" * 100_000

    @nbflow.activity
    def echo(value: str, *, items: list[int]) -> tuple[str, int]:
        return value[::-1], sum(items)

    @nbflow.workflow
    def flow(value: str) -> tuple[str, int]:
        return echo(value, items=list(range(60_000))).result()

    run = start(flow, place, text)
    assert run.result(WAIT) == (text[::-1], sum(range(60_000)))
    (scheduled,) = of(run, CallScheduled)
    assert isinstance(scheduled.args[0], Blob)
    assert isinstance(scheduled.kwargs["items"], Blob)
    assert run.calls["echo-1"].args == (text,)


@pytest.mark.case("U22")
def test_no_consumer_sees_what_another_one_did(place: Any) -> None:
    """A result is handed to each call as it was when it was made."""

    @nbflow.activity
    def make() -> list[int]:
        return [0]

    @nbflow.activity
    def push(items: list[int], item: int) -> list[int]:
        items.append(item)
        return items

    @nbflow.workflow
    def flow() -> Any:
        made = make()
        mine = made.result()
        mine.append(99)
        return [push(made, 1), push(made, 2), made]

    assert start(flow, place).result(WAIT) == [[0, 1], [0, 2], [0]]


def test_results_keep_their_types_on_the_way(place: Any) -> None:
    """From activity to activity to the workflow's result: 1, True and 1.0 stay apart."""
    values = [1, True, 1.0, "1", None, (1, [2]), {1: "a"}, {"$ref": "f-1"}, b"x", {1, 2}]

    @nbflow.activity
    def same(value: Any) -> Any:
        return value

    @nbflow.workflow
    def flow() -> list[Any]:
        return [same(same(value)) for value in values]

    found = start(flow, place).result(WAIT)
    assert [(type(v), v) for v in found] == [(type(v), v) for v in values]


def test_a_fan_out_and_in(place: Any) -> None:
    """300 calls, and one that needs them all; each runs once and is in the log once."""

    @nbflow.activity
    def square(n: int) -> int:
        return n * n

    @nbflow.activity
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @nbflow.workflow
    def flow() -> int:
        return total(nbflow.gather(*[square(n) for n in range(300)])).result()

    run = start(flow, place)
    assert run.result(WAIT) == sum(n * n for n in range(300))
    assert run.counts() == {"done": 301}
    assert sorted(e.call for e in of(run, CallSucceeded)) == sorted(run.calls)
    for event in of(run, CallSucceeded):
        assert event.started <= event.report.ended <= event.at + 0.05
        assert event.worker
    assert [event.seq for event in run.events()] == list(range(1, len(list(run.events())) + 1))
