"""Large values in files: one that was seen to be whole is believed until somebody touches it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("read", [False, True])
def test_a_change_after_it_was_known_to_be_whole_is_found(blobs: Blobs, *, read: bool) -> None:
    """Written here or read here a moment ago: neither hides that the file was changed since."""
    name = blobs.put(LARGE)
    if read:
        assert blobs.get(name) == LARGE
    spoil(blobs.file(name))
    with pytest.raises(StoreError, match="damaged"):
        blobs.get(name)


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

    def noted(data: bytes) -> str:
        digested.append(len(data))
        return name

    monkeypatch.setattr("nbflow.store.blobs.payload.digest", noted)
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
