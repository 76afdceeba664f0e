"""nbflow on two threads, with either log; graph and profile of every run are recorded in it."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Any

import shapes

import nbflow
from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore

same = nbflow.activity(shapes.same)
step = nbflow.activity(shapes.step)
join = nbflow.activity(shapes.join)


@nbflow.workflow
def wide(n: int) -> int:
    return sum(nbflow.gather(*shapes.wide(same, n)).result())


@nbflow.workflow
def chain(n: int) -> int:
    return sum(nbflow.gather(*shapes.chain(step, n)).result())


@nbflow.workflow
def tree(n: int) -> int:
    return sum(nbflow.gather(*shapes.tree(join, n)).result())


WORKFLOWS = {"wide": wide, "chain": chain, "tree": tree}


class System:
    def __init__(self, workers: int, log: str) -> None:
        self._log = log
        self._run: Any = None
        self._store: Any = None
        self._stores = 0
        self._directory = tempfile.TemporaryDirectory(prefix="nbflow-bench-")
        nbflow.configure(on="threads", max_workers=workers)

    def prepare(self) -> None:
        """Let go of the run before and its log, and make an empty one."""
        self._forget()
        gc.collect()
        self._stores += 1
        self._store = self._new_store()
        nbflow.configure(store=self._store)

    def _new_store(self) -> MemoryStore | SqliteStore:
        if self._log == "memory":
            return MemoryStore()
        return SqliteStore(Path(self._directory.name) / str(self._stores))

    def _forget(self) -> None:
        self._run = None
        if self._store is not None:
            self._store.close()

    def run(self, shape: str, n: int) -> int:
        self._run = WORKFLOWS[shape].start(n)
        return self._run.result()

    def check(self, n: int) -> None:
        """Fail unless the log holds the whole graph, and a bar of the profile for every call."""
        nodes = len(Graph.of(self._run.events()))
        bars = len(Profile.of(self._run.events()).bars)
        if (nodes, bars) != (n, n):
            message = f"{n} calls, but the log has {nodes} nodes and {bars} bars"
            raise RuntimeError(message)

    def close(self) -> None:
        self._forget()
        self._directory.cleanup()
