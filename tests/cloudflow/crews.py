"""An emulator with somebody who drives runs and some who work for them, in threads of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbflow.running.conducting import Conductor
from nbflow.services.cloudflow.dynamic.crew import Crew
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.services.cloudflow.dynamic.worker import Worker
from nbflow.services.cloudflow.emulator.handle import Endpoint, running

PACE = 0.02


class Site:
    """An emulator, and threads that drive runs and work.

    Attributes:
        crew: What orchestrators and workers need to know.
        endpoint: The emulator.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: Path,
        *,
        hidden: float = 30.0,
        reports: float = 0.0,
        values: str = "",
    ) -> None:
        self.endpoint, self.path, self.hidden = endpoint, path, hidden
        self.crew = Crew(
            queue="work",
            values=values or str(path / "values"),
            endpoint=endpoint.url,
            pace=PACE,
            reports=reports,
            lost_after=hidden,
        )
        self._ends: list[Any] = []
        self._threads: list[threading.Thread] = []

    def options(self) -> dict[str, Any]:
        """Give the options by which runs are started here."""
        endpoint, values = self.endpoint.url, self.crew.values
        return {
            "endpoint": endpoint,
            "processes": 0,
            "queue": "work",
            "values": values,
            "pace": PACE,
        }

    def service(self, home: Path, **more: Any) -> CloudFlowService:
        """Make a service whose runs are driven here."""
        return CloudFlowService(home, **{**self.options(), **more})

    def conduct(self) -> Conductor:
        """Have somebody drive runs."""
        return self._begun(Conductor(self.crew))  # type: ignore[no-any-return]

    def work(self, number: int = 1) -> list[Worker]:
        """Have some work."""
        crew = self.crew
        made = [
            Worker(crew.client(), crew.store(), crew.work(), f"worker-{n}", hidden=self.hidden)
            for n in range(1, number + 1)
        ]
        return [self._begun(worker) for worker in made]

    def _begun(self, actor: Any) -> Any:
        thread = threading.Thread(target=actor.run, daemon=True)
        thread.start()
        self._ends.append(actor)
        self._threads.append(thread)
        return actor

    def close(self) -> None:
        """End all threads."""
        for actor in self._ends:
            actor.stop()


@contextmanager
def site(path: Path, workers: int = 2, **how: Any) -> Iterator[Site]:
    """Have an emulator with an orchestrator and workers.

    Args:
        path: Where values are.
        workers: How many workers.
        how: What `Site` takes.
    """
    with running() as endpoint:
        made = Site(endpoint, path, **how)
        made.conduct()
        made.work(workers)
        try:
            yield made
        finally:
            made.close()
