"""One case, in the process that it is measured in: one system, one shape, one N."""

from __future__ import annotations

import gc
import importlib
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shapes import expected
from systems import SYSTEMS

WORKERS = 2
WARM_UP = 20


@dataclass
class Measured:
    """What a case gave.

    Attributes:
        seconds: Wall time of each repeat.
        cpu: Processor seconds of each repeat, of this process only.
        garbage: Seconds of each repeat that the cyclic garbage collector took.
        kilobytes: Growth of the process's high-water mark; only in memory cases.
        problem: Why there is nothing, as ``short: long``, or "".
    """

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    garbage: list[float] = field(default_factory=list)
    kilobytes: float | None = None
    problem: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between which the middle half of the repeats lies."""
        if len(self.seconds) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high

    @property
    def busy(self) -> float:
        """The median of the processor time."""
        return statistics.median(self.cpu)

    @property
    def own(self) -> float:
        """The median of what is left without the garbage collector."""
        return statistics.median(s - g for s, g in zip(self.seconds, self.garbage, strict=True))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(name: str, shape: str, n: int, repeats: int, limit: float, *, memory: bool) -> Measured:
    """Measure a case here and now.

    Args:
        name: The system, by its name in `SYSTEMS`.
        shape: The graph.
        n: How many calls.
        repeats: How often, if the time allows; always at least once.
        limit: Seconds that all repeats together should stay below.
        memory: Measure memory, in one repeat, instead of time.
    """
    listed = SYSTEMS[name]
    system = importlib.import_module(listed.module).System(WORKERS, **listed.options)
    found = Measured()
    try:
        _warm_up(system, shape)
        if memory:
            _remember(system, shape, n, found)
        else:
            _repeat(system, shape, n, repeats, limit, found)
        system.check(n)
    finally:
        system.close()
    return found


def _warm_up(system: Any, shape: str) -> None:
    """Load what is loaded at first use, and start threads."""
    system.prepare()
    _checked(system.run(shape, WARM_UP), shape, WARM_UP)


def _repeat(system: Any, shape: str, n: int, repeats: int, limit: float, found: Measured) -> None:
    collector = _Collector()
    while len(found.seconds) < repeats:
        if found.seconds and sum(found.seconds) + found.seconds[-1] > limit:
            return
        system.prepare()
        gc.collect()
        collector.seconds = 0.0
        cpu, clock = time.process_time(), time.perf_counter()
        value = system.run(shape, n)
        found.seconds.append(time.perf_counter() - clock)
        found.cpu.append(time.process_time() - cpu)
        found.garbage.append(collector.seconds)
        _checked(value, shape, n)


class _Collector:
    """Times the cyclic garbage collector, from when it is made on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = 0.0
        gc.callbacks.append(self._tell)

    def _tell(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._since = time.perf_counter()
        else:
            self.seconds += time.perf_counter() - self._since


def _remember(system: Any, shape: str, n: int, found: Measured) -> None:
    system.prepare()
    gc.collect()
    before = _memory("VmRSS")
    value = system.run(shape, n)
    found.kilobytes = _memory("VmHWM") - before
    _checked(value, shape, n)


def _checked(value: int, shape: str, n: int) -> None:
    if value != expected(shape, n):
        message = f"{shape} of {n} calls gave {value} instead of {expected(shape, n)}"
        raise RuntimeError(message)


def _memory(field_name: str) -> float:
    """Give kilobytes: resident now (VmRSS) or at most so far (VmHWM, where the system tells)."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(f"{field_name}:"):
                return float(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else float(peak)
