"""How values are written in a form: one kind for each sort of annotation.

A kind reads what somebody typed and says in plain words what is wrong with it. Nothing that is
typed is evaluated: what has no kind of its own is read as a Python literal.
"""

from __future__ import annotations

import ast
import csv
import datetime as dt
import decimal
import enum
import inspect
import operator
import pathlib
import types
import typing
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

from nbflow.viz.wording import clean

EXAMPLES: Final = "1.5, 'text', [1, 2], {'a': 1}, None"
_MOST: Final = 100_000
_TOLD: Final = 60

Control = Literal["text", "area", "date", "datetime", "aware", "time", "many"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How the values of an annotation are written.

    Attributes:
        name: What they are, for people.
        read: Makes a value of a text, or raises ValueError with what is wrong.
        take: The same of a value that was itself written as part of a literal.
        choices: All values by their labels, if they can be counted.
        control: What they are entered with, where `choices` does not decide that.
        optional: Whether None is one of them; it is written as nothing.
        help: What the annotation says of them in words.
    """

    name: str
    read: Callable[[str], Any]
    take: Callable[[Any], Any]
    choices: dict[str, Any] = field(default_factory=dict)
    control: Control = "text"
    optional: bool = False
    help: str = ""


def kind_of(annotation: Any, default: Any = None) -> Kind:
    """Give the kind of an annotation; without one, of the default.

    Args:
        annotation: A resolved annotation, or `inspect.Parameter.empty`.
        default: The parameter's default, or `inspect.Parameter.empty`.
    """
    if annotation is Any or annotation is object or annotation is _NOTHING:
        plain = type(default) in _SCALARS or isinstance(default, enum.Enum)
        annotation = type(default) if plain else Any
    try:
        found = _of(annotation)
    except TypeError:  # an annotation may be anything, also what cannot be hashed
        return ANY
    if found.control == "datetime" and getattr(default, "tzinfo", None) is not None:
        return replace(found, control="aware")
    if isinstance(default, str) and "\n" in default and found.control == "text":
        return replace(found, control="area")
    return found


def _of(annotation: Any) -> Kind:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in {typing.Union, types.UnionType}:
        return _union(arguments)
    if origin is Literal:
        return _choice({_label(value, arguments): value for value in arguments})
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choice({member.name: member for member in annotation})
    made = _COLLECTIONS.get(origin or annotation)
    if made is not None and not (made is tuple and arguments[1:] != (Ellipsis,)):
        return _many(made, _of(arguments[0]) if arguments else ANY)
    plain = origin or annotation
    return _SCALARS.get(plain) or (_literal_of(plain) if isinstance(plain, type) else ANY)


# ---------------------------------------------------------------- plain values


def literal(text: str) -> Any:
    """Read a Python literal.

    Raises:
        ValueError: It is none.
    """
    if len(text) > _MOST:
        message = f"longer than {_MOST:,} characters"
        raise ValueError(message)
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        message = f"not a Python literal, such as {EXAMPLES}"
        raise ValueError(message) from None


def shown(value: Any) -> str:
    """Write a value as a literal that reads as the same value, or "" if there is none.

    Only exact builtin types are written: the repr of anybody's class may do anything.
    """
    if type(value) in {list, tuple, set, dict}:
        parts = [*value, *value.values()] if type(value) is dict else list(value)
        if (parts and not all(shown(part) for part in parts)) or value == set():
            return ""
        return repr(value)
    exact = type(value) in {bool, int, float, complex, str, bytes, type(None)}
    return repr(value) if exact and value == value else ""  # noqa: PLR0124 - NaN is no literal


def _scalar(name: str, cls: type, control: Control = "text", of: Any = None) -> Kind:
    make: Callable[[Any], Any] = of or cls

    def read(text: str) -> Any:
        try:
            return make(text.strip())
        except (ValueError, ArithmeticError):
            message = f"{_quoted(text)} is not {name}"
            raise ValueError(message) from None

    def take(value: Any) -> Any:
        return value if isinstance(value, cls) else read(_text(value, name))

    return Kind(name, read, take, control=control)


def _number(name: str, cls: type, wider: tuple[type, ...]) -> Kind:
    plain = _scalar(name, cls)

    def take(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, wider):
            message = f"{_quoted(value)} is not {name}"
            raise ValueError(message)  # noqa: TRY004 - it is a fault of what was typed
        return cls(value)

    return replace(plain, take=take)


def _literal_of(cls: type) -> Kind:
    """Give the kind of a class that has no better one: only its own literals will do."""
    builtin = cls.__module__ == "builtins" and cls is not object

    def take(value: Any) -> Any:
        if builtin and not isinstance(value, cls):
            message = f"that is {type(value).__name__}, not {cls.__name__}"
            raise ValueError(message)
        return value

    return Kind(f"a literal of {cls.__name__}", lambda text: take(literal(text)), take)


def _same(value: Any) -> Any:
    return value


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    message = f"{_quoted(value)} is not {name}"
    raise ValueError(message)


def _quoted(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else shown(value) or type(value).__name__
    return clean(text if len(text) <= _TOLD else text[:_TOLD] + "…")


# ---------------------------------------------------------------- choices and collections


def _label(value: Any, others: Sequence[Any]) -> str:
    """Write a string as it is, unless another choice is written in the same way."""
    labels = [str(other) for other in others if not isinstance(other, enum.Enum)]
    if isinstance(value, enum.Enum):
        return value.name
    return value if isinstance(value, str) and labels.count(value) == 1 else repr(value)


def _choice(choices: dict[str, Any]) -> Kind:
    name = "one of " + ", ".join(clean(label, 30) for label in choices)

    def read(text: str) -> Any:
        if text in choices:
            return choices[text]
        message = f"{_quoted(text)} is not {name}"
        raise ValueError(message)

    def take(value: Any) -> Any:
        same = [v for v in choices.values() if type(v) is type(value) and v == value]
        return same[0] if same else read(_text(value, name))

    return Kind(name, read, take, choices)


def _many(make: Callable[[Iterable[Any]], Any], of: Kind) -> Kind:
    """Give the kind of a collection: a literal, or simple items with commas between them."""
    name = f"several, each {of.name}"

    def take(value: Any) -> Any:
        if not isinstance(value, list | tuple | set):
            message = "write several values as in [1, 2]"
            raise ValueError(message)  # noqa: TRY004 - it is a fault of what was typed
        return make(_each(value, of.take))

    def read(text: str) -> Any:
        if text.lstrip()[:1] in {"[", "(", "{"} or of is ANY or of.control == "many":
            return take(literal(text))
        try:
            items = next(csv.reader([",".join(text.splitlines())], skipinitialspace=True), [])
        except csv.Error as error:
            raise ValueError(str(error)) from None
        kept = [item.strip() for item in items]
        return make(_each(kept[:-1] if kept[-1:] == [""] else kept, of.read))

    counted = {} if of.optional or of is _SCALARS[bool] else of.choices
    return Kind(name, read, take, counted, "many")


def _each(values: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
    found = []
    for number, value in enumerate(values, 1):
        try:
            found.append(read(value))
        except ValueError as error:
            message = f"item {number}: {error}"
            raise ValueError(message) from None
    return found


def _union(arguments: Sequence[Any]) -> Kind:
    """Give the kind of ``X | None`` or ``X | Y``; the first that can read a text does."""
    kinds = [_of(a) for a in arguments if a is not type(None)]
    kinds.sort(key=lambda kind: kind is _TEXT)  # any text is a text: it is asked last
    optional = len(kinds) < len(arguments)
    if len(kinds) == 1:
        return replace(kinds[0], optional=optional)
    name = " or ".join(kind.name for kind in kinds)

    def first(value: Any, reads: list[Callable[[Any], Any]]) -> Any:
        for read in reads:
            try:
                return read(value)
            except ValueError:
                continue
        message = f"{_quoted(value)} is not {name}"
        raise ValueError(message)

    return Kind(
        name,
        lambda text: first(text, [kind.read for kind in kinds]),
        lambda value: first(value, [kind.take for kind in kinds]),
        optional=optional,
    )


# ---------------------------------------------------------------- Annotated


def _annotated(annotation: Any, extras: Sequence[Any]) -> Kind:
    """Add bounds (a range, or anything with ``ge``, ``gt``, ``le`` or ``lt``) and words."""
    kind = _of(annotation)
    words = " ".join(extra for extra in extras if isinstance(extra, str))
    tests = [test for extra in extras for test in _tests(extra)]

    def checked(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def both(value: Any) -> Any:
            found = read(value)
            for fits, wanted in tests:
                if not fits(found):
                    message = f"it must be {wanted}"
                    raise ValueError(message)
            return found

        return both

    if not tests:
        return replace(kind, help=words)
    read, take = checked(kind.read), checked(kind.take)
    name = f"{kind.name}, {', '.join(wanted for _, wanted in tests)}"
    return replace(kind, name=name, read=read, take=take, help=words)


def _tests(extra: Any) -> list[tuple[Callable[[Any], bool], str]]:
    if isinstance(extra, range):
        last = f"{extra[0]} to {extra[-1]}" if len(extra) else "nothing"
        step = "" if extra.step == 1 else f" in steps of {extra.step}"
        return [(extra.__contains__, f"from {last}{step}")]
    found: list[tuple[Callable[[Any], bool], str]] = []
    for name, (words, fits) in _BOUNDS.items():
        bound = getattr(extra, name, None)
        if bound is not None and shown(bound):
            found.append((partial(_holds, fits, bound), f"{words} {shown(bound)}"))
    return found


def _holds(fits: Callable[[Any, Any], Any], bound: Any, value: Any) -> bool:
    return bool(fits(value, bound))


_BOUNDS: Final[dict[str, tuple[str, Callable[[Any, Any], Any]]]] = {
    "ge": ("at least", operator.ge),
    "gt": ("more than", operator.gt),
    "le": ("at most", operator.le),
    "lt": ("less than", operator.lt),
}

# ---------------------------------------------------------------- the table

_NOTHING: Final = inspect.Parameter.empty
_TEXT: Final = Kind("text", _same, lambda value: _text(value, "text"))
ANY: Final = Kind("a Python literal", literal, _same)
"""The kind of what has no annotation, or one that says nothing."""


_SCALARS: Final[dict[Any, Kind]] = {
    str: _TEXT,
    bool: _choice({"True": True, "False": False}),
    int: _number("a whole number", int, (int,)),
    float: _number("a number", float, (int, float)),
    complex: _number("a complex number", complex, (int, float, complex)),
    decimal.Decimal: _scalar("a decimal number", decimal.Decimal),
    uuid.UUID: _scalar("a UUID", uuid.UUID),
    pathlib.Path: _scalar("a path", pathlib.Path),
    dt.date: _scalar("a date such as 2026-01-31", dt.date, "date", dt.date.fromisoformat),
    dt.datetime: _scalar(
        "a time such as 2026-01-31 12:00", dt.datetime, "datetime", dt.datetime.fromisoformat
    ),
    dt.time: _scalar("a time of day such as 12:00", dt.time, "time", dt.time.fromisoformat),
}
_COLLECTIONS: Final[dict[Any, Callable[[Iterable[Any]], Any]]] = {
    list: list,
    Sequence: list,
    Iterable: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}
