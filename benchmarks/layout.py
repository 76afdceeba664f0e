"""How good our own layout is beside dot's, and what it costs: crossings, bends, widths, seconds.

    python benchmarks/layout.py                   every shape; dot where it is installed
    python benchmarks/layout.py --large           also 10,000 nodes, own layout only
    python benchmarks/layout.py --seeds 5         more graphs of each random shape
    python benchmarks/layout.py --write           add what was found to LAYOUT.md

Crossings are counted in the drawing, the same way for both: pairs of edges whose curves meet, but
where they leave or enter a box that both of them have. A bend is the angle that an edge turns on
its way, in degrees, the mean over all edges. Seconds are processor time for our own layout, and
time on the clock for dot, which is another process.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, degrees, pi
from pathlib import Path
from typing import Literal

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.record import append
from nbflow.viz.layout import COMPACT, Layout, Size, layout

ABOUT = """\
`python benchmarks/layout.py --write`. Crossings are pairs of edges whose curves meet, counted in
the drawing in the same way for both, the mean over the graphs of a shape; *bends* are degrees that
an edge turns on its way; *s* is processor time of ours, and time on the clock of dot's process."""
Pair = tuple[int, int]
Point = tuple[float, float]
Segment = tuple[Point, Point]

_PIECES = 6
"""Into how many straight pieces a cubic curve is cut to find out what crosses it."""


@dataclass(frozen=True)
class Box:
    """A node of a net."""

    id: str
    join: bool = False


@dataclass(frozen=True)
class Line:
    """An edge of a net."""

    source: str
    target: str


class Net:
    """A graph of numbers, as a layout wants it."""

    def __init__(self, count: int, edges: Iterable[Pair]) -> None:
        self.pairs = list(dict.fromkeys(edges))
        self.nodes: Sequence[Box] = [Box(str(i)) for i in range(count)]
        self.edges: Sequence[Line] = [Line(str(a), str(b)) for a, b in self.pairs]


# ---------------------------------------------------------------------- graphs


def layered_net(rows: int, width: int, seed: int) -> Net:
    """Make a net whose edges all lead from one row to the next, one or two into each node."""
    dice = random.Random(seed)
    edges = set()
    for row in range(1, rows):
        for i in range(width):
            for _ in range(dice.choice([1, 2, 2])):
                edges.add(((row - 1) * width + dice.randrange(width), row * width + i))
    return Net(rows * width, sorted(edges))


def near_net(rows: int, width: int, seed: int) -> Net:
    """Make a layered net whose edges stay near, as in real workflows; some pass over a row."""
    dice = random.Random(seed)
    edges = set()
    for row in range(1, rows):
        for i in range(width):
            for _ in range(dice.choice([1, 1, 2])):
                up = dice.choice([1, 1, 1, 2]) if row > 1 else 1
                at = min(width - 1, max(0, i + dice.randint(-3, 3)))
                edges.add(((row - up) * width + at, row * width + i))
    return Net(rows * width, sorted(edges))


def random_net(count: int, seed: int, reach: int = 30) -> Net:
    """Make a net of one and a half edges a node, which lead as far as `reach` nodes back."""
    dice = random.Random(seed)
    edges = set()
    for i in range(1, count):
        for _ in range(dice.choice([1, 2])):
            edges.add((dice.randrange(max(0, i - reach), i), i))
    return Net(count, sorted(edges))


def tree(count: int, seed: int) -> Net:
    """Make a tree that grows downwards."""
    dice = random.Random(seed)
    return Net(count, [(dice.randrange(max(0, i - 8), i), i) for i in range(1, count)])


def pipelines(wide: int, long: int) -> Net:
    """Make `wide` pipelines of `long` nodes between one node above and one below."""
    edges, last = [], wide * long + 1
    for p in range(wide):
        chain = [0, *range(1 + p * long, 1 + (p + 1) * long), last]
        edges += list(pairwise(chain))
    return Net(last + 1, edges)


def diamonds(count: int, wide: int) -> Net:
    """Make a chain of diamonds: one node, `wide` nodes, one node..."""
    edges, at = [], 0
    for _ in range(count):
        middle = range(at + 1, at + 1 + wide)
        edges += [(at, m) for m in middle] + [(m, at + 1 + wide) for m in middle]
        at += 1 + wide
    return Net(at + 1, edges)


def fans(count: int, wide: int, seed: int) -> Net:
    """Make stages that each fan out, convert, fan in and hand on a total to every later one."""
    dice = random.Random(seed)
    edges: list[Pair] = []
    totals: list[int] = []
    at = 0
    for _ in range(count):
        head, at = at, at + 1
        edges += [(total, head) for total in totals[-2:]]
        first, second = range(at, at + wide), range(at + wide, at + 2 * wide)
        edges += [(head, i) for i in first]
        edges += [(dice.choice(first), j) for j in second]
        edges += list(zip(first, second, strict=True))
        at += 2 * wide
        edges += [(j, at) for j in second]
        totals.append(at)
        at += 1
    return Net(at, edges)


def butterfly(bits: int) -> Net:
    """Make the graph of a fast Fourier transform, which nobody can draw well."""
    wide = 1 << bits
    edges = []
    for row in range(bits):
        for i in range(wide):
            edges += [(row * wide + i, (row + 1) * wide + j) for j in (i, i ^ (1 << row))]
    return Net((bits + 1) * wide, edges)


SHAPES: dict[str, Callable[[int], Net]] = {
    "layered 30": lambda seed: layered_net(6, 5, seed),
    "layered 100": lambda seed: layered_net(10, 10, seed),
    "layered 1,000": lambda seed: layered_net(40, 25, seed),
    "near 100": lambda seed: near_net(10, 10, seed),
    "near 1,000": lambda seed: near_net(40, 25, seed),
    "random 30": lambda seed: random_net(30, seed),
    "random 100": lambda seed: random_net(100, seed),
    "random 1,000": lambda seed: random_net(1000, seed),
    "tree 100": lambda seed: tree(100, seed),
    "tree 1,000": lambda seed: tree(1000, seed),
    "fans 3 x 8": lambda seed: fans(3, 8, seed),
    "fans 5 x 40": lambda seed: fans(5, 40, seed),
    "pipelines 8 x 6": lambda _: pipelines(8, 6),
    "pipelines 100 x 8": lambda _: pipelines(100, 8),
    "diamonds 10 x 5": lambda _: diamonds(10, 5),
    "butterfly 16": lambda _: butterfly(4),
}
FIXED = frozenset({"pipelines 8 x 6", "pipelines 100 x 8", "diamonds 10 x 5", "butterfly 16"})
LARGE: dict[str, Callable[[int], Net]] = {
    "layered 10,000": lambda seed: layered_net(100, 100, seed),
    "near 10,000": lambda seed: near_net(100, 100, seed),
    "random 10,000": lambda seed: random_net(10_000, seed, 300),
    "tree 10,000": lambda seed: tree(10_000, seed),
    "pipelines 1,000 x 10": lambda _: pipelines(1000, 10),
}


# ---------------------------------------------------------------------- measures


def crossings(found: Layout) -> int:
    """Count the pairs of edges that cross in a drawing.

    Two edges that share a box are not counted where they leave or enter it.
    """
    lines = [(edge, list(_pieces(curve))) for edge, curve in found.curves.items()]
    cells: defaultdict[tuple[int, int], list[tuple[int, Segment]]] = defaultdict(list)
    size = max(40.0, (found.width * found.height / max(1, len(lines) * 4)) ** 0.5)
    crossed: set[Pair] = set()
    for i, (edge, pieces) in enumerate(lines):
        for piece in pieces:
            for cell in _cells(piece, size):
                for j, other in cells[cell]:
                    new = j != i and (j, i) not in crossed and _cross(piece, other)
                    if new and not _shared(edge, lines[j][0], piece, other, found):
                        crossed.add((j, i))
                cells[cell].append((i, piece))
    return len(crossed)


def _pieces(curve: Sequence[Point]) -> Iterator[Segment]:
    """Cut a curve in straight pieces; upright ones stay whole."""
    for i in range(0, len(curve) - 1, 3):
        a, b, c, d = curve[i : i + 4]
        count = 1 if abs(a[0] - d[0]) + abs(b[0] - c[0]) < 0.01 else _PIECES
        points = [_at(a, b, c, d, t / count) for t in range(count + 1)]
        yield from pairwise(points)


def _at(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    u = 1 - t
    w = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
    x = w[0] * a[0] + w[1] * b[0] + w[2] * c[0] + w[3] * d[0]
    return x, w[0] * a[1] + w[1] * b[1] + w[2] * c[1] + w[3] * d[1]


def _cells(piece: Segment, size: float) -> Iterator[tuple[int, int]]:
    (x0, y0), (x1, y1) = piece
    for i in range(int(min(x0, x1) // size), int(max(x0, x1) // size) + 1):
        for j in range(int(min(y0, y1) // size), int(max(y0, y1) // size) + 1):
            yield i, j


def _cross(one: Segment, two: Segment) -> bool:
    (a, b), (c, d) = one, two
    return (_side(a, b, c) > 0) != (_side(a, b, d) > 0) and (_side(c, d, a) > 0) != (
        _side(c, d, b) > 0
    )


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _shared(
    one: tuple[str, str], two: tuple[str, str], piece: Segment, other: Segment, found: Layout
) -> bool:
    """Whether these pieces only meet at the box that both edges have."""
    for node in set(one) & set(two):
        place = found.places[node]
        reach = place.width / 2 + 8, place.height / 2 + 8
        near = all(
            abs(x - place.x) <= reach[0] and abs(y - place.y) <= reach[1]
            for x, y in (piece[0], other[0])
        ) or all(
            abs(x - place.x) <= reach[0] and abs(y - place.y) <= reach[1]
            for x, y in (piece[1], other[1])
        )
        if near:
            return True
    return False


def bends(found: Layout) -> float:
    """Give how far edges turn on their way, in degrees: the mean."""
    turned = [sum(_turns(curve)) for curve in found.curves.values()]
    return degrees(sum(turned) / len(turned)) if turned else 0.0


def _turns(curve: Sequence[Point]) -> Iterator[float]:
    angles = [atan2(y1 - y0, x1 - x0) for (x0, y0), (x1, y1) in _pieces(curve)]
    for one, two in pairwise(angles):
        turn = abs(one - two)
        yield min(turn, 2 * pi - turn)


# ---------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Row:
    """What one layout of one graph came to."""

    nodes: int
    edges: int
    crossings: int
    bend: float
    width: float
    height: float
    seconds: float


def measure(net: Net, engine: Literal["own", "dot"], size: Size = COMPACT) -> Row | None:
    """Lay out a net; None if dot did not do it."""
    clock = time.process_time if engine == "own" else time.perf_counter
    began = clock()
    found = layout(net, engine=engine, size=size)
    seconds = clock() - began
    if found.engine != engine:
        return None
    count = crossings(found) if len(net.nodes) <= 2000 else -1
    bend = bends(found)
    return Row(len(net.nodes), len(net.edges), count, bend, found.width, found.height, seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=3, help="graphs of each random shape")
    parser.add_argument("--large", action="store_true", help="also 10,000 nodes")
    parser.add_argument("--only", default="", help="shapes whose name has this in it")
    parser.add_argument("--write", action="store_true", help="add the table to LAYOUT.md")
    options = parser.parse_args(arguments)
    with_dot = shutil.which("dot") is not None
    heads = ("crossings", "dot's", "ratio", "bends", "dot's", "width", "dot's", "s", "dot's")
    lines = [f"{'shape':22}{'nodes':>7}{'edges':>7}" + "".join(f"{head:>10}" for head in heads)]
    print(lines[0])
    for name, make in {**SHAPES, **(LARGE if options.large else {})}.items():
        if options.only in name:
            nets = [make(seed) for seed in range(1, 2 if name in FIXED else options.seeds + 1)]
            lines.append(_line(name, nets, with_dot and name not in LARGE))
            print(lines[-1], flush=True)
    if options.write:
        text = "```text\n" + "\n".join(lines) + "\n```"
        append("LAYOUT.md", "Our layout beside dot's", ABOUT, text, ("jupyter-nbflow",))


def _line(name: str, nets: Sequence[Net], with_dot: bool) -> str:
    own = [row for row in (measure(net, "own") for net in nets) if row]
    dot = [row for row in (measure(net, "dot") for net in nets) if row] if with_dot else []

    def mean(rows: Sequence[Row], field: str) -> float:
        return sum(getattr(row, field) for row in rows) / len(rows) if rows else float("nan")

    ours, theirs = mean(own, "crossings"), mean(dot, "crossings")
    ratio = ours / theirs if theirs else 1.0 if not ours else float("inf")
    cells = [
        *(f"{value:,.1f}" for value in (ours, theirs)),
        f"{ratio:.2f}",
        *(f"{mean(rows, 'bend'):.0f}" for rows in (own, dot)),
        *(f"{mean(rows, 'width'):,.0f}" for rows in (own, dot)),
        *(f"{mean(rows, 'seconds'):.2f}" for rows in (own, dot)),
    ]
    size = f"{len(nets[0].nodes):>7,}{len(nets[0].edges):>7,}"
    return f"{name:22}{size}" + "".join(f"{cell:>10}" for cell in cells)


if __name__ == "__main__":
    main()
