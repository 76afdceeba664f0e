"""nbflow with one promise broken on purpose. A mode of the crash suite that passes one is no test.

Each is made in the child process that runs it, for good.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nbflow.core.call import SUCCESSES
from nbflow.core.errors import StoreConflict
from nbflow.core.events import Event, RunResumed
from nbflow.core.history import History
from nbflow.engine.keeper import Keeper
from nbflow.engine.live import Live
from nbflow.store.lease import Lease


def seen_first(kind: type[Any]) -> type[Any]:
    """Let consequences out before the turn is written."""
    publish = Live._publish

    def early(self: Any) -> None:
        journal = self._journal
        write = journal.write
        journal.write = lambda: None
        try:
            publish(self)
        finally:
            del journal.write
        write()

    Live._publish = early  # type: ignore[method-assign]
    return kind


def started_late(kind: type[Any]) -> type[Any]:
    """Do not write that a ``once=True`` call begins before it does."""
    Keeper._held_back = lambda *_: False  # type: ignore[method-assign]
    return kind


def rerun_settled(kind: type[Any]) -> type[Any]:
    """Forget what succeeded when a run is resumed."""
    resumed = History._run_resumed

    def forgetting(self: Any, event: RunResumed) -> None:
        succeeded = [s.id for s in self.settled if type(s.outcome) in SUCCESSES]
        resumed(self, event._replace(again=tuple(succeeded)))

    from nbflow.core import history

    history._HANDLERS[RunResumed] = forgetting
    return kind


def unfenced(kind: type[Any]) -> type[Any]:
    """Append to a run that somebody else has written to, as if nothing were wrong."""

    class Unfenced(kind):  # type: ignore[misc]
        def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
            while True:
                try:
                    super().append(run, events, sync=sync)
                    return
                except StoreConflict:
                    last = max((e.seq for e in self.events(run)), default=0)
                    events = [e._replace(seq=last + n) for n, e in enumerate(events, 1)]

    return Unfenced


def unheld(kind: type[Any]) -> type[Any]:
    """Let anybody drive a run that somebody drives."""

    class Unheld(kind):  # type: ignore[misc]
        def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
            return None

    return Unheld


def unsynced(kind: type[Any]) -> type[Any]:
    """Sync nothing where everything depends on it."""

    class Unsynced(kind):  # type: ignore[misc]
        @contextlib.contextmanager
        def _synced(self) -> Iterator[None]:
            yield

    return Unsynced


MUTANTS: dict[str, Callable[[type[Any]], type[Any]]] = {
    "seen-first": seen_first,
    "started-late": started_late,
    "rerun-settled": rerun_settled,
    "unfenced": unfenced,
    "unheld": unheld,
    "unsynced": unsynced,
}


def apply(name: str, kind: type[Any]) -> type[Any]:
    """Break nbflow in that way, if in any; give the store to use."""
    return MUTANTS[name](kind) if name else kind
