"""Saves from a damaged store what can still be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from nbflow.core.errors import StoreError
from nbflow.core.events import RunStarted
from nbflow.core.eventtext import decode
from nbflow.store.account import Account
from nbflow.store.blobs import Blobs
from nbflow.store.cached import blobs_in
from nbflow.store.ids import new_id
from nbflow.store.letters import DIRECTORY, deposit, waiting
from nbflow.store.marks import carry
from nbflow.store.rows import FILE, LogRow, add_run, file_of, flaw_of
from nbflow.store.schema import SCHEMA, SEQ_BITS, set_up, transaction
from nbflow.store.sqlite import SqliteStore

_MAGIC: Final = b"SQLite format 3\0"
_LARGEST: Final = 1 << 40
_LAST: Final = (1 << SEQ_BITS) - 1


def recover(path: str | os.PathLike[str], target: str | os.PathLike[str]) -> Account:
    """Take what can be read of a damaged store to a new one, and say what was lost.

    Of each run the events up to the first that is missing or damaged are kept: what comes after a
    gap would be a log of something that did not happen. The damaged store stays as it is.

    Args:
        path: Its directory.
        target: The directory of the new store, which must not hold one yet.

    Raises:
        StoreError: There is no store, or one where the new one is to be, or nothing can be read.
    """
    directory, new = Path(path).absolute(), Path(target).absolute()
    file = file_of(directory)
    if (new / FILE).exists():
        message = f"there is a store in {new} already: recover to a directory without one"
        raise StoreError(message)
    account = Account(f"recovered from {directory} to {new}")
    with tempfile.TemporaryDirectory(prefix="nbflow-") as aside, _copied(file, Path(aside)) as db:
        runs = dict(_runs(db, account))
        if not runs and account.problems:
            message = f"nothing can be read of {file}: {account.problems[0]}. It was left as it is"
            raise StoreError(message)
        store = SqliteStore(new)
        try:
            _write(store, db, runs, Blobs(directory / "blobs", str(directory)), account)
            _write_letters(directory, new, {row.run for row in store.runs()}, account)
            if notes := carry(directory, new):
                account.add("steps that are done", notes)
        finally:
            store.close()
    return account


def _write_letters(directory: Path, new: Path, runs: set[str], account: Account) -> None:
    """Take along the signals that wait for the runs that were saved, with their large values."""
    blobs = Blobs(directory / "blobs", str(directory))
    for letter in waiting(directory):
        if letter.run not in runs:
            account.problem(f"signal {letter.name} was for run {letter.run}, which is lost")
            continue
        for digest in blobs_in(letter.text):
            with account.noting(f"signal {letter.name} to run {letter.run}"):
                Blobs(new / "blobs", str(new)).put(blobs.get(digest), name=digest)
        deposit(new / DIRECTORY, letter)
        account.add("signals that wait")


@contextlib.contextmanager
def _copied(file: Path, aside: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a damaged file, with a new header if its own is gone."""
    copy = aside / FILE
    for end in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{file}{end}", f"{copy}{end}")
    with copy.open("r+b") as raw:
        if raw.read(16) != _MAGIC:
            size = copy.stat().st_size
            raw.seek(0)
            raw.write(_header(aside, size))
        _pad(raw)
    try:
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            if db.execute("PRAGMA user_version").fetchone() != (SCHEMA,):
                set_up(db, str(file.parent))
            yield db
    except sqlite3.Error as error:
        message = f"nothing can be read of {file}: {error}. It was left as it is"
        raise StoreError(message) from error


def _pad(raw: BinaryIO) -> None:
    """Give a file that was cut off its size again: SQLite reads nothing of it otherwise."""
    raw.seek(16)
    head = raw.read(16)
    page, pages = int.from_bytes(head[:2], "big"), int.from_bytes(head[12:16], "big")
    size = min(page * pages, _LARGEST)
    if raw.seek(0, os.SEEK_END) < size:
        raw.truncate(size)


def _header(aside: Path, size: int) -> bytes:
    """Give the header of a store of so many bytes: as that of a new one, but for the size."""
    fresh = aside / "fresh"
    SqliteStore(fresh).close()
    header = bytearray((fresh / FILE).read_bytes()[:100])
    page = int.from_bytes(header[16:18], "big")
    header[28:32] = (size // page).to_bytes(4, "big")
    header[32:40] = bytes(8)  # no free pages
    return bytes(header)


def _runs(db: sqlite3.Connection, account: Account) -> Iterator[tuple[int, str]]:
    """Give the numbers and names of all runs, as far as they can be read."""
    known: dict[int, str] = {}
    try:
        known.update(db.execute("SELECT id, name FROM run ORDER BY id"))  # those before an error
    except sqlite3.Error as error:
        account.problem(f"the list of runs: {error}; runs that are not in it get new ids")
    yield from known.items()
    number = -1
    with contextlib.suppress(sqlite3.Error):
        while True:
            found = db.execute(
                "SELECT key FROM log WHERE key >= ? ORDER BY key LIMIT 1",
                ((number + 1) << SEQ_BITS,),
            ).fetchone()
            if found is None:
                return
            number = found[0] >> SEQ_BITS
            if number not in known:
                yield number, ""


def _write(
    store: SqliteStore,
    db: sqlite3.Connection,
    runs: dict[int, str],
    blobs: Blobs,
    account: Account,
) -> None:
    wanted: dict[str, str] = {}
    into = sqlite3.connect(store.directory / FILE, timeout=30, isolation_level=None)
    with contextlib.closing(into), transaction(into):
        for number, known in runs.items():
            texts, lost = _sound(db, number)
            if not texts:
                account.problem(f"run {known or number}: all of it is lost: {lost or 'no events'}")
                continue
            name = known or _name(texts[0])
            add_run(into, name, texts)
            account.add("runs")
            if lost:
                account.problem(f"run {name}: {lost}")
            for text in texts:
                wanted.update(dict.fromkeys(blobs_in(text), name))
    for digest, run in wanted.items():
        try:
            store.put(blobs.get(digest), name=digest)
            account.add("blobs")
        except StoreError as error:
            account.problem(f"run {run}: {error}")


def _name(text: str) -> str:
    started = next(decode(text), None)
    return new_id(started.workflow if isinstance(started, RunStarted) else "run")


def _sound(db: sqlite3.Connection, run: int) -> tuple[list[str], str]:
    """Give the rows of a run up to the first flaw, and what is lost behind them."""
    texts: list[str] = []
    key, end, last = run << SEQ_BITS, (run << SEQ_BITS) | _LAST, 0
    statement = (
        "SELECT key, last, events, sum FROM log WHERE key > ? AND key <= ? ORDER BY key LIMIT 1"
    )
    while True:
        try:
            found = db.execute(statement, (key, end)).fetchone()
        except sqlite3.Error as error:
            return texts, f"events from {last + 1} on are lost: {error}"
        if found is None:
            return texts, ""
        row = LogRow(*found)
        flaw = flaw_of(row, last)
        if flaw:
            return texts, f"events from {last + 1} on are lost: {flaw}"
        texts.append(row.events)
        key, last = row.key, row.last
