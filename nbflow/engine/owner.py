"""Flat combining: one owner at a time, whichever thread that is.

Whoever has something to say puts it into the inbox and tries to become the owner. The owner
empties the inbox for everybody; whoever finds an owner at work leaves, since the owner will see
the item. So nobody ever waits for the lock, no wake-up is lost (an owner looks again after it has
let go), and a chain of calls costs no hand-off between threads.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import perf_counter
from typing import Any

from nbflow.engine.timekeeper import timekeeper
from nbflow.store.unbroken import Unbroken

TURN_ITEMS = 512
"""How many items one turn takes at most."""
PAUSE = 0.001
"""Seconds since the latest turn, after which the next one is not put off."""
_MOMENT = 0.005
_MAIN = threading.main_thread().ident


class Owner(ABC):
    """Something that is owned by one thread at a time.

    What it and its heirs ask for at every call has slots: an instance of more than 30 attributes
    has a dictionary of its own, in which Python looks up each of them, and each method, anew.
    """

    __slots__ = ("_flushing", "_inbox", "_lock", "_turned")

    def __init__(self) -> None:
        self._inbox: deque[Any] = deque()
        self._lock = threading.Lock()
        self._flushing = False
        self._turned = 0.0

    @abstractmethod
    def _take(self, inbox: deque[Any], most: int) -> int:
        """Deal with what is in the inbox, as the owner; give how many it may be still of `most`."""

    @abstractmethod
    def _publish(self) -> None:
        """End a turn: let the consequences of its items out."""

    @abstractmethod
    def _crowded(self) -> None:
        """Learn, as the owner, that more comes in than one turn takes."""

    @abstractmethod
    def _broke(self, error: BaseException) -> None:
        """Learn that a turn could not be ended; the items it had taken are lost."""

    def post(self, action: Callable[[], object]) -> None:
        """Have the owner do something."""
        self._inbox.append(action)
        self._drain()

    def _soon(self, *, hurry: bool) -> None:
        """Empty the inbox now if that is urgent and was not just done, else within a moment.

        While many small calls come and go, a turn a call costs more than the calls themselves.
        """
        if hurry and perf_counter() - self._turned > PAUSE:
            self._drain()
        elif not self._flushing:
            self._flushing = True
            timekeeper.after(_MOMENT, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._drain()

    def _drain(self) -> None:
        """Become the owner if nobody is, and empty the inbox."""
        if get_ident() != _MAIN:
            self._empty()
            return
        with Unbroken():
            self._empty()

    def _empty(self) -> None:
        inbox, lock = self._inbox, self._lock
        while inbox:
            if not lock.acquire(blocking=False):
                return
            try:
                while inbox:
                    if not self._take(inbox, TURN_ITEMS):
                        self._crowded()
                    self._publish()
                    self._turned = perf_counter()
            except BaseException as error:
                self._broke(error)
                # Otherwise whoever waits for the run is told, not who happened to own it.
                if not isinstance(error, Exception):
                    raise
            finally:
                lock.release()
