"""What keeps stores well: checked, compacted, handed on, taken in, and saved when damaged."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbflow.core import payload
from nbflow.core.errors import PickleRefused, RunNotFound, StoreError
from nbflow.core.events import CallScheduled, CallStarted, CallSucceeded
from nbflow.core.eventtext import encode
from nbflow.core.payload import Blob, Packed, Ref
from nbflow.store import care
from nbflow.store.lease import new_lease
from nbflow.store.schema import checksum
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import started
from nbflow.viz import preview

FILE = "log.sqlite"


def value(number: int) -> CallSucceeded:
    """Give an event with a pickle and one with a blob in turn."""
    data = Packed("pickle", payload.dumps(complex(number), "x"))
    return CallSucceeded(number, 1.0, "f-1", 1, data, "w", 1.0)


def first_calls(seq: int, count: int) -> list[CallScheduled | CallStarted]:
    """Give so many events: three calls that were asked for, and those that began."""
    asked = [CallScheduled(seq + n, 1.0, f"f-{n + 1}", "f", (n,)) for n in range(3)]
    began = [CallStarted(seq + n, 1.0, f"f-{n % 3 + 1}", 1, "w") for n in range(3, count)]
    return [*asked, *began]


def fill(directory: Path, runs: int = 2, events: int = 6) -> SqliteStore:
    """Make a store with some runs, pickles and blobs."""
    store = SqliteStore(directory)
    for number in range(runs):
        run = f"run-{number}"
        store.create(run, started()._replace(at=float(number)))
        store.append(run, first_calls(2, events))
        large = f'["{number}{"x" * 70_000}"]'.encode()
        blob = Blob("json", store.put(large), len(large))
        pickled = payload.dumps("y" * 70_000 + str(number), "y")
        other = Blob("pickle", store.put(pickled), len(pickled))
        store.append(run, [value(events + 2)])
        store.append(run, [CallSucceeded(events + 3, 1.0, "f-2", 1, blob, "w", 1.0)])
        store.append(run, [CallSucceeded(events + 4, 1.0, "f-3", 1, other, "w", 1.0)])
    return store


def logs(directory: Path) -> dict[str, list[Any]]:
    store = SqliteStore(directory)
    found = {row.run: list(store.events(row.run)) for row in store.runs()}
    store.close()
    return found


def sql(directory: Path, statement: str, *values: object) -> list[Any]:
    with contextlib.closing(sqlite3.connect(directory / FILE, isolation_level=None)) as db:
        return db.execute(statement, values).fetchall()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    fill(directory).close()
    sql(directory, "PRAGMA wal_checkpoint(TRUNCATE)")
    return directory


# -------------------------------------------------------------------- check


def test_a_sound_store_has_no_problems(place: Path) -> None:
    """Its figures are those of what is in it."""
    account = care.check(place)
    assert account.ok, account
    assert account.figures == {
        "runs": 2,
        "events": 20,
        "pickles": 4,
        "blobs": 4,
        "blob bytes": account.figures["blob bytes"],
    }
    assert str(place) in str(account)


def flip(directory: Path) -> None:
    sql(directory, "UPDATE log SET events = replace(events, '\"f-1\"', '\"f-7\"') WHERE last = 8")


def gap(directory: Path) -> None:
    sql(directory, "DELETE FROM log WHERE last = 8 AND key < (2 << 36)")


def unreadable(directory: Path) -> None:
    sql(directory, "UPDATE log SET events = '[[', sum = ? WHERE last = 8", checksum("[["))


def no_blob(directory: Path) -> None:
    next((directory / "blobs").glob("*/*")).unlink()


def bad_blob(directory: Path) -> None:
    next((directory / "blobs").glob("*/*")).write_bytes(b"x")


def no_events(directory: Path) -> None:
    sql(directory, "DELETE FROM log WHERE key < (2 << 36)")


def writable(directory: Path) -> None:
    directory.chmod(0o777)


def forge(directory: Path, *events: CallScheduled | CallSucceeded) -> None:
    """Add events to a log, with the checksum that they need."""
    first, text = events[0].seq, encode(events)
    values = ((1 << 36) | first, events[-1].seq, text, checksum(text))
    sql(directory, "INSERT INTO log VALUES (?,?,?,?)", *values)


def asked(seq: int, call: str, *needs: str) -> CallScheduled:
    return CallScheduled(seq, 1.0, call, "f", tuple(map(Ref, needs)), None, needs)


def circle(directory: Path) -> None:
    forge(
        directory,
        asked(11, "g-1"),
        asked(12, "g-2", "g-1"),
        asked(13, "g-3", "f-1", "g-2"),
        asked(14, "g-1", "g-3"),
    )


def itself(directory: Path) -> None:
    forge(directory, asked(11, "g-1"), asked(12, "g-1", "g-1"))


def long_circle(directory: Path) -> None:
    chain = [asked(11 + n, f"g-{n}", *([f"g-{n - 1}"] if n else [])) for n in range(20_000)]
    forge(directory, *chain, asked(20_011, "g-0", "g-19999"))


def unknown(directory: Path) -> None:
    forge(directory, asked(11, "g-1", "g-2"), asked(12, "g-2", "g-1"))


def unasked(directory: Path) -> None:
    forge(directory, CallSucceeded(11, 1.0, "h-1", 1, 1, "w", 1.0))


def text_number(directory: Path) -> None:
    text = '[["CallStarted",["x",1.0,"f-1",1,"w"]]]'
    values = ((1 << 36) | 11, 11, text, checksum(text))
    sql(directory, "INSERT INTO log VALUES (?,?,?,?)", *values)


def bad_cache(directory: Path) -> None:
    sql(directory, "INSERT INTO cache VALUES ('k','a','c','i','r','c',1,1,1,'{','p')")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (flip, "not those that were written"),
        (gap, "event 8 is missing"),
        (unreadable, "cannot be read"),
        (no_blob, "is missing"),
        (bad_blob, "is damaged"),
        (no_events, "has no events"),
        (writable, "other users can write"),
        (bad_cache, "cached result k cannot be read"),
        (circle, "run-0: its calls wait for each other in a circle: g-1 <- g-2 <- g-3 <- g-1"),
        (itself, "run-0: its calls wait for each other in a circle: g-1 <- g-1"),
        (long_circle, "19,995 more <- g-"),
        (unknown, "run-0: event 11 (CallScheduled) needs 'g-2', which is not before it"),
        (unasked, "run-0: event 11 (CallSucceeded) needs 'h-1', which is not before it"),
        (text_number, "events 11 to 11: they cannot be read"),
    ],
)
def test_damage_is_named(place: Path, damage: Callable[[Path], None], says: str) -> None:
    """SQLite's own check finds none of these; each is told with what it is about."""
    damage(place)
    before = (place / FILE).read_bytes()
    account = care.check(place)
    assert not account.ok
    assert says in str(account)
    assert (place / FILE).read_bytes() == before


def test_a_call_that_was_asked_for_anew_is_no_circle(place: Path) -> None:
    """A resumption may ask for it otherwise, of calls that are younger than it is."""
    forge(place, asked(11, "g-1"), asked(12, "g-2"), asked(13, "g-1", "g-2"), asked(14, "g-2"))
    assert care.check(place).ok, care.check(place)


@pytest.mark.parametrize("spoil", [circle, unknown])
def test_an_export_of_calls_that_cannot_be_is_refused(
    place: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Nothing of it is taken in: whoever forged it might count on what reads it."""
    spoil(place)
    care.export(place, tmp_path / "runs.zip")
    with pytest.raises(StoreError, match=r"circle|not before it"):
        care.load(tmp_path / "other", tmp_path / "runs.zip")
    assert not (tmp_path / "other" / FILE).exists() or not logs(tmp_path / "other")


def test_pickles_of_others_are_counted(place: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """That is no damage, but what one has to know."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "other"))
    account = care.check(place)
    assert account.ok
    assert account.figures["pickles refused"] == 4
    assert "another user signed it" in str(account)


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    """A directory without a store is an error, and none is made there."""
    acts: list[Callable[[Path], object]] = [
        care.check,
        care.compact,
        care.trust,
        lambda path: care.export(path, tmp_path / "out.zip"),
        lambda path: care.recover(path, tmp_path / "new"),
    ]
    for act in acts:
        with pytest.raises(StoreError, match="there is no store"):
            act(tmp_path)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------- compact


def test_compacting_gives_room_back_and_loses_nothing(place: Path) -> None:
    """The file shrinks; blobs that nothing refers to go only if that is asked for."""
    before = logs(place)
    store = SqliteStore(place)
    store.create("large", started())
    for number in range(2, 300):
        store.append("large", [CallSucceeded(number, 1.0, "f-1", 1, "x" * 3000, "w", 1.0)])
    unused = store.put(b"unused")
    store.close()
    sql(place, "DELETE FROM log WHERE key >= (3 << 36)")
    sql(place, "DELETE FROM run WHERE id = 3")
    account = care.compact(place)
    assert account.figures["bytes after"] < account.figures["bytes before"] / 2
    assert list((place / "blobs").rglob(unused))
    account = care.compact(place, blobs=True, grace=-1)
    assert account.figures["blobs deleted"] == 1
    assert not list((place / "blobs").rglob(unused))
    assert logs(place) == before
    assert care.check(place).ok


def test_a_store_with_a_run_under_way_is_not_compacted(place: Path) -> None:
    """The message names the run and who drives it."""
    store = SqliteStore(place)
    store.hold("run-1", new_lease())
    with pytest.raises(StoreError, match=r"run run-1 is driven by process \d+"):
        care.compact(place)
    store.close()


# -------------------------------------------------------------------- export and import


def test_what_is_exported_with_pickles_comes_back(place: Path, tmp_path: Path) -> None:
    """All runs, blobs and pickles; signed for those runs, so that this user can load them."""
    care.export(place, tmp_path / "all.zip", pickles=True)
    account = care.load(tmp_path / "new", tmp_path / "all.zip")
    assert account.figures == {"blobs": 4, "runs": 2}
    assert logs(tmp_path / "new") == logs(place)
    assert care.check(tmp_path / "new").ok
    assert "pickles refused" not in care.check(tmp_path / "new").figures
    assert (tmp_path / "all.zip").stat().st_mode & 0o077 == 0


@pytest.mark.case("X6")
def test_pickles_are_left_out_unless_asked_for(place: Path, tmp_path: Path) -> None:
    """Neither in the log nor as a blob; what was left out says so when it is wanted."""
    account = care.export(place, tmp_path / "one.zip", "run-1")
    assert account.figures == {"runs": 1, "pickles left out": 2, "blobs": 1}
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert payload.dumps(complex(8), "x") not in whole
    assert b"yyyy" not in whole
    care.load(tmp_path / "new", tmp_path / "one.zip")
    (log,) = logs(tmp_path / "new").values()
    assert len(log) == 10
    assert preview.value_of(log[7].result) == "a value that was left out"
    with pytest.raises(PickleRefused, match="left out when the run was exported"):
        payload.unpack(log[7].result, str, lambda _: b"")
    assert payload.unpack(log[8].result, str, SqliteStore(tmp_path / "new").get)[0][0] == "1"
    care.trust(tmp_path / "new")
    (log,) = logs(tmp_path / "new").values()
    with pytest.raises(PickleRefused, match="left out"):
        payload.unpack(log[7].result, str, lambda _: b"")


def test_a_taken_id_is_changed_and_its_pickles_are_refused(place: Path, tmp_path: Path) -> None:
    """Nothing is written over, and a signature is good for the run that it was made for."""
    before = logs(place)
    care.export(place, tmp_path / "one.zip", "run-1", pickles=True)
    account = care.load(place, tmp_path / "one.zip")
    assert "run 'run-1' is taken in as flow-" in str(account)
    found = logs(place)
    assert len(found) == 3
    (new,) = set(found) - set(before)
    assert {run: found[run] for run in before} == before
    assert found[new] == before["run-1"]
    assert found[new][7].result.refused
    care.trust(place)
    assert not logs(place)[new][7].result.refused


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


@pytest.mark.parametrize("part", ["runs.jsonl", "blobs/", "manifest.json"])
def test_a_damaged_export_is_refused_whole(place: Path, tmp_path: Path, part: str) -> None:
    """One changed byte of any part: nothing is written."""
    care.export(place, tmp_path / "all.zip")
    rewritten(
        tmp_path / "all.zip",
        tmp_path / "bad.zip",
        lambda name, data: (
            data[:-9] + bytes([data[-9] ^ 1]) + data[-8:] if name.startswith(part) else data
        ),
    )
    with pytest.raises(StoreError, match="Nothing was written"):
        care.load(tmp_path / "new", tmp_path / "bad.zip")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "run", ["../../x", "con", "a/b", "x" * 300, "<script>", "\x1b[2J", "", "a\0b"]
)
def test_ids_of_a_hostile_export_are_changed(tmp_path: Path, run: str) -> None:
    """An id that is none of ours gets a new one, made of safe letters."""
    lines: list[dict[str, Any]] = [
        {"nbflow": "export", "version": 1},
        {"run": run, "workflow": run},
        {"of": run, "events": encode([started()])},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)))
    care.load(tmp_path / "new", source)
    (name,) = logs(tmp_path / "new")
    assert name != run
    assert name.isascii()
    assert name.replace("-", "").replace("_", "").isalnum()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_anything_else_is_refused_in_one_way(tmp_path: Path, data: bytes) -> None:
    """Whatever a file holds: StoreError, never another error, and no store is made."""
    (tmp_path / "in").write_bytes(data)
    with pytest.raises(StoreError, match="cannot be imported"):
        care.load(tmp_path / "new", tmp_path / "in")
    assert not (tmp_path / "new").exists()


@pytest.mark.case("X6")
def test_an_export_is_inert_in_a_page(tmp_path: Path) -> None:
    """No letter of it opens an element, wherever its text is put."""
    store = SqliteStore(tmp_path / "store")
    store.create("run", started()._replace(workflow="</script><b>&"))
    store.close()
    care.export(tmp_path / "store", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for name in archive.namelist():
            assert not set(b"<>&") & set(archive.read(name))


def test_exports_write_over_nothing(place: Path, tmp_path: Path) -> None:
    """A file that is there stays; an unknown run is named; no half file is left."""
    (tmp_path / "there.zip").write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        care.export(place, tmp_path / "there.zip")
    assert (tmp_path / "there.zip").read_text() == "mine"
    with pytest.raises(RunNotFound, match="no run nope"):
        care.export(place, tmp_path / "other.zip", "nope")
    flip(place)
    with pytest.raises(StoreError, match="is damaged"):
        care.export(place, tmp_path / "other.zip")
    assert {path.name for path in tmp_path.iterdir()} == {"there.zip", "store"}


# -------------------------------------------------------------------- recover


def header(directory: Path) -> None:
    data = bytearray((directory / FILE).read_bytes())
    data[:100] = bytes(100)
    (directory / FILE).write_bytes(data)


@pytest.mark.parametrize("damage", [flip, gap, unreadable, no_events])
def test_each_run_is_saved_up_to_its_first_flaw(
    place: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """What was lost is named, run by run; the damaged store stays as it is."""
    before = logs(place)
    damage(place)
    data = (place / FILE).read_bytes()
    account = care.recover(place, tmp_path / "new")
    assert not account.ok
    assert "lost" in str(account)
    assert (place / FILE).read_bytes() == data
    for run, log in logs(tmp_path / "new").items():
        assert log == before[run][: len(log)]
    assert care.check(tmp_path / "new").ok
    assert logs(tmp_path / "new")["run-1"][:7] == before["run-1"][:7]


def test_a_lost_header_loses_nothing_else(place: Path, tmp_path: Path) -> None:
    """All runs come back, and their pickles are still this user's."""
    before = logs(place)
    header(place)
    with pytest.raises(StoreError, match="recover"):
        SqliteStore(place)
    account = care.recover(place, tmp_path / "new")
    assert account.ok, account
    assert logs(tmp_path / "new") == before
    assert "pickles refused" not in care.check(tmp_path / "new").figures


@pytest.mark.case("S6")
def test_a_cut_file_gives_what_is_left_of_it(tmp_path: Path) -> None:
    """Runs whose pages are there are whole; of the others it is said that they are lost."""
    fill(tmp_path / "store", runs=30, events=300).close()
    sql(tmp_path / "store", "PRAGMA wal_checkpoint(TRUNCATE)")
    before = logs(tmp_path / "store")
    file = tmp_path / "store" / FILE
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3 // 4096 * 4096])
    account = care.recover(tmp_path / "store", tmp_path / "new")
    found = logs(tmp_path / "new")
    assert not account.ok
    assert found
    for run, log in found.items():
        assert log == before[run][: len(log)]
    assert sum(log == before[run] for run, log in found.items()) >= 5


@pytest.mark.parametrize("page", range(1, 9))
@pytest.mark.case("S6")
def test_a_scribbled_page_is_survived(tmp_path: Path, page: int) -> None:
    """Whichever page it is: what can be read is right, and no other error comes up."""
    fill(tmp_path / "store", runs=4, events=80).close()
    sql(tmp_path / "store", "PRAGMA wal_checkpoint(TRUNCATE)")
    before = logs(tmp_path / "store")
    file = tmp_path / "store" / FILE
    data = bytearray(file.read_bytes())
    data[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    file.write_bytes(data)
    account = care.check(tmp_path / "store")
    recovered = care.recover(tmp_path / "store", tmp_path / "new")
    found = logs(tmp_path / "new")
    if found != before:
        assert not recovered.ok
        assert not account.ok
    known = {log[0].at: log for log in before.values()}
    for run, log in found.items():
        whole = before.get(run) or known[log[0].at]
        assert log == whole[: len(log)]


def test_nothing_is_recovered_over_a_store(place: Path) -> None:
    """A store that is there stays."""
    with pytest.raises(StoreError, match="there is a store"):
        care.recover(place, place)


def test_a_file_of_noise_is_an_error(tmp_path: Path) -> None:
    """Where nothing can be read, that is said, and the file left."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / FILE).write_bytes(b"noise" * 5000)
    with pytest.raises(StoreError, match="nothing can be read"):
        care.recover(tmp_path / "store", tmp_path / "new")
    assert (tmp_path / "store" / FILE).read_bytes() == b"noise" * 5000


# -------------------------------------------------------------------- rescue


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
@pytest.mark.case("S9")
def test_the_events_of_a_deleted_store_are_rescued(tmp_path: Path, replaced: bool) -> None:
    """What was in it and what was about to be written: in a file beside, which can be imported."""
    store = fill(tmp_path / "store", runs=1)
    log = list(store.events("run-0"))
    shutil.rmtree(tmp_path / "store")
    if replaced:
        SqliteStore(tmp_path / "store").close()
    with pytest.raises(StoreError, match=r"deleted or replaced.*%nbflow store import") as caught:
        store.append("run-0", [value(11)])
    store.close()
    (file,) = tmp_path.glob("*rescued*.jsonl")
    assert str(file) in str(caught.value)
    assert file.stat().st_mode & 0o077 == 0
    care.load(tmp_path / "new", file)
    assert logs(tmp_path / "new") == {"run-0": [*log, value(11)]}
    assert not logs(tmp_path / "new")["run-0"][7].result.refused
