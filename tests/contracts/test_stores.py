"""Both stores keep the contract of `nbflow.testing`; what only a file can do is tested here."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core.errors import StoreConflict, StoreError, StoreUnusable
from nbflow.core.events import CallStarted, Event, RunClosed, RunStarted
from nbflow.core.eventtext import encode
from nbflow.store.base import Store
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import StoreContract
from nbflow.testing.stores import calls, started
from tests import strategies


class TestMemoryStore(StoreContract):
    def make(self) -> Store:
        return MemoryStore()


class TestSqliteStore(StoreContract):
    def make(self) -> Store:
        self.directory = tempfile.TemporaryDirectory()
        return SqliteStore(self.directory.name)

    def reopen(self, store: Store) -> Store:
        store.close()
        return SqliteStore(self.directory.name)

    def teardown_method(self) -> None:
        super().teardown_method()
        self.directory.cleanup()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(strategies.events, min_size=1, max_size=3), max_size=4), st.data())
def test_both_stores_hold_any_log_alike(batches: list[list[Event]], data: st.DataObject) -> None:
    """Any events come back from either store as they were, from any event on."""
    seq = 1
    numbered: list[list[Event]] = []
    for batch in batches:
        numbered.append([event._replace(seq=seq + n + 1) for n, event in enumerate(batch)])
        seq += len(batch)
    wanted: list[Event] = [started(), *(event for batch in numbered for event in batch)]
    after = data.draw(st.integers(0, seq))
    with tempfile.TemporaryDirectory() as directory:
        for store in (MemoryStore(), SqliteStore(directory)):
            store.create("run", started())
            for batch in numbered:
                store.append("run", batch)
            assert list(store.events("run", after)) == wanted[after:]
            store.close()


# -------------------------------------------------------------------- files that are no store


def file_of(directory: Path) -> Path:
    return directory / "log.sqlite"


def foreign(version: int) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        db = sqlite3.connect(file)
        db.execute("CREATE TABLE mine(x)")
        db.execute(f"PRAGMA user_version={version}")
        db.commit()
        db.close()

    return write


def newer(file: Path) -> None:
    SqliteStore(file.parent).close()
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version=99")
    db.close()


def text(file: Path) -> None:
    file.write_text("dear diary, " * 100)


def scribbled(file: Path) -> None:
    SqliteStore(file.parent).close()
    data = bytearray(file.read_bytes())
    data[:100] = bytes(100)
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        pytest.param(text, "not an SQLite file", id="text"),
        pytest.param(scribbled, "not an SQLite file", id="scribbled"),
        pytest.param(foreign(0), "something else", id="foreign"),
        pytest.param(foreign(1), "something else", id="foreign-with-our-version"),
        pytest.param(foreign(99), "something else", id="foreign-with-a-high-version"),
        pytest.param(newer, "pip install -U", id="newer"),
    ],
)
@pytest.mark.case("S5")
def test_a_file_that_is_no_store_is_refused_and_left_alone(
    tmp_path: Path, write: Callable[[Path], None], says: str
) -> None:
    """StoreUnusable says what the file is; not a byte of it is changed, nor a file added to it."""
    write(file_of(tmp_path))
    before = file_of(tmp_path).read_bytes()
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=says) as caught:
            SqliteStore(tmp_path)
        assert str(tmp_path) in str(caught.value)
    assert file_of(tmp_path).read_bytes() == before
    found = {path.name for path in tmp_path.iterdir()} - {".gitignore"}
    assert found == {"log.sqlite"}


@pytest.mark.case("S12")
def test_a_newer_store_is_refused_with_both_versions(tmp_path: Path) -> None:
    """The message names the schema that was found and the one that this nbflow knows."""
    newer(file_of(tmp_path))
    with pytest.raises(StoreUnusable, match=r"schema 99.*up to \d"):
        SqliteStore(tmp_path)


OLD_TABLES = """
CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL,
    place TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, closed REAL);
CREATE TABLE log(run INTEGER NOT NULL REFERENCES run(id), first INTEGER NOT NULL,
    last INTEGER NOT NULL, events TEXT NOT NULL, PRIMARY KEY(run, first)) WITHOUT ROWID;
INSERT INTO run VALUES (1, 'a', 'flow', 'threads', 'running', 0.0, NULL);
INSERT INTO run VALUES (2, 'b', 'flow', 'threads', 'running', 0.0, NULL);
PRAGMA application_id=1851942508;
PRAGMA user_version=1;
"""


def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """Every run keeps all its events, and can be written to where it ends."""
    logs = {"a": [started(), *calls(2, 3)], "b": [started(), *calls(2, 1)]}
    db = sqlite3.connect(file_of(tmp_path))
    db.executescript(OLD_TABLES)
    for number, log in enumerate(logs.values(), 1):
        for part in (log[:2], log[2:]):
            if part:
                row = (number, part[0].seq, part[-1].seq, encode(part))
                db.execute("INSERT INTO log VALUES (?,?,?,?)", row)
    db.commit()
    db.close()
    store = SqliteStore(tmp_path)
    for run, log in logs.items():
        more = calls(len(log) + 1, 2)
        store.append(run, more)
        assert list(store.events(run)) == log + more
    with pytest.raises(StoreConflict):
        store.append("a", calls(2, 1))
    store.close()


@pytest.mark.case("S8")
def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """That is what SQLite leaves where a process died between opening and writing."""
    file_of(tmp_path).touch()
    store = SqliteStore(tmp_path)
    store.create("run", started())
    assert list(store.events("run")) == [started()]
    store.close()


def test_a_directory_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    """The message says where and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        SqliteStore(tmp_path / "file" / "store")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[",
        "[[1]]",
        "[[[],[]]]",
        '[["CallStarted",[1]]]',
        '[["CallStarted",5]]',
        "null",
        "7",
    ],
)
@pytest.mark.case("S6")
def test_a_damaged_row_is_reported(tmp_path: Path, damaged: str) -> None:
    """What cannot be read as events is StoreUnusable, not an error of the decoder."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.append("run", calls(2, 1))
    store.close()
    db = sqlite3.connect(file_of(tmp_path))
    db.execute("UPDATE log SET events = ? WHERE last = 2", (damaged,))
    db.commit()
    db.close()
    store = SqliteStore(tmp_path)
    with pytest.raises(StoreUnusable, match="damaged"):
        list(store.events("run"))
    store.close()


# -------------------------------------------------------------------- blobs


def test_equal_blobs_are_kept_once(tmp_path: Path) -> None:
    """Putting the same bytes again writes nothing and leaves no temporary file."""
    store = SqliteStore(tmp_path)
    names = {store.put(b"same"), store.put(b"same")}
    other = store.put(b"other")
    files = [path.name for path in tmp_path.rglob("*") if path.is_file() and "blobs" in path.parts]
    assert sorted(files) == sorted({*names, other})
    store.close()


@pytest.mark.case("S7", "S21")
def test_a_damaged_blob_is_told_from_a_missing_one(tmp_path: Path) -> None:
    """A flipped bit is found, also where SQLite would not find it."""
    store = SqliteStore(tmp_path)
    name = store.put(b"precious" * 1000)
    (path,) = tmp_path.rglob(name)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        store.get(name)
    path.unlink()
    with pytest.raises(StoreError, match="missing"):
        store.get(name)
    assert store.put(b"precious" * 1000) == name
    assert store.get(name) == b"precious" * 1000
    store.close()


# -------------------------------------------------------------------- a file that goes wrong


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Reading and writing a closed store are StoreError; nothing hangs or crashes."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.close()
    acts: list[Callable[[], object]] = [
        lambda: store.create("other", started()),
        lambda: store.append("run", calls(2, 1)),
        lambda: store.events("run"),
        store.runs,
    ]
    for act in acts:
        with pytest.raises(StoreError, match="is closed"):
            act()


@pytest.mark.case("S3")
def test_a_full_disk_loses_nothing_but_the_append_that_failed(tmp_path: Path) -> None:
    """The append that does not fit is StoreError, whole; once there is room, the next one fits."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages + 4}")
    written = 1
    large = "x" * 3000

    def fill() -> None:
        nonlocal written
        while True:
            store.append("run", [CallStarted(written + 1, 1.0, "f-1", 1, large)])
            written += 1

    with pytest.raises(StoreError, match="SQLITE_FULL"):
        fill()
    assert written > 1
    assert [event.seq for event in store.events("run")] == list(range(1, written + 1))
    with pytest.raises(StoreError, match="SQLITE_FULL"):
        store.append(
            "run",
            [
                CallStarted(written + 1, 1.0, large, 1, large * 3),
                RunClosed(written + 2, 1.0, "failed"),
            ],
        )
    assert store.runs()[0].status == "running"
    store._db.execute("PRAGMA max_page_count=100000")
    store.append("run", [CallStarted(written + 1, 1.0, "f-1", 1, large)])
    assert [event.seq for event in store.events("run")] == list(range(1, written + 2))
    store.close()


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
@pytest.mark.case("S9")
def test_a_file_that_is_gone_is_noticed_at_the_next_write(tmp_path: Path, replaced: bool) -> None:
    """SQLite itself would go on as if nothing were wrong, and lose everything."""
    store = SqliteStore(tmp_path / "store")
    store.create("run", started())
    (tmp_path / "store").rename(tmp_path / "moved")
    if replaced:
        SqliteStore(tmp_path / "store").close()
    for act in (lambda: store.append("run", calls(2, 1)), lambda: store.create("new", started())):
        with pytest.raises(StoreError, match="deleted or replaced"):
            act()
    store.close()
    moved = SqliteStore(tmp_path / "moved")
    assert len(list(moved.events("run"))) == 1
    moved.close()


def test_a_store_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    """Where SQLite refuses to write, appends are StoreError, and what is there is still read."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store._db.execute("PRAGMA query_only=1")
    with pytest.raises(StoreError, match="SQLITE_READONLY"):
        store.append("run", calls(2, 1))
    with pytest.raises(StoreError, match="SQLITE_READONLY"):
        store.create("other", started())
    assert len(list(store.events("run"))) == 1
    assert [row.run for row in store.runs()] == ["run"]
    store.close()


# -------------------------------------------------------------------- other processes

WRITER = """
import sys
from nbflow.core.errors import StoreConflict
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import calls
store = SqliteStore(sys.argv[1])
seq = 2
print("ready", flush=True)
sys.stdin.readline()
try:
    while seq < int(sys.argv[2]):
        store.append("run", calls(seq, 1 + seq % 3))
        seq += 1 + seq % 3
        print(seq - 1, flush=True)
except StoreConflict:
    print("conflict", flush=True)
"""


def writer(directory: Path, last: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(last)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.case("S14")
def test_of_two_processes_one_owns_a_run(tmp_path: Path) -> None:
    """Two processes append to one run: one wins throughout, the other gets StoreConflict."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    processes = [writer(tmp_path, 300) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=30)[0].split() for process in processes]
    last = [event.seq for event in store.events("run")][-1]
    assert sorted(lines[-1] == "conflict" for lines in said) == [False, True]
    (winner,) = [lines for lines in said if lines[-1] != "conflict"]
    (loser,) = [lines[:-1] for lines in said if lines[-1] == "conflict"]
    assert int(winner[-1]) == last
    # Until they met, each had written what the other one had not.
    assert set(winner).isdisjoint(loser)
    assert [event.seq for event in store.events("run")] == list(range(1, last + 1))
    store.close()


@pytest.mark.parametrize("after", [1, 7, 60])
def test_a_killed_process_loses_no_append_that_returned(tmp_path: Path, after: int) -> None:
    """Whatever a writer was told is written is there when it was killed by SIGKILL."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.close()
    process = writer(tmp_path, 10**9)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    printed = [process.stdout.readline() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    printed += process.stdout.readlines()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    known = [int(line) for line in printed if line.endswith("\n")]
    store = SqliteStore(tmp_path)
    found = [event.seq for event in store.events("run")]
    assert len(known) >= after
    assert found[-1] >= known[-1]
    assert found == list(range(1, found[-1] + 1))
    # And the next owner goes on behind it.
    store.append("run", calls(found[-1] + 1, 1))
    store.close()


def test_two_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    """Opening a store that another process is just making waits for it."""
    code = """
import sys
from nbflow.store.sqlite import SqliteStore
sys.stdin.readline()
SqliteStore(sys.argv[1]).close()
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=30)
    assert [process.returncode for process in processes] == [0] * 4
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.close()


@pytest.mark.case("S17")
def test_a_forked_process_cannot_use_the_store(tmp_path: Path) -> None:
    """SQLite connections do not survive a fork: it is refused rather than damaged."""
    code = """
import os, sys
from nbflow.core.errors import StoreError
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import calls, started
store = SqliteStore(sys.argv[1])
store.create("run", started())
if os.fork() == 0:
    failed = 0
    for act in (lambda: store.append("run", calls(2, 1)), store.runs, lambda: store.events("run")):
        try:
            act()
        except StoreError:
            failed += 1
    os._exit(failed)
print(os.waitstatus_to_exitcode(os.wait()[1]))
store.append("run", calls(2, 1))
"""
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert found.stdout == "3\n"


@pytest.mark.case("S20")
def test_the_files_are_the_users_own(tmp_path: Path) -> None:
    """Other users cannot look into the directory, and git leaves it alone."""
    directory = tmp_path / "store"
    store = SqliteStore(directory)
    assert directory.stat().st_mode & 0o077 == 0
    assert (directory / ".gitignore").read_text() == "*\n"
    store.close()


def test_a_directory_of_something_else_is_not_hidden_from_git(tmp_path: Path) -> None:
    """A store in a project's own directory must not make git ignore the project."""
    (tmp_path / "notebook.ipynb").write_text("{}")
    SqliteStore(tmp_path).close()
    assert not (tmp_path / ".gitignore").exists()


def test_a_conflict_names_the_run(tmp_path: Path) -> None:
    """The message says which run has two owners."""
    store = SqliteStore(tmp_path)
    event: RunStarted = started()
    store.create("flow-1", event)
    with pytest.raises(StoreConflict, match="flow-1"):
        store.append("flow-1", calls(1, 1))
    with pytest.raises(StoreConflict, match="flow-1"):
        store.create("flow-1", event)
    store.close()
