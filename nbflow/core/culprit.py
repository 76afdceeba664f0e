"""Finds the part of a value that cannot be stored, so that a message can name it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Final, NamedTuple

_TRIES: Final = 500
"""Parts that are tried at most: each is pickled anew, and a message is not worth a minute."""
_LONG: Final = 40


class Culprit(NamedTuple):
    """A part of a value.

    Attributes:
        path: Where it is, as ``[0]['rows'].conn``; "" is the value itself.
        kind: The name of its class.
    """

    path: str
    kind: str


def culprit(value: object, fails: Callable[[object], bool]) -> Culprit:
    """Find the smallest part of a value that makes the whole of it fail.

    Args:
        value: What has failed.
        fails: Whether a part of it fails by itself.

    Example:
        >>> culprit([1, {"k": print}], lambda part: "print" in repr(part))
        Culprit(path="[1]['k']", kind='builtin_function_or_method')
    """
    path, left = "", _TRIES
    while True:
        for where, part in _parts(value):
            left -= 1
            if left < 0:
                return Culprit(path, type(value).__name__)
            if fails(part):
                path, value = path + where, part
                break
        else:
            return Culprit(path, type(value).__name__)


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """Give what a value is made of, and where in it each part is."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"[{_key(key)}]", item
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield f"[{number}]", item
    elif isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # it is assigned later, or never
                yield f" with its variable {name}", cell.cell_contents
    elif _is_plain_object(value):
        for name, item in vars(value).items():
            yield f".{name}", item


def _key(key: object) -> str:
    """Write a key without running anybody's code."""
    if type(key) in {str, int, bool, bytes, type(None)}:
        text = repr(key)
        return text if len(text) <= _LONG else f"{text[:_LONG]}..."
    return f"a {type(key).__name__}"


def _is_plain_object(value: object) -> bool:
    """Whether pickle takes an object apart by its attributes, rather than by code of its own."""
    kind = type(value)
    return (
        not isinstance(value, type)
        and hasattr(value, "__dict__")
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and kind.__getstate__ is object.__getstate__
    )
