from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.core import payload
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallHeartbeat,
    CallMissed,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    Report,
    RunClosed,
    RunStarted,
)
from nbflow.core.failure import Failure, Frame
from nbflow.core.payload import Ref
from nbflow.viz.board import Board
from nbflow.viz.details import About, nothing
from tests.viz.page import size_of
from tests.viz.runlog import HOSTILE, RunLog, revenue, simulate

RUN = "revenue-1"
FRAME = Frame("/home/me/<cell>", 4, "fetch", "raise ValueError(region)")


def board_of(events, about=nothing) -> Board:
    board = Board(RUN, about)
    for event in events:
        board.apply(event)
    board.advance(2000.0)
    return board


def detail(board: Board, row: int):
    found = board.details.of(row)
    assert found is not None
    json.dumps(found, allow_nan=False)
    return found


def failure(message: str = "unknown region") -> Failure:
    return Failure(
        kind="shop.RegionError", bases=("shop.RegionError",), message=message, frames=(FRAME,)
    )


def test_a_call_is_told_with_its_neighbours():
    """A detail names the call, what it needs and what takes its result, by rows."""
    board = board_of(simulate(revenue(2)))
    found = detail(board, 1)
    assert (found["call"], found["id"], found["activity"]) == (1, "convert-1", "convert")
    assert (found["label"], found["status"], found["result"]) == ("convert(fetch-1)", "done", "1")
    assert (found["needs"], found["feeds"]) == ([0], [4])
    assert found["key"] == f"{RUN}/convert-1"
    assert board.details.of(5) is None
    assert board.details.of(-1) is None


def test_each_attempt_is_told():
    """Every attempt has its worker, its times since the run began, and why it failed."""
    log = RunLog()
    log.asked("fetch-1")
    log.failed("fetch-1", 0.5, 1.0, "w-1", 1, retry_at=2.0, message="no net")
    log.failed("fetch-1", 2.0, 2.5, "w-2", 2, message="gone")
    first, second = detail(board_of(log.events), 0)["attempts"]
    assert (first["attempt"], first["worker"], first["status"]) == (1, "w-1", "failed")
    assert (first["started"], first["ended"], first["retry_at"]) == (0.5, 1.0, 2.0)
    assert first["error"] == "ValueError: no net"
    assert (second["attempt"], second["error"], second["retry_at"]) == (2, "ValueError: gone", None)


def test_an_attempt_that_runs_has_no_end():
    """What is not known of an attempt that runs is null, and it has no error of an earlier one."""
    log = RunLog()
    log.asked("fetch-1")
    log.failed("fetch-1", 0.5, 1.0, "w-1", 1, retry_at=2.0)
    log.started("fetch-1", 2.0, "w-2", 2)
    found = detail(board_of(log.events), 0)
    assert found["attempts"][1]["ended"] is None
    assert found["attempts"][1]["error"] == ""
    assert found["status"] == "running"


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        pytest.param((), ["1", "2", "3", "rate"], id="not known"),
        pytest.param(("region", "rows", "top"), ["region", "rows", "top", "rate"], id="known"),
        pytest.param(("region", "*rest"), ["region", "rest[0]", "rest[1]", "rate"], id="star"),
        pytest.param(("region",), ["region", "2", "3", "rate"], id="another signature"),
    ],
)
def test_arguments_have_the_names_of_the_signature(parameters, names):
    """Arguments are told by parameter where the code is known here, else by their place."""
    asked = CallScheduled(
        2, 1000.0, "fetch-1", "fetch", ("eu", 5, payload.pack([1, 2], "x")), {"rate": 1.5}
    )
    board = board_of([*RunLog().events, asked], lambda _: About(parameters, "def fetch(): ..."))
    found = detail(board, 0)
    assert found["args"] == list(map(list, zip(names, ["'eu'", "5", "[1, 2]", "1.5"], strict=True)))
    assert found["label"] == "fetch('eu', 5, [1, 2], rate=1.5)"
    assert found["source"] == "def fetch(): ..."


def test_results_of_calls_among_arguments_are_their_ids():
    """Where an argument holds the results of other calls, their ids stand for them."""
    log = RunLog()
    log.asked("fetch-1")
    nested = payload.pack(["x", log], "x", lambda v: "fetch-1" if v is log else None)
    asked = CallScheduled(3, 1000.0, "sum-1", "sum", (Ref("fetch-1"), nested), None, ("fetch-1",))
    found = detail(board_of([*log.events, asked]), 1)
    assert [value for _, value in found["args"]] == ["fetch-1", "['x', fetch-1]"]


class Trap:
    """Springs when it is unpickled, written or compared."""

    def __reduce__(self):
        return (_spring, ())

    def __repr__(self) -> str:
        return _spring()


sprung: list[bool] = []


def _spring() -> str:
    sprung.append(True)
    return "sprung"


@pytest.mark.case("W6")
def test_nobodys_code_is_run_for_a_detail():
    """Pickled arguments, results and errors are told by their size and class, never unpickled."""
    data = payload.dumps(Trap(), "the trap")
    trap = payload.Packed("pickle", data)
    error = Failure(kind="E", bases=("E",), message="m", pickled=data)
    report = Report.between("w", 1000.0, 1001.0)
    events: list[Event] = [
        *RunLog().events,
        CallScheduled(2, 1000.0, "f-1", "f", (trap,), {"k": trap}),
        CallSucceeded(3, 1001.0, "f-1", 1, trap, *report),
        CallScheduled(4, 1000.0, "f-2", "f", (trap,)),
        CallFailed(5, 1001.0, "f-2", 1, error, None, report),
    ]
    sprung.clear()
    board = board_of(events)
    assert all("pickled" in value for _, value in detail(board, 0)["args"])
    assert "pickled" in detail(board, 0)["result"]
    assert detail(board, 1)["error"] == "E: m"
    assert not sprung


def test_an_error_comes_with_its_traceback():
    """The lines of a failure are those of Python's traceback; a skipped call has its cause's."""
    log = RunLog()
    log.asked("fetch-1")
    log.asked("convert-1", ["fetch-1"])
    log.events.append(CallFailed(4, 1001.0, "fetch-1", 1, failure(), None, None, abandoned=True))
    board = board_of(log.events)
    trace = [
        'File "/home/me/<cell>", line 4, in fetch',
        "  raise ValueError(region)",
        "RegionError: unknown region",
    ]
    assert detail(board, 0)["trace"] == detail(board, 1)["trace"] == trace
    assert detail(board, 0)["error"] == "RegionError: unknown region"
    assert "may go on unseen" in detail(board, 0)["why"]
    assert detail(board, 1)["why"] == "did not run: fetch-1, which it needs, gave no result"


def test_why_a_call_has_not_begun():
    """A call that has not begun says what it waits for."""
    log = RunLog()
    for i in range(1, 6):
        log.asked(f"fetch-{i}")
    log.asked("sum-1", [f"fetch-{i}" for i in range(1, 6)])
    log.failed("fetch-1", 0.0, 1.0, retry_at=75.0)
    log.events.append(CallCancelled(9, 1001.0, "fetch-2", "in the panel"))
    board = board_of(log.events)
    assert detail(board, 0)["why"] == "attempt 2 is due 1m 15s after the run began"
    assert detail(board, 1)["why"] == "cancelled: in the panel"
    assert detail(board, 2)["why"] == "waits for a free worker"
    assert detail(board, 5)["why"] == "did not run: fetch-2, which it needs, gave no result"
    other = board_of(log.events[:7])
    assert detail(other, 5)["why"] == "waits for fetch-1, fetch-2, fetch-3 and 2 other calls"


def test_a_call_says_where_its_result_came_from_or_why_it_ran():
    """A call answered from the cache names the call it is the same as; one that ran says why."""
    log = RunLog()
    log.asked("fetch-1")
    log.asked("fetch-2")
    log.events.append(CallReused(4, 1000.5, "fetch-1", "k", "old-1/fetch-7", 1))
    log.events.append(CallMissed(5, 1000.5, "fetch-2", "k2", ("code: RATE: 5 -> 50",)))
    log.succeeded("fetch-2", 0.5, 1.0)
    board = board_of(log.events)
    reused = detail(board, 0)
    assert (reused["status"], reused["result"], reused["attempts"]) == ("cached", "1", [])
    assert reused["why"] == "did not run: it is the same as old-1/fetch-7, whose result was kept"
    assert detail(board, 1)["why"] == "ran: code changed: RATE: 5 -> 50"


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_users_wrote_can_only_be_read(name, text):
    """No text of a detail has an invisible character but line breaks, whatever people wrote."""
    log = RunLog()
    log.asked(f"{name}{HOSTILE}-1", args=(text, HOSTILE), activity=name + HOSTILE)
    log.failed(f"{name}{HOSTILE}-1", 0.0, 1.0, text + HOSTILE, message=text + HOSTILE)
    about = About((text + HOSTILE,), f"{text}\n{HOSTILE}")
    told = json.loads(json.dumps(detail(board_of(log.events, lambda _: about), 0)))

    def look(value: object) -> None:
        if isinstance(value, str):
            assert value.replace("\n", "").isprintable()
        elif isinstance(value, list):
            list(map(look, value))
        elif isinstance(value, dict):
            list(map(look, value.values()))

    look(told)


def test_a_detail_is_small_whatever_the_call():
    """Arguments, neighbours, attempts, source and errors are cut to what a panel can show."""
    log = RunLog()
    inputs = [f"fetch-{i}" for i in range(1, 20_001)]
    for call in inputs:
        log.asked(call)
    log.asked("sum-1", inputs, args=("字" * 50_000,) * 50)
    for attempt in range(1, 201):
        log.failed("sum-1", attempt, attempt + 0.5, "w" * 500, attempt, attempt + 1.0, "é" * 9000)
    board = board_of(log.events, lambda _: About((), "x = 1\n" * 100_000))
    found = detail(board, 20_000)
    assert size_of(found, []) < 500_000
    assert len(found["args"]) == 101
    assert found["args"][-1] == ["…", "19,950 more arguments"]
    assert [attempt["attempt"] for attempt in found["attempts"]] == list(range(151, 201))
    assert found["attempts"][0]["error"].startswith("ValueError: éé")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("orders", 3, 10), "3 of 10 (30%): orders"),
        (("", 1500, None), "1,500"),
        (("", 3, 0), "3"),
        (("</script>\nrow 7", None, None), "</script>\\nrow 7"),
    ],
)
def test_a_running_call_tells_how_far_it_is(told, said):
    """What its latest attempt told last is one line, and says why nothing has come of it yet."""
    log = [
        RunStarted(1, 1000.0, "flow", (), {}),
        CallScheduled(2, 1000.0, "fetch-1", "fetch"),
        CallStarted(3, 1001.0, "fetch-1", 1, "thread-1"),
    ]
    assert detail(board_of(log), 0)["progress"] == ""
    log += [CallHeartbeat(4, 1002.0, "fetch-1", 1, "old", 1, 10)]
    log += [CallHeartbeat(5, 1003.0, "fetch-1", 1, *told)]
    found = detail(board_of(log), 0)
    assert (found["progress"], found["why"]) == (said, said)


def test_a_failure_that_is_ignored_says_what_became_of_it():
    """It is failed all the same, and those that take its result got None."""
    log = [
        RunStarted(1, 1000.0, "flow", (), {}),
        CallScheduled(2, 1000.0, "fetch-1", "fetch"),
        CallFailed(3, 1001.0, "fetch-1", 1, failure(), ignored=True),
    ]
    found = detail(board_of(log), 0)
    assert found["status"] == "failed"
    assert found["why"] == "failed: its result is None, since raises_on_failure is False"


@pytest.mark.parametrize("count", [2, 13])
def test_an_error_of_several_names_the_calls(count):
    """A run that fails with an exception group says which calls have failed, and with what."""
    log = RunLog("shop")
    for i in range(1, count + 1):
        log.asked(f"fit-{i}")
        log.started(f"fit-{i}", 0.1)
        log.failed(f"fit-{i}", 0.1, 0.2, message=f"no file {i}\nat all")
    bases = ("nbflow.core.errors.AggregateException", "builtins.ExceptionGroup", "Exception")
    error = Failure(kind=bases[0], bases=bases, message=f"of doomed ({count} sub-exceptions)")
    log.closed(0.3, "failed")
    closed = log.events.pop()
    assert isinstance(closed, RunClosed)
    log.events.append(closed._replace(error=error))
    trace = board_of(log.events).whole(0.0)["head"]["trace"]
    assert trace[0] == f"AggregateException: of doomed ({count} sub-exceptions)"
    shown = min(count, 10)
    assert trace[1 : 1 + shown] == [
        f"fit-{i}: ValueError: no file {i}" for i in range(1, shown + 1)
    ]
    assert trace[1 + shown :] == (["… and 3 more"] if count > 10 else [])
    plain = closed._replace(error=replace(error, bases=("ValueError",)))
    assert len(board_of([*log.events[:-1], plain]).whole(0.0)["head"]["trace"]) == 1
