"""Large values in files: one that was seen to be whole is believed until somebody touches it."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from nbflow.core.buffers import Bytes
from nbflow.core.digests import digest
from nbflow.core.errors import StoreError
from nbflow.store.blobs import Blobs

LARGE = bytes(range(256)) * 2_000


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs", "store")


def spoil(path: Path) -> None:
    """Turn a bit in place, and put back the time that can be put back."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # a clock of files is a coarse one
        with path.open("r+b") as file:
            file.seek(100_000)
            file.write(bytes([LARGE[100_000] ^ 1]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def bytes_of(opened: int) -> bytes:
    """Read a file that was opened, and close it."""
    with os.fdopen(opened, "rb") as file:
        return file.read()


@pytest.mark.parametrize("read", [False, True])
def test_a_change_after_it_was_known_to_be_whole_is_found(blobs: Blobs, *, read: bool) -> None:
    """Written here or read here a moment ago: neither hides that the file was changed since."""
    name = blobs.put(LARGE)
    if read:
        assert blobs.get(name) == LARGE
    spoil(blobs.file(name))
    with pytest.raises(StoreError, match="damaged"):
        blobs.get(name)
    with pytest.raises(StoreError, match="damaged"):
        blobs.open(name)


@pytest.mark.parametrize("left", [b"", LARGE[:-1]])
def test_what_was_cut_off_is_found(blobs: Blobs, left: bytes) -> None:
    """A file of which a power cut has left a part, or nothing, is damaged, and can be put again."""
    name = blobs.put(LARGE)
    blobs.file(name).write_bytes(left)
    for read in (blobs.get, blobs.open):
        with pytest.raises(StoreError, match="damaged"):
            read(name)
    assert blobs.put(LARGE) == name
    assert bytes_of(blobs.open(name)) == LARGE


def test_what_was_changed_is_written_anew(blobs: Blobs) -> None:
    """To put a value that was kept whole once mends its file, and it can be read again."""
    name = blobs.put(LARGE)
    spoil(blobs.file(name))
    assert blobs.put(LARGE) == name
    assert blobs.get(name) == LARGE


def test_what_was_deleted_is_written_anew(blobs: Blobs) -> None:
    """That a file was whole says nothing of whether it is still there."""
    name = blobs.put(LARGE)
    blobs.file(name).unlink()
    with pytest.raises(StoreError, match="missing"):
        blobs.get(name)
    assert blobs.get(blobs.put(LARGE)) == LARGE


def test_what_is_whole_is_not_digested_again(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file that this process wrote is read back without a digest of it."""
    name = blobs.put(LARGE)
    digested: list[int] = []

    def noted(_: str, data: bytes) -> bool:
        digested.append(len(data))
        return True

    monkeypatch.setattr("nbflow.store.blobs.fits", noted)
    assert blobs.get(name) == LARGE
    assert digested == []


def test_to_put_it_again_makes_it_young(blobs: Blobs) -> None:
    """A sweep leaves young files alone, so what a run has just put there must be one."""
    name = blobs.put(LARGE)
    path = blobs.file(name)
    os.utime(path, (1, 1))
    blobs.put(LARGE)
    blobs.put(LARGE)
    assert path.stat().st_mtime > 1
    os.utime(path, (1, 1))
    blobs.get(name)
    blobs.put(LARGE)
    assert path.stat().st_mtime > 1


def test_what_another_thread_changes_meanwhile_is_never_taken_for_whole(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value whose memory changes while it is written is damaged, and said to be."""
    data = bytearray(LARGE * 4)

    def changed(*parts: Bytes) -> str:
        name = digest(*parts)
        data[1000] ^= 1  # after its digest was made, and before it is written
        return name

    monkeypatch.setattr("nbflow.store.blobs.digest", changed)
    name = blobs.put(data, b"end", sync=False)
    for read in (blobs.get, blobs.open):
        with pytest.raises(StoreError, match="damaged"):
            read(name)


def test_what_an_older_version_kept_is_read(blobs: Blobs) -> None:
    """Large values that are named by BLAKE2b are found whole, and keep their name when copied."""
    data = LARGE * 4
    old = hashlib.blake2b(data, digest_size=16).hexdigest()
    assert blobs.put(data, name=old) == old
    again = Blobs(blobs.directory, "store")
    assert again.get(old) == data
    assert bytes_of(again.open(old)) == data
    assert blobs.put(data) == digest(data) != old
    spoil(blobs.file(old))
    with pytest.raises(StoreError, match="damaged"):
        again.get(old)


def test_all_that_was_put_is_on_the_disk_once_it_settles(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a sync nobody waits for the disk; `settle` does, for each file and its name."""
    synced: list[Path] = []
    held = threading.Event()

    def slow(path: Path) -> None:
        assert held.wait(30)
        synced.append(path)

    monkeypatch.setattr("nbflow.store.syncing.put_on_disk", slow)
    paths = [blobs.file(blobs.put(LARGE, bytes([n]), sync=False)) for n in range(3)]
    assert synced == []
    assert all(path.exists() for path in paths)
    held.set()
    blobs.settle()
    assert synced == [each for path in paths for each in (path, path.parent)]
    blobs.settle()


def test_to_put_it_with_a_sync_waits_for_what_is_under_way(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there, but maybe not on the disk yet, is on the disk once it was put with a sync."""
    synced: list[Path] = []
    begun, held = threading.Event(), threading.Event()

    def slow(path: Path) -> None:
        begun.set()
        assert held.wait(30)
        synced.append(path)

    monkeypatch.setattr("nbflow.store.syncing.put_on_disk", slow)
    name = blobs.put(LARGE, sync=False)
    assert begun.wait(30)
    waiter = threading.Thread(target=blobs.put, args=(LARGE,))
    waiter.start()
    held.set()
    waiter.join(30)
    assert not waiter.is_alive()
    assert blobs.file(name) in synced


def test_no_more_than_the_disk_takes_is_under_way(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever puts more than the disk has taken waits, so that memory does not fill up with it."""
    under_way: list[int] = []
    syncing = blobs._later

    def noted(path: Path) -> None:
        if path.is_file():
            under_way.append(syncing._bytes)

    monkeypatch.setattr("nbflow.store.syncing.put_on_disk", noted)
    monkeypatch.setattr("nbflow.store.syncing.MOST_BYTES", len(LARGE))
    for n in range(20):
        blobs.put(LARGE, bytes([n]), sync=False)
    blobs.settle()
    assert len(under_way) == 20
    assert max(under_way) <= 2 * len(LARGE) + 1
