"""Open a store and an executor, run, look at the run, close; over and over, in one process.

    python -m tests.contracts.rounds threads /path/of/a/store

Prints how many files were open, how many threads and how many children there were after the first
rounds and after the last.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import nbflow
from nbflow.running.config import settings
from nbflow.testing.checks import eventually

FIRST, LAST = 3, 20


@nbflow.activity
def double(x: int) -> int:
    print("doubling", x)
    return 2 * x


@nbflow.workflow
def doubled(count: int) -> int:
    return sum(future.result() for future in [double(x) for x in range(count)])


def one(place: str, store: str, number: int) -> None:
    """Configure anew, run, look at the run as users do, and let go of all."""
    nbflow.configure(on=place, store=store)
    run = doubled.start(4)
    assert run.result(60) == 12
    found = nbflow.attach(run.id)
    assert run.graph.status == "completed"
    assert len(found.calls) == 4
    assert "double" in found.profile.text()
    assert "doubling 3" in found.output()
    assert len(nbflow.runs()) == (1 if store == ":memory:" else number)
    settings.close()


def held() -> tuple[int, int, int]:
    """Count open files, threads and children."""
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return files, threading.active_count(), len(children)


def main(place: str, store: str) -> None:
    """Do so, and say what is held after the first rounds and after the last."""
    for number in range(1, FIRST + 1):
        one(place, store, number)
    before = held()
    for number in range(FIRST + 1, LAST + 1):
        one(place, store, number)
    eventually(lambda: all(a <= b for a, b in zip(held(), before, strict=True)), f"over {before}")
    print(*before)


if __name__ == "__main__":
    main(*sys.argv[1:])
