"""Calls in processes, beside other pools of processes: tiny ones, short ones, and large arrays.

    python benchmarks/processes.py                 about two minutes
    python benchmarks/processes.py --quick         a quarter of that, for a look

All pools have two workers and take turns, so that a machine that becomes slower meanwhile does
harm to all alike. nbflow has its log, in SQLite on disk; where it says memory, in memory.
"""

from __future__ import annotations

import argparse
import concurrent.futures as cf
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import joblib
import numpy as np
from loky import ProcessPoolExecutor as Loky

import nbflow
from benchmarks.record import append, table
from nbflow.executors import make
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore

WORKERS = 2
TAKES = "It takes about two minutes and adds to PROCESSES.md; with --quick half a minute."
ABOUT = """Written by `python benchmarks/processes.py`; each run adds a section. All pools have two
workers and take turns. Times are medians of the repeats, ratios the medians of those of the single
turns. *no-op*: calls that do nothing, all asked for at once, each submitted by itself (joblib puts
them together). *5 ms*: calls that take five milliseconds of a processor; 100 % is what two cores
could do at best, and its last row what this machine gave to two processes that were asked for half
of it each, once. *arrays*: one of 50 MB that 16 calls take; and 8 arrays that calls make, others
double and others add up. joblib has its memory-mapped files (`max_nbytes="1M"`)."""


def same(n: int) -> int:
    return n


def busy(n: int) -> int:
    """Take five milliseconds of a processor."""
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        pass
    return n


def in_one_piece(fn: Callable[..., Any], numbers: range) -> int:
    return sum(map(fn, numbers))


def ones(megabytes: int) -> Any:
    return np.ones(megabytes * 131_072)


def doubled(array: Any) -> Any:
    return array * 2


def total(array: Any, n: int) -> float:
    return float(array.sum()) + n


ACTIVITIES = {fn.__name__: nbflow.activity(fn) for fn in (same, busy, ones, doubled, total)}
LOOSE = {fn.__name__: nbflow.activity(persist=False)(fn) for fn in (ones, doubled)}


@nbflow.workflow
def each(name: str, count: int) -> int:
    """Ask for independent calls."""
    call = ACTIVITIES[name]
    return sum(future.result() for future in [call(n) for n in range(count)])


@nbflow.workflow
def shared(kept: bool, megabytes: int, count: int) -> float:
    """Give one array to many calls."""
    array = (ACTIVITIES if kept else LOOSE)["ones"](megabytes)
    return sum(f.result() for f in [ACTIVITIES["total"](array, n) for n in range(count)])


@nbflow.workflow
def stages(kept: bool, megabytes: int, count: int) -> float:
    """Hand arrays on from call to call."""
    of = ACTIVITIES if kept else LOOSE
    last = [of["doubled"](of["ones"](megabytes)) for _ in range(count)]
    return sum(f.result() for f in [ACTIVITIES["total"](array, 0) for array in last])


def turns(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Measure ways of doing the same, in turns; each is done once before, for nothing."""
    wanted, times = None, {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            clock = time.perf_counter()
            found = way()
            seconds = time.perf_counter() - clock
            wanted = found if wanted is None else wanted
            if found != wanted:
                message = f"{name} gives {found!r} rather than {wanted!r}"
                raise RuntimeError(message)
            if turn:
                times[name].append(seconds)
    return times


def ratio(times: dict[str, list[float]], of: str, to: str) -> float:
    return statistics.median(b / a for a, b in zip(times[of], times[to], strict=True))


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Have processes that are started meanwhile write their errors nowhere."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Pools:
    """The pools that are compared, and a way to run a workflow with each kind of log."""

    def __init__(self, directory: str, stack: contextlib.ExitStack) -> None:
        self.place = make("processes", max_workers=WORKERS)
        stack.callback(self.place.close)
        self._stack = stack
        self.stores = {"SQLite": SqliteStore(directory), "memory": MemoryStore()}

    def nbflow(self, log: str, workflow: Any, *args: Any) -> Any:
        nbflow.configure(store=self.stores[log], output="log")
        return workflow.on(self.place).start(*args).result()

    def submitted(self, pool: cf.Executor, fn: Callable[..., Any], count: int) -> int:
        return sum(future.result() for future in [pool.submit(fn, n) for n in range(count)])

    def ways(self, fn: Callable[..., Any], count: int) -> dict[str, Callable[[], Any]]:
        """Give the ways of calling a function with each of so many numbers."""
        name, call = fn.__name__, joblib.delayed(fn)
        stock = self._stack.enter_context(cf.ProcessPoolExecutor(WORKERS))
        loky = self._stack.enter_context(Loky(WORKERS))
        # joblib's own loky, beside the other, would let their resource trackers quarrel.
        several = joblib.Parallel(WORKERS, "multiprocessing", max_nbytes=None)
        together = self._stack.enter_context(several)
        return {
            "nbflow, SQLite": lambda: self.nbflow("SQLite", each, name, count),
            "nbflow, memory": lambda: self.nbflow("memory", each, name, count),
            "ProcessPoolExecutor": lambda: self.submitted(stock, fn, count),
            "loky": lambda: self.submitted(loky, fn, count),
            "joblib": lambda: sum(together(call(n) for n in range(count))),
        }

    def halves(self, fn: Callable[..., Any], count: int) -> Callable[[], Any]:
        """Give the way without any calls: each process does half of it in one piece."""
        stock = self._stack.enter_context(cf.ProcessPoolExecutor(WORKERS))
        parts = [range(first, count, WORKERS) for first in range(WORKERS)]
        return lambda: sum(stock.map(in_one_piece, [fn] * WORKERS, parts))

    def array(self, megabytes: int, count: int) -> dict[str, Callable[[], Any]]:
        mapped = self._mapped()

        def with_joblib() -> float:
            array = ones(megabytes)
            return sum(mapped(joblib.delayed(total)(array, n) for n in range(count)))

        return self._arrays(shared, megabytes, count) | {"joblib": with_joblib}

    def stages(self, megabytes: int, count: int) -> dict[str, Callable[[], Any]]:
        mapped = self._mapped()

        def with_joblib() -> float:
            made = mapped(joblib.delayed(ones)(megabytes) for _ in range(count))
            twice = mapped(joblib.delayed(doubled)(array) for array in made)
            return sum(mapped(joblib.delayed(total)(array, 0) for array in twice))

        return self._arrays(stages, megabytes, count) | {"joblib": with_joblib}

    def _mapped(self) -> joblib.Parallel:
        with silent():  # its tracker of files complains at length of files that it removed itself
            pool = self._stack.enter_context(joblib.Parallel(WORKERS, "loky", max_nbytes="1M"))
            pool(joblib.delayed(abs)(n) for n in range(WORKERS))
        return pool

    def _arrays(self, workflow: Any, megabytes: int, count: int) -> dict[str, Callable[[], Any]]:
        return {
            "nbflow, stored": lambda: self.nbflow("SQLite", workflow, True, megabytes, count),
            "nbflow, persist=False": lambda: self.nbflow(
                "SQLite", workflow, False, megabytes, count
            ),
        }


def small(pools: Pools, quick: bool) -> Iterator[str]:
    calls, repeats = (2_000, 3) if quick else (10_000, 5)
    times = turns(pools.ways(same, calls), repeats)
    rows = []
    for name, seconds in times.items():
        rate = calls / statistics.median(seconds)
        beside = [f"{ratio(times, name, other):.2f}" for other in ("ProcessPoolExecutor", "loky")]
        rows.append((name, f"{rate:,.0f}", *beside))
    head = (f"no-op, {calls:,} calls", "calls a second", "x ProcessPoolExecutor", "x loky")
    yield table(head, rows)
    calls, repeats = (200, 2) if quick else (1_000, 3)
    best = calls * 0.005 / WORKERS
    whole = {"half in each process, in one piece": pools.halves(busy, calls)}
    times = turns(pools.ways(busy, calls) | whole, repeats)
    rows = [
        (
            name,
            f"{statistics.median(seconds):.2f}",
            f"{100 * best / statistics.median(seconds):.1f}",
        )
        for name, seconds in times.items()
    ]
    yield table((f"5 ms, {calls:,} calls", "s", "% of the ideal"), rows)


def large(pools: Pools, quick: bool) -> Iterator[str]:
    size, repeats = (20, 2) if quick else (50, 5)
    for what, ways in (
        (f"an array of {size} MB, 16 calls", pools.array(size, 16)),
        (f"8 arrays of {size} MB, three stages", pools.stages(size, 8)),
    ):
        times = turns(ways, repeats)
        rows = [
            (name, f"{statistics.median(seconds):.3f}", f"{ratio(times, name, 'joblib'):.2f}")
            for name, seconds in times.items()
        ]
        yield table((what, "s", "times as fast as joblib"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], epilog=TAKES)
    parser.add_argument("--quick", action="store_true", help="fewer calls; nothing is written down")
    parser.add_argument("--only", choices=("small", "large"), help="half of it")
    given = parser.parse_args()
    found: list[str] = []
    parts = {"small": small, "large": large}
    for part in [given.only] if given.only else parts:
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
            found += parts[part](Pools(directory, stack), given.quick)
    text = "\n\n".join(found)
    if given.quick:
        print(text)
        return
    packages = ("jupyter-nbflow", "loky", "joblib", "numpy")
    append("PROCESSES.md", "Calls in processes", ABOUT, text, packages)


if __name__ == "__main__":
    main()
