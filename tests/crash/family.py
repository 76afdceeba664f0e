"""Workflows of more than calls: children, signals, timers, markers, going on, results in memory.

Their activities give what they are asked to, so that a run which was killed has to come to the
very value of one that was not. What each one does is told by the idempotency key of its call.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar

import nbflow
from tests.crash import flow

T = TypeVar("T")
TOKENS = 3
STOP = "stop"
GENERATIONS = 3


def did(what: Any) -> Any:
    """Have an effect, and give what was asked for."""
    told = nbflow.context()
    flow.points.at("effect:before")
    flow.effect(told.idempotency_key, told.attempt, what)
    flow.points.at("effect:after")
    return what


def saw(what: str, value: T) -> T:
    """Note what the workflow's code gets to see."""
    flow.ledger.write("seen", nbflow_run(), what, value)
    return value


def nbflow_run() -> str:
    """Give the id of the run whose code this is."""
    from nbflow.core.future import current

    interpreter: Any = current.get()
    return str(interpreter.run)


@nbflow.activity
def work(what: Any) -> Any:
    return did(what)


@nbflow.activity
def add(*numbers: int) -> int:
    did("add")
    return sum(numbers)


@nbflow.activity(persist=False)
def load(number: int) -> list[int]:
    did("load")
    return [number] * 3


@nbflow.workflow
def child(number: int) -> int:
    first = work(number)
    return saw("child", add(first, work(first)).result())


@nbflow.workflow
def parents() -> int:
    """Two children at a time, and one after them that takes what they gave."""
    both = [child(1), child(2)]
    total = add(*both)
    return saw("total", add(total, child(total.result())).result())


@nbflow.workflow
def listens() -> list[Any]:
    """Work for every signal, up to the one that says stop."""
    found: list[Any] = []
    for told in nbflow.signals("go"):
        value = saw(f"signal {len(found)}", told)
        if value == STOP:
            return found
        found.append(work(value).result())
    raise AssertionError


@nbflow.workflow
def sleeps() -> int:
    """Sleep between calls, and beside one."""
    first = work(1).result()
    nbflow.sleep(0.02)
    done, _ = nbflow.wait([work(2), work(3)], timeout=30)
    nbflow.sleep(0.01)
    return saw("slept", add(first, *[f.result() for f in done]).result())


@nbflow.workflow
def marks() -> list[Any]:
    """Values from outside, of which each is made of chance."""
    found: list[Any] = []
    for number in range(3):
        found.append(saw(f"effect {number}", nbflow.side_effect(chance)))
        found.append(work(number).result())
    found.append(saw("patched", nbflow.patched("a change")))
    found.append(saw("random", nbflow.random().random()))
    return [work(found[0]).result(), found[-2]]


def chance() -> str:
    return os.urandom(6).hex()


@nbflow.workflow
def onwards(number: int = 1, total: int = 0) -> int:
    """Go on as new twice."""
    total = add(total, work(number)).result()
    if number < GENERATIONS:
        nbflow.continue_as_new(number + 1, total)
    return saw("total", total)


@nbflow.workflow
def holds() -> int:
    """Take results that no log has, in calls and in the code."""
    one, other = load(1), load(2)
    first = work(one)
    read = saw("read", other.result())
    both = [add(work(len(read)), 1), work([one, other])]
    return saw("total", add(len(first.result()), *[both[0]], len(both[1].result())).result())


FLOWS = {w.name: w for w in (parents, listens, sleeps, marks, onwards, holds)}
VALUES: dict[str, Any] = {"parents": 18, "sleeps": 6, "onwards": 6, "holds": 9}
"""What runs that nobody kills come to, where chance or others do not decide it."""
