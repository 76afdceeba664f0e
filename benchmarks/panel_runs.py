"""The runs that `panel.py` shows: one that is executed, and graphs that are only written down."""

from __future__ import annotations

import random
from typing import Any

import nbflow
from nbflow.store.sqlite import SqliteStore
from tests.viz.runlog import simulate


def _stage(number: int) -> Any:
    def body(_: int) -> int:
        return 1

    body.__name__ = body.__qualname__ = f"stage_{number:02}"
    return nbflow.activity(body)


STAGES = [_stage(number) for number in range(50)]


@nbflow.workflow
def stages(calls: int, activities: int) -> int:
    """Send numbers through so many activities, one after the other."""
    each = calls // activities
    found: list[Any] = list(range(each))
    for stage in STAGES[:activities]:
        found = [stage(value) for value in found]
    return len(found)


def filed(store: str, count: int) -> str:
    """Write the log of a run of so many calls, whose edges stay near, into a store; give its id."""
    dice, wide = random.Random(count), 25
    calls: list[tuple[str, tuple[str, ...]]] = []
    names: list[str] = []
    for i in range(count):
        row, at = divmod(i, wide)
        name = f"stage_{row % 20:02}-{row // 20 * wide + at + 1}"
        near = (max(0, min(wide - 1, at + dice.randint(-3, 3))) for _ in range(dice.choice([1, 2])))
        needs = (
            tuple(dict.fromkeys(names[(row - 1) * wide + other] for other in near)) if row else ()
        )
        names.append(name)
        calls.append((name, needs))
    run = f"graph-of-{count}"
    first, *others = simulate(calls, workers=8)
    kept = SqliteStore(store)
    kept.create(run, first)
    kept.append(run, others)
    return run
