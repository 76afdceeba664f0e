"""The rows of a store's file, read one by one: for those who look after stores."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from nbflow.core.errors import StoreError, StoreUnusable
from nbflow.core.events import RunClosed, RunResumed, RunStarted
from nbflow.core.eventtext import decode
from nbflow.store.opening import BUSY_SECONDS, connect_uri, error_of, refuse_file, why_readonly
from nbflow.store.schema import SEQ_BITS, checksum

FILE: Final = "log.sqlite"
STATUSES: Final = frozenset({"running", "completed", "failed", "cancelled", "continued"})
_LAST: Final = (1 << SEQ_BITS) - 1


class LogRow(NamedTuple):
    """A row of ``log``; the fields may hold anything if the file is damaged."""

    key: int
    last: Any
    events: Any
    sum: Any

    @property
    def first(self) -> int:
        """The number of its first event."""
        return self.key & _LAST


class RunLine(NamedTuple):
    """A row of ``run``."""

    id: int
    name: str
    workflow: str
    place: str
    status: str
    created: float
    closed: float | None


def file_of(directory: Path) -> Path:
    """Give the file of a store.

    Raises:
        StoreError: There is none.
    """
    refuse_file(directory)
    file = directory / FILE
    if file.is_dir():
        message = f"{file} is a directory, and no store. Move it away to begin anew"
        raise StoreError(message)
    if not file.is_file():
        message = f"there is no store in {directory}: it has no file {FILE}"
        raise StoreError(message)
    return file


@contextlib.contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a file to be read, whatever its state and its directory's."""
    address = f"file:{urllib.parse.quote(str(file))}?mode=ro"
    try:
        db = connect_uri(address)
    except sqlite3.OperationalError:
        db = connect_uri(f"{address}&immutable=1")
    with contextlib.closing(db):
        yield db


@contextlib.contextmanager
def writing(file: Path, kept: str = "Nothing was changed") -> Iterator[sqlite3.Connection]:
    """Open the file of a store that was opened before, to change what is in it.

    Args:
        file: The file.
        kept: What is said to be as it was, should it fail.

    Raises:
        StoreError: It cannot be written.
    """
    if why := why_readonly(file):
        message = f"the store {file.parent} can be looked at only: {why}. {kept}"
        raise StoreError(message)
    db = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        with contextlib.closing(db):
            yield db
    except sqlite3.Error as error:
        found = error_of(file, "written", error, then="try again")
        if isinstance(found, StoreUnusable):
            raise found from error
        message = f"{found}. {kept}"
        raise StoreError(message) from error


def run_rows(db: sqlite3.Connection) -> list[RunLine]:
    """Give all runs, in the order of their creation."""
    columns = ", ".join(RunLine._fields)
    return [RunLine(*row) for row in db.execute(f"SELECT {columns} FROM run ORDER BY id")]  # noqa: S608


def log_rows(db: sqlite3.Connection, run: int) -> Iterator[LogRow]:
    """Give the rows of a run's log in their order, a page at a time."""
    key, end = run << SEQ_BITS, (run << SEQ_BITS) | _LAST
    statement = (
        "SELECT key, last, events, sum FROM log WHERE key > ? AND key <= ? ORDER BY key LIMIT 200"
    )
    while page := db.execute(statement, (key, end)).fetchall():
        for row in page:
            yield LogRow(*row)
        key = page[-1][0]


def flaw_of(row: LogRow, before: int) -> str:
    """Say what is wrong with a row that follows event `before`; "" if nothing is."""
    if not isinstance(row.events, str) or not isinstance(row.last, int):
        return "they are not as nbflow writes them"
    if row.sum is not None and row.sum != checksum(row.events):
        return "their bytes are not those that were written"
    if row.first != before + 1:
        return f"event {before + 1} is missing before them"
    try:
        numbers = [event.seq for event in decode(row.events)]
        wrong = bool(numbers) and (numbers[-1] > row.last or sorted(set(numbers)) != numbers)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return f"they cannot be read ({type(error).__name__}: {error})"
    return "their numbers are wrong" if wrong else ""


def add_run(db: sqlite3.Connection, name: str, texts: Iterable[str]) -> None:
    """Write a run, of the events of its log.

    Args:
        db: The connection, within a transaction.
        name: Its id; the caller has seen to it that it is free.
        texts: The rows of its log; `flaw_of` has found nothing.
    """
    texts = list(texts)
    started, status, closed = None, "running", None
    for text in texts:
        for event in decode(text):
            if isinstance(event, RunStarted):
                started = event
            elif isinstance(event, RunClosed):
                status, closed = event.status, event.at
            elif isinstance(event, RunResumed):
                status, closed = "running", None
    if started is None or status not in STATUSES:
        message = f"run {name} does not begin as runs do"
        raise StoreError(message)
    values = (name, started.workflow, started.on, status, started.at, closed)
    cursor = db.execute(
        "INSERT INTO run(name, workflow, place, status, created, closed) VALUES (?,?,?,?,?,?)",
        values,
    )
    first = 1
    for text in texts:
        last = json.loads(text)[-1][1][0]
        key = (cursor.lastrowid or 0) << SEQ_BITS | first
        db.execute("INSERT INTO log VALUES (?,?,?,?)", (key, last, text, checksum(text)))
        first = last + 1
