"""The workflows of the histories that are kept. What they ask for is never changed."""

from __future__ import annotations

from typing import Any

import nbflow


@nbflow.activity
def double(x: int) -> int:
    """Double a number."""
    return 2 * x


@nbflow.activity
def add(*values: int) -> int:
    """Add up."""
    return sum(values)


@nbflow.activity
def refuse(x: int) -> int:
    """Fail, always."""
    message = f"refused {x}"
    raise ValueError(message)


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0, jitter=0))
def flaky(x: int) -> int:
    """Fail at the first attempt."""
    if nbflow.context().attempt == 1:
        message = "not yet"
        raise OSError(message)
    return x


@nbflow.workflow
def chain(x: int) -> int:
    """Ask for calls one after the other."""
    return double(double(add(x, 1))).result()


@nbflow.workflow
def diamond(numbers: list[int]) -> dict[str, Any]:
    """Ask for many at once, by place and by name, and give futures within a structure."""
    parts = [double(x=n) for n in numbers]
    return {"parts": parts, "total": add(*parts)}


@nbflow.workflow
def branches(x: int) -> list[int]:
    """Decide by what was read."""
    first = double(x).result()
    if first > 5:
        return [first, add(first, flaky(1)).result()]
    return [first]


@nbflow.workflow
def completed(numbers: list[int]) -> list[str]:
    """Take a way that depends on the order in which calls end."""
    order: list[str] = []
    for future in nbflow.as_completed([double(n) for n in numbers]):
        order.append(f"{future.call} {add(future, len(order)).result()}")
    return order


@nbflow.workflow
def waits(x: int) -> list[int]:
    """Wait for the first, and with a time limit."""
    done, late = nbflow.wait([double(x), double(x + 1)], return_when="FIRST_COMPLETED")
    found, _ = nbflow.wait([*done, *late], timeout=60)
    return [len(done) + len(late), len(found)]


@nbflow.workflow
def caught(x: int) -> str:
    """Go on after an error."""
    try:
        return str(add(refuse(x)).result())
    except ValueError as error:
        return f"{error}, {double(x).result()}"


@nbflow.workflow
def fails(x: int) -> int:
    """Fail by an activity, with a call under way that is not waited for."""
    other = double(x)
    return add(refuse(x), other).result()


@nbflow.workflow
async def awaits(x: int) -> int:
    """Await calls and a timer."""
    first = await double(x)
    await nbflow.sleep(0.01)
    return await add(first, x)


@nbflow.workflow
def helpers(x: int) -> list[Any]:
    """Use every helper."""
    begun = nbflow.now()
    nbflow.sleep(0.02)
    number = nbflow.random().randrange(1000)
    other = nbflow.random("other").randrange(1000)
    size = nbflow.side_effect(len, [1, 2, 3])
    if nbflow.patched("more"):
        size = add(size, number).result()
    slept = nbflow.now() > begun
    return [begun.isoformat(), slept, number, other, size, str(nbflow.uuid4()), double(x).result()]


@nbflow.workflow
def effects(x: int) -> str:
    """Go on after a side effect that failed, by values that are large."""

    def broken() -> None:
        message = "no such thing"
        raise LookupError(message)

    try:
        nbflow.side_effect(broken)
    except LookupError as error:
        text = nbflow.side_effect(lambda: "long " * 14_000)
        return f"{error}: {double(len(text) + x).result()}"
    return "not reached"


CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "chain": (chain, (3,)),
    "diamond": (diamond, ([1, 2, 3],)),
    "branches": (branches, (4,)),
    "completed": (completed, ([1, 2, 3, 4],)),
    "waits": (waits, (5,)),
    "caught": (caught, (6,)),
    "fails": (fails, (7,)),
    "awaits": (awaits, (8,)),
    "helpers": (helpers, (9,)),
    "effects": (effects, (10,)),
}
"""By name: the workflow and its arguments."""
