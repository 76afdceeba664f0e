"""joblib on two threads. It knows no dependencies, so it can only do independent calls."""

from __future__ import annotations

import contextlib

import joblib
import shapes


class System:
    def __init__(self, workers: int) -> None:
        self._stack = contextlib.ExitStack()
        parallel = joblib.Parallel(n_jobs=workers, backend="threading")
        self._pool = self._stack.enter_context(parallel)

    def prepare(self) -> None:
        """Nothing is left of the run before."""

    def run(self, shape: str, n: int) -> int:
        fn, build = shapes.SHAPES[shape]
        return sum(self._pool(build(joblib.delayed(fn), n)))

    def check(self, n: int) -> None:
        """There is no log to look at."""

    def close(self) -> None:
        self._stack.close()
