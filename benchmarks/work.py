"""Real work: nbflow on processes beside other ways of using the cores of one machine.

    python benchmarks/work.py                about three minutes
    python benchmarks/work.py --quick        less of it, nothing written down
    python benchmarks/work.py --only nbflow joblib

Each way has two worker processes. All of them do all of the work in turns, and their results are
compared. nbflow has its whole log, in SQLite on disk. Ray and Dask are left out where they are not
installed, which is said.
"""

from __future__ import annotations

import argparse
import concurrent.futures as cf
import contextlib
import functools
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# ruff: noqa: E402 - each process is to use one core for one call
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

import nbflow
from benchmarks.record import append, table
from nbflow.executors import make
from nbflow.store.sqlite import SqliteStore

WORKERS = 2
TAKES = "It takes about three minutes and adds to WORK.md; with --quick half a minute."
ABOUT = """Written by `python benchmarks/work.py`; each run adds a section. Seconds, medians of the
repeats; in brackets how many times as long as `ProcessPoolExecutor` takes, the median of the turns.
All have two workers. *5 ms*, *50 ms*: 200 calls that take so much of a processor. *product*: that
of two matrices in blocks. *group-by*: sums by group over parts of a million rows, the weather table
that vega_datasets ships many times over. *50 MB*: 8 calls, each with an array of 50 MB."""

Run = Callable[[Callable[..., Any], list[tuple[Any, ...]]], list[Any]]
"""Calls a function with each of some arguments, and gives the results in order."""


def busy(seconds: float, n: int) -> int:
    """Take so much of a processor."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return n


def product(left: Any, right: Any) -> Any:
    return left @ right


def means(part: Any) -> Any:
    return part.groupby("group")[["wind", "precipitation"]].agg(["sum", "count"])


def mean_of(array: Any) -> float:
    return float(array.mean())


def five(run: Run, quick: bool) -> int:
    return sum(run(busy, [(0.005, n) for n in range(50 if quick else 200)]))


def fifty(run: Run, quick: bool) -> int:
    return sum(run(busy, [(0.05, n) for n in range(20 if quick else 200)]))


def blocked(run: Run, quick: bool) -> float:
    size, parts = (400 if quick else 1_600), 4
    left = np.arange(size * size, dtype="f8").reshape(size, size) / size**2
    rows = np.split(left, parts)
    columns = np.split(left, parts, axis=1)
    made = run(product, [(row, column) for row in rows for column in columns])
    return round(float(sum(block.sum() for block in made)), 3)


def grouped(run: Run, quick: bool) -> float:
    days = weather()
    count = 4 if quick else 16
    found = functools.reduce(
        lambda a, b: a.add(b, fill_value=0),
        run(means, [(days.iloc[n::count],) for n in range(count)]),
    )
    return round(float(found["wind"]["sum"].sum() / found["wind"]["count"].sum()), 6)


@functools.cache
def weather() -> Any:
    """Give a million rows of weather, in groups."""
    from vega_datasets import local_data

    days = local_data.seattle_weather()[["wind", "precipitation"]]
    days = pd.concat([days] * (1_000_000 // len(days)), ignore_index=True)
    return days.assign(group=days.index % 97)


def heavy(run: Run, quick: bool) -> float:
    size = (5 if quick else 50) * 131_072
    return sum(run(mean_of, [(np.full(size, float(n)),) for n in range(8)]))


WORK = {"5 ms": five, "50 ms": fifty, "product": blocked, "group-by": grouped, "50 MB": heavy}


@contextlib.contextmanager
def with_nbflow() -> Iterator[Run]:
    place = make("processes", max_workers=WORKERS)
    activities = {fn: nbflow.activity(fn) for fn in (busy, product, means, mean_of)}

    @nbflow.workflow
    def all_of(name: str, calls: list[tuple[Any, ...]]) -> list[Any]:
        activity = next(a for fn, a in activities.items() if fn.__name__ == name)
        return [future.result() for future in [activity(*args) for args in calls]]

    def run(fn: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
        found: list[Any] = all_of.on(place).start(fn.__name__, calls).result()
        return found

    with tempfile.TemporaryDirectory() as directory:
        nbflow.configure(store=SqliteStore(directory), output="log")
        yield run
        place.close()


def submitting(pool: Any) -> Run:
    return lambda fn, calls: [f.result() for f in [pool.submit(fn, *args) for args in calls]]


@contextlib.contextmanager
def with_stock() -> Iterator[Run]:
    with cf.ProcessPoolExecutor(WORKERS) as pool:
        yield submitting(pool)


@contextlib.contextmanager
def with_loky() -> Iterator[Run]:
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(WORKERS) as pool:
        yield submitting(pool)


@contextlib.contextmanager
def with_joblib() -> Iterator[Run]:
    from joblib import Parallel, delayed

    with Parallel(WORKERS) as pool:
        yield lambda fn, calls: list(pool(delayed(fn)(*args) for args in calls))


@contextlib.contextmanager
def with_dask() -> Iterator[Run]:
    sys.path[:] = [p for p in sys.path if Path(p).resolve() != Path(__file__).resolve().parent]
    from distributed import Client, LocalCluster

    def run(fn: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
        return list(client.gather([client.submit(fn, *args, pure=False) for args in calls]))

    where = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**where) as cluster, Client(cluster, set_as_default=False) as client:
        yield run


@contextlib.contextmanager
def with_ray() -> Iterator[Run]:
    import ray

    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init("local", num_cpus=WORKERS, **quiet)  # not one that somebody else has on this machine

    def run(fn: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
        remote = ray.remote(fn)
        return list(ray.get([remote.remote(*args) for args in calls]))

    yield run
    ray.shutdown()


SYSTEMS = {
    "ProcessPoolExecutor": ("", with_stock),
    "nbflow": ("nbflow", with_nbflow),
    "joblib": ("joblib", with_joblib),
    "loky": ("loky", with_loky),
    "Dask": ("distributed", with_dask),
    "Ray": ("ray", with_ray),
}


def measure(names: list[str], quick: bool) -> tuple[dict[str, dict[str, list[float]]], list[str]]:
    """Have all systems do all of the work, in turns; tell which are not installed."""
    times: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    with contextlib.ExitStack() as stack:
        runs = {name: stack.enter_context(SYSTEMS[name][1]()) for name in names}
        for what, work in WORK.items():
            wanted = None
            for turn in range(2 if quick else 4):
                for name, run in runs.items():
                    clock = time.perf_counter()
                    found = work(run, quick)
                    seconds = time.perf_counter() - clock
                    wanted = found if wanted is None else wanted
                    if found != wanted:
                        message = f"{what}: {name} gives {found!r} rather than {wanted!r}"
                        raise RuntimeError(message)
                    if turn:
                        times[name].setdefault(what, []).append(seconds)
    return times, names


def row(name: str, times: dict[str, dict[str, list[float]]], base: str) -> tuple[str, ...]:
    cells = []
    for what, seconds in times[name].items():
        beside = zip(times[base][what], seconds, strict=True)
        factor = statistics.median(own / other for other, own in beside)
        cells.append(f"{statistics.median(seconds):.2f} ({factor:.2f})")
    return (name, *cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], epilog=TAKES)
    parser.add_argument("--quick", action="store_true", help="less of it, not written down")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    given = parser.parse_args()
    there = [
        name
        for name in given.only
        if not SYSTEMS[name][0] or importlib.util.find_spec(SYSTEMS[name][0]) is not None
    ]
    times, names = measure(there, given.quick)
    text = table(("", *WORK), [row(name, times, names[0]) for name in names])
    if missing := sorted(set(given.only) - set(there)):
        text += f"\n\nNot installed, so not measured: {', '.join(missing)}."
    if given.quick:
        print(text)
        return
    packages = ("jupyter-nbflow", "joblib", "loky", "distributed", "ray", "numpy", "pandas")
    append("WORK.md", "Real work on the cores of one machine", ABOUT, text, packages)


if __name__ == "__main__":
    main()
