"""Futures: where they may stand, what they teach, and how they are waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import nbflow
from nbflow import FutureMisuse
from nbflow.core.events import CallCancelled


@nbflow.activity
def give(value: Any) -> Any:
    """Give it back."""
    return value


@nbflow.activity
def show(value: Any) -> str:
    """Give its repr."""
    return repr(value)


@nbflow.activity
def boom(value: Any = None) -> Any:
    """Fail."""
    message = f"no {value!r}"
    raise LookupError(message)


@dataclass
class Box:
    """Holds anything."""

    inside: Any


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        (lambda f: f, "7"),
        (lambda f: [f, 1], "[7, 1]"),
        (lambda f: (f, (f,)), "(7, (7,))"),
        (lambda f: {"a": [f], 2: f}, "{'a': [7], 2: 7}"),
        (lambda f: {f}, "{7}"),
        (lambda f: Box([{"deep": (f, 1.5)}]), "Box(inside=[{'deep': (7, 1.5)}])"),
        (lambda f: nbflow.gather(f, f), "[7, 7]"),
        (lambda f: {"g": nbflow.gather(f)}, "{'g': [7]}"),
    ],
    ids=["future", "list", "tuple", "dict", "set", "dataclass", "gather", "nested"],
)
def test_a_future_may_stand_at_any_depth_of_an_argument(
    wrap: Callable[[Any], Any], expected: str
) -> None:
    """The activity gets the value where the Future stood, and the call depends on it."""

    @nbflow.workflow
    def flow() -> Any:
        return show(wrap(give(7)))

    run = flow.start()
    assert run.result(timeout=30) == expected
    assert [e.source for e in run.graph.edges if e.target == "show-1"] == ["give-1"]


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, set, lambda f: {"x": f[0]}, lambda f: Box(f[0])],
    ids=["list", "tuple", "set", "dict", "dataclass"],
)
def test_futures_in_a_result_are_resolved(wrap: Callable[[Any], Any]) -> None:
    """What the workflow returns holds values, not futures."""

    @nbflow.workflow
    def flow() -> Any:
        return wrap([give(3)])

    assert nbflow.run(flow) == wrap([3])


@pytest.mark.parametrize(
    "misuse",
    [
        bool,
        list,
        len,
        lambda f: f[0],
        lambda f: f < 1,
        lambda f: f + 1,
        lambda f: 1 - f,
        lambda f: 2 in f,
        int,
        float,
        lambda f: -f,
        lambda f: f(),
    ],
    ids=[
        "bool",
        "iter",
        "len",
        "index",
        "less",
        "add",
        "radd",
        "contains",
        "int",
        "float",
        "neg",
        "call",
    ],
)
def test_misuse_teaches(misuse: Callable[[Any], Any]) -> None:
    """A Future used as its value raises, and the message says to write result()."""

    @nbflow.workflow
    def flow() -> Any:
        misuse(give(1))

    with pytest.raises(FutureMisuse, match=r"give-1 has no value yet: write future\.result\(\)"):
        nbflow.run(flow)


def test_an_attribute_of_the_value_teaches() -> None:
    """Reading an attribute of the value says where it is to be had."""

    @nbflow.workflow
    def flow() -> Any:
        return give("x").upper()

    with pytest.raises(AttributeError, match=r"write future\.result\(\)\.upper"):
        nbflow.run(flow)


def test_done_is_not_for_workflow_code() -> None:
    """`done()` in workflow code would make its path depend on timing: refused, with the cure."""

    @nbflow.workflow
    def flow() -> Any:
        return give(1).done()

    with pytest.raises(FutureMisuse, match=r"nbflow\.wait"):
        nbflow.run(flow)


def test_equality_is_identity() -> None:
    """Futures live in sets and lists: two are equal only if they are the same one."""

    @nbflow.workflow
    def flow() -> Any:
        a, b = give(1), give(1)
        return [a == b, a == a, len({a, b, a}), [a, b].index(b)]  # noqa: PLR0124

    assert nbflow.run(flow) == [False, True, 2, 1]


@pytest.mark.case("G12")
def test_a_future_of_another_run_is_refused() -> None:
    """A Future means something in its own run only; the error names both runs."""
    leaked: list[Any] = []

    @nbflow.workflow
    def one() -> Any:
        leaked.append(give(1))
        return leaked[0]

    @nbflow.workflow
    def two() -> Any:
        return give(leaked[0])

    first = one.start()
    assert first.result(timeout=30) == 1
    assert leaked[0].done()
    assert leaked[0].result() == 1
    with pytest.raises(FutureMisuse, match=f"belongs to run {first.id}"):
        nbflow.run(two)


def test_result_makes_a_control_edge() -> None:
    """A call asked for after `result()` has a dashed edge from what was read."""

    @nbflow.workflow
    def flow() -> Any:
        first = give(1).result()
        second, third = give(first), give(first)
        nbflow.wait([second, third])
        return show(0)

    run = flow.start()
    run.result(timeout=30)
    control = {(e.source, e.target) for e in run.graph.edges if e.kind == "control"}
    assert ("give-1", "give-2") in control
    assert ("give-1", "give-3") in control
    (join,) = {target for source, target in control if source == "give-2"}
    assert run.graph.node(join).join
    assert (join, "show-1") in control


def test_wait_first_completed_returns_what_is_done() -> None:
    """`wait` splits futures into done and not done, in the order given."""
    gate = threading.Event()

    @nbflow.activity
    def slow() -> int:
        gate.wait(30)
        return 1

    @nbflow.workflow
    def flow() -> Any:
        late, quick = slow(), give(1)
        done, not_done = nbflow.wait([late, quick], return_when="FIRST_COMPLETED")
        gate.set()
        return [f.call for f in done], [f.call for f in not_done]

    assert nbflow.run(flow) == (["give-1"], ["slow-1"])


def test_wait_first_exception() -> None:
    """`FIRST_EXCEPTION` returns once one has failed, though others are not settled."""
    gate = threading.Event()

    @nbflow.activity
    def slow() -> None:
        gate.wait(30)

    @nbflow.workflow
    def flow() -> Any:
        late, bad = slow(), boom()
        done, not_done = nbflow.wait([late, bad], return_when="FIRST_EXCEPTION")
        gate.set()
        return [f.call for f in done], [f.call for f in not_done], repr(bad.exception())

    assert nbflow.run(flow) == (["boom-1"], ["slow-1"], "LookupError('no None')")


def test_wait_timeout_is_in_the_log() -> None:
    """A wait that ends by its time limit is a timer in the log, so a replay takes the same way."""
    from nbflow.core.decide import Close, decide
    from nbflow.core.workflow import definition

    gate = threading.Event()

    @nbflow.activity
    def slow() -> None:
        gate.wait(30)

    @nbflow.workflow
    def flow() -> Any:
        late = slow()
        done, _ = nbflow.wait([late], timeout=0.05)
        gate.set()
        again, _ = nbflow.wait([late], timeout=30)
        return [len(done), len(again)]

    run = flow.start()
    assert run.result(timeout=30) == [0, 1]
    kinds = [type(e).__name__ for e in run.events()]
    assert kinds.count("TimerFired") == 1
    assert kinds.count("TimerCancelled") == 1
    (close,) = [
        c
        for c in decide(definition(flow).fn, list(run.events())[:-1], now=0)
        if isinstance(c, Close)
    ]
    assert close.status == "completed"


def test_a_text_of_a_future_does_not_depend_on_timing() -> None:
    """In its own workflow it tells what the code has seen; a format for the value is refused."""

    @nbflow.workflow(lint=False)
    def flow() -> Any:
        first, gate = give(1), give(2)
        gate.result()  # by now the other one may be done, or not
        before = f"{give(3)} {give(4)!r}"
        first.result()
        with pytest.raises(FutureMisuse, match=r"give-1 has no value yet: write future.result\(\)"):
            f"{first:.2f}"
        return [before, str(first)]

    run = flow.start()
    assert run.result(timeout=30) == [
        "<Future give-3> <Future give-4>",
        "<Future give-1 done>",
    ]


@pytest.mark.case("G12")
def test_waiting_functions_want_futures() -> None:
    """`wait`, `gather` and `as_completed` say what they take, and where they can be used."""
    with pytest.raises(FutureMisuse, match="for workflow code"):
        nbflow.wait([])
    with pytest.raises(FutureMisuse, match="takes futures, not int"):
        nbflow.gather(1)  # type: ignore[arg-type]
    with pytest.raises(FutureMisuse, match=r"not list.*write gather\(\*futures\)"):
        nbflow.gather([1])  # type: ignore[arg-type]

    @nbflow.workflow
    def flow() -> Any:
        return nbflow.wait(give(1))

    with pytest.raises(FutureMisuse, match=r"write wait\(\[give-1\]\)"):
        nbflow.run(flow)


def test_callbacks_come_in_the_order_of_the_log() -> None:
    """`add_done_callback` calls in the workflow's thread, in the order of settling."""

    @nbflow.workflow
    def flow() -> Any:
        order: list[str] = []
        futures = [give(n) for n in range(20)]
        for future in futures:
            future.add_done_callback(lambda f: order.append(f.call))
        last = [f.call for f in nbflow.as_completed(futures)]
        return order == last

    assert nbflow.run(flow) is True


def test_an_async_workflow_awaits_its_futures() -> None:
    """`await future` in an ``async def`` workflow gives the value, or raises the error."""

    @nbflow.workflow
    async def flow() -> Any:
        one = await give(1)
        both = await nbflow.gather(give(2), give(3))
        try:
            await boom(4)
        except LookupError as error:
            return [one, both, str(error)]
        return None

    assert nbflow.run(flow) == [1, [2, 3], "no 4"]


def test_an_async_workflow_may_not_await_threads() -> None:
    """What is not replayable belongs into an activity, and the message says so."""

    @nbflow.workflow(lint=False)
    async def flow() -> Any:
        await asyncio.to_thread(print)

    run: nbflow.Run[Any] = flow.start()
    with pytest.raises(FutureMisuse, match="into an activity"):
        run.result(30)


def test_a_run_is_awaited_in_a_running_loop() -> None:
    """`await run` gives the result and holds up no loop: the run needs that loop to go on."""
    ticked = threading.Event()

    @nbflow.activity
    def later(x: int) -> int:
        assert ticked.wait(30)
        return x + 1

    @nbflow.workflow
    def flow() -> Any:
        return later(give(1))

    async def tick() -> None:
        await asyncio.sleep(0)
        ticked.set()

    async def cell() -> Any:
        run = flow.start()
        _, value = await asyncio.gather(tick(), run)
        return value

    assert asyncio.run(cell()) == 2


@pytest.mark.case("G13")
def test_a_failure_that_nobody_looked_at_fails_the_run() -> None:
    """A call whose result is not used still runs, and its error is not lost."""

    @nbflow.workflow
    def forgot() -> int:
        boom("x")
        return 1

    @nbflow.workflow
    def looked() -> int:
        boom("x").exception()
        return 1

    with pytest.raises(LookupError, match="no 'x'"):
        nbflow.run(forgot)
    assert nbflow.run(looked) == 1


def test_arguments_that_do_not_fit_raise_where_the_call_is_written() -> None:
    """A call with wrong arguments raises TypeError at once and is not in the log."""

    @nbflow.activity
    def two(a: int, *, b: int) -> int:
        return a + b

    @nbflow.workflow
    def flow() -> Any:
        with pytest.raises(TypeError, match=r"two\(a: 'int', \*, b: 'int'\)"):
            two(1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'c'"):
            two(1, b=2, c=3)
        return two(1, b=2)

    run = flow.start()
    assert run.result(timeout=30) == 3
    assert list(run.calls) == ["two-1"]


def test_an_activity_is_its_function_outside_a_workflow() -> None:
    """Called anywhere but in workflow code, an activity is the plain function."""
    assert give.fn(5) == 5
    assert repr(give(5)) == "5"
    with pytest.raises(LookupError):
        boom()


@pytest.mark.case("U21")
def test_values_handed_to_code_are_copies() -> None:
    """What one consumer does to a value, no other one sees; nor does the caller's object change."""

    @nbflow.activity
    def spoil(items: list[int]) -> list[int]:
        items.append(99)
        return items

    @nbflow.workflow
    def flow() -> Any:
        mine = [1, 2]
        a, b = spoil(mine), spoil(mine)
        mine.append(3)
        shared = give([0])
        shared.result().append(5)
        return a, b, spoil(shared), mine

    assert nbflow.run(flow) == ([1, 2, 99], [1, 2, 99], [0, 99], [1, 2, 3])


@pytest.mark.parametrize(
    "value",
    [10**5000, -(10**4400), [10**5000], float("inf"), float("-inf"), True, "\ud800", b"\x00", 1j],
    ids=["int", "negative", "list", "inf", "-inf", "bool", "surrogate", "bytes", "complex"],
)
def test_odd_values_come_back_exactly(value: Any, tmp_path: Any) -> None:
    """A value that JSON cannot hold is kept as well, and is the same after the store is read."""
    nbflow.configure(store=tmp_path)

    @nbflow.workflow
    def flow() -> Any:
        return give(value)

    run = flow.start()
    found = run.result(timeout=30)
    assert found == value
    assert type(found) is type(value)
    assert run.calls["give-1"].args == (value,)


def test_keyword_names_of_the_log_are_refused() -> None:
    """A keyword that the log's own marks use is refused where the call is written."""

    @nbflow.activity
    def anything(**kwargs: Any) -> int:
        return len(kwargs)

    @nbflow.workflow
    def flow() -> Any:
        return anything(**{"$ref": "x"})

    with pytest.raises(TypeError, match="keyword names that begin with"):
        nbflow.run(flow)


def test_a_failed_run_leaves_nothing_running() -> None:
    """What a failed workflow had under way or waiting is given up, and the log says so."""
    gate = threading.Event()

    @nbflow.activity
    def hold() -> None:
        gate.wait(30)

    @nbflow.workflow
    def flow() -> Any:
        held = [hold() for _ in range(3)]
        boom().result()
        return held

    run = flow.start()
    with pytest.raises(LookupError, match="no None"):
        run.result(timeout=30)
    gate.set()
    assert run.counts() == {"cancelled": 3, "failed": 1}
    assert all(e.abandoned for e in run.events() if isinstance(e, CallCancelled))
