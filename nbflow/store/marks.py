"""Which steps are done: notes beside the logs that runs leave for later runs.

A note is a file of its own, which is renamed into its place when it is whole. So any number of
processes may leave them, and one that is there is whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote, unquote

from nbflow.core.errors import StoreError
from nbflow.core.stepnotes import Mark

DIRECTORY: Final = "steps"
"""Where the notes of a store are in its own directory."""
_PREFIX: Final = "="
"""Begins each name, so that none is hidden or leads elsewhere."""


class Marks(Protocol):
    """The notes of a store. Every method may be called from any thread."""

    def done(self, scope: str, /) -> dict[str, Mark]:
        """Give the steps of a scope that are done, by name."""

    def mark(self, scope: str, step: str, mark: Mark, /) -> None:
        """Note that a step is done. Once this returns it survives the end of the power.

        Raises:
            StoreError: It could not be written.
        """

    def forget(self, scope: str, step: str, /) -> None:
        """Drop a note; one that is no longer there is no error."""

    def scopes(self) -> list[str]:
        """Give the scopes that there are notes of, sorted."""


class MemoryMarks:
    """Notes that live as long as the process."""

    def __init__(self) -> None:
        self._marks: dict[str, dict[str, Mark]] = {}
        self._lock = threading.Lock()

    def done(self, scope: str, /) -> dict[str, Mark]:
        """See `Marks.done`."""
        with self._lock:
            return dict(sorted(self._marks.get(scope, {}).items()))

    def mark(self, scope: str, step: str, mark: Mark, /) -> None:
        """See `Marks.mark`."""
        with self._lock:
            self._marks.setdefault(scope, {})[step] = mark

    def forget(self, scope: str, step: str, /) -> None:
        """See `Marks.forget`."""
        with self._lock:
            found = self._marks.get(scope, {})
            found.pop(step, None)
            if not found:
                self._marks.pop(scope, None)

    def scopes(self) -> list[str]:
        """See `Marks.scopes`."""
        with self._lock:
            return sorted(self._marks)


class FileMarks:
    """Notes as files, one each, in a directory for each scope.

    Args:
        directory: Where they are; made when the first is left.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def done(self, scope: str, /) -> dict[str, Mark]:
        """See `Marks.done`; what cannot be read is no note."""
        found: dict[str, Mark] = {}
        for name in _names(self._box(scope)):
            with contextlib.suppress(OSError, ValueError, TypeError):
                run, at = json.loads((self._box(scope) / name).read_text(encoding="utf-8"))
                found[unquote(name[1:])] = Mark(str(run), float(at))
        return dict(sorted(found.items()))

    def mark(self, scope: str, step: str, mark: Mark, /) -> None:
        """See `Marks.mark`."""
        box = self._box(scope)
        temporary = box / f".{secrets.token_hex(8)}"
        try:
            box.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(json.dumps(mark))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(box / _file(step))
            _sync(box)
        except OSError as error:
            message = f"that step {step} of {scope} is done could not be written: {error}"
            raise StoreError(message) from error

    def forget(self, scope: str, step: str, /) -> None:
        """See `Marks.forget`."""
        with contextlib.suppress(OSError):
            (self._box(scope) / _file(step)).unlink()
            self._box(scope).rmdir()  # if it was the last

    def scopes(self) -> list[str]:
        """See `Marks.scopes`."""
        return sorted(unquote(name[1:]) for name in _names(self._directory))

    def _box(self, scope: str) -> Path:
        return self._directory / _file(scope)


def carry(old: Path, new: Path) -> int:
    """Copy the notes of one store's directory to that of another; give how many there were.

    Raises:
        StoreError: One could not be written.
    """
    source, target, count = FileMarks(old / DIRECTORY), FileMarks(new / DIRECTORY), 0
    for scope in source.scopes():
        for step, mark in source.done(scope).items():
            target.mark(scope, step, mark)
            count += 1
    return count


def _file(name: str) -> str:
    return _PREFIX + quote(name, safe="")


def _names(directory: Path) -> list[str]:
    try:
        return [file.name for file in directory.iterdir() if file.name.startswith(_PREFIX)]
    except OSError:
        return []


def _sync(directory: Path) -> None:
    """Have the disk know a new name in a directory."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
