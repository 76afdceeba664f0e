"""G: graphs of every shape, and the shapes that there cannot be."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core import naming
from nbflow.core.events import CallFailed, CallScheduled, CallSucceeded, RunStarted
from nbflow.core.payload import Ref
from nbflow.store.memory import MemoryStore
from tests.catalogue.conftest import WAIT


@nbflow.activity
def add(*values: int) -> int:
    """Add one to the sum."""
    return sum(values) + 1


@nbflow.activity
def bad(*_: int) -> int:
    """Fail."""
    raise ArithmeticError("no")


@pytest.mark.parametrize("length", [1, 2, 3, 20_000])
def test_g01_a_circle_of_calls_is_refused(length):
    """Code cannot ask for one: a value is there before it is used. A forged log may hold one."""
    _check_circle(length)


def test_g02_a_call_cannot_take_its_own_result():
    """Python has no name for it yet where it is written: the run fails, and nothing has run."""
    ran: list[int] = []

    @nbflow.activity
    def step(value: Any) -> int:
        ran.append(value)
        return 1

    @nbflow.workflow
    def flow() -> Any:
        own = step(own)  # type: ignore[has-type]  # noqa: F821
        return own  # noqa: RET504 - it has to have a name

    run = flow.start()
    with pytest.raises(UnboundLocalError, match="own"):
        run.result(WAIT)
    assert (ran, len(run.calls)) == ([], 0)
    _check_circle(1)


def _check_circle(length: int) -> None:
    """See to it that a log whose calls each need the next one is refused, by its first flaw."""
    store = MemoryStore()
    store.create("forged", RunStarted(1, 1.0, "flow", (), {}, "threads"))
    asked = [
        CallScheduled(n + 2, 1.0, f"add-{n + 1}", "add", (Ref(need),), None, (need,))
        for n in range(length)
        for need in [f"add-{(n + 1) % length + 1}"]
    ]
    store.append("forged", asked)
    first = "add-1" if length == 1 else "add-2"
    with pytest.raises(nbflow.StoreUnusable, match=f"event 2 .* needs '{first}', which is not bef"):
        nbflow.attach("forged", store).counts()

    @nbflow.workflow
    def flow() -> Any:
        return add(1)

    with pytest.raises(nbflow.StoreUnusable, match="event 2"):
        nbflow.attach("forged", store).resume(flow)
    assert sum(1 for _ in store.events("forged")) == length + 1


def test_g03_a_name_that_is_not_there_is_told_before_anything_runs(shell):
    """A misspelt activity is named under the cell that defines the workflow, and fails the run."""
    shell.cell("%%activity fetch(x)", "x")
    text = shell.cell("%%workflow w()", "fetch(1)", "fecth(2)")
    assert "not defined yet: fecth (did you mean fetch?)" in text
    text = shell.cell("run = w()", "run.result()")
    assert "NameError: name 'fecth' is not defined" in text
    assert not [call for call in shell["run"].calls if call.startswith("fecth")]


def test_g04_what_depends_on_a_failure_is_skipped_once_and_by_name(place):
    """Directly or through others; whoever looks sees which call it is because of."""

    @nbflow.workflow
    def flow() -> Any:
        top = bad()
        left, right = add(top), add(top)
        return add(left, right)

    run = flow.start()
    with pytest.raises(ArithmeticError, match="no"):
        run.result(WAIT)
    assert {call.id: call.status for call in run.calls.values()} == {
        "bad-1": "failed",
        "add-1": "skipped",
        "add-2": "skipped",
        "add-3": "skipped",
    }
    assert type(run.calls["add-3"].error) is ArithmeticError
    settled = Counter(e.call for e in run.events() if isinstance(e, CallFailed))
    assert settled == {"bad-1": 1}


def test_g05_what_two_calls_need_runs_once(place, tmp_path):
    """The top of a diamond is one call, however many take its result."""
    ledger = str(tmp_path / "ledger")

    @nbflow.activity
    def top() -> int:
        with Path(ledger).open("a") as file:
            file.write("top\n")
        return 1

    @nbflow.workflow
    def flow() -> Any:
        first = top()
        return add(add(first), add(first))

    assert flow.start().result(WAIT) == 5
    assert Path(ledger).read_text() == "top\n"


@pytest.mark.timeout(120)
def test_g06_a_hundred_thousand_calls_cost_a_tenth_of_a_millisecond_each():
    """In time; and in memory, when they are over, some hundred bytes each."""
    count = 100_000

    @nbflow.activity
    def one(n: int) -> int:
        return n

    @nbflow.workflow
    def flow() -> int:
        return sum(call.result() for call in [one(n) for n in range(count)])

    began = time.process_time()
    run = flow.start()
    assert run.result(100) == count * (count - 1) // 2
    assert time.process_time() - began < 30  # ten, where nothing else runs and nobody measures
    assert run.counts() == {"done": count}


def test_g06_a_call_that_is_over_weighs_little():
    """Below two kilobytes of its run, its log in memory included."""
    count = 5_000

    @nbflow.workflow
    def flow() -> int:
        return len([add(n) for n in range(count)])

    flow.start().result(WAIT)  # what is loaded once is not the run's
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        run = flow.start()
        assert run.result(WAIT) == count
        weight = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    assert weight < 2_000


def test_g08_ten_thousand_results_come_together(place, disk):
    """The call that takes them all is recorded by their names: its event holds no values."""
    count = 10_000 if place == "threads" else 2_000

    @nbflow.activity
    def text(n: int) -> str:
        return f"{n:04}" * 25

    @nbflow.activity
    def join(texts: list[str]) -> int:
        return sum(map(len, texts))

    @nbflow.workflow
    def flow() -> Any:
        return join([text(n) for n in range(count)])

    run = flow.start()
    assert run.result(WAIT) == count * 100
    (event,) = [e for e in run.events() if isinstance(e, CallScheduled) and e.activity == "join"]
    assert len(event.deps) == count
    packed: Any = event.args[0]
    assert packed.size < 30 * count


@pytest.mark.parametrize("calls", [0, 1])
def test_g09_a_run_of_nothing_or_of_one_call_is_over_and_can_be_shown(calls):
    """Every picture and text of it is there, and whole."""

    @nbflow.workflow
    def flow() -> list[int]:
        return [add(n).result() for n in range(calls)]

    run = flow.start()
    assert run.result(WAIT) == [1] * calls
    assert run.status == "completed"
    assert len(run.graph) == calls
    for picture in (run.graph, run.profile):
        assert picture.svg().rstrip().endswith("</svg>")
        assert "flow" in picture.text()
    assert [s.bar.call for s in run.profile.critical_path()] == ["add-1"][:calls]


def test_g10_two_calls_cannot_have_one_name():
    """An id that is taken is refused where the second call is written; the first one is kept."""

    @nbflow.workflow
    def flow() -> Any:
        first = add.submit(1, call_id="total")
        with pytest.raises(nbflow.DefinitionError, match="'total' is taken: each call"):
            add.submit(2, call_id="total")
        return first

    assert flow.start().result(WAIT) == 2


def test_g11_a_loop_without_an_end_is_stopped(monkeypatch):
    """At a million calls; what is said names the way for work that never ends."""
    assert naming.MOST_CALLS == 1_000_000
    monkeypatch.setattr(naming, "MOST_CALLS", 500)

    @nbflow.workflow
    def flow() -> None:
        while True:
            add(1)

    run = flow.start()
    with pytest.raises(nbflow.RunError, match=r"asked for 500 calls.*continue_as_new"):
        run.result(WAIT)
    assert run.status == "failed"
    assert len(run.calls) == 500


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        (lambda value: nbflow.wait([value]), TypeError, "(?i)future"),
        (nbflow.gather, TypeError, "(?i)future"),
        (lambda value: list(nbflow.as_completed([value])), TypeError, "(?i)future"),
    ],
    ids=["wait", "gather", "as_completed"],
)
def test_g12_a_value_is_no_future(use, error, text):
    """What waits for futures says what it was given."""

    @nbflow.workflow
    def flow() -> None:
        use(7)

    with pytest.raises(error, match=text):
        flow.start().result(WAIT)


def test_g12_a_future_of_another_run_is_refused_by_name():
    """It has no value in this one: both runs are named, and the way to hand the value over."""
    kept: list[Any] = []

    @nbflow.workflow
    def first() -> None:
        kept.append(add(1))

    @nbflow.workflow
    def second() -> Any:
        return add(kept[0])

    one = first.start()
    one.result(WAIT)
    two = second.start()
    with pytest.raises(
        nbflow.FutureMisuse, match=f"add-1 belongs to run {one.id}, not to {two.id}"
    ):
        two.result(WAIT)


def test_g13_a_call_that_nobody_waits_for_runs_to_its_end(place):
    """The run is over when it is; its failure is the run's."""

    @nbflow.workflow
    def flow(activity: str) -> str:
        (bad if activity == "bad" else add)(1)
        return "returned"

    run = flow.start("add")
    assert run.result(WAIT) == "returned"
    assert [e.result for e in run.events() if isinstance(e, CallSucceeded)] == [2]
    with pytest.raises(ArithmeticError, match="no"):
        flow.start("bad").result(WAIT)
