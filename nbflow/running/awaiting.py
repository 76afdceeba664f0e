"""Waiting for a run: in a thread, and in a coroutine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nbflow.core.errors import NbflowError, RunError
from nbflow.running.bell import Bell
from nbflow.running.waking import waking
from nbflow.running.watching import PACE, Tick, left, waiting

if TYPE_CHECKING:
    from nbflow.core.history import History
    from nbflow.running.session import Session
    from nbflow.store.base import Store

T = TypeVar("T")

_HEARS = 0.2
"""Seconds that a thread waits at a time: an interrupt that comes just before it begins to wait is
felt at the end of that."""
_POLL = 0.1
_BIRTH = 5.0
"""Seconds that a run may take from its first event to its driver's claim, and then some."""


class Waitable(Generic[T]):
    """The part of a run's handle that waits for its end.

    Attributes:
        id: The run's id.
    """

    id: str
    _store: Store
    _session: Session | None

    if TYPE_CHECKING:

        def done(self) -> bool: ...  # noqa: D102 - the handle has it
        def counts(self) -> dict[str, int]: ...  # noqa: D102
        def result(self, timeout: float | None = None) -> T: ...  # noqa: D102
        def _history(self) -> History: ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over; interrupting the wait leaves the run alone.

        In a notebook, clicks in its panel are heard meanwhile.

        Args:
            timeout: Wait no longer than so many seconds.

        Raises:
            TimeoutError: It is not over after `timeout` seconds. It goes on.
            RunError: It is not over, and no process drives it, so it never will be.
            KeyboardInterrupt: The wait was interrupted. The run goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with waiting(self) as tick:  # type: ignore[arg-type] # the handle is one
            while not self._over(end, tick):
                if end is not None and time.monotonic() >= end:
                    self._late(timeout)
                if tick is not None:
                    tick()
        return True

    def _over(self, end: float | None, tick: Tick | None) -> bool:
        """Wait for a while, at most to `end`; give whether it is over."""
        paces = [PACE] if tick is not None else []
        if end is not None:
            paces.append(max(0.0, end - time.monotonic()))
        session = self._session
        if session is not None:
            return session.bell.wait(min(paces, default=_HEARS))
        if self._over_elsewhere():
            return True
        Bell().wait(min([_POLL, *paces]))
        return False

    def _over_elsewhere(self) -> bool:
        """Whether the log of a run of another process says that it is over.

        Raises:
            RunError: It does not, and no process is there to go on with it.
        """
        if self.done():
            return True
        if self._forsaken():
            raise RunError(
                f"run {self.id} is stopped: it is not over, and the process that drove it is "
                "gone. What succeeded is kept; run.resume() goes on with it"
            )
        return False

    def _forsaken(self) -> bool:
        """Whether it is not over, though no process drives it."""
        # In this order: who ends a run lets go of it afterwards.
        return self._let_go() and not self.done()

    def _let_go(self) -> bool:
        """Whether no process drives it, be it over or not; a long log is not read for that."""
        if self._session is not None:
            return False
        try:
            if self._store.holder(self.id) is not None:
                return False
            first = list(islice(self._store.events(self.id), 2))
        except NbflowError:
            return False  # nobody knows
        return len(first) > 1 or (bool(first) and time.time() - first[0].at >= _BIRTH)

    def _late(self, timeout: float | None) -> None:
        counts = ", ".join(f"{n} {status}" for status, n in self.counts().items())
        message = f"run {self.id} is not over after {timeout:g} s and goes on ({counts})"
        raise TimeoutError(message) from None

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the result in an ``async`` cell or function, holding up no loop."""
        return self._awaited().__await__()

    async def _awaited(self) -> T:
        with waking(asyncio.get_running_loop()), left(self):  # type: ignore[arg-type] # as above
            if self._session is not None:
                done = asyncio.wrap_future(self._session.done)
                while not done.done():  # a loop that cannot be woken does not feel the stop button
                    await asyncio.wait([done], timeout=_POLL)
            else:
                while not self._over_elsewhere():  # noqa: ASYNC110 - only the log tells
                    await asyncio.sleep(_POLL)
        return self.result()
