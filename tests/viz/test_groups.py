from __future__ import annotations

import random
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core.events import CallScheduled, RunResumed, RunStarted
from nbflow.core.graph import Graph
from nbflow.core.payload import Ref
from nbflow.core.profile import Profile
from nbflow.viz.drawing import opened, scene
from nbflow.viz.elements import DRAWN, elements
from nbflow.viz.groups import BOXES, OTHERS, Group, Grouping, Summary
from nbflow.viz.nested import GROUP_SIZE
from nbflow.viz.pen import text_width
from nbflow.viz.rows import Rows
from nbflow.viz.shares import group_words
from nbflow.viz.stage import Stage
from nbflow.viz.standing import STATES
from nbflow.viz.wording import duration
from tests.viz.runlog import Call, RunLog, revenue, simulate


def links(summary: Summary) -> dict[tuple[str, str], int]:
    return {(edge.source, edge.target): edge.count for edge in summary.edges}


def in_all(summary: Summary) -> int:
    """Count the calls that the boxes stand for."""
    return sum(group.calls for group in summary.nodes) + sum(not n.join for n in summary.calls)


def wild_log(seed: int, count: int) -> RunLog:
    """Write a log in which calls of four activities come, run and end in any order."""
    dice, log = random.Random(seed), RunLog()
    asked: list[str] = []
    going: dict[str, int] = {}
    for i in range(count):
        act = dice.choice("abcd")
        call = f"{act}-{i}"
        deps = tuple(
            sorted({dice.choice(asked) for _ in range(dice.randrange(3))} if asked else ())
        )
        after = tuple(dict.fromkeys(dice.choices(asked, k=2))) if asked and i % 5 == 0 else ()
        log.asked(call, deps, at=i, turn=i // 5, after=after)
        asked.append(call)
        if not deps and dice.random() < 0.8:
            log.started(call, i + 0.1)
            going[call] = i
        if going and dice.random() < 0.7:
            ended = dice.choice(list(going))
            start = going.pop(ended)
            if dice.random() < 0.3:
                log.failed(ended, start + 0.1, i + 0.5)
            else:
                log.succeeded(ended, start + 0.1, i + 0.5)
    return log


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 40),
    every=st.integers(1, 30),
    open_=st.sets(st.sampled_from("abcd")),
    most=st.integers(2, 5),
    boxes=st.integers(6, 60),
)
def test_counting_as_it_goes_is_counting_at_the_end(seed, count, every, open_, most, boxes):
    """However often a grouping is brought up to date, it says what one made at the end says."""
    events = wild_log(seed, count).events
    graph = Graph()
    grouping = Grouping(graph)
    for i, event in enumerate(events):
        graph.apply(event)
        if i % every == 0:
            changed, graph.changed = graph.changed, set()
            grouping.update(changed)
    grouping.update(graph.changed)
    kept = grouping.summary(open_, most=most, boxes=boxes)
    fresh = Grouping(Graph.of(events)).summary(open_, most=most, boxes=boxes)
    assert [(b.id, getattr(b, "counts", b.id)) for b in kept.boxes] == [
        (b.id, getattr(b, "counts", b.id)) for b in fresh.boxes
    ]
    assert links(kept) == links(fresh)
    assert in_all(kept) == count
    assert kept.counts == graph.counts()
    for box, other in zip(kept.nodes, fresh.nodes, strict=True):
        assert box.seconds == pytest.approx(other.seconds)


def test_a_call_that_is_asked_for_anew_is_counted_once():
    """After a resume the code may ask for a call with other needs: the old edges do not count."""
    log = RunLog()
    for call in ("a-1", "b-1"):
        log.asked(call)
    log.asked("c-1", ("a-1",))
    graph = Graph.of(log.events)
    grouping = Grouping(graph)
    assert links(grouping.summary()) == {("a", "c"): 1}
    graph.apply(RunResumed(seq=len(log.events) + 1, at=2.0))
    again = CallScheduled(
        seq=len(log.events) + 2, at=2.0, call="c-1", activity="d", args=(Ref("b-1"),), deps=("b-1",)
    )
    graph.apply(again)
    grouping.update()
    assert links(grouping.summary()) == {("b", "d"): 1}
    assert {g.id: g.calls for g in grouping.summary().nodes if g.calls} == {"a": 1, "b": 1, "d": 1}


def test_an_opened_activity_shows_its_calls_beside_the_closed_ones():
    """Calls of open activities are boxes of their own; what leads to groups says of how many."""
    graph = Graph.of(simulate(revenue(20), failing={"fetch-7"}))
    shown = opened(graph, {"fetch", "total"})
    summary = shown.summary
    assert summary is not None
    assert [group.id for group in summary.nodes] == ["convert"]
    assert {node.id for node in summary.calls} == {f"fetch-{i}" for i in range(1, 21)} | {"total-1"}
    found = links(summary)
    assert found["fetch-7", "convert"] == 1
    assert found["convert", "total-1"] == 20
    assert len(found) == 21
    assert set(shown.layout.places) == {box.id for box in shown.boxes}
    assert set(shown.layout.curves) == set(found)
    call, group = shown.layout.places["fetch-7"], shown.layout.places["convert"]
    assert call.y < group.y
    assert call.width < group.width


def test_edges_between_opened_activities_lead_from_call_to_call():
    """With all of it open a graph is drawn as it is."""
    graph = Graph.of(simulate(revenue(4)))
    summary = Grouping(graph).summary({"fetch", "convert", "total"})
    assert summary.nodes == []
    assert links(summary) == {(edge.source, edge.target): 1 for edge in graph.edges}


def test_names_of_no_activity_open_nothing():
    """An activity that is gone, or has not come yet, is no mistake."""
    graph = Graph.of(simulate(revenue(4)))
    assert Grouping(graph).summary({"other"}) == Grouping(graph).summary()


def big(count: int) -> Graph:
    """Make a graph of a long activity, some of whose last calls failed or run, and a small one."""
    log = RunLog()
    for i in range(1, count + 1):
        log.asked(f"work-{i}")
    log.asked("sum-1", tuple(f"work-{i}" for i in range(1, count + 1)))
    for i in range(count - 30, count - 20):
        log.failed(f"work-{i}", 0.1, 0.2)
    for i in range(count - 10, count):
        log.started(f"work-{i}", 0.3, f"w-{i}")
    return Graph.of(log.events)


def test_an_opened_activity_of_thousands_shows_what_matters_and_a_box_for_the_rest():
    """Never more than 1,500 boxes: failed and running calls, the first ones, and the rest."""
    graph = big(5000)
    shown = opened(graph, {"work", "sum"})
    assert len(shown.boxes) <= BOXES
    summary = shown.summary
    assert summary is not None
    (rest,) = summary.nodes
    calls = [node.id for node in summary.calls]
    assert {f"work-{i}" for i in (*range(4970, 4980), *range(4990, 5000))} <= set(calls)
    assert calls[:3] == ["work-1", "work-2", "work-3"]
    numbers = [int(call.removeprefix("work-")) for call in calls[:-1]]
    assert numbers == sorted(numbers)
    assert calls[-1] == "sum-1"
    assert (rest.activity, rest.rest, rest.title) == ("work", True, f"… {rest.calls:,} more")
    assert in_all(summary) == 5001
    assert links(summary)[rest.id, "sum-1"] == rest.calls


def test_failed_calls_leave_room_for_others():
    """Where most calls failed, the running ones and the first are still seen."""
    log = RunLog()
    for i in range(1, 101):
        log.asked(f"a-{i}")
    for i in range(20, 90):
        log.failed(f"a-{i}", 0.1, 0.2)
    for i in range(90, 101):
        log.started(f"a-{i}", 0.1)
    summary = Grouping(Graph.of(log.events)).summary({"a"}, boxes=21)
    calls = [node.id for node in summary.calls]
    assert len(calls) == 20
    assert calls[:5] == [f"a-{i}" for i in range(1, 6)]
    assert calls[5:15] == [f"a-{i}" for i in range(20, 30)]
    assert calls[15:] == [f"a-{i}" for i in range(90, 95)]


def test_opened_activities_share_the_room():
    """What a small activity leaves is for the big ones; no call is lost."""
    calls = [
        (f"{name}-{i}", ()) for name, n in (("a", 5), ("b", 400), ("c", 400)) for i in range(n)
    ]
    summary = Grouping(Graph.of(simulate(calls))).summary({"a", "b", "c"}, boxes=203)
    shown = [node.activity for node in summary.calls]
    assert [shown.count(name) for name in "abc"] == [5, 97, 98]
    assert in_all(summary) == 805
    assert len(summary.boxes) == 202


def test_joins_between_opened_calls_are_dots_and_others_vanish():
    """A join is drawn where calls on both sides are; else edges lead straight on."""
    log = RunLog()
    for call in ("a-1", "a-2", "b-1"):
        log.asked(call)
    log.asked("c-1", turn=1, after=("a-1", "a-2", "b-1"))
    log.asked("c-2", turn=1, after=("a-1", "a-2", "b-1"))
    grouping = Grouping(Graph.of(log.events))
    both = grouping.summary({"a", "c"})
    (join,) = [node.id for node in both.calls if node.join]
    assert links(both) == {
        ("a-1", join): 1,
        ("a-2", join): 1,
        ("b", join): 1,
        (join, "c-1"): 1,
        (join, "c-2"): 1,
    }
    above = grouping.summary({"a"})
    assert links(above) == {("a-1", "c"): 2, ("a-2", "c"): 2, ("b", "c"): 2}
    below = grouping.summary({"c"})
    assert links(below) == {("a", "c-1"): 2, ("a", "c-2"): 2, ("b", "c-1"): 1, ("b", "c-2"): 1}


def test_a_group_and_a_call_may_have_the_same_name():
    """An activity called like a call of another one has a box of its own."""
    log = RunLog()
    log.asked("a-1", activity="a")
    log.asked("a-1-1", ("a-1",), activity="a-1")
    log.asked("…", activity="a")
    summary = Grouping(Graph.of(log.events)).summary({"a"})
    assert len({box.id for box in summary.boxes}) == 3
    (group,) = summary.nodes
    assert group.activity == "a-1"
    assert links(summary) == {("a-1", group.id): 1}


def test_the_latest_counts_come_without_a_new_layout():
    """Boxes and edges stay what they are; statuses and counts are those of now."""
    log = RunLog()
    for i in range(1, 9):
        log.asked(f"a-{i}")
    log.asked("b-1", ("a-1",))
    for name in ("x", "y", "z"):
        log.asked(f"{name}-1")
    graph = Graph.of(log.events)
    grouping = Grouping(graph)
    old = grouping.summary({"a"}, most=2, boxes=7)
    assert [box.id for box in old.boxes] == ["a-1", "a-2", "a-3", "a-4", "a", "b", OTHERS]
    log.succeeded("a-1", 0.0, 0.5)
    log.succeeded("a-8", 0.0, 0.25)
    log.failed("z-1", 0.0, 0.5)
    log.asked("a-9")
    for event in log.events[-4:]:
        graph.apply(event)
    grouping.update(graph.changed)
    new = grouping.latest(old)
    assert new.shape == old.shape
    counts = {box.id: box.counts if isinstance(box, Group) else box.status for box in new.boxes}
    assert counts["a-1"] == "done"
    assert counts["a"] == {"queued": 4, "done": 1}
    assert counts["b"] == {"queued": 1}
    assert counts[OTHERS] == {"queued": 2, "failed": 1}
    assert next(box.seconds for box in new.nodes if box.id == "a") == pytest.approx(0.25)
    assert new.counts == graph.counts()


def test_a_layout_is_kept_while_its_boxes_and_edges_are_the_same():
    """What only changes counts moves nothing."""
    log = RunLog()
    for i in range(1, 5):
        log.asked(f"a-{i}")
        log.asked(f"b-{i}", (f"a-{i}",))
    graph = Graph.of(log.events)
    grouping = Grouping(graph)
    first = opened(graph, {"b"}, grouping)
    log.succeeded("a-1", 0.0, 0.5)
    graph.apply(log.events[-1])
    grouping.update(graph.changed)
    second = opened(graph, {"b"}, grouping, first)
    assert second.layout is first.layout
    assert second.summary is not None
    assert second.summary.nodes[0].counts == {"queued": 3, "done": 1}
    log.asked("b-5", ("a-2",))
    graph.apply(log.events[-1])
    grouping.update(graph.changed)
    assert opened(graph, {"b"}, grouping, second).layout is not second.layout


def test_a_small_graph_can_be_summed_up_and_an_empty_one_too():
    """Grouping is for whoever asks for it, whatever the size."""
    assert opened(Graph.of([]), {"a"}).boxes == []
    assert scene(Graph.of([])).boxes == []
    assert [box.id for box in opened(Graph.of(simulate(revenue(2))), ()).boxes] == [
        "fetch",
        "convert",
        "total",
    ]


@pytest.mark.case("G6")
def test_100_000_calls_are_summed_up_in_a_second_and_changes_at_once():
    """Beyond the fold: no call is described, none is looked at that has not changed."""
    graph = Graph()
    graph.apply(RunStarted(seq=1, at=0.0, workflow="w", args=(), kwargs={}))
    ids = [f"act{i % 20}-{i // 20 + 1}" for i in range(100_000)]
    for seq, (before, call) in enumerate(pairwise(["", *ids]), 2):
        deps = (before,) if seq % 20 != 2 else ()
        graph.apply(
            CallScheduled(
                seq=seq, at=0.0, call=call, activity=call.split("-")[0], args=(), deps=deps
            )
        )
    began = time.process_time()
    grouping = Grouping(graph)
    summary = grouping.summary()
    assert time.process_time() - began < 1.0
    assert {group.calls for group in summary.nodes} == {5000}
    assert set(links(summary).values()) == {5000}
    began = time.process_time()
    for _ in range(10):
        grouping.update({"act3-77"})
        grouping.summary()
    assert time.process_time() - began < 0.2


# ------------------------------------------------------------------ how much is drawn


@pytest.fixture
def own_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out without dot."""
    monkeypatch.setenv("PATH", "")


def staged(calls: Iterable[Call]) -> Stage:
    """Give what a panel draws of a run."""
    graph, profile = Graph(), Profile()
    rows = Rows(graph, profile)
    for event in simulate(calls):
        graph.apply(event)
        profile.apply(event)
        if isinstance(event, CallScheduled):
            rows.asked(event)
    rows.update(graph.history.calls, ())
    return Stage(graph, rows, lambda at: at)


def drawn(stage: Stage) -> int:
    """Draw it, and count its elements."""
    stage.draw((), 0.0, settle=True)
    return elements(stage.nodes.rows.values(), stage.edges.rows.values())


@pytest.mark.usefixtures("own_layout")
@pytest.mark.parametrize("dense", [False, True])
def test_what_is_opened_is_few_elements(dense):
    """Of the calls of opened activities as many are drawn as fit, and a box has the rest."""
    calls: list[Call] = [(f"a-{i}", ()) for i in range(400)]
    for i in range(400):
        near = range(i, min(400, i + 12)) if dense else range(i, i + 1)
        calls.append((f"b-{i}", tuple(f"a-{j}" for j in near)))
    stage = staged(calls)
    stage.choose("groups", [0, 1])
    assert 800 < drawn(stage) <= DRAWN
    single = [row for row in stage.nodes.rows.values() if "call" in row]
    rest = [row for row in stage.nodes.rows.values() if "counts" in row]
    assert len(single) + sum(sum(row["counts"].values()) for row in rest) == 800
    assert len(single) > (40 if dense else 100)
    assert stage.view["open"] == [0, 1]
    stage.choose("groups", [])
    assert drawn(stage) < 60


@pytest.mark.usefixtures("own_layout")
def test_very_many_activities_are_few_elements():
    """The smallest activities share a box, so that boxes and lines fit."""
    calls: list[Call] = []
    for i in range(400):
        for stage_ in range(120):
            deps = (f"stage{stage_ - 1}-{i}",) if stage_ else ()
            if i == 0 or stage_ < 4:
                calls.append((f"stage{stage_}-{i}", deps))
    stage = staged(calls)
    assert 200 < drawn(stage) <= DRAWN
    assert any("other activities" in row["name"] for row in stage.nodes.rows.values())


@pytest.mark.usefixtures("own_layout")
@pytest.mark.parametrize("calls", [120, 290])
def test_single_calls_are_few_elements(calls):
    """Calls one by one are elements as long as these are few; else they are on a canvas."""
    stage = staged((f"f-{i}", (f"f-{i // 2}",) if i else ()) for i in range(calls))
    assert drawn(stage) <= DRAWN
    assert stage.view["mode"] == "calls"
    assert stage.view["canvas"] == (calls > 120)
    assert len(stage.nodes.rows) == (0 if stage.columns else calls)


@pytest.mark.usefixtures("own_layout")
@pytest.mark.parametrize("outside", [0, 280])
def test_compositions_are_few_elements(outside):
    """Compositions that are too much for a page are closed, or else calls are on a canvas."""
    log = RunLog()
    for i in range(290):
        log.asked(f"f-{i}")
        event = log.events[-1]
        assert isinstance(event, CallScheduled)
        log.events[-1] = event._replace(group="all" if i >= outside else "")
    graph, profile = Graph(), Profile()
    rows = Rows(graph, profile)
    for event in log.events:
        graph.apply(event)
        profile.apply(event)
        if isinstance(event, CallScheduled):
            rows.asked(event)
    stage = Stage(graph, rows, lambda at: at)
    assert drawn(stage) <= DRAWN
    assert stage.trouble == ""  # nobody has asked for anything that is not done
    if outside:
        assert (stage.view["mode"], stage.view["canvas"]) == ("calls", True)
        return
    (row,) = stage.nodes.rows.values()
    assert (row["counts"], stage.view["mode"]) == ({"queued": 290}, "nested")
    stage.choose("nested", [0])
    assert drawn(stage) <= DRAWN
    assert "click on calls" in stage.trouble


COUNTS = st.dictionaries(st.sampled_from(STATES), st.integers(1, 10**7), min_size=1)


@given(COUNTS, st.sampled_from([0.0, 0.25, 4000.0]), st.integers(0, 1))
def test_a_box_never_cuts_a_count(counts, seconds, inner):
    """A box has room for what it says; what it leaves out is whole counts, failures never."""
    group = Group(id="a", activity="a", counts=counts, seconds=seconds, inner=inner)
    words = group_words(group)
    assert text_width(words, 10) <= GROUP_SIZE[0] - 18
    said = words.split(" · ")
    assert all(word in {f"{n:,} {s}" for s, n in counts.items()} for word in said[:1])
    if "failed" in counts:
        assert said[0] == f"{counts['failed']:,} failed"
    whole_ = {f"{n:,} {s}" for s, n in counts.items()} | {"…", "↻", duration(seconds)}
    assert set(said) <= whole_
    assert ("…" in said) or {f"{n:,} {s}" for s, n in counts.items()} <= set(said)
