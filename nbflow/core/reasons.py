"""What a call's key in the cache is made of, and what changed between two of them, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from nbflow.core.fingerprint import digest, digest_after
from nbflow.core.reach import Part

FORMAT: Final = "1"
"""The version of how keys are made: with another one, nothing that was kept is found."""

GROUPS: Final = {
    "first": "ran for the first time",
    "code": "ran: code changed",
    "argument": "ran: arguments changed",
    "upstream": "ran: a result that it takes changed",
    "input": "ran: a declared input changed",
    "lost": "ran: its result was kept, and cannot be had",
    "never": "ran: cannot be cached",
    "plain": "ran: not to be cached",
    "again": "ran anew",
}
"""Why a call runs, and how it is headed."""


class Reason(NamedTuple):
    """Why a call runs.

    Attributes:
        group: A key of `GROUPS`.
        text: What it is in this case, as ``K: 5 -> 50``.
    """

    group: str
    text: str

    def __str__(self) -> str:
        return f"{self.group}: {self.text}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote."""
        group, _, rest = text.partition(": ")
        return cls(group, rest)


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a call the same as another one.

    Attributes:
        activity: Name of the activity.
        code: What its code is: all parts that it reaches.
        inputs: What it is given: arguments, and what it declares besides.
        notes: What was not quite as it should be.
        coded: The digest of the code's parts, where it is known already.
        given: That of the inputs' parts, likewise.
        known: The key itself, likewise.
    """

    activity: str
    code: dict[str, Part]
    inputs: dict[str, Part]
    notes: tuple[str, ...] = ()
    coded: str = field(default="", compare=False)
    given: str = field(default="", compare=False)
    known: str = field(default="", compare=False)

    @property
    def code_digest(self) -> str:
        """Of the code."""
        return self.coded or digest_of_parts(self.code)

    @property
    def inputs_digest(self) -> str:
        """Of the inputs."""
        return self.given or digest_of_parts(self.inputs)

    @property
    def text(self) -> str:
        """The key itself, under which results are kept."""
        return self.known or texts_of(self.activity, self.code_digest)(self.inputs_digest)

    def to_json(self) -> str:
        """Write the parts, for a later comparison."""
        return json.dumps([self.code, self.inputs], separators=(",", ":"))

    @classmethod
    def of_json(cls, activity: str, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        code, inputs = json.loads(text)
        return cls(activity, _parts(code), _parts(inputs))


def texts_of(activity: str, code_digest: str) -> Callable[[str], str]:
    """Give a function that gives the text of an activity's key by the digest of its inputs."""
    return digest_after("nbflow key", FORMAT, activity, code_digest)


def _parts(found: dict[str, list[str]]) -> dict[str, Part]:
    return {name: Part(*part) for name, part in found.items()}


def digest_of_parts(parts: dict[str, Part]) -> str:
    """Give the digest of named parts, whatever their order."""
    return digest(*[text for name in sorted(parts) for text in (name, parts[name].digest)])


def in_common(before: dict[str, Part], now: dict[str, Part]) -> int:
    """Count the parts that are the same in both."""
    return sum(before[name].digest == part.digest for name, part in now.items() if name in before)


def changes(before: Key, now: Key) -> list[Reason]:
    """Say what differs, a reason each."""
    found = [Reason("code", text) for text in _code_changes(before.code, now.code)]
    for name in dict.fromkeys([*before.inputs, *now.inputs]):
        old, new = before.inputs.get(name), now.inputs.get(name)
        if old is None or new is None or old.digest != new.digest:
            found.append(_input_change(name, old, new))
    return found


def _code_changes(before: dict[str, Part], now: dict[str, Part]) -> list[str]:
    edited: list[str] = []
    values: list[str] = []
    gone: list[str] = []
    new: list[str] = []
    for name in dict.fromkeys([*now, *before]):
        old, part = before.get(name), now.get(name)
        if old is None:
            new.append(f"{name} is new")
        elif part is None:
            gone.append(f"{name} is no longer used")
        elif old.digest != part.digest:
            text = _change(name, old, part)
            (edited if part.text == "code" else values).append(text)
    # What is new and what is gone follows from what was edited, where anything was.
    return values + edited or new + gone


def _input_change(name: str, old: Part | None, new: Part | None) -> Reason:
    group = "input" if name.startswith(("file ", "environment ")) else "argument"
    if old is None:
        return Reason(group, f"{name} is new")
    if new is None:
        return Reason(group, f"{name} is no longer given")
    if new.source:
        calls = "gave another value" if "," not in new.source else "gave other values"
        return Reason("upstream", f"{new.source} {calls} ({_change(name, old, new)})")
    return Reason(group, _change(name, old, new))


def _change(name: str, old: Part, new: Part) -> str:
    if old.text == new.text == "code":
        return f"{name} edited"
    if old.text == new.text:
        return f"{name} changed ({new.text})"
    return f"{name}: {old.text} -> {new.text}"


def as_text(reasons: tuple[str, ...], *, most: int = 4) -> str:
    """Write the reasons of an event on one line.

    Example:
        >>> as_text(("code: K: 5 -> 50", "argument: rate: 1 -> 2"))
        'K: 5 -> 50; rate: 1 -> 2'
    """
    texts = [Reason.parse(reason).text for reason in reasons]
    more = f"; and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


def readable(value: Any) -> str:
    """Write a number of bytes."""
    size = float(value)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - of one unit in the next
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
