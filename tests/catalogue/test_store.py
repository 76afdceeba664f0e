"""S: what can happen to a store, and what is told of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import CallScheduled, CallSucceeded, RunStarted
from nbflow.running.config import settings
from nbflow.store import checkpoints, synced
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.checks import eventually
from nbflow.testing.stores import calls, started
from tests.catalogue.conftest import WAIT

ROOT = str(Path(__file__).parents[2])


@contextlib.contextmanager
def script(text: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program beside this one, and see to it that it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", text, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def integrity(directory: Path) -> str:
    """Give what SQLite itself says of a store's file."""
    with contextlib.closing(sqlite3.connect(directory / "log.sqlite")) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


@nbflow.activity
def large(n: int) -> list[int]:
    """Give what goes to a file of its own."""
    return list(range(n, n + 30_000))


@nbflow.activity
def count(rows: list[int]) -> int:
    """Take it."""
    return len(rows)


@nbflow.workflow
def flow() -> Any:
    """Have both."""
    return count(large(1))


def test_s02_a_transaction_that_reads_first_takes_the_lock_at_once(tmp_path):
    """Else SQLite refuses to let it write as soon as another process has, without any waiting."""
    store = SqliteStore(tmp_path)
    statements: list[str] = []
    store._db.set_trace_callback(statements.append)
    store.create("run", started())
    store.append("run", calls(2, 3))
    store.append("run", calls(5, 3), sync=True)
    lease = nbflow.store.lease.new_lease()
    assert store.hold("run", lease) is None
    store.release("run", lease)
    begun = [text for text in statements if text.upper().startswith("BEGIN")]
    assert set(begun) == {"BEGIN IMMEDIATE"}
    assert len(begun) >= 4
    store.close()


FILLER = """
import resource, signal, sys
from nbflow.core.errors import StoreError
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import calls, started
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(sys.argv[1])
store.create("run", started())
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
written = 1
try:
    while True:
        store.append("run", calls(written + 1, 50))
        written += 50
except StoreError as error:
    print(written, error)
"""


def test_s04_a_file_that_may_not_grow_loses_nothing_that_was_said_to_be_kept(tmp_path):
    """The append that does not fit is StoreError with SQLite's reason; the file is whole."""
    with script(FILLER, tmp_path) as process:
        out, err = process.communicate(timeout=WAIT)
    written, _, message = out.partition(" ")
    assert "cannot be written" in message, err
    assert "SQLITE_IOERR_WRITE" in message or "SQLITE_FULL" in message
    assert integrity(tmp_path) == "ok"
    store = SqliteStore(tmp_path)
    assert [event.seq for event in store.events("run")] == list(range(1, int(written) + 1))
    store.append("run", calls(int(written) + 1, 1))
    store.close()


def test_s10_a_copy_without_its_latest_file_is_whole_and_older(tmp_path):
    """Of a store in use, the file alone is what it was at its last checkpoint; nothing fails."""
    store = SqliteStore(tmp_path / "store")
    store.create("first", started())
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.create("second", started())
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "store" / "log.sqlite", tmp_path / "copy")
    store.close()
    copy = SqliteStore(tmp_path / "copy")
    assert [row.run for row in copy.runs()] == ["first"]
    copy.create("third", started())
    copy.close()
    assert integrity(tmp_path / "copy") == "ok"


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/home/ann/Dropbox/work/.nbflow", "Dropbox"),
        ("/home/ann/Dropbox (Work)/.nbflow", "Dropbox"),
        ("/mnt/c/Users/ann/OneDrive - Example/.nbflow", "OneDrive"),
        ("/Users/ann/Library/Mobile Documents/x/.nbflow", "iCloud Drive"),
        ("/home/ann/My Drive/.nbflow", "Google Drive"),
        ("/home/ann/dropboxes/.nbflow", ""),
        ("/home/ann/.nbflow", ""),
    ],
)
def test_s10_directories_that_are_copied_file_by_file_are_known(path, service):
    """By the names that such services give them."""
    assert synced.service_of(Path(path)) == service


def test_s10_a_store_in_such_a_directory_is_warned_of(tmp_path):
    """Once, where it is opened, with what to do; it works all the same."""
    with pytest.warns(RuntimeWarning, match=r"Dropbox copies.*nbflow store export"):
        store = SqliteStore(tmp_path / "Dropbox" / ".nbflow")
    store.create("run", started())
    store.close()


WRITER = """
import sys
from nbflow.store import checkpoints
checkpoints.PAGES = 20
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import calls, started
store = SqliteStore(sys.argv[1])
name = sys.argv[2]
store.create(name, started())
print("there", flush=True)
sys.stdin.readline()
for first in range(2, 1502, 5):
    store.append(name, calls(first, 5))
store.close()
"""


def test_s14_s16_two_processes_write_to_one_store_through_checkpoints(tmp_path):
    """Each its own runs, with the log moved into the file every few appends: all is there."""
    with script(WRITER, tmp_path, "one") as one, script(WRITER, tmp_path, "two") as two:
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n", process.communicate()
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in (one, two):
            assert process.wait(WAIT) == 0
    store = SqliteStore(tmp_path)
    for name in ("one", "two"):
        assert [event.seq for event in store.events(name)] == list(range(1, 1502))
    store.close()
    assert integrity(tmp_path) == "ok"


def test_s16_the_log_is_moved_into_the_file_while_nobody_can_write(tmp_path, monkeypatch):
    """SQLite before 3.51.3 can damage a file if somebody commits meanwhile: nobody can."""
    monkeypatch.setattr(checkpoints, "PAGES", 30)
    monkeypatch.setattr(checkpoints, "_MENDED", (99,))
    store = SqliteStore(tmp_path)
    assert store._db.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    store.create("run", started())
    seen: list[str] = []
    tried: list[str] = []
    connect = sqlite3.connect

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        with contextlib.closing(connect(*args, **kwargs)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
                tried.append("got in")
            except sqlite3.OperationalError as error:
                tried.append(error.sqlite_errorname)
        made: sqlite3.Connection = connect(*args, **kwargs)
        return made

    monkeypatch.setattr(sqlite3, "connect", watched)
    store._db.set_trace_callback(seen.append)
    for first in range(2, 402):
        store.append("run", calls(first, 1))
    assert tried
    assert set(tried) == {"SQLITE_BUSY"}
    assert seen.count("BEGIN IMMEDIATE") == seen.count("ROLLBACK") == len(tried)
    wal = tmp_path / "log.sqlite-wal"
    assert wal.stat().st_size < 400 * 2048  # begun anew, over and over
    assert len(list(store.events("run"))) == 401
    store.close()


def test_s16_an_sqlite_without_the_fault_does_it_by_itself(tmp_path, monkeypatch):
    """From 3.51.3 on nothing is done by hand."""
    assert not checkpoints.by_hand((3, 51, 3))
    assert checkpoints.by_hand((3, 51, 2))
    monkeypatch.setattr(checkpoints, "_MENDED", (3, 0, 0))
    store = SqliteStore(tmp_path)
    assert store._db.execute("PRAGMA wal_autocheckpoint").fetchone() == (checkpoints.PAGES,)
    store.close()


def test_s18_any_thread_may_use_a_store(tmp_path):
    """Eight threads write runs of their own and read the others' through one store object."""
    store = SqliteStore(tmp_path)
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            store.create(name, started())
            for seq in range(2, 52):
                store.append(name, calls(seq, 1))
                store.runs()
            assert len(list(store.events(name))) == 51
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"run{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(store.runs()) == 8
    store.close()


DRIVER = """
import os, sys, time, threading
import nbflow
nbflow.configure(on="threads", store=sys.argv[1])

@nbflow.activity
def hold():
    if os.fork() == 0:  # an orphan that has all descriptors of this process
        os.close(1)
        time.sleep(60)
        os._exit(0)
    threading.Event().wait(60)

@nbflow.workflow
def flow():
    return hold()

run = flow.start()
while run.counts() != {"running": 1}:
    time.sleep(0.01)
print(run.id, flush=True)
run.wait()
"""


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_s19_an_orphan_of_a_killed_process_holds_nothing(tmp_path):
    """The lease names a process, and no descriptor holds it: the run can be resumed at once."""
    with script(DRIVER, tmp_path / "store") as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        assert run, process.communicate()
        orphans = children(process.pid)
        assert orphans
        process.kill()
        process.wait(WAIT)
        try:
            nbflow.configure(store=tmp_path / "store")
            assert [(row.run, row.status) for row in nbflow.runs()] == [(run, "stopped")]

            @nbflow.activity
            def hold() -> str:
                return "held"

            again = nbflow.workflow(name="flow")(lambda: hold())  # noqa: PLW0108 - an activity is no workflow
            assert nbflow.attach(run).resume(again).result(WAIT) == "held"
        finally:
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Give the processes that one has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").parent.parent
    return [int(p) for task in listed.iterdir() for p in (task / "children").read_text().split()]


def test_s21_a_value_whose_file_is_gone_is_named_and_can_be_made_again(disk):
    """Reading it says which file; a rerun of its call makes it anew, and all is as before."""
    run = flow.start()
    assert run.result(WAIT) == 30_000
    for blob in (disk / "blobs").glob("*/*"):
        blob.unlink()
    other = nbflow.attach(run.id)
    with pytest.raises(nbflow.StoreError, match=r"blob [0-9a-f]+ .*"):
        _ = other.calls["large-1"].result
    assert run.rerun("large-1", workflow=flow).result(WAIT) == 30_000
    assert len(run.calls["large-1"].result) == 30_000


@pytest.mark.timeout(120)
def test_s23_a_long_history_is_read_in_one_pass(tmp_path):
    """Each event costs a few calls of Python, and each page one statement, however long it is.

    That is what has a million events read and folded in seconds (benchmarks/RESUME.md).
    """
    store = SqliteStore(tmp_path)
    for name, many in (("short", 2_000), ("long", 16_000)):
        store.create(name, RunStarted(1, 1.0, "flow", (), {}, "threads"))
        for first in range(0, many, 500):
            store.append(name, [e for n in range(first, first + 500) for e in _call(n)])
    nbflow.attach("short", store).counts()  # what the first reading of all makes once
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    calls, statements = {}, {}
    for name, many in (("short", 2_000), ("long", 16_000)):
        asked.clear()
        calls[name] = _calls_made(partial(_done, name, store), many)
        statements[name] = len(asked)
    per_event = (calls["long"] - calls["short"]) / 28_000
    assert 1 < per_event <= 9
    # A page is some 256 KiB of text: twice the events take twice the pages, and none is read twice.
    text = sum(len(row[0]) for row in store._db.execute("SELECT events FROM log"))
    assert statements["long"] <= 10 + text / 100_000
    store.close()


def _done(name: str, store: SqliteStore) -> int:
    return nbflow.attach(name, store).counts()["done"]


def _calls_made(read: Callable[[], int], gives: int) -> int:
    """Count the Python functions that are called until something was read."""
    made = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal made
        made += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        assert read() == gives
    finally:
        sys.setprofile(before)
    return made


def _call(n: int) -> list[Any]:
    seq = 2 * n + 2
    return [
        CallScheduled(seq, 1.0, f"f-{n}", "f", (n,)),
        CallSucceeded(seq + 1, 2.0, f"f-{n}", 1, n, "w", 1.0, 1, 1, 0, 0, 0),
    ]


def test_s08_an_empty_file_that_was_asked_for_becomes_a_store_and_another_table_does_not(tmp_path):
    """What is there is said; a database of something else is left as it is, byte for byte."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "log.sqlite").touch()
    SqliteStore(tmp_path / "new").close()
    foreign = tmp_path / "foreign" / "log.sqlite"
    foreign.parent.mkdir()
    with contextlib.closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE accounts(x)")
        db.commit()
    before = foreign.read_bytes()
    with pytest.raises(nbflow.StoreUnusable, match="holds an SQLite file of something else"):
        SqliteStore(foreign.parent)
    assert foreign.read_bytes() == before


def test_s03_a_run_whose_disk_is_full_stops_and_goes_on_when_there_is_room(disk):
    """Nothing is said to be done without being written; the same run is resumed to its end."""
    nbflow.configure(on="threads", max_workers=2)
    database = settings.open_store()._db  # type: ignore[attr-defined]
    (pages,) = database.execute("PRAGMA page_count").fetchone()

    @nbflow.activity
    def text(n: int) -> str:
        return str(n) * 3_000

    @nbflow.workflow
    def many() -> int:
        return sum(len(text(n).result()) for n in range(200, 300))

    database.execute(f"PRAGMA max_page_count={pages + 30}")
    run = many.start()
    with pytest.raises(
        nbflow.StoreError, match=r"the disk is full\. Make room, then resume the run"
    ):
        run.result(WAIT)
    shown = run.counts().get("done", 0)
    database.execute("PRAGMA max_page_count=1000000")
    assert nbflow.attach(run.id).counts().get("done", 0) == shown
    eventually(lambda: nbflow.runs()[0].status == "stopped", "nobody drives it")
    assert run.resume(many).result(WAIT) == 900_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert integrity(disk) == "ok"
