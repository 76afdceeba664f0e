"""Code that does not fit the histories of the cases whose names it has, and must be refused."""

from __future__ import annotations

from typing import Any

import nbflow
from tests.histories.cases import add, double


@nbflow.workflow(name="chain")
def other_argument(x: int) -> int:
    """Ask for a call with another argument."""
    return double(double(add(x, 2))).result()


@nbflow.workflow(name="chain")
def other_activity(x: int) -> int:
    """Ask for another activity in between."""
    return double(add(add(x, 1))).result()


@nbflow.workflow(name="chain")
def one_less(x: int) -> int:
    """Leave the last call out."""
    return double(add(x, 1)).result()


@nbflow.workflow(name="chain")
def one_more(x: int) -> int:
    """Ask for a call that the completed run never made."""
    return add(double(double(add(x, 1))).result()).result()


@nbflow.workflow(name="chain")
def raises(x: int) -> int:
    """Fail at the end."""
    double(double(add(x, 1))).result()
    message = "at the end"
    raise RuntimeError(message)


@nbflow.workflow(name="diamond")
def other_dependencies(numbers: list[int]) -> dict[str, Any]:
    """Take the results in another order."""
    parts = [double(x=n) for n in numbers]
    return {"parts": parts, "total": add(*reversed(parts))}


@nbflow.workflow(name="helpers")
def other_effect(x: int) -> list[Any]:
    """Take the value of another function."""
    nbflow.sleep(0.02)
    return [nbflow.side_effect(sum, [1, 2, 3]), double(x).result()]


@nbflow.workflow(name="helpers")
def no_sleep(x: int) -> list[Any]:
    """Leave the timer out."""
    number = nbflow.random().randrange(1000)
    size = nbflow.side_effect(len, [1, 2, 3])
    return [add(size, number).result() if nbflow.patched("more") else 0, double(x).result()]


WRONG: tuple[tuple[str, Any, str], ...] = (
    ("chain", other_argument, "add-1"),
    ("chain", other_activity, "double-1"),
    ("chain", one_less, "double-2"),
    ("chain", one_more, "add-2"),
    ("chain", raises, "the end"),
    ("diamond", other_dependencies, "add-1"),
    ("helpers", other_effect, "side_effect-1"),
    ("helpers", no_sleep, "timer-1"),
)
"""The case, the code, and what of it differs."""
