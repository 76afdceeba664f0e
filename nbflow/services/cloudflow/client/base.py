"""What all requests are: fields with checks, a way onto the wire and an answer of some kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar, dataclass_transform

from nbflow.services.cloudflow.client import checks
from nbflow.services.cloudflow.client.answers import Answer, wire_name
from nbflow.services.cloudflow.client.errors import Invalid

A = TypeVar("A")
T = TypeVar("T")

_ABSENT: Final = object()


def needed(check: checks.Check = checks.name) -> Any:
    """Make a field that has to be given."""
    return field(metadata={"check": check, "needed": True})


def optional(check: checks.Check, default: Any = None) -> Any:
    """Make a field that is left to the service unless it is given."""
    return field(default=default, metadata={"check": check})


class Wire(NamedTuple):
    """A request as it goes over the wire."""

    action: str
    method: str
    query: dict[str, str]
    body: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_token` is "" with the last one."""

    items: list[T]
    next_token: str = ""
    request_id: str = ""

    def __iter__(self) -> Iterator[T]:
        """Go through what the page has."""
        return iter(self.items)

    def __len__(self) -> int:
        """Count what the page has."""
        return len(self.items)


@dataclass_transform(frozen_default=True, field_specifiers=(needed, optional))
class Request(Generic[A]):
    """A request to one of the service's operations. Its class has the operation's name.

    Attributes:
        method: GET sends everything in the address, POST in a form.
        addressed: Names that POST sends in the address all the same.
        repeatable: Whether a second one, after an answer that was lost, does no harm.
    """

    method: ClassVar[str] = "POST"
    addressed: ClassVar[frozenset[str]] = frozenset()
    repeatable: ClassVar[bool] = True
    answer: ClassVar[type[Answer]] = Answer
    inside: ClassVar[str] = ""
    """The key that the answer, or a list's entries, stand under."""

    def wire(self) -> Wire:
        """Check the request and give what is to be sent.

        Raises:
            Invalid: Something is not as the service wants it; the message says all that is.
        """
        given, wrong = {}, []
        for f in fields(self):  # type: ignore[arg-type] # each request is a dataclass
            value = getattr(self, f.name)
            if value is None:
                if f.metadata.get("needed"):
                    wrong.append(f"{f.name} is needed")
                continue
            try:
                given[wire_name(f.name)] = f.metadata["check"](value)
            except ValueError as error:
                wrong.append(f"{f.name}: {error}")
        if wrong:
            raise Invalid(f"{type(self).__name__} was not sent: {'; '.join(wrong)}")
        return self._placed(given)

    def _placed(self, given: dict[str, str]) -> Wire:
        action = type(self).__name__
        if self.method == "GET":
            return Wire(action, "GET", given, None)
        query = {name: value for name, value in given.items() if name in self.addressed}
        body = {name: value for name, value in given.items() if name not in self.addressed}
        return Wire(action, "POST", query, body)

    def read(self, data: Mapping[str, Any]) -> A:
        """Make an object of the answer's data."""
        return self._read(data)  # type: ignore[no-any-return]

    def _read(self, data: Mapping[str, Any]) -> Any:
        # An object that stands inside keeps the request's id, which is beside it.
        found = {**data, **(data.get(self.inside) or {})} if self.inside else data
        return self.answer.of(found)


class Listing(Request[Page[T]]):
    """A request for a part of a list."""

    method: ClassVar[str] = "GET"

    def _read(self, data: Mapping[str, Any]) -> Any:
        found = data.get(self.inside) or []
        items = [self.answer.of(entry) for entry in found]
        return Page(items, data.get("NextToken") or "", data.get("RequestId") or "")


def parsed(kind: type[Request[Any]], given: Mapping[str, str]) -> dict[str, Any]:
    """Read what came over the wire for an operation, by its fields' names.

    Raises:
        ValueError: Something that is needed is missing, or a value is not as it must be.
    """
    found: dict[str, Any] = {}
    for f in fields(kind):  # type: ignore[arg-type] # each request is a dataclass
        text = given.get(wire_name(f.name), _ABSENT)
        if text is _ABSENT or text == "":
            if f.metadata.get("needed"):
                raise MissingParameter(wire_name(f.name))
            found[f.name] = None if text is _ABSENT else ""
            continue
        found[f.name] = _value(f.metadata["check"], f.name, str(text))
    return found


class MissingParameter(ValueError):
    """Something that is needed was not sent."""


def _value(check: checks.Check, name: str, text: str) -> Any:
    """Turn a text from the wire into the value that its check takes, and check it."""
    value: Any = text
    if check is checks.data:
        # Its size is a limit of the service, and so for the emulator to look at.
        checks.read_json(text)
        return text
    if check in {checks.flag, checks.variables, checks.routes, checks.percentage} or name in _WHOLE:
        try:
            value = json.loads(text.lower() if check is checks.flag else text)
        except ValueError:
            raise ValueError(f"{name}: {text!r:.80} cannot be read") from None
        if check is checks.variables:
            value = {v["Name"]: v.get("Value") or "" for v in value.get("Variables") or []}
        elif check is checks.routes:
            value = {str(r["Version"]): int(r["Weight"]) for r in value}
    check(value)
    return value


_WHOLE: Final = {"limit", "wait_time_seconds", "concurrency", "tolerated_failed_count"}
