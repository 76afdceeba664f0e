"""How the classes of the model are read from plain data and written back.

Each field of a class says its key in the text and what reads it. What a text has beyond that is
kept in `extra` as it stands, so that nothing is lost when the definition is written back.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from nbflow.services.cloudflow.fdl.source import Source

Reader = Callable[[Source], Any]
Made = TypeVar("Made", bound="Part")


def key(name: str, reader: Reader, *, needed: bool = False) -> Any:
    """Declare a field: its key in the text, and what reads its value."""
    how = {"key": name, "reader": reader, "needed": needed}
    if needed:
        return dataclasses.field(metadata=how)
    return dataclasses.field(default=None, metadata=how)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a definition.

    Attributes:
        extra: Keys that are not known here, as they stand in the text.
        line: The line that it begins on, 0 if it was not read from a text.
    """

    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    line: int = dataclasses.field(default=0, compare=False)


def reading(cls: type[Made]) -> Callable[[Source], Made]:
    """Give what reads parts of a class.

    Raises:
        FdlError: (what is given) the data are no object, lack a key or have a wrong value.
    """

    def read(source: Source) -> Made:
        data = mapping(source)
        known = {f.metadata["key"]: f for f in dataclasses.fields(cls) if "key" in f.metadata}
        values: dict[str, Any] = {}
        for name, found in known.items():
            if name in data:
                values[found.name] = found.metadata["reader"](source.part(name))
            elif found.metadata["needed"]:
                raise source.fault(f"{cls.__name__} needs {name}{_nearly(name, data, known)}")
        extra = {name: value for name, value in data.items() if name not in known}
        return cls(**values, extra=extra, line=source.line)

    return read


def _nearly(name: str, data: Iterable[str], known: Iterable[str]) -> str:
    others = [other for other in data if other not in set(known)]
    close = difflib.get_close_matches(name, others, 1)
    return f", and has {close[0]}" if close else ""


def plain(part: Any) -> Any:
    """Write a part, or a sequence of parts, as plain data."""
    if isinstance(part, tuple | list):
        return [plain(item) for item in part]
    if not isinstance(part, Part):
        return part
    written = {
        f.metadata["key"]: plain(getattr(part, f.name))
        for f in dataclasses.fields(part)
        if "key" in f.metadata and getattr(part, f.name) is not None
    }
    return {**written, **part.extra}


def parts(part: Any) -> Iterable[Part]:
    """Go through a part and all the parts in it."""
    if isinstance(part, Part):
        yield part
        for found in dataclasses.fields(part):
            if "key" in found.metadata:
                yield from parts(getattr(part, found.name))
    elif isinstance(part, tuple):
        for item in part:
            yield from parts(item)


def anything(source: Source) -> Any:
    """Take any value."""
    return source.value


def text(source: Source) -> str:
    """Take text that is not empty."""
    if not isinstance(source.value, str) or not source.value:
        raise source.fault(f"text is expected, not {source.value!r}")
    return source.value


def words(source: Source) -> str:
    """Take text, empty or not."""
    if source.value is None:
        return ""
    if not isinstance(source.value, str):
        raise source.fault(f"text is expected, not {source.value!r}")
    return source.value


def flag(source: Source) -> bool:
    """Take ``true`` or ``false``."""
    if not isinstance(source.value, bool):
        raise source.fault(f"true or false is expected, not {source.value!r}")
    return source.value


def mapping(source: Source) -> dict[str, Any]:
    """Take an object."""
    if not isinstance(source.value, dict):
        raise source.fault(f"an object is expected, not {source.value!r:.80}")
    return source.value


def one_of(*known: str) -> Reader:
    """Take one of some words."""

    def read(source: Source) -> str:
        if source.value not in known:
            raise source.fault(f"one of {', '.join(known)} is expected, not {source.value!r:.80}")
        return str(source.value)

    return read


def number(least: float, most: float | None = None, *, whole: bool = True) -> Reader:
    """Take a number, also one that is written as text, within limits; it stays as written."""

    def read(source: Source) -> Any:
        try:
            found = (int if whole else float)(source.value)
            right = not isinstance(source.value, bool) and (
                found == source.value or _texted(source)
            )
        except (TypeError, ValueError):
            right, found = False, 0
        if not right or found < least or (most is not None and found > most):
            limits = f"from {least}" + ("" if most is None else f" to {most}")
            kind = "a whole number" if whole else "a number"
            raise source.fault(f"{kind} {limits} is expected, not {source.value!r:.80}")
        return source.value

    return read


def _texted(source: Source) -> bool:
    return isinstance(source.value, str)


def many(reader: Reader, least: int = 1, most: int | None = None) -> Reader:
    """Take a list of what another reader takes."""

    def read(source: Source) -> tuple[Any, ...]:
        if not isinstance(source.value, list):
            raise source.fault(f"a list is expected, not {source.value!r:.80}")
        count = len(source.value)
        if count < least or (most is not None and count > most):
            limits = f"at least {least}" if count < least else f"at most {most}"
            raise source.fault(f"{limits} are expected, not {count}")
        return tuple(reader(source.part(n)) for n in range(count))

    return read
