"""Programs of groups, chains, late groups, and the errors of several calls."""

from __future__ import annotations

from typing import Any

import nbflow
from nbflow import Chain, FuncGroup, Group
from tests.differential.activities import add, double, fail, give, inc, shrug
from tests.differential.program import program

flow: Any = nbflow.workflow


@program(15, gives=[2, 3, 4])
@flow(name="a group")
def group() -> Any:
    return Group((inc, 1), (inc, 2), (inc, 3)).submit().result()


@program(15, gives=[2, 3, 4, 5, 6])
@flow(name="a group with no more than two at once")
def narrow() -> Any:
    made = Group(max_parallel=2, name="two at once")
    for x in range(1, 6):
        made.append(inc, x=x)
    return made.submit().result()


@program(15, gives=[2, 5, 4])
@flow(name="a chain")
def chain() -> Any:
    return Chain((inc, 1), (add, 2, 3), (double, 2)).submit().result()


@program(15, gives=[2, 4, 9])
@flow(name="a chain that hands its results on")
def handing_on() -> Any:
    return Chain((inc, 1), double, (add, 5), send_result=True).submit().result()


@program(15, gives=[1, "refused 0", "inc-1"])
@flow(name="a chain that breaks")
def breaking() -> Any:
    future = Chain((inc, 1), fail, (inc, 2)).submit()
    error: Any = future.exception()
    return [len(error.exceptions), str(error.exceptions[0]), future.members[0].call]


@program(15, gives=[[2, None, 3], [None, "refused 0", None]])
@flow(name="a chain that goes on after a failure")
def not_breaking() -> Any:
    parts = (inc, 1), fail, (inc, 2)
    found = Chain(*parts, break_on_failure=False, raises_on_failure=False).submit().result()
    error: Any = Chain(*parts, break_on_failure=False).submit().exception()
    return [found, [None if e is None else str(e) for e in error.errors]]


@program(15, gives=[[2, [3, [4, 8]]], 14])
@flow(name="compositions in compositions")
def nested() -> Any:
    inner = Chain((inc, 3), double, send_result=True, name="inner")
    found = Group((inc, 1), Group((inc, 2), inner), name="outer").submit()
    return [found.result(), inc(13)]


@program(15, gives=[[2, 2], [3, 3]])
@flow(name="a late group")
def late() -> Any:
    many = FuncGroup(lambda n: [(inc, n) for _ in range(n)])
    return [
        FuncGroup(lambda: [(inc, 1), (inc, 1)]).submit().result(),
        Chain((inc, 1), many, send_result=True).submit().result()[1],
    ]


@program(15, gives=[[2, []], 1])
@flow(name="a late group that has nothing to do")
def idle() -> Any:
    found = Chain((inc, 1), FuncGroup(lambda: None, allow_none=True)).submit()
    return [found.result(), inc(0)]


@program(15, gives=[["refused 1", "refused 2"], [None, "refused 1", "refused 2"], 1])
@flow(name="the errors of a group")
def errors() -> Any:
    error: Any = Group((inc, 1), (fail, 1), (fail, 2)).submit().exception()
    seen: list[str] = []

    def noting(one: BaseException) -> bool:
        seen.append(str(one))
        return "1" in str(one)

    try:
        error.handle(noting)
    except nbflow.AggregateException as left:
        count = len(left.exceptions)
    return [seen, [None if e is None else str(e) for e in error.errors], count]


@program(15, gives=["refused 1", "refused 2", "refused 3"])
@flow(name="errors of groups in groups, flattened")
def flattened() -> Any:
    inner = Group((fail, 2), Group((fail, 3), (inc, 1)))
    error: Any = Group((fail, 1), inner).submit().exception()
    return [str(one) for one in error.flatten().errors]


@program(15, gives=["taken: refused 1", 2])
@flow(name="errors of a group, taken apart by except*")
def taken_apart() -> Any:
    said: list[Any] = []
    try:
        Group((fail, 1), (inc, 1)).submit().result()
    except* ValueError as group_:
        said.append(f"taken: {group_.exceptions[0]}")
    return [*said, inc(1)]


@program(15, raises=("nbflow.core.errors.AggregateException", "of group-1"))
@flow(name="a group that fails its run")
def failing() -> Any:
    return Group((inc, 1), (fail, 1)).submit().result()


@program(15, gives=[[2, None], [[None, 2], 2]])
@flow(name="a group whose failures do not raise")
def lenient() -> Any:
    first = Group((inc, 1), fail, raises_on_failure=False).submit().result()
    second = Group(Group(fail, (inc, 1)), (inc, 1), raises_on_failure=False).submit()
    return [first, second.result()]


@program(15, gives=[5, [2, 3], 1])
@flow(name="a group as an argument and as a result")
def as_a_future() -> Any:
    parts = Group((inc, 1), (inc, 2)).submit()
    done = add(*parts.members)
    return [done, parts, len(give([parts]).result())]


@program(15, gives=[])
@flow(name="a group of nothing")
def empty() -> Any:
    return Group().submit().result()


@program(15, gives=[None, 2])
@flow(name="activities in a group that do not raise")
def shrugging() -> Any:
    return Group(shrug, (inc, 1)).submit().result()


@program(15, 10, gives=[[None, 2], [None, 3]])
@flow(name="failures in a group that are ignored", on_task_failure=lambda f: f.decide_ignore())
def ignoring() -> Any:
    return [Group(fail, (inc, 1)).submit().result(), Chain(fail, (inc, 2)).submit().result()]


@program(5, 15, gives=[2, 3])
class Submitting(nbflow.Workflow):
    name = "a group submitted by a class"

    def run(self) -> Any:
        return self.submit(Group((inc, 1), (inc, 2))).result()
