"""nbflow with one promise broken on purpose. A mode of the crash suite that passes one is no test.

Each is made in the child process that runs it, for good.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from nbflow.core.call import SUCCESSES, CallState
from nbflow.core.digests import digest
from nbflow.core.errors import StoreConflict
from nbflow.core.events import CallStarted, Event, RunResumed
from nbflow.core.history import History
from nbflow.engine.attempts import verdict
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
    """Write that a ``once=True`` call begins in the turn after it does."""
    held_back = Keeper._held_back

    def begin(self: Any, state: CallState) -> None:
        if state.outcome is None and state.started is None:
            seq, attempt = self._next(), state.attempt + 1
            self._emit(CallStarted(seq, time.time(), state.id, attempt, ""))

    def late(self: Any, state: CallState) -> bool:
        once = self._activity(state).settings.once
        if not once or verdict(state.id, self.history, once=True) or state.started is not None:
            return held_back(self, state)
        self._inbox.append(partial(begin, self, state))
        return False

    Keeper._held_back = late  # type: ignore[method-assign]
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


def blob_late(kind: type[Any]) -> type[Any]:
    """Write the file of a large value after the event that names it."""

    class BlobLate(kind):  # type: ignore[misc]
        late: ClassVar[dict[str, bytes]] = {}

        def put(self, *parts: Any, sync: bool = True, name: str = "") -> str:
            data = b"".join(parts)
            name = digest(data)
            self.late[name] = data
            return name

        def open(self, digest: str) -> int | None:
            return None if digest in self.late else super().open(digest)

        def get(self, digest: str) -> bytes:
            return self.late.get(digest) or bytes(super().get(digest))

        def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
            super().append(run, events, sync=sync)
            for event in events:
                name = getattr(getattr(event, "result", None), "digest", "")
                if name in self.late:
                    super().put(self.late.pop(name))

    return BlobLate


def once_unsynced(kind: type[Any]) -> type[Any]:
    """Do not sync that a ``once=True`` call begins."""

    class OnceUnsynced(kind):  # type: ignore[misc]
        def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
            super().append(run, events)

    return OnceUnsynced


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
    "once-unsynced": once_unsynced,
    "blob-late": blob_late,
}


def apply(name: str, kind: type[Any]) -> type[Any]:
    """Break nbflow in that way, if in any; give the store to use."""
    return MUTANTS[name](kind) if name else kind
