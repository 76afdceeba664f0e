"""The flags of a cell's magic, as the decorator that says the same."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from nbflow import executors
from nbflow.magics import options

_FLAGS: Final = {"activity": options.activity_flags, "workflow": options.workflow_flags}
_SWITCHES: Final = {
    "cache": "cache=True",
    "once": "once=True",
    "idempotent": "idempotent=True",
    "copy": "copy=True",
    "no_raise": "raises_on_failure=False",
    "no_persist": "persist=False",
    "no_lint": "lint=False",
}
_EXPRESSIONS: Final = frozenset({"retry", "cache_key", "meta"})
_ABOUT_RUNS: Final = frozenset(vars(options.read(options.run_parser(), ""))) | {"run", "args"}


def decorator(magic: str, flags: str) -> str:
    """Give the decorator for a cell's magic.

    Args:
        magic: ``activity`` or ``workflow``.
        flags: What stands behind the signature. What is about a run that the cell starts is left
            out.

    Raises:
        UsageError: The flags make no sense.

    Example:
        >>> decorator("activity", "--retry 3 --cache")
        '@nbflow.activity(retry=3, cache=True)'
    """
    found = options.read(_FLAGS[magic](), flags)
    given = ", ".join(_arguments(found))
    return f"@nbflow.{magic}({given})" if given else f"@nbflow.{magic}"


def _arguments(found: argparse.Namespace) -> Iterator[str]:
    for name, value in vars(found).items():
        if name in _ABOUT_RUNS or value is None or value is False:
            continue
        yield _SWITCHES.get(name) or _argument(name, value)


def _argument(name: str, value: Any) -> str:
    return f"**{value}" if name == "options" else f"{name}={_written(name, value)}"


def _written(name: str, value: Any) -> str:
    if name in _EXPRESSIONS or (name == "executor" and value not in executors.TABLE):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)
