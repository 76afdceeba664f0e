"""How what a call costs grows with their number, from 100 to 1,000,000: time, processor, memory.

    python benchmarks/growth.py               everything (some ten minutes); adds to GROWTH.md
    python benchmarks/growth.py --largest 5   up to 10^5 calls (two minutes)
    python benchmarks/growth.py --dry         writes nothing

Calls that do nothing, on two threads, as in overhead.py, whose cases these are: each in a process
of its own, and a thousand calls measured just before and just after it, so that a machine that
becomes slower meanwhile is not taken for growth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from case import Measured
from overhead import spawned
from systems import SYSTEMS

from benchmarks.record import append, machine, table

USUAL = 1_000
"""So many calls are what the others are compared with."""
NAMES = ("floor", "nbflow-memory", "nbflow-sqlite")
SHAPES = ("wide", "chain")
TAKES = "It takes some ten minutes and adds to GROWTH.md; with --largest 5 two minutes."
LIMIT = 240.0
"""Seconds that a case may take."""
ABOUT = """Written by `python benchmarks/growth.py`; each run adds a section. Calls do nothing, two
threads; *floor* is a bare `ThreadPoolExecutor` that does the same graph with completion callbacks
([how](RESULTS.md#how-it-was-measured)). *times* is the median of what a call costs over that among
a thousand calls, measured in processes of their own just before and just after; *CPU* is the same
of processor time, and *GC* the part of the time that Python's cyclic collector took. *KB a call* is
what the peak of the process's memory grew by."""


@dataclass
class Grown:
    """A case of some number of calls, with a thousand calls around it.

    Attributes:
        n: The number of calls.
        found: What was measured.
        around: The thousand calls before and after it.
        kilobytes: What memory grew by, a call.
    """

    n: int
    found: Measured
    around: list[Measured]
    kilobytes: float | None

    def cells(self) -> list[str]:
        """Give the cells of its row."""
        if not self.found.seconds:
            return [f"{self.n:,}", self.found.problem, *[""] * 5]
        n = self.n
        usual = sum(each.median for each in self.around) / len(self.around) / USUAL
        busy = sum(each.busy for each in self.around) / len(self.around) / USUAL
        gone = 1 - self.found.own / self.found.median
        kilobytes = "" if self.kilobytes is None else f"{self.kilobytes:.2f}"
        return [
            f"{n:,}",
            f"{self.found.median / n * 1e6:.1f}",
            f"{self.found.median / n / usual:.2f}",
            f"{self.found.busy / n / busy:.2f}",
            f"{gone:.0%}",
            kilobytes,
            f"{len(self.found.seconds)}",
        ]


def measured(name: str, shape: str, sizes: list[int]) -> Iterator[Grown]:
    """Measure a system in one shape."""
    for n in sizes:
        repeats = max(1, min(30, 300_000 // n))
        before = spawned(name, shape, USUAL, 30, LIMIT)
        found = spawned(name, shape, n, repeats, LIMIT)
        around = [before, spawned(name, shape, USUAL, 30, LIMIT)]
        memory = spawned(name, shape, n, 1, LIMIT, memory=True) if n >= USUAL else Measured()
        whole = None if memory.kilobytes is None else memory.kilobytes / n
        yield Grown(n, found, around, whole)


def main() -> None:
    """Measure all, show it, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], epilog=TAKES)
    add = parser.add_argument
    add("--largest", type=int, default=6, metavar="E", help="up to 10^E calls; by default 6")
    add("--systems", nargs="+", choices=NAMES, default=list(NAMES), help="which of them")
    add("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), help="which graphs")
    add("--dry", action="store_true", help="write nothing")
    asked = parser.parse_args()
    sizes = [10**e for e in range(2, asked.largest + 1)]
    parts = []
    for shape in asked.shapes:
        for name in asked.systems:
            rows = []
            for grown in measured(name, shape, sizes):
                rows.append(grown.cells())
                print(f"{shape} {name}", *rows[-1], file=sys.stderr, flush=True)
            heads = ("calls", "µs a call", "times", "CPU", "GC", "KB a call", "repeats")
            parts.append(f"### {shape}, {SYSTEMS[name].title}\n\n{table(heads, rows)}")
    text = "\n\n".join(parts)
    if asked.dry:
        print(machine(("jupyter-nbflow",)), text, sep="\n\n")
    else:
        title = "How cost grows with the number of calls"
        append("GROWTH.md", title, ABOUT, text, ("jupyter-nbflow",))


if __name__ == "__main__":
    main()
