"""A run executed live, decided from its log, or cut and resumed anywhere, is the same run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.decide import Close, Note, Schedule, decide
from nbflow.core.events import (
    CallFailed,
    CallScheduled,
    CallSucceeded,
    Event,
    RunClosed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.payload import Packed, Ref, Stored
from nbflow.core.workflow import definition
from nbflow.running import session
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore

RAN: list[tuple[str, int]] = []
"""Every execution of an activity, by call and attempt."""


def _note() -> None:
    context = nbflow.context()
    RAN.append((context.call, context.attempt))


def total_of(values: tuple[int | None, ...]) -> int:
    """Add up; what failed and is ignored counts as nothing."""
    return sum(value or 0 for value in values)


@nbflow.activity
def add(*values: int) -> int:
    """Add up."""
    _note()
    return total_of(values) + 1


@nbflow.activity
def fail(*values: int) -> int:
    """Fail, always."""
    _note()
    message = f"refused {total_of(values)}"
    raise ValueError(message)


@nbflow.activity(raises_on_failure=False)
def shrug(*values: int) -> int:
    """Fail, always, and have None for a result."""
    _note()
    message = f"refused {total_of(values)}"
    raise ValueError(message)


@nbflow.activity(idempotent=True, task_priority=2, max_running=2)
def single(*values: int) -> int:
    """Be one call for equal arguments."""
    _note()
    return total_of(values) * 3


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0, jitter=0))
def flaky(*values: int) -> int:
    """Fail at the first two attempts."""
    _note()
    if nbflow.context().attempt < 3:
        message = "not yet"
        raise OSError(message)
    return total_of(values) * 2


ACTIVITIES: dict[str, Any] = {
    "add": add,
    "fail": fail,
    "flaky": flaky,
    "shrug": shrug,
    "single": single,
}


@dataclass(frozen=True)
class Ask:
    """Call an activity on earlier futures, taken from the end."""

    activity: str
    of: tuple[int, ...]


@dataclass(frozen=True)
class Look:
    """Look at an earlier future: result (errors caught), exception, wait or as_completed."""

    how: str
    of: tuple[int, ...]


Step = Ask | Look
indices = st.lists(st.integers(0, 6), max_size=3).map(tuple)
steps = st.one_of(
    st.builds(Ask, st.sampled_from(["add", "add", *ACTIVITIES]), indices),
    st.builds(
        Look,
        st.sampled_from(["result", "exception", "all", "first", "error", "completed", "branch"]),
        indices,
    ),
)
programs = st.lists(steps, min_size=1, max_size=12).map(tuple)


def make(program: tuple[Step, ...]) -> Any:
    """Make a workflow that does what a program says, and gives what it saw."""

    @nbflow.workflow(name="program")
    def body() -> list[Any]:
        futures: list[nbflow.Future[int]] = []
        seen: list[Any] = []
        for step in program:
            chosen = [futures[-1 - i] for i in step.of if i < len(futures)]
            if isinstance(step, Ask):
                futures.append(ACTIVITIES[step.activity](len(futures), *chosen))
            elif chosen:
                seen.append(_look(step.how, chosen))
                if step.how == "branch" and isinstance(seen[-1], int) and seen[-1] % 2:
                    futures.append(add(*chosen))
        for future in futures:
            error = future.exception()
            seen.append(f"{type(error).__name__}: {error}" if error else future.result())
        return seen

    return body


def _look(how: str, chosen: list[nbflow.Future[int]]) -> Any:
    if how == "exception":
        error = chosen[0].exception()
        return f"{type(error).__name__}: {error}" if error else None
    if how in {"result", "branch"}:
        try:
            return chosen[0].result()
        except (ValueError, OSError) as error:
            return str(error)
    if how == "completed":
        return sorted(future.call for future in nbflow.as_completed(dict.fromkeys(chosen)))
    when: dict[str, Any] = {
        "all": "ALL_COMPLETED",
        "first": "FIRST_COMPLETED",
        "error": "FIRST_EXCEPTION",
    }
    done, not_done = nbflow.wait(dict.fromkeys(chosen), return_when=when[how])
    # Which ones are done may differ from run to run; that all are accounted for may not.
    return len(done) + len(not_done)


def completed_in_order(program: tuple[Step, ...]) -> Any:
    """Make a workflow whose path depends on the order in which calls end."""

    @nbflow.workflow(name="ordered")
    def body() -> list[str]:
        futures = [add(i) for i in range(len(program) + 2)]
        order = []
        for future in nbflow.as_completed(futures):
            order.append(future.call)
            if future.result() % 2:
                order.append(add(future, len(order)).call)
        return order

    return body


def live(workflow: Any) -> tuple[Any, list[Event], MemoryStore, str]:
    """Run it on threads and give its result and its log."""
    store = MemoryStore()
    config.store = store
    RAN.clear()
    run = workflow.start()
    value = run.result(timeout=30)
    return value, list(run.events()), store, run.id


def pure(workflow: Any) -> Callable[..., Any]:
    """Give the function that `decide` takes."""
    return definition(workflow).fn


def restore(events: list[Event]) -> tuple[MemoryStore, str]:
    """Make a store that holds just those events."""
    store = MemoryStore()
    started, *rest = events
    assert isinstance(started, RunStarted)
    store.create("cut", started)
    if rest:
        store.append("cut", rest)
    return store, "cut"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_decide_closes_a_live_log_as_the_run_closed(program: tuple[Step, ...]) -> None:
    """What is decided from the log of a live run is the close which that run had."""
    workflow = make(program)
    value, events, _, _ = live(workflow)
    closed = events[-1]
    assert isinstance(closed, RunClosed)
    commands = decide(pure(workflow), events[:-1], now=0)
    assert [(type(c), c.status, c.result) for c in commands if isinstance(c, Close)] == [
        (Close, closed.status, closed.result)
    ]
    assert isinstance(value, list)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_the_order_of_completion_is_that_of_the_log(program: tuple[Step, ...]) -> None:
    """A path that depends on which call ended first is taken again by a replay."""
    workflow = completed_in_order(program)
    _, events, _, _ = live(workflow)
    (close,) = decide(pure(workflow), events[:-1], now=0)
    closed = events[-1]
    assert isinstance(close, Close)
    assert isinstance(closed, RunClosed)
    assert isinstance(closed.result, Packed)
    assert close.result == closed.result


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_a_log_cut_after_any_event_resumes_to_the_same_result(program: tuple[Step, ...]) -> None:
    """Resuming gives the undisturbed result and runs only calls that were not settled."""
    workflow = make(program)
    value, events, _, _ = live(workflow)
    for cut in range(1, len(events)):
        before = History.of(events[:cut])
        kept = (s for s in before.settled if isinstance(s.outcome, CallSucceeded) or s.ignored)
        settled = {s.id for s in kept}
        store, run = restore(events[:cut])
        config.store = store
        RAN.clear()
        resumed = nbflow.attach(run, store).resume(workflow)
        assert resumed.result(timeout=30) == value, f"cut after event {cut}"
        assert settled.isdisjoint(call for call, _ in RAN), f"cut after event {cut}"
        again = History.of(resumed.events())
        assert [s.index for s in again.settled] == list(range(len(again.settled)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_decided_step_by_step_it_is_the_live_run(program: tuple[Step, ...]) -> None:
    """A service that carries out what is decided, command by command, ends as the live run did."""
    workflow = make(program)
    _, events, _, _ = live(workflow)
    expected = {s.id: (s.name, s.deps, s.status) for s in History.of(events).calls.values()}
    log: list[Event] = [events[0]]
    while True:
        commands = decide(pure(workflow), log, now=0)
        assert commands, "neither closed nor anything to do"
        if isinstance(commands[0], Close):
            break
        for command in commands:
            if isinstance(command, Note):
                log.append(command.call.event(len(log) + 1, 0.0))
                continue
            assert isinstance(command, Schedule)
            log.extend(_carried_out(command, History.of(log)))
    closed = events[-1]
    assert isinstance(closed, RunClosed)
    assert commands[0].status == closed.status
    # Which of two failures comes first, and so is the one that a dependant names, is chance.
    assert _without_values(commands[0].result) == _without_values(closed.result)
    found = History.of(log)
    for call, (name, deps, status) in expected.items():
        state = found.calls[call]
        assert (state.name, state.deps, state.status) == (name, deps, status)


def _without_values(result: Stored) -> str:
    assert isinstance(result, Packed)
    return re.sub(r"refused \d+", "refused", str(result.data))


def _carried_out(command: Schedule, before: History) -> list[Event]:
    state, seq = command.call, before.last
    scheduled = CallScheduled(seq + 1, 0.0, state.id, state.name, state.args, None, state.deps)
    total = 0
    for stored in state.args:
        outcome = before.calls[stored.call].outcome if isinstance(stored, Ref) else None
        value: Any = outcome.result if outcome is not None else stored  # type: ignore[union-attr]
        total += value or 0
    if state.name in {"fail", "shrug"}:
        error = Failure.of(ValueError(f"refused {total}"))
        ignored = state.name == "shrug"
        return [scheduled, CallFailed(seq + 2, 0.0, state.id, 1, error, ignored=ignored)]
    value = {"add": total + 1, "flaky": total * 2, "single": total * 3}[state.name]
    return [scheduled, CallSucceeded(seq + 2, 0.0, state.id, 1, value, "w", 0.0)]


def test_a_resumed_run_keeps_its_handle_and_its_id(tmp_path: Path) -> None:
    """`resume` goes on with the same run: same id, one log, later calls behind earlier ones."""
    nbflow.configure(store=tmp_path)
    ready = tmp_path / "ready"

    @nbflow.activity
    def needs_file(x: int) -> int:
        return x + len(ready.read_text())

    @nbflow.workflow
    def flow() -> int:
        return needs_file(add(1)).result()

    run = flow.start()
    with pytest.raises(FileNotFoundError):
        run.result(timeout=30)
    ready.write_text("abc")
    RAN.clear()
    assert run.resume(flow).result(timeout=30) == 5
    assert RAN == []
    assert run.status == "completed"
    assert [row.run for row in nbflow.runs()] == [run.id]
    assert session.sessions[run.id].run == run.id


def test_a_second_kernel_resumes_what_the_first_one_left(tmp_path: Path) -> None:
    """A log in a file, cut in the middle, is resumed through a store opened anew."""
    from nbflow.store.sqlite import SqliteStore

    workflow = make((Ask("add", ()), Ask("flaky", (0,)), Ask("add", (0, 1))))
    value, events, _, _ = live(workflow)
    with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
        first = SqliteStore(directory)
        started, *rest = events
        assert isinstance(started, RunStarted)
        first.create("cut", started)
        first.append("cut", rest[: len(rest) // 2])
        first.close()
        second = SqliteStore(directory)
        assert nbflow.attach("cut", second).resume(workflow).result(timeout=30) == value
        second.close()
