"""Wakes an event loop that sleeps when the stop button is pressed.

A signal runs its Python handler, but what the handler has the loop do waits until the loop wakes:
a cell of ``await run`` would feel the stop button when the run is over. While code awaits a run in
the main thread, signals are therefore written to a socket that the loop reads, as asyncio does for
its own signal handlers. Where that cannot be, the loop looks every now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def waking(loop: asyncio.AbstractEventLoop) -> Iterator[bool]:
    """Have signals wake a loop inside this; give whether they do.

    Whoever has put up a descriptor for signals before keeps it.

    Args:
        loop: The running one.

    Example:
        >>> with waking(asyncio.get_running_loop()):
        ...     await something
    """
    if threading.current_thread() is not threading.main_thread():
        yield False  # signals are handled elsewhere
        return
    woken = _woken.get(id(loop))
    if woken is None:
        woken = _woken[id(loop)] = _Woken(loop)
    woken.users += 1
    try:
        yield woken.on
    finally:
        woken.users -= 1
        if not woken.users:
            del _woken[id(loop)]
            woken.close()


class _Woken:
    """What wakes one loop as long as somebody awaits a run there.

    Attributes:
        on: Whether it does.
        users: How many await a run.
    """

    def __init__(self, loop: Any) -> None:
        self.on, self.users = False, 0
        self._loop = loop
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)  # noqa: FBT003 - its one argument
        if getattr(loop, "_signal_handlers", None):
            return  # asyncio wakes it already, and has to read what it is written itself
        try:
            loop.add_reader(self._read, self._drain)
        except NotImplementedError:
            return  # a loop that reads no sockets in this way
        before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        if before == -1:
            self.on = True
        else:
            signal.set_wakeup_fd(before)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._read.recv(4096)

    def close(self) -> None:
        """Leave signals as they were found, or as somebody has set them since."""
        if self.on:
            own, found = self._write.fileno(), signal.set_wakeup_fd(-1)
            if found != own:
                signal.set_wakeup_fd(found)
        with contextlib.suppress(NotImplementedError, RuntimeError):
            self._loop.remove_reader(self._read)
        self._read.close()
        self._write.close()


_woken: dict[int, _Woken] = {}
"""By the identity of the loop."""
