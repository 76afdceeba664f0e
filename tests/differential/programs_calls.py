"""Programs of calls: activities, futures, errors, retries, ids, values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nbflow
from tests.differential.activities import (
    SOON,
    Box,
    add,
    double,
    fail,
    inc,
    later,
    shaky,
    shrug,
)
from tests.differential.program import program

flow: Any = nbflow.workflow
"""Without the types, which do not know that a Future may stand for its value."""

# ---------------------------------------------------------------- shapes


@program(5, args=(1,), gives=4)
class Basic(nbflow.Workflow):
    name = "basic"

    def run(self, x: int) -> Any:
        y = self.submit(inc, x)
        yy = self.submit(inc, y)
        z = self.submit(double, y)
        nbflow.wait([yy, z])
        return z.result()


@program(5, args=(1,), gives=4)
@flow(name="a workflow as a function")
def function(x: int) -> Any:
    return double(inc(x))


@program(5, gives=[[2, 3, 4], [2, 6]])
class Mapped(nbflow.Workflow):
    name = "map and starmap"

    def run(self) -> Any:
        mapped = self.map(inc, [1, 2, 3])
        starred = self.starmap(add, [(1, 1), (2, 4)])
        return [[f.result() for f in futures] for futures in (mapped, starred)]


@program(5, gives={"parts": [2, 3, 4], "total": 9})
@flow(name="futures inside of values")
def inside() -> Any:
    parts = [inc(x) for x in (1, 2, 3)]
    return {"parts": parts, "total": add(*parts)}


@program(5, gives=[3, 3])
@flow(name="arguments by name and by default")
def named() -> Any:
    return [inc(x=inc(1)), add(inc(), inc(1))]


@program(6, args=(2,), gives=3)
@flow(name="an async def activity")
def coroutine(x: int) -> Any:
    return later(x)


@nbflow.activity
def both(x: int) -> int:
    return inc(x) + double(x)


@program(2, gives=7)
@flow(name="an activity is a function in an activity")
def plainly() -> Any:
    return both(2)


@program(3, gives=["RUN", "Box-1", "3 kg"])
@flow(name="an activity as a class")
def boxed() -> Any:
    return Box(2, unit=" kg")


FACTOR = 3


def _local() -> Any:
    """Make a workflow of what no other process can import."""
    offset = 10

    @nbflow.activity
    def scale(x: int) -> int:
        return FACTOR * x + offset

    @dataclass
    class Point:
        x: int

    @nbflow.activity
    def point(x: int) -> Point:
        return Point(x)

    @nbflow.activity
    def across(p: Point) -> int:
        return p.x

    @flow(name="activities that cannot be imported")
    def body(x: int) -> Any:
        return across(point(scale(x)))

    return body


local = program(4, args=(4,), gives=22)(_local())

# ---------------------------------------------------------------- futures and errors


@program(6, gives=[[2, 3], 0, "inc-1", True])
@flow(name="waiting for all")
def waiting() -> Any:
    futures = [inc(1), inc(2)]
    done, rest = nbflow.wait(futures)
    return [[f.result() for f in done], len(rest), futures[0].call, futures[0].exception() is None]


@program(6, gives=[["inc-1"], ["inc-3"], 4])
@flow(name="waiting for the first")
def racing() -> Any:
    fast = inc(1)
    slow = inc(inc(fast))
    done, rest = nbflow.wait([slow, fast], return_when=nbflow.FIRST_COMPLETED)
    return [[f.call for f in done], [f.call for f in rest], slow]


@program(6, gives=["refused 1", "inc-1"])
@flow(name="waiting for the first error")
def erring() -> Any:
    good, bad = inc(1), fail(1)
    nbflow.wait([good, bad], return_when=nbflow.FIRST_EXCEPTION)
    nbflow.wait([good, bad])
    return [str(bad.exception()), good.call]


@program(6, gives=["inc-1", "inc-2", "inc-3"])
@flow(name="as they are completed")
def completing() -> Any:
    one = inc(0)
    two = inc(one)
    three = inc(two)
    return [future.call for future in nbflow.as_completed([three, one, two])]


@program(6, gives=[9, [2, 3, 4]])
@flow(name="several futures as one")
def gathering() -> Any:
    parts = nbflow.gather(*[inc(x) for x in (1, 2, 3)])
    return [add(*parts.futures), parts]


@program(6, gives="refused 2: 2")
@flow(name="an error that is caught")
def caught() -> str:
    first = inc(1)
    try:
        return str(double(fail(first)).result())
    except ValueError as error:
        return f"{error}: {first.result()}"


@program(6, raises=("ValueError", "refused 2"))
@flow(name="an error that is not caught")
def uncaught() -> Any:
    return double(fail(inc(1)))


@program(6, raises=("ValueError", "refused 7"), loose=("inc-1",))
@flow(name="an error that nobody looks at")
def unseen() -> int:
    fail(7)
    return inc(1).result()


@program(6, gives="refused 1")
@flow(name="of two failures, the first one counts")
def two_failures() -> Any:
    first = fail(1)
    first.exception()
    second = fail(2)
    second.exception()
    return str(add(second, first).exception())


@program(6, gives=["refused 1", "refused 1", [2, 3]])
@flow(name="calls that cannot run, looked at before others are asked for")
def skipped() -> Any:
    behind = add(fail(1))
    first = str(behind.exception())
    more = inc(1)
    further = str(add(behind, more).exception())
    return [first, further, [more, inc(2)]]


@program(6, raises=("ZeroDivisionError", "division by zero"))
@flow(name="an error of the code itself")
def own_error() -> float:
    return 1 / (inc(0).result() - 1)


@program(6, raises=("TypeError", "inc(x"))
@flow(name="arguments that do not fit")
def unfit() -> Any:
    return inc(1, 2, 3)


@program(6, gives=[1, 3])
@flow(name="a branch on a value")
def branching() -> Any:
    first = inc(0).result()
    return [first, double(first + 0.5) if first > 1 else inc(2)]


@program(6, gives=["seen inc-1", "seen inc-2"])
@flow(name="callbacks")
def calling_back() -> Any:
    seen: list[str] = []
    one = inc(1)
    two = inc(one)
    for future in (two, one):
        future.add_done_callback(lambda found: seen.append(f"seen {found.call}"))
    two.result()
    return seen


# ---------------------------------------------------------------- options


@nbflow.activity(
    name="careful",
    version="2.1",
    task_list="night",
    task_priority=3,
    retry=SOON,
    raises_on_failure=True,
    start_to_close_timeout="30",
    schedule_to_close_timeout=60,
    schedule_to_start_timeout=60,
    heartbeat_timeout=30,
    idempotent=True,
    meta={"binaries": {}},
)
def optioned(x: int) -> int:
    nbflow.context().heartbeat({"x": x})
    if nbflow.context().attempt == 1:
        message = "once"
        raise OSError(message)
    return x + 1


@program(1, 8, 9, gives=[6, 6])
@flow(name="all options of an activity")
def all_options() -> Any:
    return [optioned(5).result(), optioned(x=5).result()]


@program(7, gives=5)
@flow(name="a retry that helps")
def retried() -> Any:
    return shaky(5)


@program(7, raises=("OSError", "attempt 2"))
@flow(name="a retry that does not help")
def retried_in_vain() -> Any:
    return shaky.options(retry=nbflow.Retry(attempts=2, wait=0, jitter=0))(5)


@program(7, raises=("OSError", "attempt 1"))
@flow(name="a retry that is for other errors")
def retried_for_others() -> Any:
    return shaky.options(retry=nbflow.Retry(attempts=5, wait=0, on=(KeyError,)))(5)


@program(7, gives=9)
@flow(name="a retry by a function")
def retried_by_function() -> Any:
    return shaky.options(retry=lambda error, attempt: isinstance(error, OSError) and 0)(9)


@program(7, gives=[None, "ValueError: refused 3", 1])
@flow(name="a failure that does not raise")
def shrugged() -> Any:
    nothing = shrug(3)
    error = nothing.exception()
    return [nothing.result(), f"{type(error).__name__}: {error}", add(nothing, 1)]


@program(7, 11, gives=[None, None])
@flow(name="a retried failure that does not raise")
def shrugged_twice() -> Any:
    again = shaky.options(retry=1, raises_on_failure=False)
    again = again.options(retry=nbflow.Retry(attempts=2, wait=0, jitter=0))
    return [again(1).result(), again(2).result()]


@program(11, gives=[1, 5])
@flow(name="equal calls are one call")
def idempotent() -> Any:
    same = inc.options(idempotent=True)
    futures = [same(1), same(1), same(x=1), same(0 + 1), same(1)]
    return [len({future.call for future in futures}), sum(f.result() for f in futures) // 2]


@program(11, gives=["orders-eu", 3])
@flow(name="ids of one's own")
def own_id() -> Any:
    orders = inc.submit(1, call_id="orders-eu")
    return [orders.call, inc(orders)]


@program(11, raises=("nbflow.core.errors.DefinitionError", ""))
@flow(name="an id that is taken")
def taken_id() -> Any:
    inc.submit(1, call_id="mine").result()
    return inc.submit(2, call_id="mine")


@program(13, gives=150 * 151 // 2)
@flow(name="150 calls at once")
def wide() -> Any:
    return add(*[inc(x) for x in range(150)])


@program(13, gives=[2, 3, 4, 5, 6])
@flow(name="no more than two open calls", max_open_activity_count=2)
def bounded() -> Any:
    return [inc(x) for x in range(1, 6)]


@program(14, gives=[2, 2, 2, 2])
@flow(name="priorities of four levels", task_priority=5)
def priorities() -> Any:
    high = inc.options(task_priority=12)
    return [inc(1), high(1), high.submit(1, task_priority=13), high.submit(1, task_priority=None)]


@program(14, gives=[2, 3, 4])
@flow(name="one call of an activity at a time")
def one_at_a_time() -> Any:
    alone = inc.options(max_running=1)
    return [alone(1), alone(2), alone(3)]
