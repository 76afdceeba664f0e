from __future__ import annotations

import random
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.layout import SHAPES
from benchmarks.layout import crossings as crossings_drawn
from nbflow.core.graph import Graph
from nbflow.viz.groups import grouped
from nbflow.viz.layered import cut
from nbflow.viz.layout import COMPACT, FULL, TINY, Layout, Place, layout
from nbflow.viz.ordering import crossings as count_crossings
from nbflow.viz.ordering import order
from nbflow.viz.routing import taut
from nbflow.viz.sifting import sifted
from nbflow.viz.wrapping import WIDE, wrapped
from tests.viz.runlog import RunLog, revenue, simulate

needs_dot = pytest.mark.skipif(not shutil.which("dot"), reason="dot is not installed")
ENGINES = ["own", pytest.param("dot", marks=needs_dot)]


@dataclass(frozen=True)
class Dot:
    id: str
    join: bool = False


@dataclass(frozen=True)
class Line:
    source: str
    target: str


class Net:
    """A graph of numbers."""

    def __init__(self, count: int, edges: Iterable[tuple[int, int]]) -> None:
        self.nodes: Sequence[Dot] = [Dot(str(i)) for i in range(count)]
        self.edges: Sequence[Line] = [Line(str(a), str(b)) for a, b in edges]


@st.composite
def nets(draw: st.DrawFn) -> Net:
    count = draw(st.integers(0, 24))
    pairs = st.tuples(st.integers(0, 23), st.integers(0, 23))
    found = draw(st.lists(pairs, max_size=48)) if count else []
    return Net(count, sorted({(a, b) for a, b in found if a < b < count}))


def layered_net(rows: int, width: int, seed: int) -> Net:
    """Make a net whose edges all lead from one row to the next, so that rows are the same."""
    dice = random.Random(seed)
    edges = set()
    for row in range(1, rows):
        for i in range(width):
            for _ in range(dice.choice([1, 2, 2])):
                edges.add(((row - 1) * width + dice.randrange(width), row * width + i))
    return Net(rows * width, sorted(edges))


def overlaps(found: Layout) -> list[tuple[str, str]]:
    def apart(a: str, b: str) -> bool:
        p, q = found.places[a], found.places[b]
        beside = abs(p.x - q.x) >= (p.width + q.width) / 2 - 1e-3
        return beside or abs(p.y - q.y) >= (p.height + q.height) / 2 - 1e-3

    return [(a, b) for a, b in combinations(found.places, 2) if not apart(a, b)]


def upward(net: Net, found: Layout) -> list[tuple[str, str]]:
    return [
        (edge.source, edge.target)
        for edge in net.edges
        if found.places[edge.source].y >= found.places[edge.target].y
    ]


def outside(found: Layout) -> list[object]:
    points = [point for curve in found.curves.values() for point in curve]
    for place in found.places.values():
        dx, dy = place.width / 2, place.height / 2
        points += [(place.x - dx, place.y - dy), (place.x + dx, place.y + dy)]
    low, right, bottom = -1e-3, found.width + 1e-3, found.height + 1e-3
    return [(x, y) for x, y in points if not (low <= x <= right and low <= y <= bottom)]


def crossings(net: Net, found: Layout) -> int:
    rows: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for edge in net.edges:
        a, b = found.places[edge.source], found.places[edge.target]
        rows.setdefault((round(a.y), round(b.y)), []).append((a.x, b.x))
    return sum(
        (a - c) * (b - d) < 0 for ends in rows.values() for (a, b), (c, d) in combinations(ends, 2)
    )


@settings(deadline=None, max_examples=150)
@given(nets())
def test_boxes_are_apart_edges_lead_down_and_all_is_inside(net: Net) -> None:
    """No boxes overlap, each edge leads down, and the size takes in every point of every edge."""
    found = layout(net, engine="own")
    assert set(found.places) == {node.id for node in net.nodes}
    assert set(found.curves) == {(edge.source, edge.target) for edge in net.edges}
    assert overlaps(found) == []
    assert upward(net, found) == []
    assert outside(found) == []


@needs_dot
@settings(deadline=None, max_examples=12)
@given(nets())
def test_dot_gives_the_same_kind_of_layout(net: Net) -> None:
    """Whoever draws need not know who laid out: the same rules hold for dot."""
    found = layout(net, engine="dot")
    assert found.engine == ("dot" if net.edges else "own")
    assert overlaps(found) == []
    assert upward(net, found) == []
    assert outside(found) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_join_the_boxes(engine):
    """A curve is cubic, begins at the rim of its source and ends at the rim of its target."""
    graph = Graph.of(simulate([*revenue(3), ("report-1", ("total-1", "fetch-1"))]))
    found = layout(graph, engine=engine)
    for (source, target), curve in found.curves.items():
        assert len(curve) % 3 == 1
        for place, (x, y) in ((found.places[source], curve[0]), (found.places[target], curve[-1])):
            assert abs(x - place.x) <= place.width / 2 + 1
            assert abs(y - place.y) <= place.height / 2 + 1
            at_rim = abs(abs(y - place.y) - place.height / 2) < 1
            assert at_rim or abs(abs(x - place.x) - place.width / 2) < 1


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_graph_gives_the_same_layout(engine):
    """A layout is a function of the graph: a picture does not jump when it is drawn again."""
    net = layered_net(6, 6, seed=1)
    assert layout(net, engine=engine) == layout(net, engine=engine)


def test_a_chain_of_100_000_calls_is_laid_out_without_recursion():
    """Depth is no limit: nothing recurses."""
    net = Net(100_000, pairwise(range(100_000)))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        found = layout(net)
    finally:
        sys.setrecursionlimit(limit)
    assert found.engine == "own"
    assert found.places["99999"].y > found.places["0"].y
    assert len({place.x for place in found.places.values()}) == 1


def test_10_000_calls_take_seconds():
    """The own layout is near linear."""
    began = time.process_time()
    layout(layered_net(100, 100, seed=2), engine="own")
    assert time.process_time() - began < 15


@needs_dot
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "most"),
    [
        ("layered 30", 1.3),
        ("layered 100", 1.2),
        ("near 100", 1.0),
        ("random 30", 1.0),
        ("random 100", 1.0),
        ("fans 3 x 8", 1.2),
        ("butterfly 16", 1.1),
    ],
)
def test_the_own_layout_crosses_no_more_edges_than_dot_does(shape, most, seed):
    """On graphs of up to a hundred calls it has about as many crossings as dot, or fewer."""
    net = SHAPES[shape](seed)
    theirs = crossings_drawn(layout(net, engine="dot", size=COMPACT))
    ours = crossings_drawn(layout(net, engine="own", size=COMPACT))
    assert ours <= most * theirs


@needs_dot
@pytest.mark.parametrize(
    ("shape", "most"),
    [("layered 1,000", 1.05), ("near 1,000", 1.05), ("random 1,000", 1.1), ("fans 5 x 40", 1.6)],
)
def test_a_thousand_calls_have_about_as_many_crossings_as_by_dot(shape, most):
    """Nor does it get worse with size."""
    net = SHAPES[shape](1)
    theirs = crossings_drawn(layout(net, engine="dot", size=COMPACT))
    assert crossings_drawn(layout(net, engine="own", size=COMPACT)) <= most * theirs


@pytest.mark.parametrize(
    "shape", ["tree 100", "tree 1,000", "pipelines 8 x 6", "pipelines 100 x 8", "diamonds 10 x 5"]
)
def test_what_can_be_drawn_without_crossings_is(shape):
    """Trees, pipelines and diamonds have no crossing at all."""
    assert crossings_drawn(layout(SHAPES[shape](1), engine="own", size=COMPACT)) == 0


@st.composite
def layers_of(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    """Give, for up to six nodes of a layer, the places of neighbours above and below."""
    places = st.lists(st.integers(0, 6), max_size=3, unique=True)
    count = draw(st.integers(1, 6))
    either = st.lists(places, min_size=count, max_size=count)
    return draw(either), draw(either)


@settings(deadline=None, max_examples=150)
@given(layers_of())
def test_sifting_saves_what_it_says_and_leaves_no_better_place(layers) -> None:
    """The new order has as many crossings fewer as told, and no single node can be put better."""
    above, below = layers

    def crossed(order: Sequence[int]) -> int:
        return sum(
            sum(a > b for a in side[v] for b in side[w])
            for side in (above, below)
            for v, w in combinations(order, 2)
        )

    found, saved = sifted(above, below)
    fewest = crossed(found)
    assert sorted(found) == list(range(len(above)))
    assert saved == crossed(range(len(above))) - fewest
    for v in found:
        rest = [w for w in found if w != v]
        assert all(crossed([*rest[:i], v, *rest[i:]]) >= fewest for i in range(len(found)))


@settings(deadline=None, max_examples=60)
@given(nets(), st.randoms(use_true_random=False))
def test_ordering_never_adds_crossings_and_keeps_each_node_in_its_layer(net, dice) -> None:
    """Whatever the order it is given, the one it leaves is at least as good."""
    pairs = [(int(edge.source), int(edge.target)) for edge in net.edges]
    layers = cut(len(net.nodes), pairs)
    for row in layers.rows:
        dice.shuffle(row)
    before = [sorted(row) for row in layers.rows]
    crossed = count_crossings(layers.rows, layers.down)
    order(layers.rows, layers.up, layers.down)
    assert [sorted(row) for row in layers.rows] == before
    assert count_crossings(layers.rows, layers.down) <= crossed


def test_a_tree_has_no_crossing():
    """What can be drawn without crossings is."""
    dice = random.Random(4)
    net = Net(60, [(dice.randrange(max(0, i - 6), i), i) for i in range(1, 60)])
    found = layout(net, engine="own")
    assert crossings(net, found) == 0


def test_a_long_edge_is_straight():
    """An edge that passes through layers goes straight down between the boxes."""
    found = layout(Net(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]), engine="own")
    top, bottom = found.places["1"].y, found.places["4"].y
    middle = [x for x, y in found.curves["0", "5"] if top < y < bottom]
    assert outside(found) == []
    assert max(middle) - min(middle) < 1
    assert all(abs(middle[0] - found.places[str(i)].x) > FULL[0] / 2 for i in (1, 2, 3, 4))


def sampled(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    points = []
    for i in range(0, len(curve) - 1, 3):
        for k in range(17):
            t, u = k / 16, 1 - k / 16
            w = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            part = curve[i : i + 4]
            x = sum(c * p[0] for c, p in zip(w, part, strict=True))
            points.append((x, sum(c * p[1] for c, p in zip(w, part, strict=True))))
    return points


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shape", ["random 30", "random 100", "near 100", "fans 3 x 8"])
def test_no_edge_runs_through_a_box(shape, seed):
    """Long edges go round the boxes in their way, and touch none but their ends."""
    found = layout(SHAPES[shape](seed), engine="own", size=COMPACT)
    for ends, curve in found.curves.items():
        others = [place for node, place in found.places.items() if node not in ends]
        for x, y in sampled(curve):
            for place in others:
                assert abs(x - place.x) > place.width / 2 or abs(y - place.y) > place.height / 2


@given(st.lists(st.tuples(st.floats(-99, 99), st.floats(0, 99)), max_size=8), st.floats(-99, 99))
def test_a_taut_line_passes_all_gates_and_is_no_longer_than_it_must(gates, x: float) -> None:
    """It goes through each gate, bends at their ends only, and straight where it can."""
    start, end = (0.0, 0.0), (x, float(len(gates) + 1))
    rooms = [(float(i), left, left + wide) for i, (left, wide) in enumerate(gates, 1)]
    line = taut(start, rooms, end)
    assert (line[0], line[-1]) == (start, end)
    for y, left, right in rooms:
        (a, b) = next((a, b) for a, b in pairwise(line) if a[1] <= y <= b[1])
        at = a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1])
        assert left - 1e-6 <= at <= right + 1e-6
    corners = {(left, y) for y, left, _ in rooms} | {(right, y) for y, _, right in rooms}
    assert set(line[1:-1]) <= corners
    if all(left <= x * y / end[1] <= right for y, left, right in rooms):
        assert len(line) == 2


def test_calls_without_edges_form_a_block():
    """Parts that no edge connects are packed in rows, in the order of the log."""
    found = layout(Net(50, []))
    assert 1 < found.width / found.height < 4
    reading = sorted(found.places, key=lambda i: (found.places[i].y, found.places[i].x))
    assert reading == [str(i) for i in range(50)]


def test_wide_graphs_get_small_boxes():
    """The wider the graph, the less its boxes say, so that it can still be looked at."""
    sizes = []
    for leaves in (5, 15, 40):
        found = layout(Net(leaves + 1, [(0, i) for i in range(1, leaves + 1)]), engine="own")
        sizes.append((found.places["0"].width, found.places["0"].height))
    assert sizes == [FULL, COMPACT, TINY]


def test_a_size_that_is_asked_for_is_kept():
    """Whoever draws may say how big boxes are; joins stay dots."""
    log = RunLog()
    log.asked("a-1")
    log.asked("a-2")
    log.asked("b-1", turn=1, after=("a-1", "a-2"))
    found = layout(Graph.of(log.events), size=(50.0, 20.0))
    assert {p.width for p in found.places.values()} == {50.0, 7.0}


@needs_dot
def test_dot_lays_out_up_to_a_thousand_boxes():
    """Left to choose, dot is asked where it is quick enough, and not where there are more."""
    chain = Net(1000, [(i, i + 1) for i in range(0, 998, 2)])
    assert layout(chain).engine == "dot"
    assert layout(Net(1001, [(0, 1)])).engine == "own"


def test_without_dot_the_own_layout_takes_its_place(monkeypatch, tmp_path):
    """Nobody needs dot: where it is not on the path, asking for it still gives a layout."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert layout(Net(2, [(0, 1)]), engine="dot").engine == "own"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for dot")
@pytest.mark.parametrize("script", ["exit 1", "echo '{'", "echo '{}'", "sleep 60"])
def test_a_dot_that_fails_or_hangs_is_passed_over(monkeypatch, tmp_path, script):
    """A dot that fails, answers nonsense or takes longer than three seconds costs no picture."""
    program = tmp_path / "dot"
    program.write_text(f"#!/bin/sh\nexec 2>/dev/null\n{script.replace('sleep', 'exec sleep')}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    began = time.monotonic()
    assert layout(Net(2, [(0, 1)]), engine="auto").engine == "own"
    assert time.monotonic() - began < 10


def test_cycles_of_activities_are_drawn():
    """Activities may need each other in turn; then some edge leads up and nothing fails."""
    found = layout(Net(3, [(0, 1), (1, 2), (2, 0), (1, 1)]), engine="own")
    assert overlaps(found) == []
    assert set(found.curves) == {("0", "1"), ("1", "2"), ("2", "0")}
    for (source, target), curve in found.curves.items():
        assert abs(curve[0][1] - found.places[source].y) == found.places[source].height / 2
        assert abs(curve[-1][1] - found.places[target].y) == found.places[target].height / 2


def test_edges_to_unknown_nodes_are_passed_over():
    """An edge from something that is no call, such as a timer, does no harm."""
    found = layout(Net(2, [(0, 1), (7, 1)]))
    assert set(found.curves) == {("0", "1")}


def test_a_big_graph_is_summed_up_by_activity():
    """Each activity is one box with its counts; an edge says how many calls it stands for."""
    summary = grouped(Graph.of(simulate(revenue(200), failing={"fetch-7"})))
    fetch, convert, total = summary.nodes
    assert (fetch.calls, fetch.counts, fetch.status) == (200, {"done": 199, "failed": 1}, "failed")
    assert convert.counts == {"done": 199, "skipped": 1}
    assert total.calls == 1
    edges = {(edge.source, edge.target): edge.count for edge in summary.edges}
    assert edges == {("fetch", "convert"): 200, ("convert", "total"): 1}


def test_joins_vanish_when_a_graph_is_summed_up():
    """Control edges through a join lead from activity to activity."""
    log = RunLog()
    log.asked("probe-1")
    log.asked("probe-2")
    log.asked("decide-1", turn=1, after=("probe-1", "probe-2"))
    (edge,) = grouped(Graph.of(log.events)).edges
    assert (edge.source, edge.target, edge.kind, edge.count) == ("probe", "decide", "control", 1)


def test_activities_without_room_share_a_box():
    """There are never more boxes than asked for, and no call is lost."""
    calls = [(f"a{i}-1", ()) for i in range(50)] + [("big-1", ()), ("big-2", ())]
    summary = grouped(Graph.of(simulate(calls)), most=10)
    assert len(summary.nodes) == 10
    assert sum(group.calls for group in summary.nodes) == 52
    assert "big" in {group.id for group in summary.nodes}


@given(st.integers(2, 300), st.integers(0, 3))
def test_a_layer_that_is_too_wide_is_broken_into_rows(count, large):
    """All boxes stay, none overlap, none is wider than the picture, and lines lead downwards."""
    places = {"top": Place(5000.0, 26.0, 178.0, 52.0), "end": Place(5000.0, 226.0, 178.0, 52.0)}
    at = 0.0
    for i in range(count):
        wide = 178.0 if i < large else 22.0
        places[str(i)] = Place(at + wide / 2, 126.0, wide, 52.0 if i < large else 22.0)
        at += wide + 12
    curves = {("top", str(i)): ((0.0, 0.0),) for i in range(count)}
    curves.update({(str(i), "end"): ((0.0, 0.0),) for i in range(count)})
    found = Layout(places=places, curves=curves, width=max(at, 1001.0), height=252.0, engine="own")
    broken = wrapped(found)
    assert list(broken.places) == list(places)
    assert {b: (p.width, p.height) for b, p in broken.places.items()} == {
        b: (p.width, p.height) for b, p in places.items()
    }
    for place in broken.places.values():
        assert place.x - place.width / 2 >= -0.01
        assert place.x + place.width / 2 <= WIDE + 0.01
        assert place.y + place.height / 2 <= broken.height + 0.01
    assert not any(overlap(a, b) for a, b in combinations(broken.places.values(), 2))
    for (source, target), curve in broken.curves.items():
        assert curve[0][1] < curve[-1][1], (source, target)


def overlap(a: Place, b: Place) -> bool:
    apart = (a.width + b.width) / 2, (a.height + b.height) / 2
    return abs(a.x - b.x) < apart[0] - 0.01 and abs(a.y - b.y) < apart[1] - 0.01
