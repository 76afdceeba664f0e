"""What a dead process has left in its store, read from a copy: the next one finds it as it is."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nbflow.core import digests, payload
from nbflow.core.events import CallReused, CallSucceeded, Event, RunClosed
from nbflow.core.eventtext import decode
from nbflow.core.history import History


def trusted(thing: Any) -> Any:
    """Give an event, or a part of one, with what is pickled in it free to be loaded here.

    A store checks by signatures who wrote it; this reads its file past the store.
    """
    if getattr(thing, "refused", ""):
        return replace(thing, refused="")
    if isinstance(thing, dict):
        return {key: trusted(value) for key, value in thing.items()}
    if type(thing) is tuple:
        return tuple(trusted(item) for item in thing)
    if isinstance(thing, tuple):
        return type(thing)(*(trusted(item) for item in thing))
    return thing


@dataclass
class Snapshot:
    """The log of the one run of a store.

    Attributes:
        store: The store's directory.
        events: The log; nothing if there is no run.
        runs: The ids of runs that there are.
    """

    store: Path
    events: list[Event] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, store: Path) -> Snapshot:
        """Read a store, and assert that its file is whole."""
        self = cls(store)
        if not (store / "log.sqlite").exists():
            return self
        with tempfile.TemporaryDirectory() as copy:
            for path in store.glob("log.sqlite*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, copy)
            db = sqlite3.connect(Path(copy) / "log.sqlite")
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if db.execute("SELECT * FROM sqlite_master WHERE name = 'log'").fetchone():
                self.runs = [name for (name,) in db.execute("SELECT name FROM run")]
                rows = db.execute("SELECT events FROM log ORDER BY key")
                self.events = [trusted(event) for (text,) in rows for event in decode(text)]
            db.close()
        return self

    @cached_property
    def history(self) -> History:
        """Fold the log."""
        return History.of(self.events)

    @cached_property
    def results(self) -> dict[str, list[CallSucceeded | CallReused]]:
        """Give the successes of each call that has one."""
        found: dict[str, list[CallSucceeded | CallReused]] = {}
        for event in self.events:
            if isinstance(event, CallSucceeded | CallReused):
                found.setdefault(event.call, []).append(event)
        return found

    @property
    def closed(self) -> RunClosed | None:
        """Give the event that ended the run, if it has ended."""
        return self.history.closed

    def blob(self, name: str) -> bytes:
        """Give a blob, asserting that it is what it was."""
        path = self.store / "blobs" / name[:2] / name
        assert path.exists(), f"I6: blob {name} is missing"
        data = path.read_bytes()
        assert digests.fits(name, data), f"I6: blob {name} is damaged"
        return data

    def value(self, call: str) -> object:
        """Give the result of a call."""
        return self.read(self.results[call][-1].result)

    def read(self, stored: payload.Stored) -> object:
        """Give the value of something stored."""
        return payload.unpack(stored, self.value, self.blob)
