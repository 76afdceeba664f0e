"""Calls and attempts as columns of numbers: what the browser sorts, filters and draws by itself.

A row is written anew when its call or its attempt changes, and only those rows are sent. Columns
are arrays of the standard library, so that a hundred thousand rows are a few megabytes, and to
cut a piece out of them is one copy.
"""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from nbflow.core.events import CallScheduled
from nbflow.core.graph import Graph
from nbflow.core.profile import Bar, Profile
from nbflow.viz.standing import STATES, status_of
from nbflow.viz.wording import clean, cut_id

BLOCK_ROWS: Final = 20_000
"""The most rows that a block has."""
NAMES: Final = 2_000
"""Activities, workers and labels past so many have no names of their own."""
CALLS: Final = (
    ("activity", "u2"),
    ("number", "u4"),
    ("status", "u1"),
    ("attempts", "u2"),
    ("asked", "f8"),
)
BARS: Final = (
    ("call", "u4"),
    ("attempt", "u2"),
    ("worker", "u2"),
    ("status", "u1"),
    ("ready", "f8"),
    ("started", "f8"),
    ("ended", "f8"),
    ("packing", "f4"),
    ("progress", "f4"),
)

_CODES: Final = {"u1": "B", "u2": "H", "u4": "I", "f4": "f", "f8": "d"}
_WIDTHS: Final = {"u1": 1, "u2": 2, "u4": 4, "f4": 4, "f8": 8}
_STATUS: Final = {status: number for number, status in enumerate(STATES)}
_MOST_U2: Final = 0xFFFF
_NAME: Final = 40
_LABELS: Final = 500
_NAME_BYTES: Final = 60_000
"""Names take no more bytes than this in a message, however long they are."""
_SWAP: Final = sys.byteorder == "big"


def part_of(done: float | None, total: float | None) -> float:
    """Give which part of its work an attempt said is done, from 0 to 1; NaN if it did not say."""
    if done is None or not total or not math.isfinite(done) or not math.isfinite(total):
        return math.nan
    return min(1.0, max(0.0, done / total))


class Block(NamedTuple):
    """Some rows of a table, ready to be sent: a head of plain data, and a buffer a column."""

    head: dict[str, Any]
    buffers: list[bytes]

    def inline(self) -> dict[str, Any]:
        """Give it as plain data only, its columns as base64."""
        columns = [
            [name, kind, base64.b64encode(data).decode()]
            for (name, kind), data in zip(self.head["columns"], self.buffers, strict=True)
        ]
        return {**self.head, "columns": columns}


class Table:
    """Rows of numbers, kept by column.

    Attributes:
        name: What it is called in messages.
        width: Bytes a row.
        changed: The rows that are new or differ since somebody last took them from this set.
    """

    def __init__(self, name: str, columns: Sequence[tuple[str, str]]) -> None:
        self.name = name
        self.width = sum(_WIDTHS[kind] for _, kind in columns)
        self.changed: set[int] = set()
        self._told = 0
        self._columns = columns
        self._data: list[array[Any]] = [array(_CODES[kind]) for _, kind in columns]
        self._appends = [column.append for column in self._data]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._data[0])

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        """Give one row."""
        return tuple(column[row] for column in self._data)

    def column(self, name: str) -> array[Any]:
        """Give a column, to be read."""
        return self._data[[known for known, _ in self._columns].index(name)]

    def put(self, row: int, values: Sequence[float]) -> None:
        """Write a row; one past the last is added."""
        if row == len(self._data[0]):
            for append, value in zip(self._appends, values, strict=True):
                append(value)
        else:
            for column, value in zip(self._data, values, strict=True):
                column[row] = value
        self.changed.add(row)

    def extend(self, rows: Sequence[Sequence[float]]) -> None:
        """Add rows, many at once: that costs a fraction of adding them one by one."""
        begin = len(self)
        for column, values in zip(self._data, zip(*rows, strict=True), strict=bool(rows)):
            column.extend(values)
        self.changed.update(range(begin, len(self)))

    def block(self, begin: int, end: int) -> Block:
        """Give the rows from `begin` up to, not including, `end`."""
        return self._block(begin, [column[begin:end] for column in self._data])

    def blocks(self, begin: int) -> Iterator[Block]:
        """Give all rows from `begin` on, in blocks."""
        for start in range(begin, len(self), BLOCK_ROWS):
            yield self.block(start, min(len(self), start + BLOCK_ROWS))

    def told(self) -> None:
        """Note that whoever is told knows all rows as they are now."""
        self.changed.clear()
        self._told = len(self)

    def news(self, most: int) -> list[Block]:
        """Give rows that differ or are new, up to so many; they count as told from now on.

        New rows have a block of their own, since they lie next to each other: so a reader knows
        how far it has them all.
        """
        if not self.changed or most <= 0:
            return []
        most = min(most, BLOCK_ROWS)
        found = []
        old = sorted(row for row in self.changed if row < self._told)[:most]
        if old:
            found.append(self._picked(old))
        begin, end = self._told, min(len(self), self._told + most - len(old))
        if end > begin:
            found.append(self.block(begin, end))
            self._told = end
        self.changed.difference_update(old, range(begin, end))
        return found

    def _picked(self, rows: list[int]) -> Block:
        if rows[-1] - rows[0] + 1 == len(rows):
            return self.block(rows[0], rows[-1] + 1)
        picked = [
            array(_CODES[kind], [column[row] for row in rows])
            for (_, kind), column in zip(self._columns, self._data, strict=True)
        ]
        return self._block(0, picked, array("I", rows))

    def _block(self, begin: int, data: list[array[Any]], at: array[int] | None = None) -> Block:
        head: dict[str, Any] = {
            "table": self.name,
            "from": begin,
            "count": len(data[0]),
            "at": at is not None,
            "columns": [[name, kind] for name, kind in self._columns],
        }
        return Block(head, [bytes_of(column) for column in ([at] if at is not None else []) + data])


def bytes_of(column: array[Any]) -> bytes:
    """Give the bytes of a column, little-endian."""
    if _SWAP:
        column = column[:]
        column.byteswap()
    return column.tobytes()


class Names:
    """Numbers for names, in the order of coming.

    Attributes:
        numbers: The number of each name.
        shown: The names as they are shown. Where they are very many, the last one is "…" and
            stands for all further ones.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.shown: list[str] = []
        self._names: list[str] = []
        self._room = _NAME_BYTES
        self._limit = _MOST_U2

    def number(self, name: str) -> int:
        """Give the number under which a name is shown."""
        found = self.numbers.get(name)
        if found is None:
            found = self.numbers[name] = len(self.numbers)
            self._show(name)
        return min(found, self._limit)

    def name(self, number: int) -> str | None:
        """Give the one name that is shown under a number."""
        return self._names[number] if 0 <= number < len(self._names) else None

    def _show(self, name: str) -> None:
        if len(self.shown) > self._limit:
            return
        shown = clean(name, _NAME)
        self._room -= len(shown.encode("utf-8", "replace"))
        if len(self.shown) == NAMES or self._room < 0:
            self._limit = len(self.shown)
            shown = "…"
        else:
            self._names.append(name)
        self.shown.append(shown)


class Spent:
    """What the ended attempts of an activity, or of a worker, took."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0


class Rows:
    """The two tables of a run, kept up with its folds.

    Attributes:
        calls: A row a call, in the order in which they were first asked for.
        bars: A row an attempt, as in `Profile.bars`.
        activities: Numbers of activities.
        workers: Numbers of workers.
        labels: Ids of calls that are not the activity and a number, by row.
        counts: How many calls of each activity have each status.
        spent: What the ended attempts of each activity took.
        work: What the ended attempts of each worker took.
        running: Rows of the attempts that have not ended.
    """

    def __init__(self, graph: Graph, profile: Profile) -> None:
        self.calls = Table("calls", CALLS)
        self.bars = Table("bars", BARS)
        self.activities = Names()
        self.workers = Names()
        self.labels: dict[int, str] = {}
        self.counts: dict[str, list[int]] = {}
        self.spent: dict[str, Spent] = {}
        self.work: dict[str, Spent] = {}
        self.running: set[int] = set()
        self._graph = graph
        self._profile = profile
        self._row: dict[str, int] = {}
        self._ids: list[str] = []
        self._total = [0] * len(STATES)

    def row(self, call: str) -> int | None:
        """Give the row of a call, or None if it was never asked for."""
        return self._row.get(call)

    def id(self, row: int) -> str | None:
        """Give the id of the call of a row, or None if there is no such row."""
        return self._ids[row] if 0 <= row < len(self._ids) else None

    def totals(self) -> dict[str, int]:
        """Count the calls by status, those that occur, in the order of `STATES`."""
        return {status: n for status, n in zip(STATES, self._total, strict=True) if n}

    def asked(self, event: CallScheduled) -> None:
        """Make the row of a call; one that is asked for anew keeps its own."""
        if event.call in self._row:
            return
        row = self._row[event.call] = len(self._ids)
        self._ids.append(event.call)
        name, _, number = event.call.rpartition("-")
        told = name == event.activity and number.isdecimal() and number.isascii()
        if not (told and len(number) < 10 and str(int(number)) == number):
            number = "0"
            if len(self.labels) < _LABELS:
                self.labels[row] = cut_id(clean(event.call), _NAME)
        waiting = _STATUS["waiting"]
        self._total[waiting] += 1
        self.counts.setdefault(event.activity, [0] * len(STATES))[waiting] += 1
        asked = event.at - self._profile.begun
        self.calls.put(
            row, (self.activities.number(event.activity), int(number), waiting, 0, asked)
        )

    def update(self, calls: Iterable[str], bars: Iterable[int]) -> None:
        """Write anew the rows of these calls, by id, and of these bars, by their places."""
        status = self.calls.column("status")
        attempts = self.calls.column("attempts")
        states, changed = self._graph.history.calls, self.calls.changed
        for call in calls:
            row = self._row.get(call)
            if row is None:
                continue  # a timer or a join
            state = states[call]
            now, tries = _STATUS[status_of(state)], min(state.attempt, _MOST_U2)
            old = status[row]
            if now != old:
                counts = self.counts[state.name]
                for sums in (counts, self._total):
                    sums[old] -= 1
                    sums[now] += 1
                status[row] = now
                changed.add(row)
            if tries != attempts[row]:
                attempts[row] = tries
                changed.add(row)
        self._write_bars(sorted(bars))

    def _write_bars(self, places: Sequence[int]) -> None:
        known, there, new = self._profile.bars, len(self.bars), []
        for place in places:
            bar = known[place]
            if place < there:
                self.bars.put(place, self._bar(bar))
            else:
                new.append(self._bar(bar))
            if bar.ended is None:
                self.running.add(place)
            else:
                self.running.discard(place)
                self._spend(bar, bar.ended)
        self.bars.extend(new)

    def _bar(self, bar: Bar) -> tuple[float, ...]:
        begun, ended = self._profile.begun, bar.ended
        return (
            self._row[bar.call],
            min(bar.attempt, _MOST_U2),
            self.workers.number(bar.worker),
            _STATUS[bar.status],
            bar.ready - begun,
            bar.started - begun,
            math.nan if ended is None else ended - begun,
            bar.packing,
            math.nan if bar.done is None else part_of(bar.done, bar.total),
        )

    def _spend(self, bar: Bar, ended: float) -> None:
        seconds = max(0.0, ended - bar.started)
        for sums, name in ((self.spent, bar.activity), (self.work, bar.worker)):
            found = sums.get(name)
            if found is None:
                found = sums[name] = Spent()
            found.count += 1
            found.seconds += seconds
