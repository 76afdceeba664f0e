"""Code that does not fit the histories of the cases whose names it has, and must be refused."""

from __future__ import annotations

from typing import Any

import nbflow
from nbflow import Chain, Group
from tests.replay.cases import add, double, refuse
from tests.replay.language import part, stuck


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


@nbflow.workflow(name="groups")
def other_order(x: int) -> Any:
    """Chain first, and then what was side by side."""
    chained = Chain((add, x), (double,), send_result=True).submit().result()
    side = Group((add, x, 1), (double, x), max_parallel=1, name="side").submit()
    return [side.result(), chained]


@nbflow.workflow(name="holes")
def smaller_group(x: int) -> Any:
    """Leave an item of a group out."""
    return Group((refuse, x), raises_on_failure=False).submit().result()


@nbflow.workflow(name="children")
def other_child(x: int) -> Any:
    """Hand a child another argument."""
    first: Any = part(x + 1)
    return [first, Group((part, 1), (part, 2)).submit().result()]


@nbflow.workflow(name="signals", lint=False)
def fewer_signals(x: int) -> Any:
    """Send two in the place of three."""
    before = nbflow.wait_signal("go")
    for number in range(2):
        nbflow.signal("go", [x, number]).result()
    nbflow.signal("number", x).result()
    return [before.result(), add(nbflow.wait_signal("number"), 1)]


@nbflow.workflow(name="timers")
def no_timer(x: int) -> Any:
    """Leave the timers out."""
    return double(x).result()


@nbflow.workflow(name="onward")
def stays(x: int) -> Any:
    """Do not go on as new, by another way."""
    nbflow.signal("left", x).result()
    nbflow.wait_signal("left").result()
    return add(x, 2).result()


@nbflow.workflow(name="options")
def other_id(x: int) -> Any:
    """Have another id for a call."""
    same = double.options(idempotent=True)
    one = same(x)
    named = add.submit(x, 1, call_id="a-sum")
    return [one, named]


@nbflow.workflow(name="async", lint=False)
async def one_task(x: int) -> Any:
    """Await one after the other what was side by side."""
    first = await double(x)
    return [first, await add(first, x)]


@nbflow.workflow(name="cleans")
def no_cleaning(x: int) -> Any:
    """Clean up by nothing."""
    add(x, 1).result()
    return stuck().result()


@nbflow.workflow(name="steps")
def no_steps(x: int) -> Any:
    """Do without steps."""
    return double(x).result()


WRONG: tuple[tuple[str, Any, str, str], ...] = (
    ("chain", other_argument, "add-1", "now:      add(3, 2)"),
    ("chain", other_activity, "double-1", "add-1 then, add-2 now"),
    ("chain", one_less, "double-2", "not asked for: the code ends without it"),
    ("chain", one_more, "add-2", "recorded: nothing: the run has completed without it"),
    ("chain", raises, "the end", "the code raises RuntimeError: at the end"),
    ("diamond", other_dependencies, "add-1", "now:      add(double-3, double-2, double-1)"),
    ("helpers", other_effect, "side_effect-1", "differs:  the function"),
    ("helpers", no_sleep, "timer-1", "recorded: nbflow.sleep(...)"),
    ("groups", other_order, "add-1", "recorded: add(3, 1)"),
    ("holes", smaller_group, "double-1", "recorded: double(4)"),
    ("children", other_child, "part-1", "now:      part(6)"),
    ("signals", fewer_signals, "signal-4", "not asked for: the code ends without it"),
    ("timers", no_timer, "timer-1", "not asked for: the code ends without it"),
    ("onward", stays, "add-1", "now:      add(1, 2)"),
    ("options", other_id, "the-sum", "recorded: add(10, 1)"),
    ("async", one_task, "add-1", "argument 1, argument 2"),
    ("cleans", no_cleaning, "double-1", "not asked for: the code is cancelled"),
    ("steps", no_steps, "side_effect-1", "nbflow.side_effect(steps of kept)"),
)
"""The case, the code, what of it differs, and what the message says of that."""
