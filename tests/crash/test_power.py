"""The power is cut: what the store finds when it is opened again."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import CallStarted, Event, RunClosed, RunResumed, RunStarted
from nbflow.store.sqlite import SqliteStore
from tests.crash import flow, mutants
from tests.crash.adapter import Sqlite
from tests.crash.disk import Disk, mounted, write
from tests.crash.snapshot import Snapshot
from tests.crash.trial import new_seed

pytestmark = pytest.mark.timeout(600)
CUTS = 300
PAGES = 12
"""So small a write-ahead log that it is moved into the file several times in a run."""


class Noting(SqliteStore):
    """The store, noting what it has said to be written."""

    disk: Disk

    def create(self, run: str, event: RunStarted) -> None:
        super().create(run, event)
        self.disk.mark("written", 1, True)

    def append(self, run: str, events: Sequence[Event], *, sync: bool = False) -> None:
        super().append(run, events, sync=sync)
        barrier = sync or isinstance(events[-1], RunClosed) or isinstance(events[0], RunResumed)
        self.disk.mark("written", events[-1].seq, barrier)


class Noted:
    """Stands for the ledger."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def write(self, kind: str, *what: Any) -> None:
        self.disk.mark(kind, *what)


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Have the store use the noted file system, and move its write-ahead log early."""
    replaced = set()
    for module in [m for name, m in sys.modules.items() if name.startswith("nbflow.store.")]:
        for name, stand_in in (("sqlite3", Sqlite), ("PAGES", PAGES)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, stand_in)
                replaced.add(name)
    return replaced


@dataclass
class Recorded:
    """What a run has done to its disk.

    Attributes:
        disk: All that was written and synced.
        events: The whole log.
    """

    disk: Disk
    events: list[Event]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorded]:
    """Give a function that runs the workflow with everything in it, and the end of it again."""

    def run(durability: str, mutant: str = "") -> Recorded:
        disk = Disk()
        keep = mounted(disk)
        monkeypatch.setattr(flow, "ledger", Noted(disk), raising=False)
        kind: Any = type("Noting", (mutants.apply(mutant, Noting),), {"disk": disk})
        with pytest.MonkeyPatch.context() as patch:
            assert put_in_place(patch) == {"sqlite3", "PAGES"}
            store = kind(tmp_path / "store", durability=durability)
            nbflow.configure(store=store, max_workers=3)
            one = flow.everything.start()
            one.result(30)
            one.rerun("pay-2", workflow=flow.everything).result(30)
            events = list(store.events(one.id))
            store.close()
        del keep
        return Recorded(disk, events)

    return run


def judge(recorded: Recorded, cut: int, left: Snapshot, *, power: bool) -> int:
    """Judge what is left after a cut; give how many events are lost."""
    marks = recorded.disk.marks(cut)
    written = [(seq, barrier) for kind, seq, barrier, *_ in marks if kind == "written"]
    assert left.events == recorded.events[: len(left.events)], "the log is no part of itself"
    least = max((seq for seq, barrier in written if barrier or power), default=0)
    assert len(left.events) >= least, f"event {least} is lost of a log of {len(left.events)}"
    begun = {e.call for e in left.events if isinstance(e, CallStarted)}
    ran = {note[1] for note in marks if note[0] == "effect"}
    assert ran & flow.ONCE <= begun, "a call that runs at most once has run, and nobody knows"
    if any(note[0] == "started" for note in marks):
        assert left.runs, "a run that was started is gone"
    return max((seq for seq, _ in written), default=0) - len(left.events)


def cut_often(recorded: Recorded, home: Path, cuts: int, *, power: bool) -> int:
    """Cut the power at random places; give after how many cuts something was lost."""
    seed = new_seed()
    print(f"{len(recorded.disk.ops)} operations")
    chance, losses = random.Random(seed), 0
    for number in range(cuts):
        cut = chance.randrange(len(recorded.disk.ops) + 1)
        store = home / f"cut-{number}"
        write(recorded.disk.left(cut, chance), store)
        try:
            SqliteStore(store).close()
            losses += judge(recorded, cut, Snapshot.of(store), power=power) > 0
        except BaseException as error:
            error.add_note(f"cut {number} of seed {seed}, before operation {cut}")
            raise
    print(f"{cuts} cuts, {losses} with losses")
    return losses


@pytest.mark.case("S22")
def test_when_power_is_provided_for_nothing_is_lost(
    record: Callable[..., Recorded], tmp_path: Path
) -> None:
    """With ``durability="power"`` all that was said to be written is there after any cut."""
    assert cut_often(record("power"), tmp_path, CUTS, power=True) == 0


@pytest.mark.case("S22")
def test_otherwise_the_last_moments_may_be(record: Callable[..., Recorded], tmp_path: Path) -> None:
    """But the file is whole, and no creation, resumption, end or beginning of ``once`` is lost."""
    assert cut_often(record("process"), tmp_path, CUTS, power=False) > 0


@pytest.mark.torture
@pytest.mark.parametrize("durability", ["power", "process"])
def test_many_cuts(record: Callable[..., Recorded], tmp_path: Path, durability: str) -> None:
    """The same, ten times as often."""
    cut_often(record(durability), tmp_path, 10 * CUTS, power=durability == "power")


@pytest.mark.parametrize(
    ("durability", "mutant", "power"),
    [("process", "unsynced", False), ("process", "once-unsynced", False), ("process", "", True)],
    ids=["no-barrier", "once", "no-power"],
)
@pytest.mark.case("S22")
def test_a_missing_sync_is_found_out(
    record: Callable[..., Recorded], tmp_path: Path, durability: str, mutant: str, power: bool
) -> None:
    """A store that does not sync what it says it does loses it here."""
    with pytest.raises(AssertionError, match=r"is lost|is gone|nobody knows"):
        cut_often(record(durability, mutant), tmp_path, CUTS, power=power)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux what is synced")
def test_the_name_of_a_large_value_is_on_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is synced can still be lost with its name, so the directories are synced."""
    store = SqliteStore(tmp_path / "store")
    synced: dict[Path, set[str]] = {}
    sync = os.fsync

    def fsync(file: int) -> None:
        sync(file)
        path = Path(f"/proc/self/fd/{file}").readlink()
        synced[path] = {entry.name for entry in path.iterdir()} if path.is_dir() else set()

    monkeypatch.setattr(os, "fsync", fsync)
    for data in (b"1" * flow.LARGE, b"2" * flow.LARGE):
        path = tmp_path / "store" / "blobs" / store.put(data)
        path = next(path.parent.glob(f"*/{path.name}"))
        while path != tmp_path / "store":
            assert path.name in synced.get(path.parent, ()), f"the name of {path} is not synced"
            path = path.parent
    store.close()
