"""The best order of one layer between two that stay as they are: sifting.

Each node is taken out and put back where its edges cross the fewest others, as long as that helps
(Matuszewski, Schönfeld and Molitor, "Using sifting for k-layer straightline crossing
minimization", 1999). How many crossings each pair of nodes makes in either order is counted once
for a layer; to try all places of a node is then one run along a row of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

Places = Sequence[Sequence[int]]

_PASSES = 4


def sifted(above: Places, below: Places) -> tuple[list[int], int]:
    """Give a better order of the nodes of a layer, and how many crossings it saves.

    Args:
        above: For each node the places of its neighbours in the layer above.
        below: The same for the layer below.

    Returns:
        The nodes, by their present places, in their new order; it never has more crossings.
    """
    gains = _gains(above, below)
    order = list(range(len(above)))
    saved = 0
    for _ in range(_PASSES):
        before = saved
        for v in tuple(order):
            saved += _sift(order, v, gains[v])
        if saved == before:
            break
    return order, saved


def _sift(order: list[int], v: int, gains: list[int]) -> int:
    """Move one node to the nearest of its best places; give how many crossings that saves."""
    at = order.index(v)
    del order[at]
    costs = [0, *accumulate([gains[u] for u in order])]
    least = min(costs)
    saved = costs[at] - least
    if saved:
        at = min((abs(i - at), i) for i, cost in enumerate(costs) if cost == least)[1]
    order.insert(at, v)
    return saved


def _gains(above: Places, below: Places) -> list[list[int]]:
    """Tell for each pair (v, u) what it costs that v goes from the left of u to its right."""
    ends, middle, size = _numbered(above, below)
    crossed = []
    for mine in ends:
        seen = [0] * size
        for p in mine:
            seen[p + 1] += 1
        # How many neighbours of this node lie to the left of each place, above and below.
        left = [*accumulate(seen[:middle]), *accumulate(seen[middle:])]
        get = left.__getitem__
        crossed.append([sum(map(get, others)) for others in ends])
    turned = zip(*crossed, strict=True)
    return [
        [a - b for a, b in zip(row, column, strict=True)]
        for row, column in zip(crossed, turned, strict=True)
    ]


def _numbered(above: Places, below: Places) -> tuple[list[list[int]], int, int]:
    """Number the places that occur without gaps, those below after those above.

    Returns:
        The numbers of each node's neighbours, where those of the layer below begin, and the end
        of all; each layer has a number to spare, where its sums end.
    """
    upper = {p: i for i, p in enumerate(sorted({p for places in above for p in places}))}
    middle = len(upper) + 1
    lower = {p: i for i, p in enumerate(sorted({p for places in below for p in places}), middle)}
    ends = [
        [*map(upper.__getitem__, ups), *map(lower.__getitem__, downs)]
        for ups, downs in zip(above, below, strict=True)
    ]
    return ends, middle, middle + len(lower) + 1
