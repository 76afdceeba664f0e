"""What is known here of the runs that were started from here, so that they are found again.

A file a run, beside the store of this machine's own runs: its id, how the service is reached, and
which processes drive it. No credentials, no values. Which process drives a run is told by a lock,
which goes with that process, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from nbflow.services.swf.crew import Crew


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """What is noted of one run.

    Attributes:
        run: Its id, ``domain/workflow id/run id``.
        workflow: Name of its workflow.
        created: When it was started, in seconds since the epoch.
        options: How the service was asked for.
        crew: The processes that drive it; None if others do.
        status: How it ended; "" while that is not known.
        closed: When it was seen to have ended.
    """

    run: str
    workflow: str
    created: float
    options: dict[str, Any] = field(default_factory=dict)
    crew: Crew | None = None
    status: str = ""
    closed: float | None = None

    def write(self) -> str:
        """Give it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `write` wrote."""
        found = json.loads(text)
        crew = found.pop("crew")
        return cls(crew=Crew.read(json.dumps(crew)) if crew else None, **found)


class Notes:
    """The notes in a directory.

    Args:
        directory: Where they are. It is made when the first one is written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, note: RunNote) -> None:
        """Write a note, in the place of an earlier one of the run."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self._file(note.run, "json")
        fresh = target.with_suffix(f".{os.getpid()}")
        fresh.write_text(note.write())
        fresh.replace(target)

    def close(self, run: str, status: str, at: float) -> None:
        """Note how a run ended."""
        found = self.get(run)
        if found is not None and not found.status:
            self.put(replace(found, status=status, closed=at))

    def get(self, run: str) -> RunNote | None:
        """Give what is noted of a run, or None."""
        try:
            return RunNote.read(self._file(run, "json").read_text())
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def all(self) -> list[RunNote]:
        """Give all of them, the latest first. What cannot be read is left out."""
        found = []
        for path in self.directory.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                found.append(RunNote.read(path.read_text()))
        return sorted(found, key=lambda note: note.created, reverse=True)

    def find(self, text: str) -> list[RunNote]:
        """Give those whose id, or workflow id, is or begins with a text.

        Of several executions of one workflow id the latest is meant.
        """
        exact = self.get(text)
        if exact is not None or not text:
            return [exact] if exact is not None else []
        found: dict[str, RunNote] = {}
        for note in self.all():
            if note.run.startswith(text) or _name(note).startswith(text):
                found.setdefault(note.run.rpartition("/")[0], note)
        same = [found[name] for name in found if text in {name, name.partition("/")[2]}]
        return same or list(found.values())

    def hold(self, run: str) -> int | None:
        """Become the process that drives a run; give what `release` takes, None if one does."""
        import fcntl  # noqa: PLC0415 - not on every system

        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(self._file(run, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return None
        return held

    def release(self, held: int) -> None:
        """Let another process drive the run."""
        os.close(held)

    def is_held(self, run: str) -> bool:
        """Whether a process drives a run."""
        held = self.hold(run)
        if held is not None:
            self.release(held)
        return held is None

    def runs(self) -> Iterator[str]:
        """Give the ids of all runs that are noted."""
        return (note.run for note in self.all())

    def _file(self, run: str, kind: str) -> Path:
        return self.directory / f"{hashlib.sha256(run.encode()).hexdigest()[:32]}.{kind}"


def _name(note: RunNote) -> str:
    return note.run.split("/", 2)[1]
