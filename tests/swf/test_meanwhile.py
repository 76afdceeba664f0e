"""What activities on SWF write and tell while they run, and their signs of life."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core.events import (
    CallFailed,
    CallHeartbeat,
    CallStarted,
    CallSucceeded,
    CallWrote,
    RunClosed,
)
from nbflow.services.swf import (
    Api,
    Domain,
    WorkflowDecider,
    WorkflowExecution,
    WorkflowWorker,
    emulator,
    outside,
    run_events,
    start_workflow,
)
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.following import ExecutionLog
from nbflow.services.swf.meanwhile import Heard, append, beyond, left, place_of, remove
from nbflow.services.swf.sealing import KeySeal
from tests.swf.test_kills import until

GATES: dict[str, threading.Event] = {}


@nbflow.activity
def telling(gate):
    print("begun")
    nbflow.context().progress(1, 4, "reading")
    assert GATES[gate].wait(60)
    print("ended")
    return gate


@nbflow.activity(retry=nbflow.Retry(attempts=1))
def beating(gate):
    while not GATES[gate].wait(0.01):
        nbflow.context().heartbeat("on and on")


@nbflow.workflow
def told(gate):
    return telling(gate)


@nbflow.workflow
def lively(gate):
    return beating.options(heartbeat_timeout=3)(gate).exception() is None


@nbflow.workflow
def pair(gate):
    """The second one keeps the run open."""
    first = beating.options(heartbeat_timeout=3)(gate)
    second = telling(gate)
    return [first.exception() is None, second.result()]


class Place:
    """An emulator, a decider, a worker in a thread, and somebody who looks on."""

    def __init__(self, endpoint: emulator.Endpoint, aloud: Path) -> None:
        self.endpoint, self.aloud = endpoint, aloud
        self.domain = Domain(api=Api(endpoint.client()), name="d").save()
        self.decider = WorkflowDecider(self.domain, "default", [told, lively, pair])

    def start(self, flow: Any, gate: str, heard: Path | None = None) -> ExecutionLog:
        GATES[gate] = threading.Event()
        execution = start_workflow(self.domain, flow, (gate,))
        assert self.decider.step()
        return self.log(execution, heard)

    def log(self, execution: WorkflowExecution, heard: Path | None) -> ExecutionLog:
        texts = Texts(execution.workflow_id, None, KeySeal())
        ears = None if heard is None else Heard(heard, execution.run_id)
        return ExecutionLog(execution, texts, pace=(0.0, 0.0), heard=ears)

    def working(self, worker: WorkflowWorker) -> threading.Thread:
        thread = threading.Thread(target=worker.step)
        thread.start()
        return thread

    def finish(self, log: ExecutionLog) -> list[Any]:
        """Decide until the run is over; give its log."""

        def over() -> bool:
            return log.closed or bool(self.decider.step_own() or self.decider.step())

        until(lambda: over() and bool(list(log.events())) and log.closed)
        return list(log.events())

    def worker(self, **more: Any) -> WorkflowWorker:
        return WorkflowWorker(self.domain, "default", [telling, beating], **more)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with emulator.running(limits=emulator.Limits(poll=1)) as endpoint:
        yield Place(endpoint, tmp_path / "aloud")
    for gate in GATES.values():
        gate.set()


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Place]:
    """Where time passes by request alone."""
    with emulator.running(limits=emulator.Limits(poll=0), frozen=True) as endpoint:
        yield Place(endpoint, tmp_path / "aloud")
    for gate in GATES.values():
        gate.set()


def of(log: ExecutionLog, kind: type) -> list[Any]:
    return [event for event in log.events() if isinstance(event, kind)]


def texts(log: ExecutionLog) -> str:
    return "".join(event.text for event in of(log, CallWrote))


def test_what_an_activity_says_is_seen_while_it_runs(place: Place) -> None:
    """Words and progress are in the log before the end; the end adds what is left, once."""
    log = place.start(told, "seen", place.aloud)
    thread = place.working(place.worker(aloud=str(place.aloud)))
    until(lambda: texts(log) == "begun\n")
    (beat,) = until(lambda: of(log, CallHeartbeat))
    assert (beat.details, beat.done, beat.total) == ("reading", 1, 4)
    assert not of(log, CallSucceeded)
    seen = list(log.events())
    GATES["seen"].set()
    thread.join(60)
    whole = place.finish(log)
    assert texts(log) == "begun\nended\n"
    assert whole[: len(seen)] == seen
    assert [event.seq for event in whole] == list(range(1, len(whole) + 1))
    kinds = [type(e) for e in whole if isinstance(e, CallStarted | CallWrote | CallSucceeded)]
    assert kinds == [CallStarted, CallWrote, CallWrote, CallSucceeded]


def test_who_looks_on_from_elsewhere_gets_it_with_the_end(place: Place) -> None:
    """Whoever has no such directory reads the same words, from the history alone."""
    log = place.start(told, "elsewhere")
    thread = place.working(place.worker(aloud=str(place.aloud)))
    file = place_of(place.aloud, log.execution.run_id, "telling-1")
    until(file.exists)
    assert texts(log) == ""
    GATES["elsewhere"].set()
    thread.join(60)
    place.finish(log)
    assert texts(log) == "begun\nended\n"
    assert not file.exists()
    assert not file.parent.exists()
    late = place.log(log.execution, place.aloud)
    assert texts(late) == "begun\nended\n"
    closed = run_events(log.execution)[-1]
    assert isinstance(closed, RunClosed)
    assert closed.status == "completed"


def test_words_that_cannot_be_passed_on_come_with_the_end(place: Place) -> None:
    """A directory that cannot be written costs no attempt, and no word."""
    place.aloud.write_text("no directory")
    log = place.start(told, "blocked", place.aloud)
    thread = place.working(place.worker(aloud=str(place.aloud)))
    until(lambda: of(log, CallStarted))
    GATES["blocked"].set()
    thread.join(60)
    place.finish(log)
    assert texts(log) == "begun\nended\n"
    assert of(log, CallSucceeded)


def test_signs_of_life_of_the_code_reach_the_service(still: Place) -> None:
    """A worker that gives none by itself passes on those of the code: the limit is not passed."""
    log = still.start(lively, "beats")
    thread = still.working(still.worker())
    for count in range(3):
        until(partial(beaten, still, count))
        still.endpoint.advance(2)
    GATES["beats"].set()
    thread.join(60)
    events = still.finish(log)
    assert not any(isinstance(event, CallFailed) for event in events)


def test_a_worker_gives_signs_as_often_as_the_activity_needs(place: Place) -> None:
    """With signs of its own every ten minutes, a limit of three seconds is kept all the same."""
    log = place.start(lively, "often")
    thread = place.working(place.worker(heartbeat=600))
    until(lambda: beats(place) >= 2)
    GATES["often"].set()
    thread.join(60)
    assert any(isinstance(event, CallSucceeded) for event in place.finish(log))


def test_the_code_gives_up_when_it_is_asked_to(place: Place) -> None:
    """That a call is cancelled reaches the code by its heartbeat; the history has how it ended."""
    log = place.start(pair, "cancelled")
    thread = place.working(place.worker())
    until(lambda: of(log, CallStarted))
    outside.cancel_call(log.execution, "beating-1", "not needed")
    until(lambda: place.decider.step_own() or place.decider.step())
    thread.join(60)
    assert not thread.is_alive()
    kinds = [event.kind for event in log.execution.events()]
    assert "ActivityTaskCanceled" in kinds
    assert "ActivityTaskFailed" not in kinds


def beaten(place: Place, times: int) -> bool:
    return beats(place) > times


def beats(place: Place) -> int:
    counted: dict[str, int] = place.endpoint.stats()["requests"]
    return counted.get("RecordActivityTaskHeartbeat", 0)


# ---------------------------------------------------------------- files


def test_only_whole_lines_of_ours_are_read(tmp_path: Path) -> None:
    """What is half written is read when it is whole; what is none of ours is passed over."""
    file, heard = place_of(tmp_path, "run", "a-1"), Heard(tmp_path, "run")
    assert heard.news("a-1", "a-1", 1) == []
    append(file, [["wrote", 1.0, "stdout", "one\n"], ["other"], "no", ["beat", 2.0, "x", 1, None]])
    with file.open("ab") as out:
        out.write(b'not json\n["wrote", 3.0, "stdout", "two')
        out.flush()
        said = heard.news("a-1", "a-1", 1)
        assert [type(each) for each in said] == [CallWrote, CallHeartbeat]
        assert heard.news("a-1", "a-1", 1) == []
        out.write(b'\\n"]\n')
    assert [each.text for each in heard.news("a-1", "a-1", 1)] == ["two\n"]  # type: ignore[union-attr]
    assert heard.told == {"a-1": 8}
    assert [each.text for each in left(str(tmp_path), "run", "a-1")] == ["one\n", "two\n"]
    assert file.stat().st_mode & 0o077 == 0
    remove(file)
    remove(file)
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_run_goes_with_it(tmp_path: Path) -> None:
    """The files of one execution are removed; those of others once they are a week old."""
    for run in ("one", "two", "old"):
        append(place_of(tmp_path, run, "a-1"), [["wrote", 1.0, "stdout", "x\n"]])
    old = place_of(tmp_path, "old", "a-1")
    os.utime(old, (0, 0))
    Heard(tmp_path, "one").forget()
    assert not place_of(tmp_path, "one", "a-1").exists()
    assert place_of(tmp_path, "two", "a-1").exists()
    assert old.exists()
    os.utime(old.parent, (0, 0))
    Heard(tmp_path, "none").forget()
    assert not old.parent.exists()
    assert place_of(tmp_path, "two", "a-1").exists()


@given(st.lists(st.text(max_size=8), max_size=6), st.integers(0, 40))
def test_what_was_told_is_not_told_again(pieces: list[str], told: int) -> None:
    """What is beyond so many characters is the rest of the text, whatever its pieces are."""
    wrote = [CallWrote(0, 0.0, "a-1", 1, "stdout", piece) for piece in pieces]
    whole = "".join(pieces)
    assert "".join(each.text for each in beyond(wrote, told)) == whole[told:]
