"""dask.distributed: a scheduler, and worker processes of one thread each, on this machine."""

from __future__ import annotations

import functools
import tempfile

from distributed import Client, LocalCluster
from shapes import SHAPES


class System:
    def __init__(self, workers: int) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="distributed-bench-")
        self._cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=self._directory.name,
            silence_logs=50,
        )
        self._client = Client(self._cluster)

    def prepare(self) -> None:
        """Nothing is left of the run before: its futures have gone out of scope."""

    def run(self, shape: str, n: int) -> int:
        fn, build = SHAPES[shape]
        if shape == "wide":
            handles = self._client.map(fn, range(n), pure=False)
        else:
            handles = build(functools.partial(self._client.submit, fn, pure=False), n)
        return sum(self._client.gather(handles))

    def check(self, n: int) -> None:
        """There is no log to look at."""

    def close(self) -> None:
        self._client.close()
        self._cluster.close()
        self._directory.cleanup()
