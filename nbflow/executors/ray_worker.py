"""What runs in the workers of a Ray cluster: one attempt after another."""

from __future__ import annotations

import pickle

from nbflow.core import payload
from nbflow.executors.dask_worker import about
from nbflow.executors.futures import Shipped, there


class Worker:
    """A process of Ray's that runs attempts, one at a time."""

    def about(self) -> dict[str, str]:
        """Give what has to be the same where code is sent and where it runs."""
        return about()

    def run(self, sent: bytes, name: str, code: bytes) -> bytes:
        """Run an attempt.

        Args:
            sent: The job without its code, and what becomes of what activities write, pickled.
            name: The activity's name.
            code: Its function, pickled.

        Returns:
            The answer, pickled.
        """
        job, rules = payload.loads(sent)
        job.code = Shipped(name, code)
        return pickle.dumps(there(job, rules), pickle.HIGHEST_PROTOCOL)
