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
