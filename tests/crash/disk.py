"""A disk whose power is cut: what SQLite writes through it, and what may be left of that.

SQLite promises what it does about power under the assumption that a sync puts all that was written
to a file before on the disk, and that of what was written since, any part may be there. So all
writes, syncs and truncations are noted in order; after a cut, those that were synced are there,
and each of the others, or a part of it, or not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apsw

VFS = "nbflow-power"
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that was done to a file, or noted between such things."""

    kind: Literal["create", "write", "truncate", "sync", "delete", "mark"]
    file: str = ""
    at: int = 0
    data: bytes = b""
    note: tuple[Any, ...] = ()


@dataclass
class _File:
    """What is left of one file, and what may be."""

    kept: bytearray = field(default_factory=bytearray)
    unsure: list[Op] = field(default_factory=list)
    entered: bool = False
    """Whether its name is on the disk, too."""

    def take(self, op: Op, length: int | None = None) -> None:
        if op.kind == "truncate":
            del self.kept[op.at :]
            return
        data = op.data[:length]
        self.kept.extend(bytes(max(0, op.at - len(self.kept))))
        self.kept[op.at : op.at + len(data)] = data

    def settle(self) -> None:
        for op in self.unsure:
            self.take(op)
        self.unsure.clear()


class Disk:
    """Notes what is done to files."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def mark(self, *note: Any) -> None:
        """Note that something happened at this point of time."""
        self.ops.append(Op("mark", note=note))

    def marks(self, cut: int) -> list[tuple[Any, ...]]:
        """Give the notes of before a cut."""
        return [op.note for op in self.ops[:cut] if op.kind == "mark"]

    def left(self, cut: int, chance: random.Random) -> dict[str, bytes]:
        """Give the files that may be there if the power is cut before an operation.

        Args:
            cut: The number of the operation.
            chance: Decides what of that which was not synced is there.
        """
        directory = _Directory()
        for op in self.ops[:cut]:
            if op.kind != "mark":
                directory.take(op)
        return directory.left(chance)


@dataclass
class _Directory:
    """What is left of all files."""

    files: dict[str, _File] = field(default_factory=dict)
    gone: dict[str, _File] = field(default_factory=dict)
    """Deleted, but perhaps not on the disk yet."""

    def take(self, op: Op) -> None:
        if op.kind == "delete":
            self.gone[op.file] = self.files.pop(op.file)
            if op.at:
                self.gone.clear()
            return
        file = self.files.setdefault(op.file, _File())
        if op.kind == "sync":
            file.settle()
            if not file.entered:  # SQLite syncs the directory of a new log or journal with it
                self.settle()
        elif op.kind != "create":
            file.unsure.append(op)

    def settle(self) -> None:
        self.gone.clear()
        for file in self.files.values():
            file.entered = True

    def left(self, chance: random.Random) -> dict[str, bytes]:
        back = {
            name: file for name, file in self.gone.items() if file.entered and chance.random() < 0.5
        }
        return {
            name: _remains(file, chance)
            for name, file in {**back, **self.files}.items()
            if file.entered or chance.random() < 0.5
        }


def _remains(file: _File, chance: random.Random) -> bytes:
    share = chance.choice([0.0, 0.5, 0.9, 1.0])
    for op in file.unsure:
        if chance.random() < share:
            sectors = len(op.data) // SECTOR
            torn = op.kind == "write" and sectors > 1 and chance.random() < 0.1
            file.take(op, SECTOR * chance.randrange(1, sectors) if torn else None)
    return bytes(file.kept)


class _Vfs(apsw.VFS):
    """The file system, with notes taken."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__(VFS, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _VfsFile(self.disk, name, flags, Path(path or "").name)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.disk.ops.append(Op("delete", Path(filename).name, int(syncdir)))


class _VfsFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int], base: str) -> None:
        self.disk = disk
        self.base = base
        super().__init__("", name, flags)
        if base:
            disk.ops.append(Op("create", base))

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self.disk.ops.append(Op("write", self.base, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self.disk.ops.append(Op("truncate", self.base, newsize))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self.disk.ops.append(Op("sync", self.base))


def write(files: dict[str, bytes], directory: Path) -> None:
    """Put what is left into a directory."""
    directory.mkdir(parents=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)


def mounted(disk: Disk) -> apsw.VFS:
    """Give a file system that takes notes; it is there while the object is."""
    return _Vfs(disk)
