"""What the command says of a store that it cannot use: one line, and nothing in it is changed."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nbflow
from nbflow.store import rows

if TYPE_CHECKING:
    from tests.cli.conftest import Said

FILE = "log.sqlite"
Do = Callable[..., "Said"]
Spawn = Callable[..., "subprocess.Popen[str]"]


def sql(store: Path, *statements: str) -> list[int]:
    """Give the first figure of each statement."""
    with contextlib.closing(sqlite3.connect(store / FILE, isolation_level=None)) as db:
        return [(db.execute(each).fetchone() or (0,))[0] for each in statements]


def scribbled(store: Path) -> None:
    """Write over a page in the middle; the head and the list of runs stay whole."""
    words = "SELECT rootpage FROM sqlite_master WHERE name = 'log'"
    root, size = sql(store, words, "PRAGMA page_size")
    data = bytearray((store / FILE).read_bytes())
    start = (root - 1) * size
    data[start : start + size] = b"\xa5" * size
    (store / FILE).write_bytes(data)


def beheaded(store: Path) -> None:
    """Write over the head."""
    data = (store / FILE).read_bytes()
    (store / FILE).write_bytes(b"\xff" * 100 + data[100:])


def of_tomorrow(store: Path) -> None:
    """Have it written by a newer nbflow."""
    sql(store, "PRAGMA user_version = 99")


def some_text(store: Path) -> None:
    """Have something else in its place."""
    (store / FILE).write_text("these are notes\n" * 100)


def a_directory(store: Path) -> None:
    """Have a directory in the place of the file."""
    (store / FILE).unlink()
    (store / FILE).mkdir()


def a_file(store: Path) -> None:
    """Have a file in the place of the directory."""
    shutil.rmtree(store)
    store.write_text("a file")


@pytest.fixture
def store(do: Do, place: Path) -> Path:
    """Have a store with a run in it, all in one file, and an export beside it."""
    assert do("run", "flow.py:revenue", "-i", '[["eu", "usa"]]').code == 0
    assert do("store", "export", "good.nbf").code == 0
    sql(place / ".nbflow", "PRAGMA wal_checkpoint(TRUNCATE)")
    (place / "other").mkdir()
    shutil.copy(place / ".nbflow" / FILE, place / "other")
    nbflow.configure(store=place / "other")
    return place / "other"


def content(store: Path) -> bytes:
    """Give what is in the file; nothing where it is none."""
    file = store if store.is_file() else store / FILE
    return file.read_bytes() if file.is_file() else b""


@pytest.mark.parametrize(
    ("spoil", "says", "next_"),
    [
        (scribbled, "damaged", "nbflow store recover NEW-DIR"),
        (beheaded, "damaged", "nbflow store recover NEW-DIR"),
        (some_text, "is not an SQLite file", "move it away"),
        (of_tomorrow, "schema 99", "pip install -U jupyter-nbflow"),
        (a_directory, "log.sqlite is a directory", "Move it away to begin anew"),
        (a_file, "is a file, and a store is a directory", "move the file away"),
    ],
)
def test_each_command_says_in_one_line_what_is_wrong_and_what_to_do(
    do: Do, store: Path, spoil: Callable[[Path], None], says: str, next_: str
) -> None:
    """Whatever was wanted of it, no traceback is seen, and the file stays as it is."""
    spoil(store)
    before = content(store)
    for words in ("compact", "trust --yes", "export out.nbf"):
        said = do("store", *words.split())
        assert said.code == 1, words
        assert said.err.count("\n") == 1, said.err
        assert says in said.err
        assert next_ in said.err
        assert "%nbflow" not in said.err
        assert content(store) == before
    assert not Path("out.nbf").exists()
    if spoil is not scribbled:  # what is whole of it can be used
        for words in ("runs", "cache list", "run flow.py:revenue -i [[]]", "store import good.nbf"):
            said = do(*words.split())
            assert (said.code, said.err.count("\n")) == (1, 1), said.err
            assert says in said.err
            assert next_ in said.err
            assert content(store) == before


def test_a_check_says_what_comes_next(do: Do, store: Path) -> None:
    """Behind what it found; of a newer store, that nbflow is to be upgraded."""
    beheaded(store)
    said = do("store", "check")
    assert said.code == 1
    assert "  nbflow store recover NEW-DIR saves what can be read" in said.out
    saved = do("store", "recover", "new")
    assert saved.code == 0, saved
    assert "runs 1" in saved.out
    sql(store.with_name("new"), "PRAGMA user_version = 99")
    said = do("store", "check", "new")
    assert "upgrade with pip install -U jupyter-nbflow" in said.out
    assert "recover" not in said.out


def test_where_there_is_a_file_no_store_is_made(do: Do, place: Path) -> None:
    """It is told from a directory that cannot be made, and stays as it is."""
    (place / ".nbflow").write_text("notes")
    said = do("run", "flow.py:revenue", "-i", "[[]]")
    assert said.code == 1
    assert "is a file, and a store is a directory" in said.err
    assert (place / ".nbflow").read_text() == "notes"


def test_what_another_process_keeps_locked_is_left_alone(
    do: Do, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that change it wait for it, and then say so; nothing was changed."""
    monkeypatch.setattr(rows, "BUSY_SECONDS", 0.01)
    with contextlib.closing(sqlite3.connect(store / FILE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for words in ("trust --yes", "compact"):
            said = do("store", *words.split())
            assert said.code == 1
            assert "was kept locked" in said.err
            assert said.err.endswith("Nothing was changed\n")
        said = do("store", "import", "good.nbf")
        assert said.err.endswith("No run was added\n")
        assert do("runs").code == 0
        db.execute("ROLLBACK")
    assert do("store", "trust", "--yes").code == 0


def test_a_full_disk_takes_nothing(do: Do, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had no room for is said, with what to do."""
    real = sqlite3.connect

    def small(*args: object, **named: object) -> sqlite3.Connection:
        db: sqlite3.Connection = real(*args, **named)  # type: ignore[call-overload]
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages}")
        return db

    monkeypatch.setattr("nbflow.store.rows.sqlite3.connect", small)
    before = content(store)
    said = do("store", "import", "good.nbf")
    assert said.code == 1
    assert "the disk is full. Make room, then try again. No run was added" in said.err
    assert content(store) == before


def test_warnings_are_lines_of_the_command(spawn: Spawn, place: Path) -> None:
    """A warning of nbflow names no place in its code; one of the user's code names that."""
    (place / "warns.py").write_text(
        "import warnings, nbflow\nwarnings.warn('mine')\n@nbflow.workflow\ndef w():\n    return 1\n"
    )
    done = spawn("run", "warns.py:w", "--store", str(place / "Dropbox" / "kept"))
    _, said = done.communicate()
    assert done.returncode == 0
    (ours,) = [line for line in said.split("\n") if "Dropbox" in line]
    assert ours.startswith("nbflow: warning: the store ")
    assert "and nbflow store export makes" in ours
    assert "warns.py:2: UserWarning: mine" in said
