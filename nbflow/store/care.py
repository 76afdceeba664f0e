"""What keeps stores well: checking, compacting, handing on, and saving what is damaged.

Each function takes the directory of a store and gives an `Account` of what it found or did. They
are what ``%nbflow store`` does.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from pathlib import Path

from nbflow.core.errors import StoreError
from nbflow.core.events import Event
from nbflow.core.eventtext import decode, encode
from nbflow.core.seals import checked, is_pickled, mapped, pickles_in, sealed, vouched
from nbflow.store.account import Account
from nbflow.store.blobs import Blobs
from nbflow.store.cached import GRACE, blobs_in, read_stored, write_stored
from nbflow.store.exchange import export, load
from nbflow.store.following import Following
from nbflow.store.letters import DIRECTORY, deposit, waiting
from nbflow.store.opening import damaged
from nbflow.store.recovery import recover
from nbflow.store.rows import (
    FILE,
    LogRow,
    RunLine,
    file_of,
    flaw_of,
    log_rows,
    reading,
    run_rows,
    writing,
)
from nbflow.store.schema import SCHEMA, checksum, transaction
from nbflow.store.seal import StoreSeal
from nbflow.store.sqlite import SqliteStore
from nbflow.store.sqlite_cache import place_of

__all__ = ["Account", "check", "compact", "export", "load", "recover", "trust"]


def check(path: str | os.PathLike[str]) -> Account:
    """Look through a store; nothing in it is changed.

    SQLite's own check, that every log can be read and has no gap, that its events follow from each
    other and no calls wait for each other in a circle, that blobs are there and whole, and who
    signed what is pickled.

    Args:
        path: Its directory.

    Raises:
        StoreError: There is no store.

    Example:
        >>> check(".nbflow").ok
        True
    """
    directory = Path(path).absolute()
    file = file_of(directory)
    account = Account(f"store {directory}")
    version = SCHEMA
    with account.noting("the file"), reading(file) as db:
        for (line,) in db.execute("PRAGMA integrity_check"):
            if line != "ok":
                account.problem(f"SQLite: {line}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA:
            upgrade = "upgrade with pip install -U jupyter-nbflow"
            what = upgrade if version > SCHEMA else "open it once"
            account.problem(f"its schema is {version}, this nbflow's is {SCHEMA}: {what}")
        else:
            _check_logs(db, directory, account)
    if not account.ok and version <= SCHEMA:
        account.note("%nbflow store recover NEW-DIR saves what can be read; this stays as it is")
    _check_modes(directory, account)
    return account


def _check_logs(db: sqlite3.Connection, directory: Path, account: Account) -> None:
    blobs = Blobs(directory / "blobs", str(directory))
    seal = StoreSeal(directory, (directory / FILE, blobs.directory))
    wanted: dict[str, str] = {}
    for run in run_rows(db):
        account.add("runs")
        with account.noting(f"run {run.name}"):
            _check_log(db, run, seal, wanted, account)
    _check_letters(directory, seal, wanted, account)
    for key, text in db.execute("SELECT key, result FROM cache"):
        wanted.update(dict.fromkeys(blobs_in(text), f"the cached result {key}"))
        with account.noting(f"the cached result {key}"):
            account.add(
                "pickles refused", bool(_refused(checked(place_of(key), read_stored(text), seal)))
            )
    _check_blobs(blobs, wanted, account)


def _check_log(
    db: sqlite3.Connection, run: RunLine, seal: StoreSeal, wanted: dict[str, str], account: Account
) -> None:
    last, following = 0, Following()
    for row in log_rows(db, run.id):
        found = flaw_of(row, last)
        if found:
            account.problem(f"run {run.name}: events {row.first} to {row.last}: {found}")
            following.stop()
        else:
            _check_events(row, run.name, seal, following, account)
        wanted.update(dict.fromkeys(blobs_in(row.events), f"run {run.name}"))
        account.add("events", max(0, row.last - row.first + 1))
        last = row.last
    if not last:
        account.problem(f"run {run.name} has no events")
    if circle := following.circle():
        account.problem(f"run {run.name}: {circle}")


def _check_letters(
    directory: Path, seal: StoreSeal, wanted: dict[str, str], account: Account
) -> None:
    for letter in waiting(directory):
        account.add("signals that wait")
        whose = f"signal {letter.name} to run {letter.run}"
        with account.noting(whose):
            for event in decode(letter.text, letter.run, seal):
                _count_pickles(event, whose, account)
        wanted.update(dict.fromkeys(blobs_in(letter.text), whose))


def _check_events(
    row: LogRow, run: str, seal: StoreSeal, following: Following, account: Account
) -> None:
    for event in decode(row.events, run, seal):
        _count_pickles(event, f"run {run}", account)
        if flaw := following.take(event):
            account.problem(f"run {run}: {flaw}")


def _count_pickles(event: Event, whose: str, account: Account) -> None:
    for value in pickles_in(event):
        account.add("pickles")
        if value.refused:
            account.add("pickles refused")
            account.note(f"{whose}: a pickle is refused: {value.refused}")


def _refused(value: object) -> str:
    return str(getattr(value, "refused", ""))


def _check_blobs(blobs: Blobs, wanted: dict[str, str], account: Account) -> None:
    for digest, whose in wanted.items():
        try:
            account.add("blobs")
            account.add("blob bytes", len(blobs.get(digest)))
        except StoreError as error:
            account.problem(f"{whose}: {error}")
    unused = sum(name not in wanted for name in blobs.names())
    if unused:
        account.add("blobs that nothing refers to", unused)


def _check_modes(directory: Path, account: Account) -> None:
    for path in (directory, directory / FILE, directory / "blobs"):
        with contextlib.suppress(OSError):
            if os.name == "posix" and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                account.problem(f"other users can write to {path}: chmod go-w {path}")


def compact(path: str | os.PathLike[str], *, blobs: bool = False, grace: float = GRACE) -> Account:
    """Give room back to the disk.

    Args:
        path: The store's directory.
        blobs: Whether to delete blobs that no log and no cached result refers to as well.
        grace: Blobs younger than so many seconds stay.

    Raises:
        StoreError: There is no store, or a run of it is under way.
    """
    directory = Path(path).absolute()
    file = file_of(directory)
    account = Account(f"store {directory}")
    store = SqliteStore(directory)
    try:
        _refuse_while_driven(store, "compacted")
        account.add("bytes before", _bytes(directory))
        if blobs:
            number, size = store.cache.sweep(grace)
            account.add("blobs deleted", number)
            account.add("blob bytes deleted", size)
    finally:
        store.close()
    with writing(file) as db:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":  # to write a damaged file anew may lose more of it
            raise damaged(file, str(found).split("\n")[-1])
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    account.add("bytes after", _bytes(directory))
    return account


def _refuse_while_driven(store: SqliteStore, what: str) -> None:
    for row in store.runs():
        held = store.holder(row.run) if row.status == "running" else None
        if held is not None:
            message = (
                f"the store {store.path} is not {what}: run {row.run} is driven by "
                f"{held.words(time.time())}. Wait for it, or cancel it"
            )
            raise StoreError(message)


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def trust(path: str | os.PathLike[str]) -> Account:
    """Sign everything that is pickled in a store as this user's own, so that it can be loaded.

    Loading a pickle runs whatever code it holds, with your rights. Say this only of a store that
    you know nobody else has written to: one that an older nbflow made, or that you have copied
    from a machine of yours. Logs, values in JSON, graphs and profiles can be read without.

    Args:
        path: The store's directory.

    Raises:
        StoreError: There is no store, it cannot be written, or other users can write to it.

    Example:
        >>> nbflow.trust("/media/usb/.nbflow")
    """
    directory = Path(path).absolute()
    file = file_of(directory)
    SqliteStore(directory).close()  # brings it up to date, and refuses what is no store
    account = Account(f"store {directory}")
    _check_modes(directory, account)
    if account.problems:
        message = f"the store is not trusted while {account.problems[0]}"
        raise StoreError(message)
    seal = StoreSeal(directory)
    with writing(file) as db, transaction(db):
        for run in run_rows(db):
            for row in log_rows(db, run.id):
                _trust_row(db, row, run.name, seal, account)
        for key, text in db.execute("SELECT key, result FROM cache").fetchall():
            value = read_stored(text)
            if is_pickled(value) and _refused(checked(place_of(key), value, seal)):
                signed = write_stored(sealed(place_of(key), vouched(value), seal))
                db.execute("UPDATE cache SET result = ? WHERE key = ?", (signed, key))
                account.add("values trusted")
    _trust_letters(directory, seal, account)
    account.add("values trusted", 0)
    return account


def _trust_letters(directory: Path, seal: StoreSeal, account: Account) -> None:
    for letter in waiting(directory):
        with account.noting(f"signal {letter.name} to run {letter.run}"):
            events = list(decode(letter.text, letter.run, seal))
            count = sum(bool(value.refused) for event in events for value in pickles_in(event))
            if count:
                text = encode([mapped(event, vouched) for event in events], letter.run, seal)
                deposit(directory / DIRECTORY, letter._replace(text=text))
                account.add("values trusted", count)


def _trust_row(
    db: sqlite3.Connection, row: LogRow, run: str, seal: StoreSeal, account: Account
) -> None:
    flaw = flaw_of(row, row.first - 1)
    if flaw:
        account.problem(f"run {run}: events {row.first} to {row.last}: {flaw}")
        return
    events = list(decode(row.events, run, seal))
    count = sum(bool(value.refused) for event in events for value in pickles_in(event))
    if not count:
        return
    if len(events) != row.last - row.first + 1:
        account.problem(f"run {run}: a newer nbflow wrote events {row.first} to {row.last}")
        return
    text = encode([mapped(event, vouched) for event in events], run, seal)
    values = (text, checksum(text), row.key)
    db.execute("UPDATE log SET events = ?, sum = ? WHERE key = ?", values)
    account.add("values trusted", count)
