"""What is known here of the runs of a service that were started from here, so they are found again.

A file a run, beside the store of this machine's own runs: its id, how the service is reached, and
which processes drive it. No credentials, no values. Which process drives a run is told by a lock,
which goes with that process, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from nbflow.store.base import RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """What is noted of one run.

    Attributes:
        run: Its id; the name that a person gave it begins behind `Notes.before` slashes.
        workflow: Name of its workflow.
        created: When it was started, in seconds since the epoch.
        options: How the service was asked for.
        crew: The processes that drive it, as the service's `Crew.write` gives them; "" if others
            do.
        execution: The execution that stands for it; "" for the one that is called after it.
        status: How it ended; "" while that is not known.
        closed: When it ended, in seconds since the epoch; None while that is not known.
    """

    run: str
    workflow: str
    created: float
    options: dict[str, Any] = field(default_factory=dict)
    crew: str = ""
    execution: str = ""
    status: str = ""
    closed: float | None = None

    def row(self, on: str) -> RunRow:
        """Give it as a row of the list of runs."""
        return RunRow(
            run=self.run,
            workflow=self.workflow,
            status=self.status or "running",
            on=on,
            created=self.created,
            closed=self.closed,
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what was written as JSON."""
        return cls(**json.loads(text))


class Notes:
    """The notes in a directory.

    Args:
        directory: Where they are. It is made when the first one is written.
        before: How many parts of a run's id, with a slash behind each, are before its name.
    """

    def __init__(self, directory: Path, before: int) -> None:
        self.directory, self.before = directory, before

    def put(self, note: RunNote) -> None:
        """Write a note, in the place of an earlier one of the run."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self._file(note.run, "json")
        fresh = target.with_suffix(f".{secrets.token_hex(6)}")
        fresh.write_text(json.dumps(asdict(note)))
        fresh.replace(target)

    def close(self, run: str, status: str, at: float) -> None:
        """Note how a run ended."""
        found = self.get(run)
        if found is not None and not found.status:
            self.put(replace(found, status=status, closed=at))

    def get(self, run: str) -> RunNote | None:
        """Give what is noted of a run, or None."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return RunNote.read(self._file(run, "json").read_text())
        return None

    def drop(self, run: str) -> None:
        """Forget a run that was not started after all."""
        with contextlib.suppress(OSError):
            self._file(run, "json").unlink()

    def all(self) -> list[RunNote]:
        """Give all of them, the latest first. What cannot be read is left out."""
        found = []
        for path in self.directory.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(RunNote.read(path.read_text()))
        return sorted(found, key=lambda note: note.created, reverse=True)

    def of(self, options: dict[str, Any]) -> list[RunNote]:
        """Give those of a service that was asked for like this, the latest first."""
        return [note for note in self.all() if note.options == options]

    def reached(self) -> list[dict[str, Any]]:
        """Give how services were asked for, each way once."""
        found = {json.dumps(note.options, sort_keys=True): note.options for note in self.all()}
        return list(found.values())

    def find(self, text: str) -> list[RunNote]:
        """Give those whose id or name is or begins with a text, the latest first."""
        exact = self.get(text)
        if exact is not None or not text:
            return [exact] if exact is not None else []
        return [n for n in self.all() if n.run.startswith(text) or self._name(n).startswith(text)]

    def _name(self, note: RunNote) -> str:
        return note.run.split("/", 2)[self.before]

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

    def _file(self, run: str, kind: str) -> Path:
        return self.directory / f"{hashlib.sha256(run.encode()).hexdigest()[:32]}.{kind}"
