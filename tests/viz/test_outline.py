"""A long log in outline says of its calls what the whole fold says of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallRepeated,
    CallReused,
    CallScheduled,
    CallSucceeded,
    Event,
    RunClosed,
    RunResumed,
)
from nbflow.core.graph import Graph
from nbflow.viz import reading
from nbflow.viz.groups import Grouping
from nbflow.viz.outline import Outline
from tests.viz.runlog import RunLog, revenue, simulate
from tests.viz.test_live import followed, whole


def outlined(events: list[Event]) -> Outline:
    """Fold a log in outline."""
    outline = Outline()
    for event in events:
        outline.apply(event)
    return outline


def same(events: list[Event]) -> None:
    """Hold an outline against the fold of the whole log."""
    outline, grouping = outlined(events), Grouping(Graph.of(events))
    assert outline.sure
    assert outline.counts() == grouping.counts()
    found, wanted = outline.summary(), grouping.summary()
    assert (found.status, found.counts, found.name) == (wanted.status, wanted.counts, wanted.name)
    assert [(g.id, g.activity, g.counts, g.inner, g.others) for g in found.nodes] == [
        (g.id, g.activity, g.counts, g.inner, g.others) for g in wanted.nodes
    ]
    assert [g.seconds for g in found.nodes] == pytest.approx([g.seconds for g in wanted.nodes])
    assert {*found.edges} == {*wanted.edges}


NAMES = ["fetch", "convert", "total"]


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Give the log of a run: retries, caches, failures, cancels, turns, cut off, resumed."""
    log = RunLog()
    asked: list[str] = []
    turn = 0
    for i in range(draw(st.integers(1, 10))):
        deps = draw(st.lists(st.sampled_from(asked), max_size=3, unique=True)) if asked else []
        after: list[str] = []
        reads = draw(st.booleans())
        if asked and reads:  # the code reads something of what it has asked for
            turn += 1
            after = draw(st.lists(st.sampled_from(asked), min_size=1, max_size=3, unique=True))
        call = f"{draw(st.sampled_from(NAMES))}-{i}"
        log.asked(call, deps, turn=turn, after=after)  # `after` on the first call of a turn alone
        asked.append(call)
    ended: dict[str, str] = {}
    for place, call in enumerate(asked):
        event = next(e for e in log.events if isinstance(e, CallScheduled) and e.call == call)
        if any(ended.get(dep) != "done" for dep in event.deps):
            continue
        ended[call] = end(draw, log, call, 1.0 + place)
    resumed(draw, log)
    return log.events


def end(draw: st.DrawFn, log: RunLog, call: str, at: float) -> str:
    """Write how a call goes on; give how it stands then."""
    how = draw(st.sampled_from(["done", "done", "cached", "failed", "open", "cancelled", "again"]))
    if how == "cached":
        log._add(CallReused, at, call=call, key="k", source="r/c", result=1)
        return "done"
    if draw(st.booleans()):
        log.started(call, at)
    if how == "again":
        log.failed(call, at, at + 0.2, retry_at=at + 0.3)
        if draw(st.booleans()):
            log.started(call, at + 0.3, attempt=2)
    elif how == "done":
        log.succeeded(call, at, at + 0.5)
    elif how == "failed":
        log.failed(call, at, at + 0.5)
    elif how == "cancelled":
        log.cancelled(call, at + 0.1)
    return how


def resumed(draw: st.DrawFn, log: RunLog) -> None:
    """Perhaps close the run, perhaps resume it, then perhaps end a call that failed before."""
    if draw(st.booleans()):
        log.closed(20.0, draw(st.sampled_from(["failed", "completed"])))
    cancelled = any(isinstance(event, CallCancelled) for event in log.events)
    if not cancelled and draw(st.booleans()):
        log._add(RunResumed, 21.0)
        failed = [e.call for e in log.events if isinstance(e, CallFailed)]
        done = {e.call for e in log.events if isinstance(e, CallSucceeded)}
        closed = any(isinstance(e, RunClosed) for e in log.events)
        for call in dict.fromkeys(c for c in failed if c not in done and closed):
            if draw(st.booleans()):
                log.succeeded(call, 22.0, 22.5)


@settings(deadline=None, max_examples=300)
@given(logs())
def test_an_outline_counts_what_the_whole_fold_counts(events):
    """Boxes, counts, seconds and lines are the same, whatever happened to the calls."""
    same(events)
    for cut in random.Random(len(events)).sample(range(1, len(events) + 1), min(4, len(events))):
        same(events[:cut])


def test_what_was_read_before_a_turn_is_drawn_as_one_join():
    """A call that takes one of several that were read needs all of them, as in the graph."""
    log = RunLog()
    for call in ("a-1", "b-1", "e-1"):
        log.asked(call)
        log.succeeded(call, 0.1, 0.2)
    log.asked("c-1", turn=1, after=("a-1", "b-1", "e-1"))
    log.asked("d-1", ("a-1",), turn=1)
    same(log.events)
    found = {(edge.source, edge.target) for edge in outlined(log.events).summary().edges}
    assert ("a", "d") in found


def test_a_join_is_of_all_that_was_read_whatever_the_first_call_of_its_turn_takes():
    """Calls that are asked for later in the turn need all of it, too."""
    log = RunLog()
    for call in ("a-1", "b-1", "e-1"):
        log.asked(call)
        log.succeeded(call, 0.1, 0.2)
    log.asked("c-1", ("a-1",), turn=1, after=("a-1", "b-1", "e-1"))
    log.asked("d-1", turn=1)
    same(log.events)
    edges = {(edge.source, edge.target) for edge in Graph.of(log.events).edges}
    assert {(call, "join 1") for call in ("a-1", "b-1", "e-1")} <= edges
    assert ("join 1", "d-1") in edges
    found = {(edge.source, edge.target) for edge in outlined(log.events).summary().edges}
    assert {("a", "d"), ("b", "d"), ("e", "d")} <= found


def test_what_it_cannot_follow_it_does_not_count():
    """A log with something rare in it is left to the whole fold, rather than counted wrongly."""
    log = RunLog()
    log.asked("a-1")
    log.succeeded("a-1", 1.0, 2.0)
    assert outlined(log.events).sure
    log._add(CallRepeated, 3.0, call="a-1", by="a-2")
    assert not outlined(log.events).sure
    log = RunLog()
    log.asked("a-1")
    log.closed(2.0, "cancelled")
    log._add(RunResumed, 3.0)
    assert outlined(log.events).sure
    log.asked("a-1")
    assert not outlined(log.events).sure
    many = RunLog()
    for i in range(200):
        many.asked(f"stage_{i}-1")
    assert not outlined(many.events).sure  # a picture of so many has a box for the smallest
    damaged = RunLog()
    damaged.succeeded("a-1", 1.0, 2.0)
    assert not outlined(damaged.events).sure


# ------------------------------------------------------------------ in the panel


@pytest.fixture
def _slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a few dozen events a step."""
    monkeypatch.setattr(reading, "_FIRST", 0.0)
    monkeypatch.setattr(reading, "_LOOK", 0.0)
    monkeypatch.setattr(reading, "_SKIM", 0.0)
    monkeypatch.setattr(reading, "_MOST", 48)


@pytest.mark.usefixtures("_slowly")
def test_a_long_run_that_is_opened_shows_all_counts_before_its_calls():
    """Once the outline has come to the end, its counts and the run's status are the last ones."""
    events = simulate(revenue(400), failing={"fetch-7"})
    wanted = whole(events)
    _, page, follower = followed(events)
    over, now = False, 5000.0
    seen: list[tuple[int, str, dict[str, int]]] = []
    while not over:
        over = follower.step(now)
        now += 0.1
        head = page.state["head"]
        if head["counted"]:
            seen.append((page.state["tables"]["calls"], head["status"], head["counts"]))
            assert page.state["view"]["modes"] == ["groups"]
            groups = [row["counts"] for row in page.state["nodes"].values()]
            assert sum(sum(counts.values()) for counts in groups) == 801
    assert min(seen)[0] < 400  # rows were still being read
    assert {status for _, status, _ in seen} == {"failed"}
    assert all(counts == wanted["head"]["counts"] for _, _, counts in seen)
    assert page.state["head"] == wanted["head"]
    assert page.state["nodes"] == wanted["nodes"]
    assert page.state["edges"] == wanted["edges"]


@pytest.mark.usefixtures("_slowly")
def test_what_is_opened_meanwhile_is_shown_once_it_is_read():
    """A click on a group whose calls are not read yet is not forgotten."""
    events = simulate([(f"a-{i}", ()) for i in range(1, 60)] + revenue(200))
    _, page, follower = followed(events)
    now = 5000.0
    while not (page.state and page.state["head"]["counted"]):
        follower.step(now)
        now += 0.1
    number = page.state["names"]["activities"].index("a")
    follower.hear({"kind": "view", "mode": "groups", "open": [number]})
    follower.step(now)
    assert page.state["view"]["open"] == []
    while not follower.step(now):
        now += 0.1
    assert page.state["view"]["open"] == [number]
    assert sum("call" in row for row in page.state["nodes"].values()) == 59


@pytest.mark.usefixtures("_slowly")
def test_a_run_that_goes_on_while_it_is_read_is_counted_to_its_present_end():
    """What is appended meanwhile is counted as well."""
    events = simulate(revenue(300))
    store, page, follower = followed(events[:-50])
    now = 5000.0
    while not (page.state and page.state["head"]["counted"]):
        follower.step(now)
        now += 0.1
    assert page.state["head"]["status"] == "running"
    store.append(follower.board.run, events[-50:])
    while page.state["head"]["status"] == "running":
        follower.step(now)
        now += 0.1
    assert page.state["head"]["reading"]
    assert page.state["head"]["counts"] == {"done": 601}
    while not follower.step(now):
        now += 0.1
    assert page.state["head"]["counts"] == {"done": 601}
    assert not page.state["head"]["reading"]


@pytest.mark.usefixtures("_slowly")
def test_a_log_that_an_outline_cannot_follow_is_read_as_far_as_it_goes():
    """Nothing is said to be counted then; what is shown is how far the run was, until the end."""
    events = simulate(revenue(300))
    events.insert(500, CallRepeated(0, events[500].at, call="fetch-1", by="fetch-2"))
    events = [event._replace(seq=seq) for seq, event in enumerate(events, 1)]
    _, page, follower = followed(events)
    now, over = 5000.0, False
    while not over:
        over = follower.step(now)
        now += 0.1
        assert not page.state["head"]["counted"]
        if page.state["head"]["reading"]:
            assert page.state["head"]["status"] == "running"
    assert page.state["head"]["counts"] == whole(events)["head"]["counts"]
