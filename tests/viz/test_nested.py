from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core.events import CallReused, CallScheduled, CallStarted, Event
from nbflow.core.graph import Graph
from nbflow.viz.bundles import Group
from nbflow.viz.drawing import scene
from nbflow.viz.layout import Layout, Place
from nbflow.viz.nested import TITLE, around, compositions, nested, path_of
from nbflow.viz.svg import graph_svg
from tests.viz.page import Page
from tests.viz.runlog import RunLog
from tests.viz.test_live import followed, until_quiet

Asked = tuple[str, Sequence[str], str]


def log_of(calls: Sequence[Asked], done: Sequence[str] = ()) -> list[Event]:
    """Write a log of calls, each with what it needs and the compositions it is asked for in."""
    log = RunLog("shop")
    for call, deps, group in calls:
        log.asked(call, deps)
        event = log.events[-1]
        assert isinstance(event, CallScheduled)
        log.events[-1] = event._replace(group=group)
    for call in done:
        log.started(call, 0.1)
        log.succeeded(call, 0.1, 0.4)
    return log.events


SHOP: list[Asked] = [
    ("fetch-1", (), "eu"),
    ("fetch-2", ("fetch-1",), "eu/pair"),
    ("fetch-3", ("fetch-1",), "eu/pair"),
    ("total-1", ("fetch-2", "fetch-3"), "eu"),
    ("other-1", (), ""),
    ("send-1", ("total-1", "other-1"), ""),
]


def within(inner: Place, outer: Place) -> bool:
    return (
        abs(inner.x - outer.x) * 2 + inner.width <= outer.width + 0.01
        and abs(inner.y - outer.y) * 2 + inner.height <= outer.height + 0.01
    )


def apart(a: Place, b: Place) -> bool:
    return (
        abs(a.x - b.x) * 2 >= a.width + b.width - 0.01
        or abs(a.y - b.y) * 2 >= a.height + b.height - 0.01
    )


def check(graph: Graph, found: Layout, frames: dict[str, Place]) -> None:
    """Each call is in the frames of its compositions, and in no other."""
    for call, place in found.places.items():
        state = graph.history.calls.get(call)
        if state is None:
            continue
        mine = set(around(state.group)) & frames.keys()
        for path, frame in frames.items():
            assert within(place, frame) if path in mine else apart(place, frame)
            below = place.y - place.height / 2 >= frame.y - frame.height / 2 + TITLE
            assert below or path not in mine
    for path, frame in frames.items():
        for other, beside in frames.items():
            if other in around(path):
                assert within(frame, beside)
            elif path not in around(other):
                assert apart(frame, beside)


def test_compositions_are_frames_around_their_calls():
    """A call lies within the frames of the compositions that it was asked for in, and no others."""
    graph = Graph.of(log_of(SHOP))
    assert compositions(graph) == ["eu", "eu/pair"]
    found = nested(graph)
    frames = {frame.path: frame.place for frame in found.frames}
    assert list(frames) == ["eu", "eu/pair"]
    check(graph, found.layout, frames)
    assert found.layout.curves.keys() == {(edge.source, edge.target) for edge in graph.edges}
    assert [frame.counts for frame in found.frames] == [{"waiting": 3, "queued": 1}, {"waiting": 2}]


groups = st.lists(st.sampled_from("abc"), max_size=3).map("/".join)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(groups, st.sets(st.integers(0, 11), max_size=3)), min_size=1, max_size=12),
    st.sets(groups),
)
def test_any_compositions_are_laid_out(calls, shut):
    """Whatever is in what, boxes keep apart, and each edge between two boxes has a curve."""
    asked = [
        (f"f-{i}", [f"f-{j}" for j in needs if j < i], group)
        for i, (group, needs) in enumerate(calls)
    ]
    graph = Graph.of(log_of(asked))
    found = nested(graph, lambda path: path not in shut)
    frames = {frame.path: frame.place for frame in found.frames}
    assert not shut & frames.keys()
    check(graph, found.layout, frames)
    places = list(found.layout.places.values())
    assert all(apart(a, b) for i, a in enumerate(places) for b in places[:i])
    assert found.layout.curves.keys() == {(edge.source, edge.target) for edge in found.edges}
    counted = sum(box.calls if isinstance(box, Group) else 1 for box in found.boxes)
    assert counted == len(graph)


def test_a_closed_composition_is_one_box():
    """What is in it is counted, and what needs any of it needs the box."""
    found = nested(Graph.of(log_of(SHOP, ["fetch-1"])), lambda path: path != "eu")
    (group,) = [box for box in found.boxes if isinstance(box, Group)]
    assert (path_of(group.id), group.counts) == ("eu", {"done": 1, "queued": 2, "waiting": 1})
    assert [(e.source, e.target) for e in found.edges] == [
        (group.id, "send-1"),
        ("other-1", "send-1"),
    ]
    assert not found.frames


def test_still_pictures_have_the_frames():
    """The picture of a small graph draws its compositions under their names."""
    graph = Graph.of(log_of(SHOP))
    assert [frame.title for frame in scene(graph).frames] == ["eu", "pair"]
    svg = graph_svg(graph)
    assert "eu/pair: 2 waiting" in svg
    assert ">pair<" in svg


# ------------------------------------------------------------------ what waits for a composition


def waiting(*asked: tuple[str, str, Sequence[str]]) -> Graph:
    """Give the graph of calls, each with its composition and what the workflow had read before."""
    log = RunLog("shop")
    turns: dict[tuple[str, ...], str] = dict.fromkeys((tuple(a) for _, _, a in asked), "")
    order = list(turns)
    for call, group, after in asked:  # what waits for the same was asked for at once
        told = () if turns[tuple(after)] else after
        turns[tuple(after)] = call
        log.asked(call, after=told, turn=order.index(tuple(after)) + 1)
        event = log.events[-1]
        assert isinstance(event, CallScheduled)
        log.events[-1] = event._replace(group=group)
    return Graph.of(log.events)


LOADED = [("load-1", "first", ()), ("load-2", "first", ())]


def test_a_line_ends_at_the_frame_of_what_waits_as_a_whole():
    """What a composition waits for leads to its frame, not to a dot and on to each of its calls."""
    read = ("load-1", "load-2")
    found = nested(waiting(*LOADED, ("fit-1", "second", read), ("fit-2", "second", read)))
    second = next(frame.place for frame in found.frames if frame.path == "second")
    (join,) = {edge.target for edge in found.edges if edge.source == "load-1"}
    curve = found.layout.curves["load-1", join]
    assert curve[-1][1] == pytest.approx(second.y - second.height / 2, abs=1)
    assert not found.layout.curves[join, "fit-1"]
    assert not found.layout.places[join].dot


def test_where_only_some_of_a_composition_wait_the_line_goes_to_them():
    """A line to the frame would say that all of it waits."""
    read = ("load-1", "load-2")
    found = nested(waiting(*LOADED, ("fit-1", "second", read), ("fit-2", "second", ())))
    (join,) = {edge.target for edge in found.edges if edge.source == "load-1"}
    box = found.layout.places["fit-1"]
    curve = found.layout.curves[join, "fit-1"]
    assert curve[-1] == pytest.approx((box.x, box.y - box.height / 2), abs=1)


def test_what_comes_of_one_frame_begins_at_it():
    """A call that waits for all of a composition has a line from its frame, and no dot between."""
    read = ("load-1", "load-2")
    found = nested(waiting(*LOADED, ("sum-1", "", read)))
    first = found.frames[0].place
    (join,) = {edge.source for edge in found.edges if edge.target == "sum-1"}
    curve, box = found.layout.curves[join, "sum-1"], found.layout.places["sum-1"]
    assert curve[0] == pytest.approx((first.x, first.y + first.height / 2), abs=1)
    assert curve[-1] == pytest.approx((box.x, box.y - box.height / 2), abs=1)
    assert not found.layout.curves["load-1", join]
    assert not found.layout.places[join].dot
    dot = 'r="3.5" fill="'
    assert dot not in graph_svg(waiting(*LOADED, ("sum-1", "", read)))


def test_who_takes_a_result_is_not_said_to_wait_for_what_that_waited_for():
    """Of calls that were asked for at once only the first ones have a line from what was read."""
    log = RunLog("shop")
    for call in ("load-1", "load-2"):
        log.asked(call)
        event = log.events[-1]
        assert isinstance(event, CallScheduled)
        log.events[-1] = event._replace(group="first")
    log.asked("fit-1", after=("load-1", "load-2"), turn=1)
    log.asked("sum-1", ["fit-1"], turn=1)
    log.asked("send-1", ["sum-1"], turn=1)
    log.asked("note-1", turn=1)
    graph = Graph.of(log.events)
    (join,) = {edge.source for edge in graph.edges if edge.target == "fit-1"}
    assert {edge.target for edge in graph.edges if edge.source == join} == {
        *("fit-1", "sum-1", "send-1", "note-1")
    }
    found = nested(graph)
    assert {edge.target for edge in found.edges if edge.source == join} == {"fit-1", "note-1"}


def test_what_comes_of_several_places_meets_in_a_dot():
    """A dot is drawn where lines of several boxes come together."""
    calls = [*LOADED, ("other-1", "", ()), ("sum-1", "", ("load-1", "other-1"))]
    found = nested(waiting(*calls))
    (join,) = {edge.source for edge in found.edges if edge.target == "sum-1"}
    assert found.layout.places[join].dot
    assert all(found.layout.curves.values())
    assert 'r="3.5" fill="' in graph_svg(waiting(*calls))


reads = st.sampled_from([set(), {0, 1}, {0, 1, 2}, {1, 2}, {3, 4}, {0}])
parts = st.tuples(groups, reads)


@settings(deadline=None, max_examples=40)
@given(st.lists(parts, min_size=1, max_size=10))
def test_of_a_join_that_is_no_dot_one_side_is_drawn(calls):
    """A dot has lines to it and from it; without a dot they are on one side, and tell the same."""
    asked = [
        (f"f-{i}", group, tuple(f"f-{k}" for k in sorted(read) if k < i))
        for i, (group, read) in enumerate(calls)
    ]
    graph = waiting(*asked)
    found = nested(graph)
    curves, places = found.layout.curves, found.layout.places
    check(graph, found.layout, {frame.path: frame.place for frame in found.frames})
    assert curves.keys() == {(edge.source, edge.target) for edge in found.edges}
    for join in places.keys() - graph.history.calls.keys():
        into = {bool(curve) for (_, target), curve in curves.items() if target == join}
        out = {bool(curve) for (source, _), curve in curves.items() if source == join}
        assert (into, out) in ([({True}, {True})] if places[join].dot else SIDES)


SIDES = [({True}, {False}), ({False}, {True})]


# ------------------------------------------------------------------ in the panel


def row_named(page: Page, name: str) -> dict[str, object]:
    rows: list[dict[str, object]] = list(page.state["nodes"].values())
    (row,) = [row for row in rows if row.get("name") == name]
    return row


def test_the_panel_opens_and_folds_compositions():
    """They are open to begin with; a folded one is a box that follows the run; and back again."""
    events = log_of(SHOP, ["fetch-1"])
    store, page, follower = followed(events[:7])
    now = until_quiet(follower, 1000.0)
    assert page.state["view"] == {
        "mode": "nested",
        "open": [0, 1],
        "modes": ["calls", "nested", "groups"],
        "canvas": False,
    }
    assert row_named(page, "eu")["frame"]
    follower.hear({"kind": "view", "mode": "nested", "open": [1]})
    now = until_quiet(follower, now, least=2)
    folded = row_named(page, "eu")
    assert "frame" not in folded
    assert folded["counts"] == {"waiting": 3, "queued": 1}
    store.append("revenue-1", events[7:])
    now = until_quiet(follower, now, least=2)
    assert row_named(page, "eu")["counts"] == {"done": 1, "queued": 2, "waiting": 1}
    follower.hear({"kind": "view", "mode": "calls", "open": []})
    now = until_quiet(follower, now, least=2)
    assert page.state["view"]["mode"] == "calls"
    follower.hear({"kind": "view", "mode": "nested", "open": None})
    until_quiet(follower, now, least=2)
    assert page.state["view"]["open"] == [1]
    assert "frame" not in row_named(page, "eu")


def test_the_end_of_a_run_is_in_its_compositions():
    """When the run is over every box says how its call ended, those in frames as well."""
    calls = [call for call, _, _ in SHOP]
    events = log_of(SHOP, calls)
    log = RunLog("shop")
    log.events = [*events]
    log.closed(1.0)
    store, page, follower = followed(events[:8])
    now = until_quiet(follower, 1000.0)
    store.append("revenue-1", log.events[8:])
    until_quiet(follower, now, least=3)
    assert {row["status"] for row in page.state["nodes"].values()} == {"done"}


def test_the_critical_path_goes_through_joins():
    """Lines of the critical path are heavy where it was only waited for something, too."""
    log = RunLog("shop")
    for call in ("load-1", "load-2"):
        log.asked(call)
        log.events[-1] = log.events[-1]._replace(group="first")  # type: ignore[call-arg]
        log.started(call, 0.1)
        log.succeeded(call, 0.1, 0.4)
    log.asked("sum-1", after=("load-1", "load-2"), turn=1, at=0.4)
    log.started("sum-1", 0.4)
    log.succeeded("sum-1", 0.4, 0.6)
    log.closed(0.7)
    _, page, follower = followed(log.events)
    until_quiet(follower, 1000.0)
    assert page.state["view"]["mode"] == "nested"
    heavy = [key for key, line in page.state["edges"].items() if line[8]]
    assert len(heavy) == 2
    assert heavy[0].partition(">")[2] == heavy[1].partition(">")[0]


# ------------------------------------------------------------------ what else pictures tell


def test_calls_from_the_cache_say_so_everywhere():
    """A call that an earlier run's result answered is cached, in rows, boxes, counts and text."""
    log = RunLog("shop")
    log.asked("fetch-1")
    log.asked("fetch-2")
    log.events.append(CallReused(4, 1000.2, "fetch-1", "k", "old/fetch-1", 1))
    _, page, follower = followed(log.events)
    until_quiet(follower, 1000.0)
    assert page.state["head"]["counts"] == {"queued": 1, "cached": 1}
    row = row_named(page, "fetch-1")
    assert (row["status"], row["side"]) == ("cached", "cached")
    assert "1 cached" in graph_svg(Graph.of(log.events))


@pytest.mark.parametrize(("done", "total", "part"), [(3.0, 10.0, 0.3), (12.0, 10.0, 1.0)])
def test_how_far_a_call_is(done, total, part):
    """What a running call told by a heartbeat is a part of its box and of its row."""
    from nbflow.core.events import CallHeartbeat

    log = RunLog("shop")
    log.asked("fetch-1")
    log.started("fetch-1", 0.1)
    beat = CallHeartbeat(4, 1000.2, "fetch-1", 1, "rows", done=done, total=total)
    _, page, follower = followed([*log.events, beat])
    until_quiet(follower, 1000.0)
    assert row_named(page, "fetch-1")["progress"] == part
    assert page.tables["bars"][0][-1] == pytest.approx(part)
    assert isinstance(log.events[-1], CallStarted)


def test_a_layer_that_is_too_wide_is_summed_up_in_still_pictures():
    """Two hundred calls side by side are no strip that nobody can read, but a box with a count."""
    calls: list[Asked] = [("load-1", (), "")]
    calls += [(f"fit-{i}", ("load-1",), "") for i in range(1, 201)]
    shown = scene(Graph.of(log_of(calls)))
    assert shown.layout.width < 900
    assert [box.activity for box in shown.boxes] == ["load", "fit"]
    few = scene(Graph.of(log_of(calls[:20])))
    assert len(few.boxes) == 20
