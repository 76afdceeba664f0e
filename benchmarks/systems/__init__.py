"""The systems that are compared, by name. Each module is imported in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from shapes import SHAPES

ALL = tuple(SHAPES)


@dataclass(frozen=True)
class Listed:
    """What is known of a system without importing it.

    Attributes:
        title: Its name in the tables.
        module: Where its class `System` is.
        packages: The distributions whose versions are reported.
        how: How it is used, for the notes.
        imports: The modules that must be there.
        shapes: The shapes that it can do.
        options: What its class is made with.
    """

    title: str
    module: str
    packages: tuple[str, ...]
    how: str
    imports: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ALL
    options: dict[str, str] = field(default_factory=dict)


FLOOR = "floor"

SYSTEMS = {
    FLOOR: Listed(
        title="floor: bare ThreadPoolExecutor",
        module="systems.floor",
        packages=(),
        how="`concurrent.futures.ThreadPoolExecutor(2)` with completion callbacks: each completion "
        "is noted by one, and a call with inputs is submitted by that of the last of them. No log, "
        "no graph, no profile, no retries.",
        options={"noted": "yes"},
    ),
    "submit": Listed(
        title="bare pool, no callbacks",
        module="systems.floor",
        packages=(),
        how="the same, where nobody is told of a completion but by asking for the result.",
        shapes=("wide",),
    ),
    "nbflow-memory": Listed(
        title="nbflow, log in memory",
        module="systems.nbflow_threads",
        packages=("jupyter-nbflow",),
        imports=("nbflow",),
        how='`on="threads", max_workers=2`, a new `MemoryStore` each time.',
        options={"log": "memory"},
    ),
    "nbflow-sqlite": Listed(
        title="nbflow, log in SQLite",
        module="systems.nbflow_threads",
        packages=("jupyter-nbflow",),
        imports=("nbflow",),
        how='`on="threads", max_workers=2`, a new `SqliteStore` on disk each time.',
        options={"log": "sqlite"},
    ),
    "dask-delayed": Listed(
        title="dask.delayed, threads",
        module="systems.dask_delayed",
        packages=("dask",),
        imports=("dask",),
        how='`dask.delayed`, `dask.compute(..., scheduler="threads", num_workers=2)`.',
    ),
    "dask-distributed": Listed(
        title="dask.distributed",
        module="systems.dask_distributed",
        packages=("distributed",),
        imports=("distributed",),
        how="`LocalCluster` of two worker processes with a thread each, as is its default; "
        "`Client.map` for `wide`, `Client.submit` otherwise. CPU and memory are those of "
        "client and scheduler, without the workers.",
    ),
    "parsl": Listed(
        title="Parsl, threads",
        module="systems.parsl_threads",
        packages=("parsl",),
        imports=("parsl",),
        how="`ThreadPoolExecutor(max_threads=2)`, no scaling strategy, no log files.",
    ),
    "joblib": Listed(
        title="joblib, threads",
        module="systems.joblib_threads",
        packages=("joblib",),
        imports=("joblib",),
        how='`Parallel(n_jobs=2, backend="threading")`, which puts short calls together into '
        "batches. It knows no dependencies: `wide` only.",
        shapes=("wide",),
    ),
    "simpleflow": Listed(
        title="simpleflow, local executor",
        module="systems.simpleflow_local",
        packages=("simpleflow",),
        imports=("simpleflow",),
        how="`simpleflow.local.Executor`, logging silenced. It executes every call where it is "
        "submitted: one thread, nothing in parallel.",
    ),
}
"""Every system, the floor first."""
