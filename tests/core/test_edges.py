"""Types along an edge."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import nbflow


@nbflow.activity
def number() -> int:
    """Give a number."""
    return 1


@nbflow.activity
def text() -> str:
    """Give a text."""
    return "x"


@nbflow.activity
def numbers() -> list[int]:
    """Give numbers."""
    return [1]


@nbflow.activity
def anything() -> Any:
    """Give something."""
    return 1


@nbflow.activity
def half(x: float) -> float:
    """Take a number."""
    return x / 2


@nbflow.activity
def size(items: list[str], *, unit: int = 1) -> int:
    """Take a list."""
    return len(items) * unit


@nbflow.activity
def loose(x: int | str | list[int], *rest: str) -> str:
    """Take much."""
    return repr((x, rest))


def test_annotations_that_exclude_each_other_warn_once_naming_both_ends() -> None:
    """An edge from str to float warns, at the first call of its kind, with both ends named."""

    @nbflow.workflow
    def flow() -> Any:
        with pytest.warns(nbflow.EdgeTypeWarning) as found:
            calls: Any = [half(text()), half(text()), size(numbers(), unit=text())]
        for call in calls:
            call.exception()
        return [str(warning.message) for warning in found]

    assert nbflow.run(flow) == [
        "half(x: float) is given the result of text() -> str",
        "size(unit: int) is given the result of text() -> str",
    ]


def test_what_is_not_certain_is_not_said() -> None:
    """Ints for floats, lists of other things, unions, Any and star arguments do not warn."""

    @nbflow.workflow
    def flow() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            calls: list[nbflow.Future[Any]] = [
                half(number()),
                size(numbers()),
                loose(number(), number()),
                loose(half(anything())),
                half(anything()),
            ]
        return [call.result() for call in calls][1]

    assert nbflow.run(flow) == 1
