"""What an activity declares that its result depends on, besides its code and its arguments."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from nbflow.core.errors import DefinitionError


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

    files: Sequence[str] = ()
    env: Sequence[str] = ()
    version: Any = None
    hidden: Collection[str] = ()

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
