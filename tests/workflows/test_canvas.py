"""Groups and chains: what is asked for, when, and what becomes of failures."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import nbflow
from nbflow import AggregateException, Chain, DefinitionError, FuncGroup, Group
from nbflow.core.decide import Close, decide
from nbflow.core.events import CallScheduled, RunClosed
from nbflow.core.workflow import definition
from nbflow.running.config import settings


@nbflow.activity
def inc(x: int = 0) -> int:
    """Add one."""
    return x + 1


@nbflow.activity
def add(*values: int) -> int:
    """Add up."""
    return sum(values)


@nbflow.activity
def fail(*_: Any) -> int:
    """Fail, always."""
    message = "no"
    raise ValueError(message)


@pytest.fixture(autouse=True, params=["threads", "inline"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run everything on threads and inline, keeping nothing."""
    before = settings.on, settings.options, settings.store
    nbflow.configure(on=request.param, store=":memory:")
    yield request.param
    settings.on, settings.options, settings.store = before


def run(body: Any) -> Any:
    """Run a function as a workflow; see that a replay of its log decides the same close."""
    workflow = nbflow.workflow(name="flow")(body)
    handle = workflow.start()
    handle.wait(timeout=30)
    *events, closed = handle.events()
    assert isinstance(closed, RunClosed)
    (decided,) = [c for c in decide(definition(workflow).fn, events, now=0) if isinstance(c, Close)]
    assert (decided.status, decided.result) == (closed.status, closed.result)
    return handle


def test_a_group_gives_the_results_of_its_items_in_order() -> None:
    """The result of a group is a list, whatever ends first."""
    assert run(lambda: Group((inc, 1), (add, 1, 2), inc).submit().result()).result() == [2, 3, 1]


def test_an_empty_group_is_complete_at_once() -> None:
    """A group of nothing gives an empty list, and so does a chain."""
    assert run(lambda: [Group().submit().result(), Chain().submit().result()]).result() == [[], []]


def test_a_group_has_no_more_under_way_than_it_may(place: str) -> None:
    """With max_parallel=2 never more than two of its items run, and all of them do."""
    if place == "inline":
        pytest.skip("nothing is side by side there")
    lock, now, most = threading.Lock(), [0], [0]
    pair = threading.Barrier(2, timeout=20)

    @nbflow.activity
    def work(x: int) -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        pair.wait()  # two at a time have to be there
        with lock:
            now[0] -= 1
        return x

    def body() -> Any:
        return Group(*[(work, i) for i in range(6)], max_parallel=2).submit().result()

    handle = nbflow.workflow(name="flow")(body).start()
    assert handle.result(timeout=30) == list(range(6))
    assert most == [2]


def test_a_chain_runs_one_after_another_and_hands_results_on() -> None:
    """With send_result each item gets the one before as its last argument, as an edge."""

    def body() -> Any:
        return Chain((inc, 1), (add, 10), inc, send_result=True).submit().result()

    handle = run(body)
    assert handle.result() == [2, 12, 13]
    asked = [e for e in handle.events() if isinstance(e, CallScheduled)]
    assert [e.deps for e in asked] == [(), ("inc-1",), ("add-1",)]


def test_a_chain_without_results_still_orders_its_items() -> None:
    """An item of a chain is asked for once the one before is settled, and the log says so."""
    handle = run(lambda: Chain((inc, 1), (add, 5)).submit().result())
    assert handle.result() == [2, 5]
    asked = {e.call: e.after for e in handle.events() if isinstance(e, CallScheduled)}
    assert asked == {"inc-1": (), "add-1": ("inc-1",)}


def test_a_failure_ends_a_chain() -> None:
    """After a failure a chain asks for nothing more, and its error holds that failure."""

    def body() -> Any:
        future = Chain(inc, fail, add).submit()
        error = future.exception()
        assert error is not None
        return [type(e).__name__ for e in error.errors]

    handle = run(body)
    assert handle.result() == ["NoneType", "ValueError"]
    assert set(handle.calls) == {"inc-1", "fail-1"}


def test_a_chain_may_go_on_after_a_failure() -> None:
    """With break_on_failure=False all items run; the failure is still one of the chain."""

    def body() -> Any:
        future = Chain(fail, (add, 4), break_on_failure=False, raises_on_failure=False).submit()
        return future.result(), type(future.exception()).__name__

    assert run(body).result() == ([None, 4], "AggregateException")


def test_a_group_raises_all_its_failures_as_one() -> None:
    """The error of a group is an ExceptionGroup with a hole for each item that succeeded."""

    def body() -> Any:
        seen = []
        try:
            Group(fail, (inc, 1), fail).submit().result()
        except* ValueError as found:
            seen = [str(e) for e in found.exceptions]
        return seen

    assert run(body).result() == ["no", "no"]


def test_a_failure_that_nobody_looks_at_fails_the_run() -> None:
    """raises_on_failure is on by default: an error of an item fails the run."""
    handle = run(lambda: [Group(fail).submit(), 1][1])
    assert handle.status == "failed"


def test_with_raises_on_failure_off_a_failure_is_a_none() -> None:
    """The run completes, the result has None, and what is around sees no failure."""

    def body() -> Any:
        inner = Group(fail, (inc, 1), raises_on_failure=False)
        return Chain(inner, (add, 7)).submit().result()

    assert run(body).result() == [[None, 2], 7]


def test_compositions_nest_and_their_calls_know_their_groups() -> None:
    """Groups in chains in groups give lists in lists; each call is recorded with its path."""

    def body() -> Any:
        inner = Chain((inc, 1), Group((inc, 2), (inc, 3), name="both"), name="line")
        return Group(inner, (inc, 9), name="all").submit()

    handle = run(body)
    assert handle.result() == [[2, [3, 4]], 10]
    groups = {e.args[0]: e.group for e in handle.events() if isinstance(e, CallScheduled)}
    assert groups == {1: "all/line", 9: "all", 2: "all/line/both", 3: "all/line/both"}


def test_a_late_group_is_made_of_the_result_before_it() -> None:
    """FuncGroup calls its function when its turn comes, with the value sent by the chain."""

    def fan(n: int) -> list[Any]:
        return [(inc, i) for i in range(n)]

    def body() -> Any:
        return Chain((inc, 2), FuncGroup(fan, name="fan"), send_result=True).submit().result()

    assert run(body).result() == [3, [1, 2, 3]]


def test_a_late_group_may_be_nothing_if_it_says_so() -> None:
    """A function that gives None needs allow_none=True."""
    assert run(lambda: FuncGroup(lambda: None, allow_none=True).submit().result()).result() == []
    handle = run(lambda: FuncGroup(lambda: None).submit().result())
    with pytest.raises(DefinitionError, match="an item is an activity"):
        handle.result()


def test_a_group_as_an_argument_is_the_list_of_its_results() -> None:
    """Handing a group to an activity makes edges from all of its items."""

    @nbflow.activity
    def total(values: list[int]) -> int:
        return sum(values)

    handle = run(lambda: total(Group((inc, 1), (inc, 2)).submit()).result())
    assert handle.result() == 5
    (asked,) = [e for e in handle.events() if isinstance(e, CallScheduled) and e.call == "total-1"]
    assert asked.deps == ("inc-1", "inc-2")


def test_groups_are_waited_for_like_futures() -> None:
    """wait, callbacks and await take groups."""

    async def body() -> Any:
        heard: list[int] = []
        group = Group((inc, 1), (inc, 2)).submit()
        group.add_done_callback(lambda f: heard.extend(f.result()))
        nbflow.wait([group])
        return await group, heard, group.finished

    assert run(body).result() == ([2, 3], [2, 3], 2)


def test_map_and_starmap_give_futures_and_are_one_group_each() -> None:
    """A class workflow's map asks for one call an item, recorded under the group's name."""

    class Mapped(nbflow.Workflow):
        """Maps."""

        def run(self) -> Any:
            """Map twice."""
            ones = self.map(inc, [1, 2])
            twos = self.starmap(add, [(1, 2), (3, 4)])
            return [f.result() for f in (*ones, *twos)]

    handle = Mapped.start()
    assert handle.result(timeout=30) == [2, 3, 3, 7]
    groups = [e.group for e in handle.events() if isinstance(e, CallScheduled)]
    assert groups == ["map-1", "map-1", "starmap-1", "starmap-1"]


def test_what_makes_no_sense_is_refused_where_it_is_written() -> None:
    """One clear error for each mistake."""
    with pytest.raises(DefinitionError, match="send_result needs break_on_failure"):
        Chain(inc, send_result=True, break_on_failure=False)
    with pytest.raises(DefinitionError, match="max_parallel is a number from 1"):
        Group(inc, max_parallel=0)
    with pytest.raises(DefinitionError, match="an item is an activity"):
        Group(3)
    with pytest.raises(DefinitionError, match="takes no arguments"):
        Group().append(Group(), 1)
    with pytest.raises(DefinitionError, match="text without"):
        Group(name="a/b")
    with pytest.raises(nbflow.FutureMisuse, match="in workflow code"):
        Group(inc).submit()


def test_an_aggregate_is_handled_flattened_and_pickled() -> None:
    """Handle raises what is left; flatten undoes nesting; both keep the errors themselves."""
    inner = AggregateException.of("inner", [ValueError("a"), None])
    outer = AggregateException.of("outer", [None, inner, KeyError("b")])
    assert [type(e) for e in outer.flatten().errors] == [ValueError, KeyError]
    with pytest.raises(AggregateException) as caught:
        outer.handle(lambda e: isinstance(e, KeyError))
    assert caught.value.errors == [None, inner, None]
    outer.handle(lambda _: True)
    again = pickle.loads(pickle.dumps(outer))
    assert [type(e) for e in again.errors] == [type(None), AggregateException, KeyError]
