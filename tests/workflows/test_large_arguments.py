"""Large values that workflow code hands to calls: kept once, copied as little as can be."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbflow
from nbflow.core.digests import digest
from nbflow.core.events import CallScheduled
from nbflow.core.payload import Blob
from nbflow.store.memory import MemoryStore
from nbflow.store.reading import MAPPED_BYTES, BlobReader
from nbflow.store.sqlite import SqliteStore

COUNT = 250_000
"""Numbers of an array: two million bytes."""


class Counting(SqliteStore):
    """Notes how values are put and read."""

    def __init__(self, directory: Path, **more: Any) -> None:
        super().__init__(directory, **more)
        self.puts: list[tuple[list[int], bool]] = []
        self.read = self.opened = 0

    def put(self, *parts: Any, sync: bool = True, name: str = "") -> str:
        self.puts.append(([len(part) for part in parts], sync))
        return super().put(*parts, sync=sync, name=name)

    def get(self, digest: str) -> bytes:
        self.read += 1
        return super().get(digest)

    def open(self, digest: str) -> int | None:
        self.opened += 1
        return super().open(digest)


@nbflow.activity
def total(*arrays: Any, **named: Any) -> float:
    return sum(float(array.sum()) for array in (*arrays, *named.values()))


@nbflow.activity
def spoilt(array: Any) -> float:
    array[:] = -1
    return float(array.sum())


@nbflow.activity
def ones(n: int) -> Any:
    return np.full(COUNT, float(n))


@nbflow.activity
def broken_until(array: Any, path: str) -> float:
    if not os.path.exists(path):  # noqa: PTH110 - as short as can be
        message = "not yet"
        raise OSError(message)
    return float(array.sum())


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Give an empty store."""
    made: Any = MemoryStore() if request.param == "memory" else Counting(tmp_path / "store")
    nbflow.configure(store=made)
    yield made
    made.close()


def blobs_of(run: Any) -> list[Blob]:
    """Give the large arguments in the log of a run."""
    events = [event for event in run.events() if isinstance(event, CallScheduled)]
    values = [value for event in events for value in (*event.args, *(event.kwargs or {}).values())]
    return [value for value in values if isinstance(value, Blob)]


@pytest.mark.parametrize("place", ["threads", "processes", "inline"])
def test_what_the_code_changes_later_no_call_sees(store: Any, place: str) -> None:
    """A call works on its argument as it was when it was asked for, wherever it runs."""

    @nbflow.workflow
    def flow() -> list[float]:
        array = np.ones(COUNT)
        found = []
        for _ in range(4):
            found.append(total(array, more=array[: COUNT // 2]))
            array += 1
        return [future.result() for future in found]

    assert flow.on(place).start().result(60) == [1.5 * COUNT * n for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("place", ["threads", "processes", "inline"])
def test_what_a_call_changes_nobody_else_sees(store: Any, place: str) -> None:
    """Of two calls that are handed an array, one changes it: no other, no code, no log sees it."""

    @nbflow.workflow
    def flow() -> list[float]:
        array = np.ones(COUNT)
        first = spoilt(array).result()
        return [first, total(array).result(), float(array.sum())]

    run = flow.on(place).start()
    assert run.result(60) == [-COUNT, COUNT, COUNT]
    one, other = blobs_of(run)
    assert one == other
    assert digest(store.get(one.digest)) == one.digest


def test_it_is_written_from_where_it_lies(tmp_path: Path) -> None:
    """No copy is made first, nobody waits for the disk, and workers map the file.

    So what is put has the array as a part of its own, and no one reads its bytes on the way.
    """
    with closing(Counting(tmp_path)) as store:
        nbflow.configure(store=store)

        @nbflow.workflow
        def flow() -> float:
            array = np.ones(COUNT)
            return sum(future.result() for future in [total(array), total(array), total(-array)])

        assert flow.on("processes").start().result(60) == COUNT
        large = [(sizes, sync) for sizes, sync in store.puts if sum(sizes) >= 8 * COUNT]
        assert [(8 * COUNT in sizes, sync) for sizes, sync in large] == [(True, False)] * 3
        assert (store.opened, store.read) == (3, 0)


def test_a_large_value_is_read_by_a_map_of_its_file(tmp_path: Path) -> None:
    """Each reader has one of its own, which it may write to, and which outlives the file."""
    data = bytes(MAPPED_BYTES)
    with closing(SqliteStore(tmp_path)) as store:
        reader, name = BlobReader(store), store.put(data)
        one, other = reader.own(name), reader.own(name)
        assert isinstance(one, memoryview)
        assert isinstance(one.obj, mmap.mmap)
        one[:4] = b"mine"
        assert (bytes(other), reader(name)) == (data, data)
        (tmp_path / "blobs" / name[:2] / name).unlink()
        assert bytes(one) == b"mine" + data[4:]
        assert bytes(other) == data


def test_a_small_value_is_read(tmp_path: Path) -> None:
    """Below a size a map costs more than a copy, and a process may have so many maps only."""
    with closing(SqliteStore(tmp_path)) as store:
        name = store.put(data := bytes(MAPPED_BYTES - 1))
        assert BlobReader(store).own(name) == data
        assert type(BlobReader(store).own(name)) is bytes


@pytest.mark.parametrize("place", ["threads", "processes"])
def test_where_files_cannot_be_mapped_values_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """On a file system without that they come to calls as they did before: copied."""

    def no_such_device(_: int) -> memoryview:
        raise OSError(19, "No such device")

    monkeypatch.setattr("nbflow.store.blobs._mapped", no_such_device)
    with closing(Counting(tmp_path)) as store:
        nbflow.configure(store=store)

        @nbflow.workflow
        def flow(array: Any) -> float:
            return sum(future.result() for future in [total(array), total(array), total(ones(2))])

        assert flow.on(place).start(np.ones(COUNT)).result(60) == 4 * COUNT
        assert store.read


def test_results_are_stored_from_where_workers_put_them(tmp_path: Path) -> None:
    """A large result of a worker is kept with a sync, and the call that takes it maps the file."""
    with closing(Counting(tmp_path)) as store:
        nbflow.configure(store=store)

        @nbflow.workflow
        def flow() -> float:
            return total(ones(3)).result()

        assert flow.on("processes").start().result(60) == 3 * COUNT
        assert [sync for sizes, sync in store.puts if sum(sizes) >= 8 * COUNT] == [True]
        assert (store.opened, store.read) == (1, 0)


@pytest.mark.parametrize("left", ["nothing", "a part"])
@pytest.mark.parametrize("place", ["threads", "processes"])
def test_what_a_power_cut_takes_is_written_again(tmp_path: Path, left: str, place: str) -> None:
    """An argument may be lost with the power: a run that goes on has it from the code again."""
    store = SqliteStore(tmp_path / "store")
    nbflow.configure(store=store)

    @nbflow.workflow
    def flow() -> float:
        return broken_until(np.ones(COUNT), str(tmp_path / "mended")).result()

    run = flow.on(place).start()
    with pytest.raises(OSError, match="not yet"):
        run.result(60)
    (blob,) = blobs_of(run)
    file = tmp_path / "store" / "blobs" / blob.digest[:2] / blob.digest
    data = file.read_bytes()
    if left == "nothing":
        file.unlink()
    else:
        file.write_bytes(data[:100_000])
    (tmp_path / "mended").touch()
    assert run.resume().result(60) == COUNT
    assert file.read_bytes() == data
    store.close()


def test_with_power_provided_for_it_is_on_the_disk_at_once(tmp_path: Path) -> None:
    """With ``durability="power"`` arguments are synced before the event that names them."""

    class Disks(SqliteStore):
        settled = True

        def append(self, run: str, events: Any, *, sync: bool = False) -> None:
            self.settled &= not self._blobs._later._busy
            super().append(run, events, sync=sync)

    store = Disks(tmp_path, durability="power")
    nbflow.configure(store=store)

    @nbflow.workflow
    def flow() -> float:
        return sum(future.result() for future in [total(np.full(COUNT, n)) for n in range(5)])

    assert flow.on("threads").start().result(60) == 10 * COUNT
    assert store.settled
    store.close()
