"""Opens the file of a store: with which rights, on which file system, for how long to wait."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import urllib.parse
import warnings
from pathlib import Path
from typing import Final, NamedTuple

from nbflow.core.errors import StoreError, StoreUnusable
from nbflow.store.checkpoints import PAGES, by_hand
from nbflow.store.synced import warn_if_synced

OLDEST: Final = (3, 35, 0)
"""The SQLite that is needed at least."""
NOTICE_SECONDS: Final = 2.0
"""After so long somebody who waits for another writer is told."""
BUSY_SECONDS: Final = 30.0
"""After so long it is an error."""
_LITTLE: Final = 65_536
"""Bytes: with fewer left SQLite cannot make the file that it shares between processes."""
_NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
_ESCAPES: Final = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


class Opened(NamedTuple):
    """An open file.

    Attributes:
        db: The connection.
        readonly: Why it can only be read; "" if it can be written.
        network: The kind of network file system that it is on; "" for none that is known.
    """

    db: sqlite3.Connection
    readonly: str
    network: str


def check_version(found: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse an SQLite that is too old.

    Raises:
        StoreUnusable: It is.
    """
    if found < OLDEST:
        have, need = (".".join(map(str, version)) for version in (found, OLDEST))
        message = (
            f"nbflow keeps its logs in SQLite {need} or newer, and this Python ({sys.executable}) "
            f"has {have}: use a newer Python, or nbflow.configure(store=':memory:') to keep nothing"
        )
        raise StoreUnusable(message)


def open_file(file: Path, level: str) -> Opened:
    """Open the file of a store; make it, for its owner only, if there is none.

    Args:
        file: Where it is.
        level: How appends are synced, see ``PRAGMA synchronous``.

    Raises:
        StoreUnusable: It lost what it had, or SQLite is too old.
        OSError: It cannot be made.
    """
    check_version()
    network = file_system(file.parent)
    network = network if network in _NETWORK else ""
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    _check_not_emptied(file)
    readonly = why_readonly(file)
    if readonly:
        return Opened(_connect_readonly(file, readonly), readonly, network)
    seconds = BUSY_SECONDS if network else NOTICE_SECONDS
    db = sqlite3.connect(file, timeout=seconds, check_same_thread=False, isolation_level=None)
    db.execute(f"PRAGMA synchronous={'FULL' if network else level}")
    db.execute(f"PRAGMA wal_autocheckpoint={0 if by_hand() else PAGES}")
    warn_if_synced(file.parent)
    if network:
        warnings.warn(
            f"the store {file.parent} is on a network file system ({network}): nbflow uses a "
            "rollback journal there, which is slower, and refuses to begin once=True calls, since "
            "locks of such file systems cannot be relied upon. nbflow.configure(store=...) names "
            "a local directory",
            RuntimeWarning,
            stacklevel=5,
        )
    return Opened(db, "", network)


def _check_not_emptied(file: Path) -> None:
    """Take an empty file for a new store only if nothing says that it had something in it."""
    if file.stat().st_size or not any((file.parent / "blobs").glob("*/*")):
        return
    wal = file.with_name(f"{file.name}-wal")
    if not wal.exists() or not wal.stat().st_size:
        message = (
            f"{file} is empty, but there are blobs beside it: what it held is lost. Nothing was "
            "changed: restore it from a copy, or move the directory away to begin anew"
        )
        raise StoreUnusable(message)


def why_readonly(file: Path) -> str:
    """Say why a store can only be looked at; "" if it can be written."""
    if not os.access(file, os.W_OK):
        return f"this user may not write to {file}"
    if not os.access(file.parent, os.W_OK | os.X_OK):
        return f"this user may not write to {file.parent}"
    return ""


def _connect_readonly(file: Path, why: str) -> sqlite3.Connection:
    """Open it to be looked at. A file in WAL mode asks for a place to write locks to otherwise."""
    address = f"file:{urllib.parse.quote(str(file))}?mode=ro"
    latest = ""
    try:
        db = connect_uri(address)
    except sqlite3.OperationalError:
        db = connect_uri(f"{address}&immutable=1")
        wal = file.with_name(f"{file.name}-wal")
        if wal.exists() and wal.stat().st_size:
            latest = "; the latest events, which are not in the file itself yet, are missing"
    warnings.warn(
        f"the store {file.parent} can be looked at only: {why}{latest}",
        RuntimeWarning,
        stacklevel=6,
    )
    return db


def connect_uri(address: str) -> sqlite3.Connection:
    """Open an SQLite file by its address, and see that it can be read."""
    db = sqlite3.connect(
        address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None
    )
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        db.close()
        raise
    return db


# ---------------------------------------------------------------- file systems


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Give the kind of file system that a path is on, as Linux names it; "" where unknown."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    where = os.path.realpath(path)
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:  # noqa: PLR2004 - the mount point is the fifth, proc(5)
            continue
        point = _unescaped(fields[4])
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # the last one is on top
            best, kind = len(point), after.split(" ")[0]
    return kind


def _unescaped(text: str) -> str:
    for escape, char in _ESCAPES:
        text = text.replace(escape, char)
    return text


# ---------------------------------------------------------------- other writers


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another writer is in the way."""
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def error_of(
    file: Path, what: str, error: sqlite3.Error, busy: str = "", then: str = "resume the run"
) -> StoreError:
    """Give the error to raise for one of SQLite's.

    Args:
        file: The store's file.
        what: What could not be done with it.
        error: What SQLite said.
        busy: Who was in the way, as far as that was found out.
        then: What can be done once the cause is gone.
    """
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or "decode to UTF-8" in str(error):
        return damaged(file, str(error))
    if is_busy(error):
        message = (
            f"the store {file.parent} was kept locked for {BUSY_SECONDS:g} s by "
            f"{busy or 'another process'}: end what writes to it, then {then}"
        )
        return StoreError(message)
    hint = _hint(file, name, then)
    return StoreError(f"the store {file.parent} cannot be {what}: {error} ({name}){hint}")


def damaged(file: Path, why: str) -> StoreUnusable:
    """Give the error to raise for a file that cannot be read, or not all of it."""
    message = (
        f"{file} is not an SQLite file, or is damaged ({why}). Nothing in it was changed: "
        "restore it from a copy, save what can be read with %nbflow store recover NEW-DIR, or "
        "move it away to begin anew"
    )
    return StoreUnusable(message)


def _hint(file: Path, name: str, then: str) -> str:
    full = name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _left(file) < _LITTLE
    if full or name.startswith("SQLITE_FULL"):
        return f": the disk is full. Make room, then {then}"
    if name.startswith("SQLITE_CANTOPEN") and file.is_dir():
        return f": {file} is a directory. Move it away to begin anew"
    return ""


def _left(file: Path) -> int:
    """Give the bytes that its disk still has; many where that cannot be told."""
    try:
        return shutil.disk_usage(file.parent).free
    except OSError:
        return _LITTLE


def refuse_file(directory: Path) -> None:
    """Say so if there is a file where a store's directory is to be.

    Raises:
        StoreUnusable: There is.
    """
    if directory.exists() and not directory.is_dir():
        message = (
            f"{directory} is a file, and a store is a directory: nothing was changed. Name another "
            "place, or move the file away"
        )
        raise StoreUnusable(message)


def prepare(directory: Path) -> None:
    """Make the directory of a store, for its owner only, if there is none.

    Raises:
        StoreUnusable: There is a file of that name.
        OSError: It cannot be made.
    """
    refuse_file(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Only where there is nothing else: the directory may be somebody's project.
    if not any(directory.iterdir()):
        (directory / ".gitignore").write_text("*\n")
