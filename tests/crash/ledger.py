"""What happened outside the store: a file that processes append to, one write a line."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One thing that happened.

    Attributes:
        pid: The process that says so, and
        parent: its parent, and
        session: its session.
        kind: ``begun``, ``started``, ``effect``, ``seen``, ``value``, ``told`` or ``killed``.
        what: The rest, by kind.
    """

    pid: int
    parent: int
    session: int
    kind: str
    what: tuple[Any, ...]


class Ledger:
    """The file, to be written to. A line is there once `write` returns, whatever dies then."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, kind: str, *what: Any) -> None:
        """Append one line."""
        line = json.dumps([os.getpid(), os.getppid(), os.getsid(0), kind, what])
        data = line.encode() + b"\n"
        assert os.write(self._file, data) == len(data)

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[Line]:
    """Give all lines so far."""
    if not path.exists():
        return []
    lines = [Line(*json.loads(line)) for line in path.read_bytes().splitlines()]
    return [line._replace(what=tuple(line.what)) for line in lines]


def short(value: object) -> str:
    """Give a digest of a value that tells it from any other."""
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
