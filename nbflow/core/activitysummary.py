"""The figures of one activity in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbflow.core.profile import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitySummary:
    """All attempts of one activity. Times are seconds."""

    activity: str
    calls: int
    attempts: int
    failed: int
    total: float
    mean: float
    longest: float
    queued: float
    cpu: float


def summary(name: str, bars: list[Bar], now: float) -> ActivitySummary:
    """Sum up all attempts of one activity."""
    seconds = [bar.seconds(now) for bar in bars]
    return ActivitySummary(
        activity=name,
        calls=len({bar.call for bar in bars}),
        attempts=len(bars),
        failed=sum(bar.status == "failed" for bar in bars),
        total=sum(seconds),
        mean=sum(seconds) / len(seconds),
        longest=max(seconds),
        queued=sum(bar.queued for bar in bars),
        cpu=sum(bar.cpu for bar in bars),
    )
