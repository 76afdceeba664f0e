"""The part of a value that cannot be stored is found, wherever it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.culprit import Culprit, culprit

LEAVES = st.none() | st.integers() | st.text(max_size=4)
STEPS = st.lists(
    st.tuples(st.sampled_from(["list", "tuple", "dict", "object"]), st.lists(LEAVES, max_size=3)),
    max_size=6,
)


class Bad:
    """What there is to find."""


def bad(part: object) -> bool:
    """Whether there is one in a part, however deep."""
    if isinstance(part, dict):
        return any(map(bad, part.values()))
    if isinstance(part, list | tuple):
        return any(map(bad, part))
    return isinstance(part, Bad) or (isinstance(part, SimpleNamespace) and bad(vars(part)))


def wrapped(value: object, kind: str, others: list[Any]) -> tuple[object, str]:
    """Put a value behind others into something of that kind, and say where it is there."""
    if kind == "dict":
        found: dict[str, object] = {f"k{n}": other for n, other in enumerate(others)}
        return {**found, "it's": value}, """["it's"]"""
    if kind == "object":
        return Thing(others, value), ".value"
    items = [*others, value]
    return (items if kind == "list" else tuple(items)), f"[{len(others)}]"


class Thing(SimpleNamespace):
    """Has attributes, and nothing of its own for pickle."""

    __reduce__ = object.__reduce__

    def __init__(self, others: list[Any], value: object) -> None:
        super().__init__(others=others, value=value)


@given(STEPS)
def test_the_path_leads_to_it(steps):
    """Through lists, tuples, dicts and objects, past whatever stands beside it."""
    value: object = Bad()
    path = ""
    for kind, others in steps:
        value, where = wrapped(value, kind, others)
        path = where + path
    assert culprit(value, bad) == Culprit(path, "Bad")


def test_a_value_that_fails_as_a_whole_is_named_itself():
    """Where no part fails by itself, it is the value; and looking for it takes no time."""
    assert culprit([1, 2], lambda part: isinstance(part, list)) == Culprit("", "list")
    tried: list[object] = []

    def fails(part: object) -> bool:
        tried.append(part)
        return False

    assert culprit(list(range(10_000)), fails) == Culprit("", "list")
    assert len(tried) <= 500


def test_what_a_function_holds_is_looked_into():
    """A variable of its closure is named; one that was never assigned is passed over."""
    held = Bad()

    def inner() -> object:
        return held, later

    assert culprit(inner, lambda part: part is held) == Culprit(" with its variable held", "Bad")
    later = 1


def test_no_code_of_a_keys_is_run():
    """A key that is no plain value is written by its class."""

    class Key:
        def __repr__(self) -> str:
            raise AssertionError

    held = Bad()
    assert culprit({Key(): held}, lambda part: part is held).path == "[a Key]"
    assert culprit({"k" * 99: held}, lambda part: part is held).path.endswith("...]")
