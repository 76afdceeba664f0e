"""The letters of a store as files, for those who look after stores."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

DIRECTORY: Final = "mail"
_NAME: Final = re.compile(r"\d{20}-[0-9a-f]{8}")


class Letter(NamedTuple):
    """A signal that waits for a run.

    Attributes:
        run: Its id.
        name: Name of the file: the time at which it was sent, and chance.
        text: The signal as an event, written by `nbflow.core.eventtext`.
    """

    run: str
    name: str
    text: str


def box_of(directory: Path, run: str) -> Path:
    """Give where the letters of a run are, below the directory of letters."""
    return directory / quote(run, safe="")


def new_name() -> str:
    """Give a name that sorts by the time."""
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"


def waiting(store: Path) -> Iterator[Letter]:
    """Give the letters of a store's directory, those of a run in the order of sending.

    Raises:
        OSError: One cannot be read. That it is gone meanwhile is no error.
    """
    for box in sorted((store / DIRECTORY).glob("*")):
        for path in sorted(box.glob("[!.]*")):
            with contextlib.suppress(FileNotFoundError):
                text = path.read_text(encoding="utf-8", errors="replace")
                yield Letter(unquote(box.name), path.name, text)


def deposit(directory: Path, letter: Letter) -> None:
    """Keep a letter, whole or not at all; one of the same name is replaced.

    Args:
        directory: That of letters.
        letter: The letter; a name that is none is changed.

    Raises:
        OSError: It cannot be written.
    """
    name = letter.name if _NAME.fullmatch(letter.name) else new_name()
    box = box_of(directory, letter.run)
    box.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = box / f".{name}"
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(letter.text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(box / name)
