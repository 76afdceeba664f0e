"""Looks at the files and the environment that an activity declares in its `CacheKey`."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from nbflow.core.cachekey import CacheKey
from nbflow.core.fingerprint import digest
from nbflow.core.keys import Unkeyable, preview
from nbflow.core.reach import Part
from nbflow.core.reasons import readable

_CHUNK: Final = 1 << 20
_SETTLED: Final = 2.0
"""Seconds after which a file's time tells whether it was written to again."""


class Extras:
    """Looks at what activities declare. Files that have not changed are read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def parts(self, key: CacheKey, arguments: Mapping[str, Any]) -> dict[str, Part]:
        """Give what counts now.

        Args:
            key: What is declared.
            arguments: The arguments of the call, by parameter.

        Raises:
            Unkeyable: A file cannot be read, or its name depends on something unknown.
        """
        found: dict[str, Part] = {}
        for pattern in key.files:
            for path in _paths(pattern, arguments):
                found[f"file {path}"] = self._file(Path(path))
        for name in key.env:
            value = os.environ.get(name)
            found[f"environment {name}"] = Part(digest("env", repr(value)), preview(value))
        return found

    def _file(self, path: Path) -> Part:
        try:
            if path.is_dir():
                below = sorted(p for p in path.rglob("*") if p.is_file())
                digests = [
                    text for p in below for text in (str(p.relative_to(path)), self._read(p))
                ]
                return Part(digest("directory", *digests), f"{len(below)} files")
            return Part(self._read(path), readable(path.stat().st_size))
        except FileNotFoundError:
            return Part("missing", "missing")
        except OSError as error:
            raise Unkeyable(f"it cannot be read ({error.strerror})", f"file {path}") from None

    def _read(self, path: Path) -> str:
        found = path.stat()
        mark = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = self._known.get(str(path))
        if known is not None and known[0] == mark:
            return known[1]
        hasher = hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            while data := file.read(_CHUNK):
                hasher.update(data)
        if time.time() - found.st_ctime > _SETTLED:
            self._known[str(path)] = mark, hasher.hexdigest()
        return hasher.hexdigest()


def _paths(pattern: str, arguments: Mapping[str, Any]) -> Iterator[str]:
    try:
        path = pattern.format_map(_Given(arguments))
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise Unkeyable(
            f"it names something that is no argument ({error})", f"file {pattern}"
        ) from None
    if not glob.has_magic(path):
        yield path
        return
    found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute
    yield from found or [path]


class _Given(dict[str, Any]):
    """The arguments that may stand in the name of a file."""

    def __getitem__(self, name: str) -> str:
        value = super().__getitem__(name)
        if type(value) in {str, int, float, bool} or isinstance(value, os.PathLike):
            return str(value)
        raise ValueError(f"{name} is a {type(value).__name__}")
