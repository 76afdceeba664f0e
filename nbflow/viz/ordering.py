"""The order of nodes in the layers of a graph, so that few edges cross.

Sweeps down and up put each node at the mean, or the median, place of its neighbours; between the
sweeps, neighbours in a layer change places where that saves crossings. The best order seen wins.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator

Rows = list[list[int]]
Links = list[list[int]]

_EFFORT = 90_000
"""About how many nodes and edges all sweeps together may visit."""
_TURNS = 16
_PATIENCE = 4
_STARTS = 10
_COUNTABLE = 60_000
"""Up to how many edges crossings are counted, and nodes change places."""


def crossings(rows: Rows, down: Links) -> int:
    """Count the pairs of edges between neighbouring layers that cross."""
    place = _places(rows, len(down))
    total = 0
    for row in rows:
        seen: list[int] = []
        for v in row:
            targets = sorted(place[u] for u in down[v])
            total += sum(len(seen) - bisect_right(seen, p) for p in targets)
            for p in targets:
                insort(seen, p)
    return total


def order(rows: Rows, up: Links, down: Links) -> None:
    """Reorder each row in place so that few edges cross."""
    size = sum(map(len, down)) + len(down)
    if len(rows) < 2 or not any(len(row) > 1 for row in rows):
        return
    if size > _COUNTABLE:
        place = _places(rows, len(down))
        for turn in range(4):
            _sweep(rows, up, down, place, turn)
        return
    best, fewest = [list(row) for row in rows], crossings(rows, down)
    turns = max(4, min(_TURNS, 2 * _EFFORT // size))
    for start in range(max(1, min(_STARTS, _EFFORT // (size * turns)))):
        if not fewest:
            break
        found, count = _improve(_start(rows, start), up, down, range(start % 2, turns))
        if count < fewest:
            best, fewest = found, count
    rows[:] = best


def _start(rows: Rows, number: int) -> Rows:
    """Give the order to begin with: the one that is there, mirrored, then shuffled ones."""
    if number < 2:
        return [list(row) for row in rows]
    dice = random.Random(number)
    return [dice.sample(row, len(row)) for row in rows]


def _improve(rows: Rows, up: Links, down: Links, turns: range) -> tuple[Rows, int]:
    """Sweep until that has not helped for a while; odd turns sweep upwards."""
    place = _places(rows, len(down))
    best, fewest, idle = [list(row) for row in rows], crossings(rows, down), 0
    for turn in turns:
        _sweep(rows, up, down, place, turn)
        _exchange(rows, up, down, place, least=turn % 2)
        count = crossings(rows, down)
        if count < fewest:
            best, fewest, idle = [list(row) for row in rows], count, 0
        else:
            idle += 1
        if not fewest or idle > _PATIENCE:
            break
    return best, fewest


def _places(rows: Rows, count: int) -> list[int]:
    place = [0] * count
    for row in rows:
        for i, v in enumerate(row):
            place[v] = i
    return place


def _sweep(rows: Rows, up: Links, down: Links, place: list[int], turn: int) -> None:
    """Sort each row by its neighbours in the one before: downwards on even turns, else upwards."""
    downwards = turn % 2 == 0
    links = up if downwards else down
    sequence = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
    middle: Callable[[list[int]], float] = _median if turn % 4 > 1 else _mean
    for r in sequence:
        row = rows[r]
        if len(row) < 2:
            continue
        key = {v: middle([place[u] for u in links[v]]) if links[v] else place[v] for v in row}
        row.sort(key=key.__getitem__)
        for i, v in enumerate(row):
            place[v] = i


def _mean(places: list[int]) -> float:
    return sum(places) / len(places)


def _median(places: list[int]) -> float:
    """Give the middle place; of two middle ones, a mean that leans to the crowded side."""
    places.sort()
    half = len(places) // 2
    if len(places) % 2:
        return places[half]
    if len(places) == 2:
        return (places[0] + places[1]) / 2
    left = places[half - 1] - places[0]
    right = places[-1] - places[half]
    if not left + right:
        return (places[half - 1] + places[half]) / 2
    return (places[half - 1] * right + places[half] * left) / (left + right)


def _exchange(rows: Rows, up: Links, down: Links, place: list[int], least: int) -> None:
    """Let neighbours in a row change places as long as that saves crossings.

    With `least` 0 they do so the first time where it costs nothing, which opens new ways.
    """
    for turn in range(4):
        saved = 0
        for row in rows:
            if len(row) > 1:
                saved += _exchange_row(row, up, down, place, 1 if turn else least)
        if not saved:
            return


def _exchange_row(row: list[int], up: Links, down: Links, place: list[int], least: int) -> int:
    above = {v: sorted(place[u] for u in up[v]) for v in row}
    below = {v: sorted(place[u] for u in down[v]) for v in row}
    saved = 0
    for i, (v, w) in _neighbours(row):
        gain = _gain(above[v], above[w]) + _gain(below[v], below[w])
        if gain >= least:
            row[i], row[i + 1] = w, v
            place[v], place[w] = i + 1, i
            saved += gain
    return saved


def _neighbours(row: list[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    for i in range(len(row) - 1):
        yield i, (row[i], row[i + 1])


def _gain(left: list[int], right: list[int]) -> int:
    """Tell how many crossings fewer there are when two neighbours change places."""
    if not left or not right or left[-1] <= right[0]:
        return 0 if not left or not right else -_crossed(right, left)
    return _crossed(left, right) - _crossed(right, left)


def _crossed(left: list[int], right: list[int]) -> int:
    return sum(bisect_left(right, p) for p in left)
