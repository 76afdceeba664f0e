"""The service's quotas and rates, each of which can be set to something else, or off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_STARTS: Final = frozenset({"StartExecution", "StartSyncExecution"})
_READS: Final = frozenset({"DescribeExecution", "GetExecutionHistory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of everything there may be. 0 switches a limit off.

    Attributes:
        rates: Whether requests are counted at all. Off by default: few tests keep within 2
            callbacks a second.
        start_burst: Starts of executions at once, then `start_rate` a second.
        start_rate: See `start_burst`.
        read_burst: DescribeExecution, and apart from it GetExecutionHistory, at once.
        read_rate: A second after `read_burst`.
        other_burst: Of each other operation at once.
        other_rate: A second after `other_burst`.
        request: Bytes of a request.
        data: Bytes of an input, an output or an event.
        events: Events of an execution; one that reaches them fails.
        wait: Seconds that DescribeExecution holds an answer at most.
        flows: Flows.
        executions: Executions that run.
        express_seconds: What an express flow may take.
        standard_seconds: What any other execution may take.
        skew_seconds: How far a request's time may be from this machine's.
    """

    rates: bool = False
    start_burst: int = 100
    start_rate: int = 100
    read_burst: int = 50
    read_rate: int = 5
    other_burst: int = 10
    other_rate: int = 2
    request: int = 1_048_576
    data: int = 65_536
    events: int = 5_000
    wait: int = 60
    flows: int = 10_000
    executions: int = 10_000
    express_seconds: int = 300
    standard_seconds: int = 31_536_000
    skew_seconds: int = 900

    def rate(self, operation: str) -> tuple[int, int]:
        """Give how many requests of an operation may come at once, and a second after that."""
        if not self.rates:
            return 0, 0
        if operation in _STARTS:
            return self.start_burst, self.start_rate
        if operation in _READS:
            return self.read_burst, self.read_rate
        return self.other_burst, self.other_rate


class Buckets:
    """Requests, counted by operation: each has a bucket that fills up with time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, operation: str, now: float) -> float:
        """Take one; give the seconds until there would be one, 0 if there was."""
        burst, rate = self._limits.rate(operation)
        if not burst or not rate:
            return 0.0
        level, then = self._level.get(operation, (float(burst), now))
        level = min(float(burst), level + (now - then) * rate)
        if level < 1.0:
            self._level[operation] = level, now
            return (1.0 - level) / rate
        self._level[operation] = level - 1.0, now
        return 0.0
