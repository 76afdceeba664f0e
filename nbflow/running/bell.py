"""Waiting for something that happens once, where an interrupt may come at any moment."""

from __future__ import annotations

import _thread
import contextlib


class Bell:
    """Rings once, for all who wait for it and for those who come later.

    The locks of `threading` are taken and given back in Python code. An interrupt that comes
    within it leaves one taken for ever, or is lost behind a ``RuntimeError``; whoever waits for a
    run in the main thread waits here, by nothing but calls into C.

    Attributes:
        rung: Whether it has rung.
    """

    __slots__ = ("_sleepers", "rung")

    def __init__(self) -> None:
        self.rung = False
        self._sleepers: list[_thread.LockType] = []

    def ring(self, *_: object) -> None:
        """Wake all who wait. May be called by any thread, and again."""
        self.rung = True
        with contextlib.suppress(IndexError):  # there are no more
            while True:
                self._sleepers.pop().release()

    def wait(self, seconds: float = -1) -> bool:
        """Wait until it rings.

        Args:
            seconds: Wait no longer than so long; for ever, by default.

        Returns:
            Whether it has rung.
        """
        lock = _thread.allocate_lock()
        lock.acquire()
        self._sleepers.append(lock)
        try:
            # Who rings says so first, and looks for sleepers then: one of the two is seen.
            return self.rung or lock.acquire(timeout=seconds) or self.rung
        finally:
            with contextlib.suppress(ValueError):  # it has been woken
                self._sleepers.remove(lock)
