"""The end of a run's log that is being written. For the run's owner alone."""

from __future__ import annotations

import weakref
from typing import Protocol

from nbflow.core.errors import StoreError
from nbflow.core.events import Event
from nbflow.core.history import History
from nbflow.store.base import Store


class Tail(Protocol):
    """Takes what is appended to a log."""

    def take(self, batch: list[Event], /) -> None:
        """Learn that these events were appended."""


class Journal:
    """Numbers events, folds them into the run's history, and appends those of a turn at once."""

    def __init__(self, store: Store, run: str, history: History) -> None:
        self._store = store
        self._run = run
        self._history = history
        self.seq = history.last
        """The number of the latest event taken."""
        self.batch: list[Event] = []
        """The events of this turn. The owner adds those itself that the history knows already."""
        self._tails: tuple[weakref.ref[Tail], ...] = ()
        self.sync = False
        """Whether the next write is to survive the end of the power."""

    def watch(self, tail: Tail) -> None:
        """Give what is written from now on to `tail` as well, as long as somebody holds it."""
        # Anew, not in place: the owner may be going through them.
        self._tails = (*(known for known in self._tails if known() is not None), weakref.ref(tail))

    def next(self) -> int:
        """Give the number of the next event."""
        self.seq += 1
        return self.seq

    def add(self, event: Event) -> None:
        """Take an event, to be written at the end of the turn."""
        self.batch.append(event)
        self._history.apply(event)

    def write(self) -> StoreError | None:
        """Append the turn's events. Give why they could not be written, if they could not."""
        batch, self.batch = self.batch, []
        if not batch:
            return None
        try:
            if self.sync:
                self.sync = False
                self._store.append(self._run, batch, sync=True)
            else:
                self._store.append(self._run, batch)
        except Exception as error:  # noqa: BLE001 - a store of somebody else's may raise anything
            stop = error
            if not isinstance(stop, StoreError):
                stop = StoreError(f"the store failed: {type(error).__name__}: {error}")
                stop.__cause__ = error
            stop.add_note(
                f"run {self._run} is kept as it was at event {batch[0].seq - 1}; "
                "calls that were under way will run again when it is resumed"
            )
            self.forget()
            return stop
        for known in self._tails:
            tail = known()
            if tail is not None:
                tail.take(batch)
        return None

    def forget(self) -> None:
        """Go back to what the log has: nobody may be shown what could not be written."""
        self.batch = []
        try:
            self._history.begin_anew(self._store.events(self._run))
        except Exception:  # noqa: BLE001 - then at least the run is not shown as closed
            self._history.closed = None
