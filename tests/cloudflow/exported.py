"""Activities of exported workflows, in a module as a function in the cloud needs them."""

from __future__ import annotations

import nbflow

lost: list[int] = []


@nbflow.activity
def mix(number: int, *others: int) -> int:
    """Give a number that says which ones it was made of, in which order."""
    return (number * 31 + sum((n + 1) * other for n, other in enumerate(others))) % 1_000_003


@nbflow.activity
def total(values: list[int], *, plus: dict[str, int] | None = None) -> int:
    """Add up."""
    return sum(values) + sum((plus or {}).values())


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=2, factor=3, cap=30, jitter=0), timeout=90)
def shaky(number: int) -> int:
    """Fail as often as `lost` says."""
    if lost:
        lost.pop()
        raise OSError("gone")
    return number


@nbflow.activity(raises_on_failure=False)
def hopeless(number: int) -> int:
    """Fail."""
    raise ValueError(number)


@nbflow.activity
def kind(value: object) -> str:
    """Give the type of a value and what is in it."""
    return repr(value)


def plain() -> int:
    """Be no activity."""
    return 1
