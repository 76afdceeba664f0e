"""The order of nodes in the layers of a graph, so that few edges cross.

Three means, each of which mends what the one before cannot:

- Smoothing: again and again each node takes the mean place of all its neighbours, above and below,
  and each layer is stretched to the width that it had. That is the barycenter rule of Sugiyama,
  Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", 1981), but
  on numbers instead of ranks. It ends near the second eigenvector of the graph, which knows of the
  whole graph what sweeps over ranks, that see one layer at a time, do not.
- Sifting of layer after layer, see `nbflow.viz.sifting`, until no node finds a better place.
- Kicks: some nodes that hang together are moved elsewhere as one, and the layers around are sifted
  again. What is worse is taken back. (Local search that is repeated from where it got stuck;
  Gansner, Koutsofios, North and Vo, "A technique for drawing directed graphs", 1993, do it by
  exchanging neighbours at no gain.)

How much is tried is counted in units of work, not in seconds: the same graph is always drawn the
same way. Crossings are counted by inserting the ends of edges into a sorted list, the plainest way
of Barth, Jünger and Mutzel, "Simple and efficient bilayer cross counting" (2002).
"""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Collection, Iterable

from nbflow.viz.sifting import sifted

Rows = list[list[int]]
Links = list[list[int]]

_SMOOTHING = 200_000
"""About how many links all turns of smoothing together look at."""
_MOST_TURNS = 40
_SIFTING = 1_800_000
"""About how many pairs of nodes may be compared, from one start."""
_KICKING = 1_600_000
"""The same for all kicks together, in a graph that is big..."""
_MOST_KICKING = 8_000_000
"""...and in one that is small..."""
_KICKED = 13_500_000_000_000
"""...between which it is this over the square of the number of nodes and links."""
_LAST_KICKS = 60
"""So many kicks that save nothing are enough."""
_CHUNK = 48
"""Wide layers are sifted by so many nodes at a time."""
_NEAR = 4
"""So many layers around a kick are sifted."""
_HUB = 8
"""A node of more neighbours than this does not draw others along."""


def crossings(rows: Rows, down: Links) -> int:
    """Count the pairs of edges between neighbouring layers that cross."""
    place = _places(rows, len(down))
    return sum(_row_crossings(row, down, place) for row in rows)


def _row_crossings(row: list[int], down: Links, place: list[int]) -> int:
    seen: list[int] = []
    total = 0
    for v in row:
        targets = [place[u] for u in down[v]]
        if len(targets) > 1:
            targets.sort()
        total += sum([len(seen) - bisect_right(seen, p) for p in targets])
        for p in targets:
            insort(seen, p)
    return total


def _places(rows: Rows, count: int) -> list[int]:
    place = [0] * count
    for row in rows:
        for i, v in enumerate(row):
            place[v] = i
    return place


def order(rows: Rows, up: Links, down: Links) -> None:
    """Reorder each row in place so that few edges cross.

    Args:
        rows: The nodes of each layer, from left to right. Where that order is good, as one found
            depth first is for a tree, it is kept.
        up: For each node its neighbours in the layer above.
        down: For each node its neighbours in the layer below.
    """
    if len(rows) < 2 or not any(len(row) > 1 for row in rows):
        return
    size = sum(map(len, down)) + len(down)
    found = _Order(rows, up, down)
    if not found.count():
        return
    best = found
    for start in _STARTS[: 1 + (size < 4000)]:
        found = _Order(start(rows, up, down), up, down)
        found.smooth(max(4, min(_MOST_TURNS, _SMOOTHING // size)))
        found.sift(range(len(rows)), _SIFTING)
        if found.count() < best.count():
            best = found
    best.kick(min(_MOST_KICKING, max(_KICKING, _KICKED // size**2)))
    rows[:] = best.rows


class _Order:
    """An order of all layers that is being made better."""

    def __init__(self, rows: Rows, up: Links, down: Links) -> None:
        self.rows = [list(row) for row in rows]
        self.up = up
        self.down = down
        self.place = _places(self.rows, len(down))
        self.work = 0
        self._counted = -1
        self._each = 0

    def count(self) -> int:
        """How many edges cross."""
        if self._counted < 0:
            self._counted = sum(self._crossings_under(range(len(self.rows))))
        return self._counted

    def _crossings_under(self, layers: Iterable[int]) -> list[int]:
        return [_row_crossings(self.rows[r], self.down, self.place) for r in layers]

    def _set(self, r: int, row: list[int]) -> None:
        self.rows[r] = row
        place = self.place
        for i, v in enumerate(row):
            place[v] = i

    # ------------------------------------------------------------------ smoothing

    def smooth(self, turns: int) -> None:
        """Draw each node to the mean of its neighbours, turn by turn down and up."""
        x = [0.0] * len(self.place)
        for row in self.rows:
            for i, v in enumerate(row):
                x[v] = (i + 0.5) / len(row) - 0.5
        around = [above + below for above, below in zip(self.up, self.down, strict=True)]
        wide = [row for row in self.rows if len(row) > 1]
        for turn in range(turns):
            for row in wide if turn % 2 == 0 else reversed(wide):
                _smooth_row(row, around, x)
        for r, row in enumerate(self.rows):
            self._set(r, sorted(row, key=x.__getitem__))
        self._counted = -1

    # ------------------------------------------------------------------ sifting

    def sift(self, layers: Iterable[int], work: int, inside: range | None = None) -> None:
        """Sift these layers, and those around one that has changed, until nothing helps.

        Args:
            layers: The numbers of the layers to begin with.
            work: How much may be done.
            inside: The layers that may be touched; by default all.
        """
        inside = inside or range(len(self.rows))
        todo = deque(r for r in layers if len(self.rows[r]) > 1)
        waiting = set(todo)
        end = self.work + work
        while todo and self.work < end:
            r = todo.popleft()
            waiting.discard(r)
            if not self._sift_layer(r):
                continue
            for other in (r - 1, r + 1):
                if other in inside and other not in waiting and len(self.rows[other]) > 1:
                    waiting.add(other)
                    todo.append(other)

    def _sift_layer(self, r: int) -> bool:
        """Sift a layer, a wide one in parts that overlap by half; tell whether that helped."""
        if len(self.rows[r]) <= _CHUNK * 2:
            return self._sift_part(r, 0, len(self.rows[r]))
        starts = range(0, len(self.rows[r]) - _CHUNK // 2, _CHUNK // 2)
        return sum(self._sift_part(r, at, at + _CHUNK) for at in starts) > 0

    def _sift_part(self, r: int, start: int, end: int) -> bool:
        part, get = self.rows[r][start:end], self.place.__getitem__
        above = [[*map(get, self.up[v])] for v in part]
        below = [[*map(get, self.down[v])] for v in part]
        links = sum(map(len, above)) + sum(map(len, below))
        self.work += len(part) * (len(part) + 2 * links)
        found, saved = sifted(above, below)
        if saved:
            self._counted -= saved if self._counted >= 0 else 0
            for i, k in enumerate(found, start):
                self.rows[r][i] = part[k]
                self.place[part[k]] = i
        return saved > 0

    # ------------------------------------------------------------------ kicks

    def kick(self, work: int) -> None:
        """Move clusters of nodes elsewhere, for as long as that finds something now and then."""
        dice = random.Random(1)
        rank = {v: r for r, row in enumerate(self.rows) for v in row}
        under = self._crossings_under(range(len(self.rows)))
        self._each = work // 40
        end, idle = self.work + work, 0
        while any(under) and self.work < end and idle < _LAST_KICKS:
            (r,) = dice.choices(range(len(under)), under)
            cluster = self._cluster(dice.choice(self.rows[r]), dice.randint(2, 8))
            layers = sorted({rank[v] for v in cluster})
            idle = 0 if self._try(cluster, layers, dice.random(), under) else idle + 1

    def _cluster(self, start: int, size: int) -> set[int]:
        """Collect a node and so many around it, but for hubs."""
        found, todo = {start}, deque([start])
        while todo:
            v = todo.popleft()
            for u in (*self.up[v], *self.down[v]):
                if len(found) == size:
                    return found
                if u not in found and len(self.up[u]) + len(self.down[u]) <= _HUB:
                    found.add(u)
                    todo.append(u)
        return found

    def _try(
        self, cluster: Collection[int], layers: list[int], where: float, under: list[int]
    ) -> bool:
        """Move a cluster and sift around it; take it back if that is worse."""
        inside = range(max(0, layers[0] - _NEAR), min(len(self.rows), layers[-1] + _NEAR + 1))
        touched = range(max(0, inside.start - 1), inside.stop)
        old = [list(self.rows[r]) for r in inside]
        for r in layers:
            others = [v for v in self.rows[r] if v not in cluster]
            at = int(where * (len(others) + 1))
            mine = [v for v in self.rows[r] if v in cluster]
            self._set(r, [*others[:at], *mine, *others[at:]])
        around = {r + d for r in layers for d in (-1, 0, 1)}
        self.sift(sorted(around & set(inside)), self._each, inside)
        found = self._crossings_under(touched)
        before, after = sum(under[r] for r in touched), sum(found)
        if after > before:
            for r, row in zip(inside, old, strict=True):
                self._set(r, row)
            return False
        under[touched.start : touched.stop] = found
        return after < before


def _smooth_row(row: list[int], around: Links, x: list[float]) -> None:
    get = x.__getitem__
    means = [sum(map(get, around[v])) / len(around[v]) if around[v] else x[v] for v in row]
    middle = sum(means) / len(means)
    spread = (sum([(m - middle) ** 2 for m in means]) / len(means)) ** 0.5
    if spread < 1e-12:
        return
    for v, mean in zip(row, means, strict=True):
        x[v] = (mean - middle) / spread


# ---------------------------------------------------------------------- where to start


def _as_is(rows: Rows, up: Links, down: Links) -> Rows:
    """Start with the order that is there."""
    del up, down
    return rows


def _hubs_last(rows: Rows, up: Links, down: Links) -> Rows:
    """Start depth first along edges in both directions, hubs last: keeps what is thin together."""
    rank = {v: r for r, row in enumerate(rows) for v in row}
    around = [above + below for above, below in zip(up, down, strict=True)]
    found: Rows = [[] for _ in rows]
    seen = bytearray(len(around))
    for start in sorted(rank, key=lambda v: (len(around[v]), v)):
        todo = [start]
        while todo:
            v = todo.pop()
            if not seen[v]:
                seen[v] = 1
                found[rank[v]].append(v)
                near = [u for u in around[v] if not seen[u]]
                todo += sorted(near, key=lambda u: -len(around[u]))
    return found


_STARTS: tuple[Callable[[Rows, Links, Links], Rows], ...] = (_as_is, _hubs_last)
