"""Signals that wait in a store go wherever its runs go, and are looked through with them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core import payload
from nbflow.core.errors import StoreError
from nbflow.core.events import RunClosed, RunContinued, SignalReceived
from nbflow.store import care
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import started

LARGE = "x" * 200_000
VALUES = [1, {"many": LARGE}, complex(1, 2)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a store of two runs, of which one has signals that wait for it."""
    store = SqliteStore(tmp_path / "store")
    for run in ("run-1", "run-2"):
        store.create(run, started())
    for value in VALUES:
        nbflow.Run("run-1", store).signal("told", value)
    store.close()
    return tmp_path / "store"


def letters(directory: Path, run: str) -> list[SignalReceived]:
    """Give the signals that wait for a run."""
    store = SqliteStore(directory)
    found = [told for _, told in store.mail.letters(run)]
    store.close()
    return found


def values(directory: Path, run: str) -> list[Any]:
    """Give what they tell, in the order of sending."""
    store = SqliteStore(directory)
    told = letters(directory, run)
    found = [payload.unpack(one.result, str, store.get) for one in told]
    store.close()
    return found


def box(directory: Path) -> list[Path]:
    return sorted((directory / "mail" / "run-1").iterdir())


def test_a_check_looks_at_them(place: Path) -> None:
    """They are counted, and so are their pickles; their large values are no waste."""
    account = care.check(place)
    assert account.ok
    assert account.figures["signals that wait"] == 3
    assert account.figures["pickles"] == 1
    assert "pickles refused" not in account.figures
    assert "blobs that nothing refers to" not in account.figures


def test_one_that_is_damaged_is_named(place: Path) -> None:
    """A letter that cannot be read is a problem of the store, not an error of the check."""
    first = box(place)[0]
    first.write_text("[[no")
    account = care.check(place)
    assert [first.name in text for text in account.problems] == [True]
    assert values(place, "run-1") == VALUES[1:]


def test_one_without_its_value_is_named(place: Path) -> None:
    """A large value that is lost is a problem, though no log names it yet."""
    (blob,) = (path for path in (place / "blobs").glob("*/*"))
    blob.unlink()
    (problem,) = care.check(place).problems
    assert "signal" in problem


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_their_values_are_not_swept_away(place: Path, kind: str) -> None:
    """A large value that waits is in use, however long it waits."""
    store: Any = SqliteStore(place) if kind == "sqlite" else MemoryStore()
    if kind == "memory":
        store.create("run-1", started())
        nbflow.Run("run-1", store).signal("told", VALUES[1])
    store.put(b"y" * 100_000)
    number, _ = store.cache.sweep(-1)
    assert number == 1
    told = [one.result for _, one in store.mail.letters("run-1")]
    assert VALUES[1] in [payload.unpack(one, str, store.get) for one in told]
    store.close()


def test_they_go_along_with_an_export(place: Path, tmp_path: Path) -> None:
    """With their run, in their order, and once; without pickles those are left out."""
    account = care.export(place, tmp_path / "all.zip", pickles=True)
    assert account.figures["signals that wait"] == 3
    loaded = care.load(tmp_path / "new", tmp_path / "all.zip")
    assert loaded.figures == {"blobs": 1, "runs": 2, "signals that wait": 3}
    assert values(tmp_path / "new", "run-1") == VALUES
    assert care.check(tmp_path / "new").ok
    assert not (box(tmp_path / "new")[0].stat().st_mode & 0o077)
    bare = care.export(place, tmp_path / "bare.zip")
    assert bare.figures["pickles left out"] == 1
    care.load(tmp_path / "other", tmp_path / "bare.zip")
    told = letters(tmp_path / "other", "run-1")
    assert [bool(getattr(one.result, "refused", "")) for one in told] == [False, False, True]
    alone = care.export(place, tmp_path / "one.zip", "run-2")
    assert "signals that wait" not in alone.figures


def test_those_of_a_run_that_is_renamed_go_to_it(place: Path, tmp_path: Path) -> None:
    """Imported beside its original, a run has letters of its own, and the other keeps its."""
    care.export(place, tmp_path / "all.zip", "run-1", pickles=True)
    care.load(place, tmp_path / "all.zip")
    store = SqliteStore(place)
    (new,) = {row.run for row in store.runs()} - {"run-1", "run-2"}
    store.close()
    assert len(letters(place, "run-1")) == len(letters(place, new)) == 3
    refused = [getattr(told.result, "refused", "") for told in letters(place, new)]
    assert [bool(why) for why in refused] == [False, False, True]
    assert care.trust(place).figures["values trusted"] == 1
    assert values(place, new) == VALUES


def test_a_letter_to_nobody_is_refused(place: Path, tmp_path: Path) -> None:
    """An import whose signals are for other runs, or none, is refused whole."""
    line = '{"nbflow": "export", "version": 1}\n{"run": "a", "workflow": "w"}\n'
    for bad in (
        '{"of": "b", "letter": "../../x", "events": "[]"}',
        '{"of": "a", "letter": "x", "events": "[]"}',
    ):
        (tmp_path / "bad").write_text(line + bad + "\n")
        with pytest.raises(StoreError, match="Nothing was written"):
            care.load(place, tmp_path / "bad")


def test_hostile_names_become_no_paths(place: Path, tmp_path: Path) -> None:
    """A name that nbflow does not give is changed when it is taken in."""
    from nbflow.store.letters import Letter, deposit

    text = box(place)[0].read_text()
    deposit(tmp_path / "mail", Letter("../../run", "../../x", text))
    found = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.parts[0] in {"mail", "store"} for path in found), found
    assert not (tmp_path.parent / "x").exists()


def test_a_recovery_takes_them_along(place: Path, tmp_path: Path) -> None:
    """Those of runs that are saved; those of others are named."""
    (place / "mail" / "run-1").rename(place / "mail" / "gone")
    store = SqliteStore(place)
    nbflow.Run("run-1", store).signal("told", VALUES[1])
    store.close()
    account = care.recover(place, tmp_path / "new")
    assert values(tmp_path / "new", "run-1") == [VALUES[1]]
    assert Counter("for run gone, which is lost" in text for text in account.problems) == {True: 3}


def test_runs_that_went_on_can_be_handed_on(place: Path, tmp_path: Path) -> None:
    """A run that has continued in another one is exported and taken in like any other."""
    store = SqliteStore(place)
    store.append("run-1", [RunContinued(2, 1.0, "run-2"), RunClosed(3, 1.0, "continued")])
    store.close()
    care.export(place, tmp_path / "all.zip")
    care.load(tmp_path / "new", tmp_path / "all.zip")
    store = SqliteStore(tmp_path / "new")
    assert {row.run: row.status for row in store.runs()} == {
        "run-1": "continued",
        "run-2": "running",
    }
    store.close()
