"""What stands in the way of a store is one error that says what, why, and what to do."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.errors import StoreError, StoreUnusable
from nbflow.store import opening, patience
from nbflow.store.opening import check_version, file_system
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import calls, started

root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user, or mounts"
)

# -------------------------------------------------------------------- locked

LOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/log.sqlite", isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
db.execute("COMMIT")
"""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for parts of a second in the place of half a minute."""
    for module in (opening, patience):
        monkeypatch.setattr(module, "NOTICE_SECONDS", 0.05)
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.2)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", LOCKER, str(directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.communicate("\n", timeout=30)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("what", ["append", "create", "close", "hold"])
@pytest.mark.case("S1")
def test_a_lock_of_another_process_is_told_and_then_an_error(tmp_path: Path, what: str) -> None:
    """First a notice that names the process, then StoreError that does; nothing is lost."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.append("run", calls(2, 1))
    acts: dict[str, Any] = {
        "append": lambda: store.append("run", calls(3, 1)),
        "create": lambda: store.create("other", started()),
        "close": lambda: store.append("run", [nbflow.core.events.RunClosed(3, 1.0, "failed")]),
        "hold": lambda: store.release("run", nbflow.store.lease.new_lease()),
    }
    with locked(tmp_path) as process:
        with (
            pytest.warns(RuntimeWarning, match=f"process {process.pid} keeps the store"),
            pytest.raises(StoreError, match=f"kept locked for 0.2 s by process {process.pid}"),
        ):
            acts[what]()
        assert len(list(store.events("run"))) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        acts[what]()
    store.close()


@pytest.mark.parametrize("what", ["append", "create"])
@pytest.mark.case("S1")
def test_who_waits_goes_on_once_the_lock_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The notice is all that is seen of it."""
    for module in (opening, patience):
        monkeypatch.setattr(module, "NOTICE_SECONDS", 0.05)
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.append("run", calls(2, 1))
    said: list[str] = []
    with locked(tmp_path) as process:

        def release(message: Any, *_: object, **__: object) -> None:
            said.append(str(message))
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            monkeypatch.setattr(warnings, "showwarning", release)
            if what == "append":
                store.append("run", calls(3, 1))
            else:
                store.create("other", started())
    assert len(said) == 1
    assert len(list(store.events("run"))) == (3 if what == "append" else 2)
    store.close()


# -------------------------------------------------------------------- read only

VIEWER = """
import os, sys, warnings
import nbflow
from nbflow.store.sqlite import SqliteStore
import cloudpickle, nbflow.viz.views, nbflow.store.care

@nbflow.activity
def f():
    print("RAN")

@nbflow.workflow
def flow():
    f()

os.setgid(65534)
os.setuid(65534)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    store = SqliteStore(sys.argv[1])
print(*{str(w.message) for w in caught})
print([row.run for row in store.runs()], len(list(store.events("run"))))
nbflow.configure(store=store)
try:
    flow.start()
except nbflow.StoreError as error:
    print("refused:", error)
"""


@root_only
@pytest.mark.parametrize("what", ["directory", "file"])
@pytest.mark.parametrize("left", ["closed", "open"])
@pytest.mark.case("S11")
def test_what_cannot_be_written_can_be_looked_at(what: str, left: str) -> None:
    """With a notice; starting a run is refused before anything ran."""
    directory = Path(tempfile.mkdtemp(prefix="nbflow-"))
    try:
        store = SqliteStore(directory / "store")
        store.create("run", started())
        if left == "closed":
            store.close()
        directory.chmod(0o755)
        (directory / "store").chmod(0o777 if what == "file" else 0o755)
        for path in (directory / "store").glob("log.sqlite*"):
            path.chmod(0o444 if what == "file" else 0o666)
        done = subprocess.run(
            [sys.executable, "-c", VIEWER, str(directory / "store")],
            capture_output=True,
            text=True,
            check=True,
        )
        store.close()
    finally:
        shutil.rmtree(directory)
    assert "can be looked at only: this user may not write to" in done.stdout
    assert "['run'] 1" in done.stdout
    assert "refused: the store" in done.stdout
    assert "Nothing was started" in done.stdout
    assert "RAN" not in done.stdout


# -------------------------------------------------------------------- files


@pytest.mark.case("S8")
def test_an_emptied_file_beside_blobs_is_no_new_store(tmp_path: Path) -> None:
    """What it held is lost, and that is said; it is not begun anew over what is left."""
    store = SqliteStore(tmp_path)
    store.put(b"x" * 100)
    store.close()
    for path in tmp_path.glob("log.sqlite*"):
        path.unlink()
    (tmp_path / "log.sqlite").touch()
    with pytest.raises(StoreUnusable, match="is empty, but there are blobs beside it"):
        SqliteStore(tmp_path)
    assert (tmp_path / "log.sqlite").stat().st_size == 0


@pytest.mark.case("S7")
def test_a_flipped_bit_in_a_row_is_noticed(tmp_path: Path) -> None:
    """SQLite's own check finds nothing; the row's sum does, and the message says what to do."""
    store = SqliteStore(tmp_path)
    store.create("run", started())
    store.append("run", calls(2, 3))
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE log SET events = replace(events, 'Call', 'Cull') WHERE last = 4")
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = SqliteStore(tmp_path)
    with pytest.raises(StoreUnusable, match=r"run run .* is damaged.*%nbflow store check"):
        list(store.events("run"))
    store.close()


@root_only
@pytest.mark.case("S3")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """Appends and blobs that do not fit are StoreError, and what was written is there."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "nbflow-test", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        store = SqliteStore(tmp_path / "store")
        store.create("run", started())
        written = 1

        def fill() -> None:
            nonlocal written
            while True:
                store.append("run", calls(written + 1, 40))
                written += 40

        with pytest.raises(StoreError, match=r"the disk is full|SQLITE_(FULL|IOERR)"):
            fill()
        with pytest.raises(StoreError, match="cannot be kept in"):
            store.put(b"x" * 500_000)
        assert [event.seq for event in store.events("run")] == list(range(1, written + 1))
        assert not [path for path in tmp_path.rglob("*.*.*") if "blobs" in path.parts]
        store.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


# -------------------------------------------------------------------- SQLite and file systems


@pytest.mark.case("S16")
def test_an_sqlite_that_is_too_old_is_refused_with_both_versions() -> None:
    """And with what can be done about it."""
    with pytest.raises(StoreUnusable, match=r"SQLite 3\.35\.0 or newer.*has 3\.34\.1.*:memory:"):
        check_version((3, 34, 1))
    check_version((3, 35, 0))


@pytest.fixture
def on_nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every directory pass for one of a network file system."""
    monkeypatch.setattr(opening, "file_system", lambda path: "nfs4")


@pytest.mark.usefixtures("on_nfs")
@pytest.mark.case("S15")
def test_no_write_ahead_log_on_network_file_systems(tmp_path: Path) -> None:
    """A rollback journal, every commit synced, and a warning that says why."""
    with pytest.warns(RuntimeWarning, match=r"network file system \(nfs4\).*once=True"):
        store = SqliteStore(tmp_path)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    store.create("run", started())
    store.append("run", calls(2, 2))
    store.append("run", calls(4, 2))
    assert len(list(store.events("run"))) == 5
    assert not list(tmp_path.glob("*-wal"))
    store.close()


@pytest.mark.usefixtures("on_nfs")
@pytest.mark.case("S15")
def test_once_is_refused_on_network_file_systems(tmp_path: Path) -> None:
    """Nobody can promise there that it begins at most once, so it does not begin."""
    ran: list[int] = []

    @nbflow.activity(once=True)
    def pay() -> None:
        ran.append(1)

    @nbflow.workflow
    def paying() -> None:
        pay().result()

    nbflow.configure(store=str(tmp_path))
    with pytest.warns(RuntimeWarning, match="network file system"):
        run = paying.start()
    with pytest.raises(StoreError, match="once=True call begins at most once: it was not begun"):
        run.result()
    assert ran == []


MOUNTS = r"""
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
30 21 0:40 / /home rw shared:1 - nfs4 server:/home rw
31 21 0:41 / /mnt/my\040share rw - cifs //server/share rw
32 31 0:42 / /mnt/my\040share/local rw - ext4 /dev/sdb rw
33 21 0:43 / /over rw - nfs4 server:/x rw
34 21 0:44 / /over rw - tmpfs tmpfs rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/x", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/.nbflow", "nfs4"),
        ("/homework", "ext4"),
        ("/mnt/my share/x", "cifs"),
        ("/mnt/my share/local/x", "ext4"),
        ("/over/x", "tmpfs"),
    ],
)
def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, path: str, kind: str
) -> None:
    """As Linux lists them, spaces escaped; the latest mount of a place is on top."""
    (tmp_path / "mountinfo").write_text(MOUNTS)
    assert file_system(Path(path), tmp_path / "mountinfo") == kind
    assert file_system(Path(path), tmp_path / "none") == ""
