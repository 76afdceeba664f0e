"""The x coordinates of a layered graph: edges short and upright, long ones straight.

Row by row, down and up again, each node is drawn to its neighbours in the row before. The nodes
of a row keep their order and the gaps: what would overlap is moved as one block to the mean of
what its nodes want (isotonic regression, linear). The dummies of long edges weigh most; in the end
each chain of them is made straight where there is room.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

Rows = list[list[int]]
Links = list[list[int]]

_ONE_SIDED = 6
_TWO_SIDED = 24
_EFFORT = 40_000
"""About how many nodes may be moved in two-sided turns: big graphs get fewer of those."""
_REAL, _MIXED, _DUMMY = 1.0, 2.0, 8.0
"""How much an edge draws: between two boxes, a box and a dummy, two dummies."""


class _Plane:
    """The rows, and the x of each node so far."""

    def __init__(self, rows: Rows, widths: list[float], real: int, gap: float) -> None:
        self.rows = rows
        self.real = real
        self.x = [0.0] * len(widths)
        self.offsets = [self._offsets(row, widths, gap) for row in rows]
        for row, offsets in zip(rows, self.offsets, strict=True):
            for v, offset in zip(row, offsets, strict=True):
                self.x[v] = offset - offsets[-1] / 2

    def _offsets(self, row: list[int], widths: list[float], gap: float) -> list[float]:
        """Give each node's distance from the first when all stand as close as they may."""
        offsets = [0.0] * len(row)
        for i, (v, w) in enumerate(pairwise(row), 1):
            room = gap if v < self.real and w < self.real else gap * 0.7
            offsets[i] = offsets[i - 1] + (widths[v] + widths[w]) / 2 + room
        return offsets

    def draw(self, r: int, sides: tuple[Links, ...]) -> None:
        """Move the nodes of one row towards their neighbours on these sides."""
        wants = []
        for v in self.rows[r]:
            pull = total = 0.0
            for links in sides:
                for u in links[v]:
                    weight = self._weight(u, v)
                    pull += self.x[u] * weight
                    total += weight
            wants.append((pull, total) if total else (self.x[v] * 0.01, 0.01))
        self._project(r, wants)

    def _weight(self, u: int, v: int) -> float:
        if u < self.real and v < self.real:
            return _REAL
        return _DUMMY if u >= self.real and v >= self.real else _MIXED

    def _project(self, r: int, wants: list[tuple[float, float]]) -> None:
        """Set the row to the places nearest to what is wanted that keep order and gaps."""
        offsets = self.offsets[r]
        blocks: list[tuple[float, float, int]] = []
        for (pull, weight), offset in zip(wants, offsets, strict=True):
            block = (pull - offset * weight, weight, 1)
            while blocks and blocks[-1][0] * block[1] > block[0] * blocks[-1][1]:
                last = blocks.pop()
                block = (block[0] + last[0], block[1] + last[1], block[2] + last[2])
            blocks.append(block)
        i = 0
        for pull, weight, size in blocks:
            for _ in range(size):
                self.x[self.rows[r][i]] = pull / weight + offsets[i]
                i += 1

    def align(self, chains: Iterable[list[int]]) -> None:
        """Make each chain of dummies straight where its neighbours leave room for that."""
        where = {v: (r, i) for r, row in enumerate(self.rows) for i, v in enumerate(row)}
        for chain in chains:
            low, high = float("-inf"), float("inf")
            for v in chain:
                r, i = where[v]
                row, offsets = self.rows[r], self.offsets[r]
                if i:
                    low = max(low, self.x[row[i - 1]] + offsets[i] - offsets[i - 1])
                if i < len(row) - 1:
                    high = min(high, self.x[row[i + 1]] - offsets[i + 1] + offsets[i])
            if low <= high:
                mean = sum(self.x[v] for v in chain) / len(chain)
                for v in chain:
                    self.x[v] = min(high, max(low, mean))


def straighten(
    rows: Rows,
    up: Links,
    down: Links,
    widths: list[float],
    real: int,
    gap: float,
    chains: Iterable[list[int]] = (),
) -> list[float]:
    """Give an x for the centre of each node; those of a row keep its order and the gap.

    Args:
        rows: The nodes of each layer, from left to right.
        up: For each node its neighbours in the layer above.
        down: For each node its neighbours in the layer below.
        widths: The width of each node.
        real: How many nodes are no dummies; the dummies come after them.
        gap: The room between two boxes; beside a dummy it is less.
        chains: The dummies of each long edge.
    """
    plane = _Plane(rows, widths, real, gap)
    if len(rows) < 2 or not any(len(row) > 1 for row in rows):
        return plane.x
    downwards, upwards = range(1, len(rows)), range(len(rows) - 2, -1, -1)
    few = len(widths) > _EFFORT // 4
    for turn in range(_ONE_SIDED // 2 if few else _ONE_SIDED):
        for r in downwards if turn % 2 == 0 else upwards:
            plane.draw(r, (up,) if turn % 2 == 0 else (down,))
    for turn in range(max(3, min(_TWO_SIDED, _EFFORT // len(widths)))):
        for r in range(len(rows)) if turn % 2 else reversed(range(len(rows))):
            plane.draw(r, (up, down))
    plane.align(chains)
    return plane.x
