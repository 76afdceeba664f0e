"""The engine's one source of time, so that tests can turn it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from nbflow.engine.timekeeper import timekeeper


class Source(Protocol):
    """Something that gives the time in the place of the machine's clocks."""

    def time(self) -> float:
        """Give the time, in seconds since the epoch."""

    def monotonic(self) -> float:
        """Give seconds since some moment, which never go back."""

    def after(self, seconds: float, fn: Callable[[], object]) -> None:
        """Call `fn` once, so many seconds from now."""

    def local(self, at: float) -> float:
        """Give the time of this clock for one that another process has measured."""


class Clock:
    """Says what time it is for runs, and calls them when a time has come that they wait for.

    Timers, waits between attempts and time limits go by it, and so does every time in a log. What
    the engine does for its own sake, such as writing twenty times a second what runs, goes by
    the timekeeper, and leases of runs go by the machine's clock, since other processes read them.

    Attributes:
        time: Gives the seconds since the epoch. An attribute, so that it costs no more than the
            function it stands for.
        monotonic: Gives seconds since some moment, which never go back.
        after: Calls a function once, so many seconds from now.
        local: Gives the time of this clock for one that another process has measured; None where
            they are the same.
    """

    __slots__ = ("after", "local", "monotonic", "time")

    def __init__(self) -> None:
        self.use(None)

    def use(self, source: Source | None) -> None:
        """Go by a source from now on; None stands for the machine's own clocks."""
        given: Any = time if source is None else source
        self.time: Callable[[], float] = given.time
        self.monotonic: Callable[[], float] = given.monotonic
        self.after: Callable[[float, Callable[[], object]], None] = (
            timekeeper.after if source is None else source.after
        )
        self.local: Callable[[float], float] | None = None if source is None else source.local


clock = Clock()
"""The one of this process."""
