"""Hands runs on as one file, and takes them in from one.

The file is a zip of ``manifest.json``, ``runs.jsonl`` and ``blobs/DIGEST``. The manifest has the
SHA-256 of each of the others. A line of ``runs.jsonl`` is a run (``{"run": id, ...}``) or some of
its events (``{"of": id, "events": text}``). What is read is checked whole before anything is
written, and is no more trusted for being in a store: signatures are good for the run and the user
that they were made for, so that pickles of others stay refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nbflow.core.digests import fits
from nbflow.core.errors import RunNotFound, StoreError
from nbflow.core.events import SignalReceived
from nbflow.core.eventtext import decode, encode
from nbflow.core.seals import left_out, mapped, pickles_in
from nbflow.store.account import Account
from nbflow.store.blobs import Blobs
from nbflow.store.cached import blobs_in
from nbflow.store.following import Following
from nbflow.store.ids import is_id, new_id
from nbflow.store.letters import DIRECTORY, Letter, deposit, waiting
from nbflow.store.opening import error_of
from nbflow.store.rows import (
    LogRow,
    RunLine,
    add_run,
    file_of,
    flaw_of,
    log_rows,
    reading,
    run_rows,
    writing,
)
from nbflow.store.schema import checksum, transaction
from nbflow.store.sqlite import SqliteStore

_HEAD: Final = {"nbflow": "export", "version": 1}
_MOST_BYTES: Final = 16 * 1024**3
_ESCAPES: Final = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))


# ---------------------------------------------------------------- out


def export(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    run: str | None = None,
    *,
    pickles: bool = False,
) -> Account:
    """Write a run, or all runs of a store, to one file.

    Args:
        path: The store's directory.
        target: The file, which must not be there yet.
        run: The id of the run; None for all.
        pickles: Whether values that are pickled go along. Whoever gets the file can load them
            only by trusting it, and they may hold more of your data than you think.

    Raises:
        RunNotFound: There is no such run.
        StoreError: There is no store, its log is damaged, or the file cannot be written.
    """
    directory, out = Path(path).absolute(), Path(target).absolute()
    file = file_of(directory)
    if out.exists():
        message = f"{out} is there already: nothing was written"
        raise StoreError(message)
    SqliteStore(directory).close()  # brings it up to date, and refuses what is no store
    account = Account(f"export {out}")
    temporary = out.with_name(f"{out.name}.{os.getpid()}")
    try:
        with reading(file) as db, open(temporary, "xb", opener=_private) as raw:
            rows = [row for row in run_rows(db) if run in {None, row.name}]
            if run is not None and not rows:
                message = f"no run {run} in {directory}"
                raise RunNotFound(message)
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
                _fill(
                    archive, db, rows, Blobs(directory / "blobs", str(directory)), account, pickles
                )
        temporary.replace(out)
    except sqlite3.Error as error:
        raise error_of(file, "read", error, then="try again") from error
    except OSError as error:
        message = f"the runs cannot be written to {out}: {error}. There is no such file now"
        raise StoreError(message) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return account


def _fill(
    archive: zipfile.ZipFile,
    db: sqlite3.Connection,
    rows: list[RunLine],
    blobs: Blobs,
    account: Account,
    pickles: bool,  # noqa: FBT001 - a private function
) -> None:
    sums: dict[str, str] = {}
    wanted: dict[str, None] = {}
    summer = hashlib.sha256()
    with archive.open("runs.jsonl", "w", force_zip64=True) as out:
        letters = waiting(blobs.directory.parent)
        for found in _lines(db, rows, letters, account, pickles):
            line = (_written(found) + "\n").encode()
            summer.update(line)
            out.write(line)
            wanted.update(dict.fromkeys(_wanted(found, pickles)))
    sums["runs.jsonl"] = summer.hexdigest()
    for name in wanted:
        data = blobs.get(name)
        archive.writestr(f"blobs/{name}", data)
        sums[f"blobs/{name}"] = hashlib.sha256(data).hexdigest()
        account.add("blobs")
    archive.writestr("manifest.json", _written({**_HEAD, "pickles": pickles, "files": sums}))


def _written(found: dict[str, Any]) -> str:
    """Write JSON that no page takes for anything else, wherever it is put."""
    text = json.dumps(found)
    for char, escape in _ESCAPES:
        text = text.replace(char, escape)
    return text


def _lines(
    db: sqlite3.Connection,
    rows: list[RunLine],
    letters: Iterable[Letter],
    account: Account,
    pickles: bool,  # noqa: FBT001
) -> Iterator[dict[str, Any]]:
    yield dict(_HEAD)
    for run in rows:
        account.add("runs")
        yield {"run": run.name, "workflow": run.workflow}
        last = 0
        for row in log_rows(db, run.id):
            flaw = flaw_of(row, last)
            if flaw:
                message = f"run {run.name} is damaged, events {row.first} to {row.last}: {flaw}"
                raise StoreError(message)
            last = row.last
            yield {"of": run.name, "events": row.events if pickles else _bare(row.events, account)}
    yield from _letters(letters, {run.name for run in rows}, account, pickles)


def _letters(
    letters: Iterable[Letter],
    runs: set[str],
    account: Account,
    pickles: bool,  # noqa: FBT001
) -> Iterator[dict[str, Any]]:
    """Give the signals that wait for these runs; those that cannot be read are left out."""
    for letter in letters:
        if letter.run not in runs:
            continue
        try:
            text = letter.text if pickles else _bare(letter.text, account)
            list(decode(text))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            account.problem(f"signal {letter.name} to run {letter.run} is left out: {error}")
            continue
        account.add("signals that wait")
        yield {"of": letter.run, "letter": letter.name, "events": text}


def _bare(text: str, account: Account) -> str:
    """Give events without what is pickled in them."""
    events = list(decode(text))
    count = sum(len(pickles_in(event)) for event in events)
    if not count:
        return text
    account.add("pickles left out", count)
    return encode([mapped(event, left_out) for event in events])


def _wanted(found: dict[str, Any], pickles: bool) -> Iterator[str]:  # noqa: FBT001
    """Give the blobs that a line refers to and that go along."""
    text = found.get("events", "")
    if pickles:
        yield from blobs_in(text)
        return
    yield from (name for name in blobs_in(text) if f'"$blob":["json","{name}"' in text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# ---------------------------------------------------------------- in


@dataclass(slots=True)
class _Found:
    """What a file holds, all of it checked."""

    runs: dict[str, list[str]] = field(default_factory=dict)
    workflows: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)


def load(path: str | os.PathLike[str], source: str | os.PathLike[str]) -> Account:
    """Take the runs of a file into a store, all of them or none.

    A run whose id is taken gets a new one. What is pickled in them stays refused unless this user
    signed it for that very run; `nbflow.trust` says otherwise.

    Args:
        path: The store's directory; made if it is missing.
        source: What `export` wrote, or the rescued events of a store that was lost.

    Raises:
        StoreError: The file is none of these, or is damaged. Nothing was written.
    """
    came = Path(source).absolute()
    account = Account(f"import {came}")
    try:
        if zipfile.is_zipfile(came):
            with zipfile.ZipFile(came) as archive:
                found = _read_zip(archive)
                _take(Path(path).absolute(), found, archive, account)
        else:
            with came.open(encoding="utf-8") as lines:
                found = _read_lines(lines)
            _take(Path(path).absolute(), found, None, account)
    except (
        OSError,
        zipfile.BadZipFile,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:
        message = f"{came} cannot be imported: {type(error).__name__}: {error}. Nothing was written"
        raise StoreError(message) from error
    return account


def _read_zip(archive: zipfile.ZipFile) -> _Found:
    size = sum(info.file_size for info in archive.infolist())
    if size > _MOST_BYTES:
        message = f"it would take {size:,} bytes"
        raise ValueError(message)
    manifest = json.loads(archive.read("manifest.json"))
    if {name: manifest.get(name) for name in _HEAD} != _HEAD:
        message = "it is no export of nbflow, or one of a newer nbflow"
        raise ValueError(message)
    for name, wanted in manifest["files"].items():
        if _sum(archive, name) != wanted:
            message = f"{name} in it is damaged"
            raise ValueError(message)
    with archive.open("runs.jsonl") as raw:
        found = _read_lines(line.decode() for line in raw)
    for name in manifest["files"]:
        place, _, last = name.rpartition("/")
        if place == "blobs":
            found.blobs[last] = name
    return found


def _sum(archive: zipfile.ZipFile, name: str) -> str:
    summer = hashlib.sha256()
    with archive.open(name) as file:
        while data := file.read(1 << 20):
            summer.update(data)
    return summer.hexdigest()


def _read_lines(lines: Iterable[str]) -> _Found:
    found = _Found()
    rows: Iterator[dict[str, Any]] = (json.loads(line) for line in lines if line.strip())
    head = next(rows, {})
    if {name: head.get(name) for name in _HEAD} != _HEAD:
        message = "it does not begin as exports of nbflow do"
        raise ValueError(message)
    for row in rows:
        if "run" in row:
            found.runs[row["run"]] = []
            found.workflows[row["run"]] = str(row["workflow"])
        elif "letter" in row:
            found.letters.append(_letter(row, found))
        else:
            found.runs[row["of"]].append(row["events"])
    for run, texts in found.runs.items():
        _check(run, texts)
    return found


def _letter(row: dict[str, Any], found: _Found) -> Letter:
    """Read a signal that waits for a run of the file.

    Raises:
        ValueError: It is none; or KeyError: the file has no such run.
    """
    letter = Letter(str(row["of"]), str(row["letter"]), str(row["events"]))
    known = found.runs[letter.run]
    events = list(decode(letter.text))
    if not known or [type(event) for event in events] != [SignalReceived]:
        message = f"signal {letter.name!r:.60} to run {letter.run!r:.60} is none"
        raise ValueError(message)
    return letter


def _check(run: str, texts: list[str]) -> None:
    last, following = 0, Following()
    for text in texts:
        known = json.loads(text)
        row = LogRow(known[0][1][0], known[-1][1][0], text, checksum(text))
        flaw = flaw_of(row, last) or _first_flaw(text, following)
        if flaw:
            message = f"run {run!r:.60}, events {row.first} to {row.last}: {flaw}"
            raise ValueError(message)
        last = row.last
    if circle := following.circle():
        message = f"run {run!r:.60}: {circle}"
        raise ValueError(message)


def _first_flaw(text: str, following: Following) -> str:
    return next(filter(None, map(following.take, decode(text))), "")


def _take(
    directory: Path, found: _Found, archive: zipfile.ZipFile | None, account: Account
) -> None:
    store = SqliteStore(directory)
    try:
        for name, member in found.blobs.items():
            data = archive.read(member) if archive is not None else b""
            if not fits(name, data):
                message = f"blob {name!r:.60} is damaged"
                raise ValueError(message)
            store.put(data, name=name)
            account.add("blobs")
    finally:
        store.close()
    names: dict[str, str] = {}
    with writing(file_of(directory), "No run was added") as db, transaction(db):
        taken = {row.name for row in run_rows(db)}
        for run, texts in found.runs.items():
            name = run
            while name in taken or not is_id(name):
                name = new_id(found.workflows[run])
            if name != run:
                account.note(f"run {run!r:.150} is taken in as {name}")
            taken.add(name)
            names[run] = name
            add_run(db, name, texts)
            account.add("runs")
        # Before the runs count: a run that is there has all that waits for it.
        for letter in found.letters:
            deposit(directory / DIRECTORY, letter._replace(run=names[letter.run]))
            account.add("signals that wait")
