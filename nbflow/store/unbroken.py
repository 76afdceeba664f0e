"""Holds an interrupt back while something is done that must not be left half done.

The stop button and Ctrl-C raise ``KeyboardInterrupt`` between any two instructions of the main
thread: between taking a lock and the block that lets it go, or within a transaction. Whoever is
interrupted there can try again; the run, or the store, could not go on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Final

_MAIN: Final = threading.main_thread().ident
_PATIENCE: Final = 3
"""An interrupt that is repeated so often is let through: something hangs."""

Handler = Callable[[int, FrameType | None], Any]


class Unbroken:
    """A block that an interrupt does not break: it is felt at the block's end.

    Only the main thread is ever interrupted, so in other threads it does nothing.

    Args:
        inner: A context manager to enter and to leave without being interrupted either.

    Example:
        >>> with Unbroken():
        ...     append(event)
    """

    __slots__ = ("_before", "_inner", "_late")

    def __init__(self, inner: AbstractContextManager[Any] | None = None) -> None:
        self._inner = inner
        self._before: Handler | None = None
        self._late: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> Any:
        """Hold interrupts back."""
        if threading.get_ident() == _MAIN:
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._note)
        if self._inner is None:
            return None
        try:
            return self._inner.__enter__()
        except BaseException:
            self._give_back()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Raise what was held back."""
        try:
            return None if self._inner is None else self._inner.__exit__(kind, error, trace)
        finally:
            self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._late.append((number, frame))
        if len(self._late) >= _PATIENCE and self._before is not None:
            self._before(*self._late.pop())

    def _give_back(self) -> None:
        if self._before is None:
            return
        before, self._before = self._before, None
        signal.signal(signal.SIGINT, before)
        if self._late:
            before(*self._late[0])
