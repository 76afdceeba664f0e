"""Parsl on a pool of two threads: apps whose arguments may be futures of other apps."""

from __future__ import annotations

import tempfile

import parsl
import shapes
from parsl.config import Config
from parsl.executors.threads import ThreadPoolExecutor

APPS = {shape: parsl.python_app(fn) for shape, (fn, _) in shapes.SHAPES.items()}


class System:
    def __init__(self, workers: int) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="parsl-bench-")
        self._kernel = parsl.load(
            Config(
                executors=[ThreadPoolExecutor(max_threads=workers)],
                run_dir=self._directory.name,
                strategy="none",
                usage_tracking=0,
                initialize_logging=False,
            )
        )

    def prepare(self) -> None:
        """Nothing is left of the run before."""

    def run(self, shape: str, n: int) -> int:
        _, build = shapes.SHAPES[shape]
        return sum(handle.result() for handle in build(APPS[shape], n))

    def check(self, n: int) -> None:
        """There is no log to look at."""

    def close(self) -> None:
        self._kernel.cleanup()
        parsl.clear()
        self._directory.cleanup()
