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
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from nbflow.core.buffers import Bytes
from nbflow.core.errors import PickleRefused, RunNotFound, StoreConflict, StoreError
from nbflow.core.events import Event, RunClosed, RunResumed, RunStarted
from nbflow.core.eventtext import encode
from nbflow.core.seals import pickles_in
from nbflow.store import sqlite_lease
from nbflow.store.base import Durability, RunRow
from nbflow.store.blobs import Blobs
from nbflow.store.checkpoints import Checkpoints
from nbflow.store.lease import Lease
from nbflow.store.letters import DIRECTORY
from nbflow.store.mail import FileMail
from nbflow.store.marks import DIRECTORY as STEPS
from nbflow.store.marks import FileMarks
from nbflow.store.opening import error_of, open_file, prepare
from nbflow.store.pages import decoded, page_of
from nbflow.store.patience import Patience
from nbflow.store.rescue import gone, rescue, unwritable
from nbflow.store.schema import SEQ_BITS, checksum, set_up, transaction
from nbflow.store.seal import StoreSeal
from nbflow.store.sqlite_cache import SqliteCache
from nbflow.store.unbroken import Unbroken

_PAGE: Final = 200
"""Rows that are read at once, at the most, and about how much text: a row may hold megabytes."""
_LAST: Final = (1 << SEQ_BITS) - 1
_INSERT: Final = "INSERT INTO log VALUES (?,?,?,?)"


class SqliteStore:
    """Keeps logs in ``log.sqlite`` in a directory of its own.

    Appends survive the end of the process; a run's creation and end, the end of the power, too.

    Args:
        directory: Where to keep everything; made if it is missing.
        durability: ``"power"`` syncs every append.

    What is pickled in it is signed by this user's key (`nbflow.store.seal`), else it is refused.

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
        blobs = self.directory / "blobs"
        self._blobs = Blobs(blobs, self.path)
        self._seal = StoreSeal(self.directory, (self._file, blobs))
        self.mail = FileMail(self.directory / DIRECTORY, lambda: self._seal)
        self.marks = FileMarks(self.directory / STEPS)
        try:
            prepare(self.directory)
            self._db, self.readonly, self.network = open_file(self._file, self._level)
            try:
                set_up(self._db, self.path, readonly=bool(self.readonly), wal=not self.network)
                self._identity = self._found()
                self._patience = Patience(self._db, self._file, network=bool(self.network))
                self._checkpoints = Checkpoints(self._db, self._file)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.DatabaseError as error:
            raise self._error("opened", error) from error
        except OSError as error:
            message = f"the store {self.path} cannot be opened: {error}"
            raise StoreError(message) from error
        self.cache = SqliteCache(self._db, self._reading, self._writing_cache, blobs, self._seal)

    def _found(self) -> tuple[int, int]:
        found = os.stat(self._file_name)  # noqa: PTH116 - at every append: a Path costs twice
        return found.st_dev, found.st_ino

    # ------------------------------------------------------------ writing

    def create(self, run: str, event: RunStarted) -> None:
        """See `Store.create`. What could not be loaded again is refused before anything ran."""
        if pickles_in(event) and (why := self._seal.exposed()):
            event = event._replace(program=f"it could not be trusted: {why}")
            if pickles_in(event):
                message = f"the run was not started, since its arguments hold a pickle: {why}"
                raise PickleRefused(message)
        with self._writing(run), self._synced(), self._transaction():
            text = encode([event], run, self._seal)
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
            self._insert(row, event.seq, event.seq, text)
            self._ids[run] = row

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        """See `Store.append`."""
        first, last, text = events[0], events[-1], encode(events, run, self._seal)
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
            self._check_there(run, text)
            self._ends[row] = -1
            values = (row << SEQ_BITS | first.seq, last.seq, text, checksum(text))
            try:
                self._db.execute(_INSERT, values)
            except sqlite3.Error as error:
                self._try_again(run, error, partial(self._db.execute, _INSERT, values))
            self._ends[row] = last.seq
            self._checkpoints.look(len(text))

    def _append_with_care(
        self, run: str, events: Sequence[Event], text: str, *, sync: bool
    ) -> None:
        first, last = events[0], events[-1]
        if sync and self.network:
            message = (
                f"the store {self.path} is on a network file system ({self.network}), where "
                "nobody can promise that a once=True call begins at most once: it was not begun. "
                "Use a store in a local directory"
            )
            raise StoreError(message)
        with self._writing(run, text):
            row = self._id(run)
            if isinstance(last, RunClosed):
                self._append_with_status(row, events, text, last.status, last.at)
            elif isinstance(first, RunResumed):
                self._append_with_status(row, events, text, "running", None)
            elif sync:
                with self._synced(), self._transaction():
                    self._insert(row, first.seq, last.seq, text)
            else:
                with self._transaction():
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
            "INSERT INTO log SELECT ?,?,?,? WHERE ? = 1 + coalesce((SELECT last FROM log "
            "WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1), 0)",
            (key | first, last, text, checksum(text), first, key, key | _LAST),
        )
        if cursor.rowcount != 1:
            message = f"event {first} is not the next one of the run"
            raise sqlite3.IntegrityError(message)
        self._ends[row] = last
        self._checkpoints.wrote(len(text))

    def _try_again(self, run: str, error: sqlite3.Error, act: Callable[[], object]) -> None:
        try:
            self._patience.again(error, act)
        except sqlite3.Error as final:
            raise self._refusal(run, final) from final

    def _writing(self, run: str, text: str = "") -> Unbroken:
        return Unbroken(self._writing_whole(run, text))

    @contextlib.contextmanager
    def _writing_whole(self, run: str, text: str = "") -> Iterator[None]:
        with self._open():
            if self.readonly:
                raise unwritable(self.path, self.readonly)
            self._check_there(run, text)
            try:
                yield
            except sqlite3.Error as error:
                raise self._refusal(run, error) from error
            self._checkpoints.look()

    def _writing_cache(self, what: str) -> Unbroken:
        return Unbroken(self._writing_cache_whole(what))

    @contextlib.contextmanager
    def _writing_cache_whole(self, what: str) -> Iterator[None]:
        with self._writing(what), self._patience.long():
            yield

    def _refusal(self, run: str, error: sqlite3.Error) -> StoreError:
        if isinstance(error, sqlite3.IntegrityError):
            return StoreConflict(f"somebody else wrote to run {run}: it has one owner at a time")
        return self._error("written", error)

    def _check_there(self, run: str, text: str) -> None:
        # SQLite goes on writing to a file that was deleted or replaced, as if nothing were wrong.
        try:
            there = self._found() == self._identity
        except OSError:
            there = False
        if not there:
            raise gone(self._file, rescue(self._db, self.directory, run, text))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with transaction(self._db, self._begin):
                yield
        except BaseException:
            self._ends.clear()  # what they say may have been taken back
            raise

    def _begin(self) -> None:
        begin = partial(self._db.execute, "BEGIN IMMEDIATE")
        try:
            begin()
        except sqlite3.OperationalError as error:
            self._patience.again(error, begin)

    @contextlib.contextmanager
    def _synced(self) -> Iterator[None]:
        self._blobs.settle()  # so that nothing on the disk names what is not there
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
            held = sqlite_lease.held(self._db, row)
            if held is not None and not force and held.blocks(lease, time.time()):
                return held
            sqlite_lease.keep(self._db, row, lease)
            return None

    def release(self, run: str, lease: Lease) -> None:
        """See `Store.release`."""
        with self._writing(run), self._transaction():
            sqlite_lease.drop(self._db, self._id(run), lease)

    def holder(self, run: str) -> Lease | None:
        """See `Store.holder`."""
        with self._reading():
            held = sqlite_lease.held(self._db, self._id(run))
        return held if held is not None and held.alive(time.time()) else None

    # ------------------------------------------------------------ reading

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Store.events`. Reads page by page, so that a long log needs no more memory."""
        with self._reading():
            row = self._id(run)
        return self._pages(run, row, after)

    def _pages(self, run: str, row: int, after: int) -> Iterator[Event]:
        key = row << SEQ_BITS
        while True:
            with self._reading():
                rows = self._db.execute(
                    "SELECT last, events, sum FROM log WHERE key >= coalesce((SELECT key FROM log "
                    "WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1), ?) "
                    "AND key <= ? AND last > ? ORDER BY key LIMIT ?",
                    (key, key | (after + 1), key, key | _LAST, after, _PAGE),
                )
                page = page_of(rows)
                rows.close()
            if not page:
                return
            for _, text, found in page:
                events = decoded(run, text, found, self._seal, self._file)
                if events and events[0].seq <= after:
                    events = [event for event in events if event.seq > after]
                yield from events
            after = page[-1][0]

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

    def _reading(self) -> Unbroken:
        return Unbroken(self._reading_whole())

    @contextlib.contextmanager
    def _reading_whole(self) -> Iterator[None]:
        with self._open():
            try:
                with self._patience.long():
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

    def put(self, *parts: Bytes, sync: bool = True, name: str = "") -> str:
        """See `Store.put` and `Blobs.put`. Each is a file, which is whole before this returns."""
        return self._blobs.put(*parts, sync=sync or self._level == "FULL", name=name)

    def open(self, digest: str) -> int | None:
        """See `Store.open`. None on a network file system, where a file may end under its map."""
        with contextlib.suppress(OSError):
            return None if self.network else self._blobs.open(digest)
        return None

    def get(self, digest: str) -> bytes:
        """See `Store.get`."""
        return self._blobs.get(digest)

    # ------------------------------------------------------------ end

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._blobs.settle()
                self._ends.clear()  # so that an append looks, and sees that it is closed
                self._db.close()

    def _error(self, what: str, error: sqlite3.Error) -> StoreError:
        patience = getattr(self, "_patience", None)
        return error_of(self._file, what, error, patience.whom if patience is not None else "")
