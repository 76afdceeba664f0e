"""Logs in an SQLite file, blobs in files beside it.

One row of ``log`` is one append: the events of a turn as one text. So an append is one statement,
which SQLite makes one transaction. It adds its row only where the rows of the run end: a second
writer, who does not know the latest row, adds nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Final

from nbflow.core import payload
from nbflow.core.errors import RunNotFound, StoreConflict, StoreError, StoreUnusable
from nbflow.core.events import Event, RunClosed, RunResumed, RunStarted, decode, encode
from nbflow.store.base import Durability, RunRow
from nbflow.store.lease import Lease
from nbflow.store.schema import SEQ_BITS, set_up, transaction
from nbflow.store.sqlite_cache import SqliteCache

_PAGE: Final = 200
_BUSY_SECONDS: Final = 30.0
_CHECKPOINT: Final = 10_000
"""Pages of 4 KiB that the write-ahead log may grow to before they are moved into the file."""
_LAST: Final = (1 << SEQ_BITS) - 1
_INSERT: Final = "INSERT INTO log VALUES (?,?,?)"


class SqliteStore:
    """Keeps logs in ``log.sqlite`` in a directory of its own.

    Ordinary appends survive the end of the process, however it comes. A run's creation and its
    end are synced to the disk as well, so they survive a power cut.

    Args:
        directory: Where to keep everything; made if it is missing.
        durability: ``"power"`` syncs every append.

    Raises:
        StoreUnusable: What is there is no nbflow store, or one of a newer nbflow.
        StoreError: It cannot be opened.
    """

    def __init__(
        self, directory: str | os.PathLike[str], durability: Durability = "process"
    ) -> None:
        self._level = {"process": "NORMAL", "power": "FULL"}[durability]
        self.directory = Path(directory).absolute()
        self.path = str(self.directory)
        self._file = self.directory / "log.sqlite"
        self._file_name = str(self._file)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._ends: dict[int, int] = {}
        self._closed = False
        try:
            self._prepare()
            self._db = self._connect()
            try:
                set_up(self._db, self.path)
                self._identity = self._found()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.DatabaseError as error:
            raise self._error("opened", error) from error
        except OSError as error:
            message = f"the store {self.path} cannot be opened: {error}"
            raise StoreError(message) from error
        self.cache = SqliteCache(self._db, self._reading, self._writing, self.directory / "blobs")

    def _prepare(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only where there is nothing else: the directory may be somebody's project.
        if not any(self.directory.iterdir()):
            (self.directory / ".gitignore").write_text("*\n")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._file, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
        db.execute(f"PRAGMA synchronous={self._level}")
        db.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")
        return db

    def _found(self) -> tuple[int, int]:
        found = os.stat(self._file_name)  # noqa: PTH116 - at every append: a Path costs twice
        return found.st_dev, found.st_ino

    # ------------------------------------------------------------ writing

    def create(self, run: str, event: RunStarted) -> None:
        """See `Store.create`."""
        with self._writing(run), self._synced(), self._transaction():
            try:
                cursor = self._db.execute(
                    "INSERT INTO run(name, workflow, place, status, created) VALUES (?,?,?,?,?)",
                    (run, event.workflow, event.on, "running", event.at),
                )
            except sqlite3.IntegrityError:
                message = f"a run {run} exists already"
                raise StoreConflict(message) from None
            row = cursor.lastrowid
            assert row is not None  # noqa: S101 - an INSERT has one
            self._insert(row, event.seq, event.seq, encode([event]))
            self._ids[run] = row

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        """See `Store.append`."""
        first, last, text = events[0], events[-1], encode(events)
        row = self._ids.get(run, 0)
        if (
            self._ends.get(row) != first.seq - 1
            or sync
            or isinstance(last, RunClosed)
            or isinstance(first, RunResumed)
        ):
            self._append_with_care(run, events, text, sync=sync)
            return
        # What nearly every append is. Whoever else wrote to the run since it was last written to
        # here began with this same number, so the key alone refuses the row.
        self._check_process()
        with self._lock:
            self._check_there()
            self._ends[row] = -1
            try:
                self._db.execute(_INSERT, (row << SEQ_BITS | first.seq, last.seq, text))
            except sqlite3.Error as error:
                raise self._refusal(run, error) from error
            self._ends[row] = last.seq

    def _append_with_care(
        self, run: str, events: Sequence[Event], text: str, *, sync: bool
    ) -> None:
        first, last = events[0], events[-1]
        with self._writing(run):
            row = self._id(run)
            if isinstance(last, RunClosed):
                self._append_with_status(row, events, text, last.status, last.at)
            elif isinstance(first, RunResumed):
                self._append_with_status(row, events, text, "running", None)
            elif sync:
                with self._synced():
                    self._insert(row, first.seq, last.seq, text)
            else:
                self._insert(row, first.seq, last.seq, text)

    def _append_with_status(
        self, row: int, events: Sequence[Event], text: str, status: str, closed: float | None
    ) -> None:
        with self._synced(), self._transaction():
            self._insert(row, events[0].seq, events[-1].seq, text)
            self._db.execute(
                "UPDATE run SET status = ?, closed = ? WHERE id = ?", (status, closed, row)
            )

    def _insert(self, row: int, first: int, last: int, text: str) -> None:
        """Add a row if it begins where the run ends."""
        self._ends[row] = -1
        key = row << SEQ_BITS
        cursor = self._db.execute(
            "INSERT INTO log SELECT ?,?,? WHERE ? = 1 + coalesce((SELECT last FROM log "
            "WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1), 0)",
            (key | first, last, text, first, key, key | _LAST),
        )
        if cursor.rowcount != 1:
            message = f"event {first} is not the next one of the run"
            raise sqlite3.IntegrityError(message)
        self._ends[row] = last

    @contextlib.contextmanager
    def _writing(self, run: str) -> Iterator[None]:
        with self._open():
            self._check_there()
            try:
                yield
            except sqlite3.Error as error:
                raise self._refusal(run, error) from error

    def _refusal(self, run: str, error: sqlite3.Error) -> StoreError:
        if isinstance(error, sqlite3.IntegrityError):
            return StoreConflict(f"somebody else wrote to run {run}: it has one owner at a time")
        return self._error("written", error)

    def _check_there(self) -> None:
        # SQLite goes on writing to a file that was deleted or replaced, as if nothing were wrong.
        try:
            there = self._found() == self._identity
        except OSError:
            there = False
        if not there:
            message = f"{self._file} was deleted or replaced while it was in use"
            raise StoreError(message)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with transaction(self._db):
                yield
        except BaseException:
            self._ends.clear()  # what they say may have been taken back
            raise

    @contextlib.contextmanager
    def _synced(self) -> Iterator[None]:
        self._db.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA synchronous={self._level}")

    # ------------------------------------------------------------ who drives a run

    def hold(self, run: str, lease: Lease, *, force: bool = False) -> Lease | None:
        """See `Store.hold`."""
        with self._writing(run), self._transaction():
            row = self._id(run)
            held = self._lease(row)
            if held is not None and not force and held.blocks(lease, time.time()):
                return held
            self._db.execute(
                "INSERT OR REPLACE INTO lease VALUES (?,?,?,?,?,?,?)", (row, *astuple(lease))
            )
            return None

    def release(self, run: str, lease: Lease) -> None:
        """See `Store.release`."""
        with self._writing(run):
            self._db.execute(
                "DELETE FROM lease WHERE run = ? AND token = ?", (self._id(run), lease.token)
            )

    def holder(self, run: str) -> Lease | None:
        """See `Store.holder`."""
        with self._reading():
            held = self._lease(self._id(run))
        return held if held is not None and held.alive(time.time()) else None

    def _lease(self, row: int) -> Lease | None:
        found = self._db.execute(
            "SELECT host, pid, born, token, since, seen FROM lease WHERE run = ?", (row,)
        ).fetchone()
        if found is None:
            return None
        host, pid, born, token, since, seen = found
        return Lease(host=host, pid=pid, born=born, token=token, since=since, seen=seen)

    # ------------------------------------------------------------ reading

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Store.events`. Reads page by page, so that a long log needs no more memory."""
        with self._reading():
            row = self._id(run)
        return self._pages(row, after)

    def _pages(self, row: int, after: int) -> Iterator[Event]:
        key = row << SEQ_BITS
        while True:
            with self._reading():
                page = self._db.execute(
                    "SELECT last, events FROM log WHERE key >= coalesce((SELECT key FROM log "
                    "WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1), ?) "
                    "AND key <= ? AND last > ? ORDER BY key LIMIT ?",
                    (key, key | (after + 1), key, key | _LAST, after, _PAGE),
                ).fetchall()
            if not page:
                return
            for _, text in page:
                for event in self._decoded(text):
                    if event.seq > after:
                        yield event
            after = page[-1][0]

    def _decoded(self, text: str) -> list[Event]:
        try:
            return list(decode(text))
        except (ValueError, TypeError, LookupError) as error:
            message = f"a log in {self._file} is damaged: {type(error).__name__}: {error}"
            raise StoreUnusable(message) from error

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """See `Store.runs`."""
        with self._reading():
            rows = self._db.execute(
                "SELECT name, workflow, status, place, created, closed FROM run "
                "ORDER BY id DESC LIMIT ?",
                (-1 if limit is None else limit,),
            ).fetchall()
        return [
            RunRow(run=name, workflow=workflow, status=status, on=on, created=at, closed=closed)
            for name, workflow, status, on, at, closed in rows
        ]

    def _id(self, run: str) -> int:
        row = self._ids.get(run)
        if row is None:
            found = self._db.execute("SELECT id FROM run WHERE name = ?", (run,)).fetchone()
            if found is None:
                message = f"no run {run} in {self.path}"
                raise RunNotFound(message)
            row = self._ids[run] = found[0]
        return row

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._open():
            try:
                yield
            except sqlite3.Error as error:
                raise self._error("read", error) from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        self._check_process()
        with self._lock:
            if self._closed:
                message = f"the store {self.path} is closed"
                raise StoreError(message)
            yield

    def _check_process(self) -> None:
        if self._pid != os.getpid():  # the lock may be held there by a thread that is not here
            message = "a store cannot be used in a forked process: open it there anew"
            raise StoreError(message)

    # ------------------------------------------------------------ blobs

    def put(self, data: bytes) -> str:
        """See `Store.put`. The file is whole and on the disk before this returns."""
        name = payload.digest(data)
        path = self._blob(name)
        with contextlib.suppress(OSError):
            os.utime(path)  # it is in use again: `SqliteCache.sweep` leaves young ones alone
            return name
        temporary = path.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            message = f"a value of {len(data)} bytes cannot be kept in {self.path}: {error}"
            raise StoreError(message) from error
        return name

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        try:
            data = self._blob(digest).read_bytes()
        except OSError as error:
            message = f"blob {digest} is missing from {self.path}: {error}"
            raise StoreError(message) from error
        if payload.digest(data) != digest:
            message = f"blob {digest} in {self.path} is damaged"
            raise StoreError(message)
        return data

    def _blob(self, digest: str) -> Path:
        if not (digest.isalnum() and digest.isascii()):
            message = f"{digest!r} is not the name of a blob"
            raise StoreError(message)
        return self.directory / "blobs" / digest[:2] / digest

    # ------------------------------------------------------------ end

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._ends.clear()  # so that an append looks, and sees that it is closed
                self._db.close()

    def _error(self, what: str, error: sqlite3.Error) -> StoreError:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
            message = (
                f"{self._file} is not an SQLite file, or is damaged ({error}). Nothing in it was "
                "changed: move it away to begin anew, or restore it from a copy"
            )
            return StoreUnusable(message)
        if name == "SQLITE_BUSY":
            message = f"the store {self.path} was busy for {_BUSY_SECONDS:g} s: who writes to it?"
            return StoreError(message)
        message = f"the store {self.path} cannot be {what}: {error} ({name})"
        return StoreError(message)
