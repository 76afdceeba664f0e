"""What nbflow adds to Dask: the same graphs on one cluster, by plain Dask futures and by nbflow.

    python benchmarks/dask.py            500 calls of each graph, 5 repeats
    python benchmarks/dask.py --calls 2000 --repeats 3

The two take turns, so that a machine that becomes slower meanwhile does both harm alike; ratios are
medians of those of the turns. nbflow has the whole log, in SQLite on disk. Plain Dask is given the
whole graph at once. Processor time is that of workers, scheduler and client.
"""

from __future__ import annotations

import sys
from pathlib import Path

# ruff: noqa: E402 - what is imported must not be this file itself
# This file has the name of the package that it measures.
sys.path = [p for p in sys.path if Path(p).resolve() != Path(__file__).resolve().parent]

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from distributed import Client, LocalCluster

import nbflow
from nbflow.store.sqlite import SqliteStore

BLOCK = 256


def same(n: int) -> int:
    return n


def busy(n: int) -> int:
    """Take five milliseconds of a processor."""
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        n += 0
    return n


def add(left: int, right: int) -> int:
    return left + right


def block(n: int) -> Any:
    import numpy as np

    return np.full((BLOCK, BLOCK), float(n))


def product(left: Any, right: Any) -> Any:
    return left @ right


def total(array: Any) -> float:
    return float(array.sum())


def wide(call: Callable[..., Any], n: int) -> list[Any]:
    """Ask for independent calls that do nothing."""
    return [call(same, i) for i in range(n)]


def work(call: Callable[..., Any], n: int) -> list[Any]:
    """Ask for independent calls of five milliseconds."""
    return [call(busy, i) for i in range(n)]


def tree(call: Callable[..., Any], n: int) -> list[Any]:
    """Add up in pairs; the odd one goes on as it is.

    All of it is needed: Dask does not compute what nobody holds a future of.
    """
    level = [call(busy, 1) for _ in range(n // 2)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [call(add, *pair) for pair in pairs] + odd
    return level


def chain(call: Callable[..., Any], n: int) -> list[Any]:
    """Ask for calls each of which takes what the one before it gave."""
    handle = call(busy, 0)
    for _ in range(n // 5):
        handle = call(busy, handle)
    return [handle]


def blocks(call: Callable[..., Any], n: int) -> list[Any]:
    """Multiply arrays of half a megabyte, and bring home a number of each."""
    made = [call(block, i) for i in range(n // 4)]
    return [call(total, call(product, a, b)) for a, b in itertools.pairwise(made)]


GRAPHS = {"wide": wide, "work": work, "tree": tree, "chain": chain, "blocks": blocks}
FUNCTIONS = (same, busy, add, block, product, total)


def plain(client: Client, graph: Callable[..., list[Any]], n: int) -> list[Any]:
    """Do it by futures of Dask's."""
    handles = graph(lambda fn, *args: client.submit(fn, *args, pure=False), n)
    return list(client.gather(handles))


ACTIVITIES = {fn.__name__: nbflow.activity(fn) for fn in FUNCTIONS}


@nbflow.workflow
def built(name: str, n: int) -> list[Any]:
    """Do it by calls of activities."""
    handles = GRAPHS[name](lambda fn, *args: ACTIVITIES[fn.__name__](*args), n)
    return [handle.result() for handle in handles]


def used(client: Client) -> float:
    """Give the processor time that workers, scheduler and client have used so far."""
    return time.process_time() + sum(client.run(time.process_time).values())


def measured(client: Client, fn: Callable[[], list[Any]], wanted: list[Any]) -> tuple[float, float]:
    """Do it; give the seconds that it took, and those of processors."""
    before, clock = used(client), time.perf_counter()
    found = fn()
    seconds = time.perf_counter() - clock
    if wanted and found != wanted:
        message = "the two do not give the same"
        raise RuntimeError(message)
    return seconds, used(client) - before


def compare(client: Client, name: str, n: int, repeats: int, place: Any) -> None:
    """Measure a graph both ways, in turns, and print what came of it."""
    graph = GRAPHS[name]
    wanted = plain(client, graph, n)
    built.on(place).start(name, 20).result()
    ways: tuple[Callable[[], list[Any]], ...] = (
        lambda: plain(client, graph, n),
        lambda: built.on(place).start(name, n).result(),
    )
    pairs = [[measured(client, way, wanted) for way in ways] for _ in range(repeats)]
    one, other = (statistics.median(pair[way][0] for pair in pairs) for way in (0, 1))
    ratio, cpu = (statistics.median(b[k] / a[k] for a, b in pairs) for k in (0, 1))
    print(f"| {name} | {n} | {one:.3f} | {other:.3f} | {ratio:.2f} | {cpu:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=500, help="calls of each graph (500)")
    parser.add_argument("--repeats", type=int, default=5, help="how often (5)")
    parser.add_argument("--graphs", nargs="*", choices=GRAPHS, default=list(GRAPHS))
    given = parser.parse_args()
    print("| graph | calls | plain Dask, s | nbflow, s | ratio | of processor time |")
    print("|---|---:|---:|---:|---:|---:|")
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        nbflow.configure(store=SqliteStore(directory), output="log")
        for name in given.graphs:
            compare(client, name, given.calls, given.repeats, client)


if __name__ == "__main__":
    main()
