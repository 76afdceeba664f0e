"""Tables as people want them: sorted by a column, and only the rows that fit."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from nbflow.cli.faults import USAGE, CommandError
from nbflow.cli.output import Shown, Table, plain

F = TypeVar("F", bound=Callable[..., Any])


def arranged(do: F) -> F:
    """Add ``--sort`` and ``--where`` to a command that gives a table."""

    def command(*args: Any, sort: str | None, where: tuple[str, ...], **more: Any) -> Shown:
        found: Shown = do(*args, **more)
        return arrange(found, sort, where) if isinstance(found, Table) else found

    command.__doc__, command.__name__ = do.__doc__, do.__name__
    command.__click_params__ = list(getattr(do, "__click_params__", []))  # type: ignore[attr-defined]
    sorting = click.option(
        "--sort", metavar="COLUMN", help="By a column; with - before it, backwards."
    )
    filtering = click.option(
        "--where",
        multiple=True,
        metavar="COLUMN=TEXT",
        help="Only rows with that text there; * stands for any.",
    )
    return sorting(filtering(command))  # type: ignore[return-value]


def arrange(table: Table, sort: str | None = None, where: tuple[str, ...] = ()) -> Table:
    """Give a table sorted, and with the rows that fit.

    Args:
        table: The table.
        sort: Name of a column, with ``-`` before it for the last one first. Empty cells are last.
        where: ``column=text`` each, where ``*`` stands for any text.

    Raises:
        CommandError: There is no such column.

    Example:
        >>> arrange(Table((Column("n"),), [(2,), (1,)]), sort="n").rows
        [(1,), (2,)]
    """
    rows = list(table.rows)
    for condition in where:
        name, equals, wanted = condition.partition("=")
        if not equals:
            raise CommandError(f"--where {condition!r:.80}: write it as column=text", USAGE)
        n = _number(table, name)
        data = table.columns[n].data
        rows = [row for row in rows if fnmatch.fnmatchcase(_word(data(row[n])), wanted)]
    if sort:
        n = _number(table, sort.removeprefix("-"))
        some = [row for row in rows if row[n] is not None]
        none = [row for row in rows if row[n] is None]
        data = table.columns[n].data
        some.sort(key=lambda row: _key(data(row[n])), reverse=sort.startswith("-"))
        rows = [*some, *none]
    return replace(table, rows=rows)


def _number(table: Table, name: str) -> int:
    names = [column.name for column in table.columns]
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise CommandError(f"no column {name!r:.60}: there are {', '.join(names)}.{hint}", USAGE)


def _word(value: Any) -> str:
    value = plain(value)
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _key(value: Any) -> tuple[int, Any]:
    """Give what to sort by: numbers before text."""
    number = isinstance(value, int | float)
    return (0, value) if number else (1, _word(value))
