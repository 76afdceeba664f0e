"""Whether a run would do anything more if no time passed and nobody told it anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbflow.engine.job import Job
    from nbflow.engine.live import Live


def at_rest(live: Live) -> bool:
    """Tell whether a run waits, apart from what its executors have of it.

    That is so when its code waits for something that is not there, and nothing is on its way to
    the log or to an executor.
    """
    if live.history.closed is not None or live.left:
        return True
    waits = live._want is not None  # noqa: SLF001 - within the engine
    on_its_way = live._inbox or live._lock.locked() or live._flushing or live.history.ready  # noqa: SLF001
    return waits and not on_its_way and not _looked_up(live)


def under_way(live: Live) -> list[Job]:
    """Give the attempts of a run that its executors have."""
    return list(live._attempts.open.values())  # noqa: SLF001 - within the engine


def _looked_up(live: Live) -> bool:
    """Whether the cache is being asked about a call."""
    asked = list(live._reuse._asked)  # noqa: SLF001 - within the engine
    calls, opened = live.history.calls, live._attempts.open  # noqa: SLF001
    states = [calls[call] for call in asked if call in calls]
    return any(
        s.outcome is None and not s.missing and s.retry_at is None and s.id not in opened
        for s in states
    )
