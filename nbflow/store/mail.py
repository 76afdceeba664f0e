"""Signals on their way to a run: kept until whoever drives the run has them in its log.

Whoever sends one may be another process than the one that drives the run, and nobody may drive
it just now. So a signal is a letter beside the log first, a file of its own that is renamed into
its place when it is whole.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nbflow.core.errors import StoreError
from nbflow.core.events import SignalReceived
from nbflow.core.eventtext import decode, encode
from nbflow.core.seals import Seal
from nbflow.store.letters import Letter, box_of, deposit, new_name

Letters = list[tuple[str, SignalReceived]]
"""Signals with the names that they are dropped by, in the order in which they were sent."""


class Mail(Protocol):
    """The letters of a store. Every method may be called from any thread."""

    def post(self, run: str, letter: SignalReceived, /) -> None:
        """Keep a signal for a run. Once this returns it survives the end of the process.

        Raises:
            StoreError: It could not be written.
        """

    def letters(self, run: str, /) -> Letters:
        """Give the signals that wait for a run."""

    def drop(self, run: str, letter: str, /) -> None:
        """Forget a letter; one that is no longer there is no error."""


class MemoryMail:
    """Letters that live as long as the process."""

    def __init__(self) -> None:
        self._letters: dict[str, dict[str, SignalReceived]] = {}
        self._lock = threading.Lock()
        self._count = 0

    def post(self, run: str, letter: SignalReceived, /) -> None:
        """See `Mail.post`."""
        with self._lock:
            self._count += 1
            self._letters.setdefault(run, {})[str(self._count)] = letter

    def letters(self, run: str, /) -> Letters:
        """See `Mail.letters`."""
        with self._lock:
            return list(self._letters.get(run, {}).items())

    def all(self) -> list[SignalReceived]:
        """Give the signals that wait for any run."""
        with self._lock:
            return [letter for box in self._letters.values() for letter in box.values()]

    def drop(self, run: str, letter: str, /) -> None:
        """See `Mail.drop`."""
        with self._lock:
            self._letters.get(run, {}).pop(letter, None)


class FileMail:
    """Letters as files, one each.

    Args:
        directory: Where they are; made when the first is sent.
        seal: Gives the key that pickled values are signed by.
    """

    def __init__(self, directory: Path, seal: Callable[[], Seal | None]) -> None:
        self._directory = directory
        self._seal = seal

    def post(self, run: str, letter: SignalReceived, /) -> None:
        """See `Mail.post`."""
        text = encode([letter], run, self._seal())
        try:
            deposit(self._directory, Letter(run, new_name(), text))
        except OSError as error:
            message = f"signal {letter.name} to run {run} could not be written: {error}"
            raise StoreError(message) from error

    def letters(self, run: str, /) -> Letters:
        """See `Mail.letters`; what cannot be read is no letter."""
        box = self._box(run)
        try:
            names = sorted(file.name for file in box.iterdir() if not file.name.startswith("."))
        except OSError:
            return []
        found: Letters = []
        for name in names:
            with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
                text = (box / name).read_text(encoding="utf-8")
                for event in decode(text, run, self._seal()):
                    if isinstance(event, SignalReceived):
                        found.append((name, event))
        return found

    def drop(self, run: str, letter: str, /) -> None:
        """See `Mail.drop`."""
        box = self._box(run)
        with contextlib.suppress(OSError):
            (box / letter).unlink()
            box.rmdir()  # if it was the last

    def _box(self, run: str) -> Path:
        return box_of(self._directory, run)
