"""What a supervisor counts of its processes, for whoever watches them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from nbflow.services.metrics import Metric

_ROLES = ("decider", "worker")
Values = dict[tuple[str, ...], float]
"""Numbers by the values of their labels."""


class Figures:
    """The counts of one supervisor since it began.

    Args:
        task_list: Where its processes look for work; a label of every figure.
    """

    def __init__(self, task_list: str) -> None:
        self._list = task_list
        self._began = time.time()
        self._since: dict[int, float] = {}
        self._ended: Counter[str] = Counter()
        self._deaths: Counter[str] = Counter()
        self._seconds = 0.0
        self._troubles = 0

    def busy(self, pid: int) -> None:
        """Note that a process has begun an activity."""
        self._since[pid] = time.monotonic()

    def idle(self, pid: int, how: str = "answered") -> None:
        """Note that a process is at no activity any more."""
        since = self._since.pop(pid, None)
        if since is not None:
            self._seconds += time.monotonic() - since
            self._ended[how] += 1

    def died(self, pid: int, role: str) -> None:
        """Note that a process has ended by itself, whatever it was at."""
        self.idle(pid, "died")
        self._deaths[role] += 1

    def trouble(self) -> None:
        """Note that a run could not be decided."""
        self._troubles += 1

    def metrics(self, ready: Counter[str]) -> Iterator[Metric]:
        """Give the figures.

        Args:
            ready: How many processes are at work, by what they do.
        """
        by, own = ("task_list", "role"), ("task_list",)
        now, done = time.monotonic(), self._ended
        running = sum(now - since for since in self._since.values())
        for name, kind, text, values, labels in (
            ("process_start_time_seconds", "gauge", "When it began, Unix time.", self._began, own),
            ("activities_running", "gauge", "Activities under way.", len(self._since), own),
            (
                "activity_seconds_total",
                "counter",
                "Seconds that workers were at activities.",
                self._seconds + running,
                own,
            ),
            (
                "decision_troubles_total",
                "counter",
                "Decisions that could not be made.",
                self._troubles,
                own,
            ),
        ):
            yield Metric(f"nbflow_{name}", kind, text, {(self._list,): values}, labels)  # type: ignore[arg-type]
        ends: Values = {(self._list, how): float(done[how]) for how in ("answered", "died")}
        text = "Activities that are over: answered, or ended with their process."
        yield Metric("nbflow_activities_total", "counter", text, ends, ("task_list", "how"))
        here: Values = {(self._list, role): float(ready[role]) for role in _ROLES}
        yield Metric("nbflow_processes", "gauge", "Processes at work.", here, by)
        dead: Values = {(self._list, role): float(self._deaths[role]) for role in _ROLES}
        text = "Processes that ended by themselves and were started anew."
        yield Metric("nbflow_process_deaths_total", "counter", text, dead, by)
