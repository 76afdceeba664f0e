"""What an activity declares that its result depends on, besides its code and its arguments."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from nbflow.core.errors import DefinitionError
from nbflow.core.fingerprint import digest
from nbflow.core.keys import Unkeyable, preview
from nbflow.core.reach import Part
from nbflow.core.reasons import readable

_CHUNK: Final = 1 << 20
_SETTLED: Final = 2.0
"""Seconds after which a file's time tells whether it was written to again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """What else the result of a ``cache=True`` activity depends on.

    Attributes:
        files: Files whose content counts. Parameters of the activity may stand in them, as in
            ``"data/{region}.csv"``, and patterns, as in ``"conf/*.yml"``; of a directory
            everything below it counts.
        env: Names of environment variables whose values count.
        version: Anything; change it, and earlier results count no longer.
        hidden: Parameters, globals and environment variables whose values are not to be shown
            or kept in a readable form: passwords, for instance.

    Example:
        >>> @activity(cache=True, cache_key=nbflow.CacheKey(files=["{path}"], env=["REGION"]))
        ... def load(path: str) -> list[str]:
        ...     return open(path).readlines()
    """

    files: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    version: Any = None
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: object) -> CacheKey:
        """Take one as users write it: one of these, a dict of its fields, or None.

        Raises:
            DefinitionError: It is neither.
        """
        if given is None:
            return cls()
        if isinstance(given, cls):
            given = {field.name: getattr(given, field.name) for field in fields(cls)}
        names = [field.name for field in fields(cls)]
        if not isinstance(given, Mapping):
            raise DefinitionError(f"cache_key is a CacheKey or a dict, not {type(given).__name__}")
        if unknown := sorted(map(str, set(given) - set(names))):
            raise DefinitionError(f"cache_key has no {', '.join(unknown)}: use {', '.join(names)}")
        return cls(
            files=_texts("files", given.get("files", ())),
            env=_texts("env", given.get("env", ())),
            version=given.get("version"),
            hidden=frozenset(_texts("hidden", given.get("hidden", ()))),
        )


def _texts(name: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str | os.PathLike):
        given = [given]
    if not isinstance(given, Iterable):
        raise DefinitionError(f"cache_key: {name} is a list of names, not {given!r:.60}")
    found = tuple(os.fspath(item) if isinstance(item, os.PathLike) else item for item in given)
    if not all(isinstance(item, str) for item in found):
        raise DefinitionError(f"cache_key: {name} is a list of names, not {given!r:.60}")
    return found


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
