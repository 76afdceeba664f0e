"""Stores of every schema that there ever was become stores of this one, or stay what they are."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbflow.core.errors import PickleRefused, StoreConflict
from nbflow.core.events import CallStarted, RunClosed
from nbflow.core.payload import unpack
from nbflow.store import care
from nbflow.store.schema import SCHEMA
from nbflow.store.sqlite import SqliteStore

FIXTURES = Path(__file__).parent / "schemas"
VERSIONS = sorted(int(path.stem.removeprefix("schema-")) for path in FIXTURES.glob("*.sql"))


def make(directory: Path, version: int) -> Path:
    """Make a store of an older schema."""
    directory.mkdir(mode=0o700, exist_ok=True)
    with contextlib.closing(sqlite3.connect(directory / "log.sqlite")) as db:
        db.executescript((FIXTURES / f"schema-{version}.sql").read_text())
        db.commit()
    return directory


def version_of(file: Path) -> int:
    with contextlib.closing(sqlite3.connect(file)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def shape_of(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as db:
        rows = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        return [re.sub(r"\W+", " ", sql.replace('"', "")).strip() for (sql,) in rows]


def test_there_is_a_fixture_of_every_schema() -> None:
    """Whoever makes a new schema adds one here, and changes none of the others."""
    assert list(range(1, SCHEMA + 1)) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.case("S13")
def test_every_schema_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """All events are there, runs can be written to, and the tables are those of a new store."""
    directory = make(tmp_path / "store", version)
    store = SqliteStore(directory)
    first, second = list(store.events("flow-a1")), list(store.events("flow-b2"))
    assert [event.seq for event in first] == [1, 2, 3, 4, 5]
    assert isinstance(first[-1], RunClosed)
    assert [event.seq for event in second] == [1, 2, 3]
    assert [(row.run, row.status) for row in store.runs()] == [
        ("flow-b2", "running"),
        ("flow-a1", "completed"),
    ]
    store.append("flow-b2", [CallStarted(4, 105.0, "f-1", 2, "w")])
    with pytest.raises(StoreConflict):
        store.append("flow-b2", [CallStarted(4, 105.0, "f-1", 2, "w")])
    store.close()
    SqliteStore(tmp_path / "new").close()
    assert shape_of(directory / "log.sqlite") == shape_of(tmp_path / "new" / "log.sqlite")
    # These logs were written by hand, and never ask for the call g-1: nothing else is amiss.
    (problem,) = care.check(directory).problems
    assert "event 4 (CallFailed) needs 'g-1'" in str(problem)


@pytest.mark.parametrize("version", VERSIONS)
def test_pickles_of_old_stores_need_trust(tmp_path: Path, version: int) -> None:
    """No older nbflow signed them."""
    directory = make(tmp_path / "store", version)
    store = SqliteStore(directory)
    event: Any = list(store.events("flow-a1"))[2]
    with pytest.raises(PickleRefused, match="an older nbflow"):
        unpack(event.result, str, store.get)
    care.trust(directory)
    event = list(store.events("flow-a1"))[2]
    assert unpack(event.result, str, store.get) == 1 + 1j
    store.close()


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_a_copy_of_what_was_is_kept_beside(tmp_path: Path, version: int) -> None:
    """It is whole, for its owner alone, of the old schema, and not written over later."""
    directory = make(tmp_path / "store", version)
    SqliteStore(directory).close()
    copy = directory / f"log.schema-{version}.sqlite"
    assert version_of(copy) == version
    assert copy.stat().st_mode & 0o077 == 0
    make(tmp_path / "again", version)
    shutil.copyfile(copy, tmp_path / "again" / "log.sqlite")
    store = SqliteStore(tmp_path / "again")
    assert len(list(store.events("flow-a1"))) == 5
    store.close()
    SqliteStore(directory).close()
    assert {path.name for path in directory.iterdir()} == {"log.sqlite", copy.name}


CRASH = """
import os, sys
from nbflow.store import sqlite

real = sqlite.open_file

def opened(file, level):
    found = real(file, level)
    count = 0
    def trace(statement):
        nonlocal count
        count += 1
        if count == at:
            os._exit(9)
    found.db.set_trace_callback(trace)
    return found

sqlite.open_file = opened
at = 0
while True:
    at += 1
    if (pid := os.fork()) == 0:
        sqlite.SqliteStore(f"{sys.argv[1]}/{at}")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
        print(at)
        break
"""


@pytest.mark.parametrize("version", VERSIONS[:-1])
@pytest.mark.case("S13")
def test_a_crash_at_any_statement_leaves_the_old_or_the_new(tmp_path: Path, version: int) -> None:
    """A process that dies while it migrates loses nothing; the next one does it again."""
    for at in range(1, 41):
        make(tmp_path / str(at), version)
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path)], capture_output=True, text=True, check=True
    )
    last = int(done.stdout)
    assert 5 < last <= 40
    seen = set()
    for at in range(1, last + 1):
        directory = tmp_path / str(at)
        seen.add(version_of(directory / "log.sqlite"))
        store = SqliteStore(directory)
        assert [event.seq for event in store.events("flow-a1")] == [1, 2, 3, 4, 5]
        store.close()
        assert version_of(directory / "log.sqlite") == SCHEMA
        for copy in directory.glob("log.schema-*.sqlite"):
            assert version_of(copy) == version
    assert seen == {version, SCHEMA}
