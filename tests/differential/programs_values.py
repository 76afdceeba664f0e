"""Programs of values, and of going on with what has succeeded."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import nbflow
from tests.differential.activities import faulty, give, inc, unstorable
from tests.differential.program import HERE, Outside, program

flow: Any = nbflow.workflow

# ---------------------------------------------------------------- values


@program(24, gives=[200_000, "abab"])
@flow(name="large values")
def large() -> Any:
    long = give("ab" * 100_000)
    return [give(long).result().count("ab") * 2, long.result()[:4]]


MANY = [
    None,
    True,
    7,
    2.5,
    "text \u2603",
    b"bytes",
    (1, (2, 3)),
    {"a": [1, {"b": ()}]},
    {1: "one", (2, 3): "pair"},
    {1, 2},
    frozenset({"x"}),
    dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    dt.date(2026, 1, 2),
    decimal.Decimal("1.10"),
    10**400,
]


@program(25, args=(MANY,), gives=MANY)
@flow(name="values of many types")
def many_types(values: list[Any]) -> Any:
    return [give(value) for value in values]


@program(25, raises=("nbflow.core.errors.Unserialisable", "unstorable-1"))
@flow(name="a result that cannot be stored")
def not_stored() -> Any:
    return unstorable()


@program(25, raises=("nbflow.core.errors.Unserialisable", "argument 0 of give-1"))
@flow(name="an argument that cannot be stored")
def not_given() -> Any:
    return give(x for x in (1, 2))


# ---------------------------------------------------------------- going on


@program(
    23,
    args=(HERE,),
    gives=["one at invocation 1", "two at invocation 2"],
    outside=(Outside("resume"),),
)
@flow(name="going on after a failure")
def resumed(directory: str) -> Any:
    one = faulty(directory, "one", 0)
    one.result()
    return [one, faulty(directory, "two", 1)]


@program(
    23,
    args=(HERE,),
    gives=["one at invocation 1", "two at invocation 2", [2, 3, 4]],
    outside=(Outside("resume"),),
)
@flow(name="going on after a failure, in another order", lint=False)
def reordered(directory: str) -> Any:
    """Ask by what was seen to fail: once that is taken back, for the same under other numbers."""
    one = faulty(directory, "one", 0)
    broken = faulty(directory, "two", 1)
    found = [] if broken.exception() is None else [inc(0)]
    found += [inc(n) for n in (1, 2, 3)]
    numbers = [future.result() for future in found][-3:]
    return [one.result(), broken.result(), numbers]
