"""The arguments of a workflow, as the command line gives them."""

from __future__ import annotations

import inspect
import json
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from nbflow.cli.faults import UNKNOWN, USAGE, CommandError
from nbflow.running.asking import named_values, once

Arguments = tuple[list[Any], dict[str, Any]]
"""Positional arguments, and those by name."""

_LARGEST: Final = 64 * 1024 * 1024


def arguments(text: str | None, file: str | None, pairs: Iterable[str]) -> Arguments:
    """Put together what ``--input``, ``--input-file`` and ``--arg`` say.

    Args:
        text: JSON: a list of positional arguments, an object of named ones, or of both as
            ``{"args": [...], "kwargs": {...}}``; anything else is the one argument.
        file: The same in a file, ``.json``, ``.toml`` or ``-`` for standard input.
        pairs: ``name=value`` each; the value as JSON, or else as text.

    Raises:
        CommandError: They cannot be read, or say two things.
    """
    if text is not None and file is not None:
        raise CommandError("--input and --input-file both say it: leave one of them out", USAGE)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    if text is not None:
        args, kwargs = _split(parsed(text, "--input"))
    elif file is not None:
        args, kwargs = _split(_of_file(file))
    try:
        return args, kwargs | named_values(pairs, "--arg")
    except ValueError as error:
        raise CommandError(str(error), USAGE) from None


def check(signature: inspect.Signature, given: Arguments, what: str) -> None:
    """See whether a workflow takes the arguments.

    Raises:
        CommandError: It does not; the message shows what it takes.
    """
    try:
        signature.bind(*given[0], **given[1])
    except TypeError as error:
        raise CommandError(f"{what}{signature}: {error}", USAGE) from None


def parsed(text: str, where: str) -> Any:
    """Read JSON, refusing objects that say one thing twice.

    Raises:
        CommandError: It is none; the message has line and column.
    """
    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        near = text.splitlines()[error.lineno - 1][:80] if text.strip() else ""
        shown = f": {near!r}" if near else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise CommandError(f"{where} is no JSON: {error.msg} at {place}{shown}", USAGE) from None
    except ValueError as error:
        raise CommandError(f"{where}: {error}", USAGE) from None
    except RecursionError:
        raise CommandError(f"{where}: it is nested too deep", USAGE) from None


def _split(given: Any) -> Arguments:
    match given:
        case {"args": list(args), "kwargs": dict(kwargs)} if len(given) == 2:  # noqa: PLR2004
            return args, kwargs
        case {"args": list(args)} if len(given) == 1:
            return args, {}
        case {"kwargs": dict(kwargs)} if len(given) == 1:
            return [], kwargs
        case dict():
            return [], dict(given)
        case list():
            return given, {}
    return [given], {}


def _of_file(file: str) -> Any:
    try:
        if file == "-":
            return parsed(sys.stdin.read(), "standard input")
        path = Path(file)
        if path.stat().st_size > _LARGEST:
            raise CommandError(f"{file} has over {_LARGEST >> 20} MB: pass its path instead", USAGE)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}", UNKNOWN) from None
    if Path(file).suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CommandError(f"{file} is no TOML: {error}", USAGE) from None
    return parsed(text, file)
