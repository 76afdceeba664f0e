"""Who is told of what people do with runs: the notebook, so that it can show them and wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from nbflow.running.run import Run

PACE: Final = 0.05
"""Seconds from one `Tick` to the next: a click seems to be answered at once."""

Interrupt = KeyboardInterrupt | asyncio.CancelledError
"""What the stop button makes of a cell: the second one where it awaits something."""

Tick = Callable[[], object]
"""What is to be done every now and then while a thread waits for a run."""


class Watcher(Protocol):
    """Is told what people do with runs in this process."""

    def started(self, run: Run[Any], /) -> None:
        """Learn that a run was started or resumed."""

    def shown(self, run: Run[Any], /) -> None:
        """Learn that a run is about to be displayed."""

    def failed(self, run: Run[Any], error: BaseException, /) -> None:
        """Learn that somebody is about to get the error that a run ended with."""

    def interrupted(self, run: Run[Any], interrupt: Interrupt, /) -> None:
        """Learn that somebody has stopped waiting for a run, which goes on."""


watchers: list[Watcher] = []
"""They are told in this order; empty outside a notebook."""

meanwhile: list[Callable[[], AbstractContextManager[Tick | None]]] = []
"""Entered by each thread that begins to wait for a run; gives what it has to do meanwhile."""


@contextlib.contextmanager
def waiting(run: Run[Any]) -> Iterator[Tick | None]:
    """Wait for a run inside this; give what to call every `PACE` seconds, None if nothing."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(enter()) for enter in meanwhile]
        ticks = [tick for tick in found if tick is not None]

        def tick() -> None:
            for each in ticks:
                each()

        with left(run):
            yield tick if ticks else None


@contextlib.contextmanager
def left(run: Run[Any]) -> Iterator[None]:
    """Give an interrupt that stops the waiting inside this a note of what becomes of the run."""
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
        interrupt.add_note(goes_on(run))
        for watcher in watchers:
            watcher.interrupted(run, interrupt)
        raise


def goes_on(run: Run[Any]) -> str:
    """Say that only the waiting has stopped, and how to cancel."""
    return (
        f"stopped waiting; run {run.id} goes on  ·  run.cancel() ends it, run.result() waits again"
    )
