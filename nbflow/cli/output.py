"""What commands print: tables and records, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from nbflow.viz.wording import clean, columns, cut, duration

FORMATS: Final = ("table", "csv", "tsv", "json", "jsonl")
"""The formats by name; ``tabular``, ``human`` and ``prettyjson`` are taken as well."""
ALIASES: Final = {"tabular": "table", "human": "table", "prettyjson": "json"}
_CELL: Final = 60
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def clock(at: float | None) -> str:
    """Write a time for people: the day too, unless it is today's.

    Args:
        at: Seconds since the epoch, or None.
    """
    if at is None:
        return ""
    then, now = time.localtime(at), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d %H:%M:%S", then)


def stamp(at: float | None) -> str | None:
    """Write a time for programs: ISO 8601 in UTC, to the millisecond.

    Example:
        >>> stamp(0)
        '1970-01-01T00:00:00.000Z'
    """
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def took(seconds: float | None) -> str:
    """Write how long something took, for people."""
    return "" if seconds is None else duration(seconds)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its head, and the key of its values in JSON.
        show: Writes a value for people.
        data: Makes of a value what programs get: text, a number, a boolean or None.
        right: Whether it is set to the right.
    """

    name: str
    show: Callable[[Any], str] = _text
    data: Callable[[Any], Any] = lambda value: value
    right: bool = False


def time_column(name: str) -> Column:
    """Make a column of times (seconds since the epoch)."""
    return Column(name, clock, stamp)


def seconds_column(name: str) -> Column:
    """Make a column of durations in seconds."""
    return Column(name, took, _rounded, right=True)


def count_column(name: str) -> Column:
    """Make a column of whole numbers."""
    return Column(name, lambda n: "" if n is None else f"{n:,}", right=True)


def share_column(name: str) -> Column:
    """Make a column of parts of one, shown in per cent."""
    return Column(name, lambda x: f"{100 * x:.1f} %", lambda x: round(x, 6), right=True)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values.

    Attributes:
        columns: What the values are.
        rows: The values, as many a row as there are columns.
        empty: What people are told where there is no row.
    """

    columns: tuple[Column, ...]
    rows: Sequence[tuple[Any, ...]]
    empty: str = "nothing"


@dataclass(frozen=True, slots=True)
class Record:
    """Values by name, as a table of one row.

    Attributes:
        columns: What the values are.
        values: The values.
        text: What people get in the place of the values, where that says more.
    """

    columns: tuple[Column, ...]
    values: tuple[Any, ...]
    text: str = field(default="", compare=False)


Shown = Table | Record | str | None
"""What a command gives to be printed."""


def written(shown: Shown, form: str, *, header: bool = True, width: int = 0) -> str:
    r"""Write what a command gives.

    Args:
        shown: That.
        form: One of `FORMATS`.
        header: Whether tables have a line of heads, but in JSON.
        width: How many columns a terminal has; 0 where it is none, and nothing is cut.

    Example:
        >>> written(Table((Column("run"), count_column("calls")), [("a-1", 3)]), "csv")
        'run,calls\na-1,3\n'
    """
    match shown:
        case None:
            return ""
        case str():
            return json.dumps(shown) + "\n" if form in {"json", "jsonl"} else _ended(shown)
        case Record() if form == "table":
            return _ended(shown.text) if shown.text else _lines(shown)
        case Record() if form == "json":
            return json.dumps(_objects(shown)[0], indent=2, ensure_ascii=False) + "\n"
        case Table() if form == "table":
            return _table(shown, header=header, width=width)
    if form == "json":
        return json.dumps(_objects(shown), indent=2, ensure_ascii=False) + "\n"
    if form == "jsonl":
        return "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in _objects(shown))
    return _separated(shown, "," if form == "csv" else "\t", header=header)


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else text + "\n"


def _objects(shown: Table | Record) -> list[dict[str, Any]]:
    rows = shown.rows if isinstance(shown, Table) else [shown.values]
    return [
        {c.name: plain(c.data(value)) for c, value in zip(shown.columns, row, strict=True)}
        for row in rows
    ]


def plain(value: Any) -> Any:
    """Give a value as JSON has it; what it has no word for becomes text.

    Example:
        >>> plain({1: (math.inf, b"a")})
        {'1': ['Infinity', "b'a'"]}
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else json.dumps(value)
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
    return clean(repr(value), 10_000)


def _lines(record: Record) -> str:
    pairs = [
        (c.name, clean(c.show(value), 10_000))
        for c, value in zip(record.columns, record.values, strict=True)
    ]
    width = max((columns(name) for name, _ in pairs), default=0)
    return "".join(f"{name:<{width}}  {text}".rstrip() + "\n" for name, text in pairs)


def _table(table: Table, *, header: bool, width: int) -> str:
    if not table.rows:
        return _ended(table.empty)
    heads = [tuple(c.name for c in table.columns)] if header else []
    cells = [
        tuple(clean(c.show(v), 1_000) for c, v in zip(table.columns, row, strict=True))
        for row in table.rows
    ]
    if width:
        cells = [tuple(cut(text, _CELL) for text in row) for row in cells]
    widths = [max(map(columns, column)) for column in zip(*heads, *cells, strict=True)]
    lines = (_line(table, row, widths) for row in (*heads, *cells))
    return "".join((cut(line, width) if width else line) + "\n" for line in lines)


def _line(table: Table, row: tuple[str, ...], widths: Iterable[int]) -> str:
    padded = (
        " " * (w - columns(t)) + t if c.right else t + " " * (w - columns(t))
        for c, t, w in zip(table.columns, row, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _separated(shown: Table | Record, separator: str, *, header: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    if header:
        writer.writerow([c.name for c in shown.columns])
    for row in shown.rows if isinstance(shown, Table) else [shown.values]:
        writer.writerow([_cell(c.data(v)) for c, v in zip(shown.columns, row, strict=True)])
    return out.getvalue()


def _cell(value: Any) -> str:
    """Give a cell of a spreadsheet, which shall not take it for a formula."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = clean(text, 100_000)
    return f"'{text}" if text.startswith(_FORMULA) else text
