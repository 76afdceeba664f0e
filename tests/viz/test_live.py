from __future__ import annotations

import contextvars
import itertools
import logging
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core import payload
from nbflow.core.errors import StoreError
from nbflow.core.events import (
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CallWrote,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.store.memory import MemoryStore
from nbflow.viz import reading
from nbflow.viz.board import Board, State
from nbflow.viz.live import HEARTBEAT, Follower
from nbflow.viz.preview import value_of
from nbflow.viz.stills import PICTURE
from nbflow.viz.text import graph_text
from nbflow.viz.told import Told
from nbflow.viz.wording import TIMES
from tests.viz.page import Page
from tests.viz.page import whole as whole_of
from tests.viz.runlog import Call, RunLog, hostile, revenue, simulate

RUN = "revenue-1"
SECONDS = 10


def stored(events: Sequence[Event], store: MemoryStore | None = None) -> MemoryStore:
    """Put a whole log into a store."""
    store = store or MemoryStore()
    first = events[0]
    assert isinstance(first, RunStarted)
    store.create(RUN, first)
    if len(events) > 1:
        store.append(RUN, events[1:])
    return store


def whole(events: Sequence[Event]) -> State:
    """Give what is to be seen of a whole log."""
    board = Board(RUN)
    for event in events:
        board.apply(event)
    return whole_of(board)


def followed(events: Sequence[Event], **options: Any) -> tuple[MemoryStore, Page, Follower]:
    """Give a store with these events, and a page that a follower of them tells."""
    store, page = stored(events), Page()
    follower = page.follower = Follower(store, RUN, sink=page, **options)
    return store, page, follower


def until_quiet(follower: Follower, now: float, least: int = 1) -> float:
    """Let a follower take steps until nothing is left to be sent; give the time by then."""
    for count in range(300):
        follower.step(now)
        now += 0.1
        board = follower.board
        left = follower._requests or follower._outbox or follower._asked or board.untold
        left = left or board.behind
        if not left and count + 1 >= least:
            return now
    raise AssertionError("it never comes to an end")


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Give the log of a run of any shape, perhaps not over, perhaps resumed."""
    count = draw(st.integers(0, 14))
    calls: list[Call] = []
    for i in range(count):
        deps = draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else []
        name = draw(st.sampled_from(["fetch", "convert", "total"]))
        calls.append((f"{name}-{i}", tuple(calls[d][0] for d in deps)))
    failing = draw(st.sets(st.sampled_from([call for call, _ in calls]))) if calls else set()
    events = simulate(calls, workers=draw(st.integers(1, 4)), failing=failing)
    if draw(st.booleans()):
        events = events[: draw(st.integers(1, len(events)))]
    if draw(st.booleans()):
        events.append(RunResumed(seq=len(events) + 1, at=events[-1].at + 1))
    return events


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a log as a whole at every step, however slow the machine is."""
    monkeypatch.setattr(reading, "_FIRST", 60.0)
    monkeypatch.setattr(reading, "_LOOK", 60.0)


@pytest.fixture(autouse=True)
def _own_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out without dot: a process a layout is slow, and not what is tested here."""
    monkeypatch.setenv("PATH", "")


# ------------------------------------------------------------------ what is told adds up


@settings(deadline=None)
@given(logs(), st.data())
def test_differences_add_up_to_the_whole(events, data):
    """However a log is cut into pieces, what the sink was told adds up to the fold of it all."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events)))) | {1, len(events)})
    store, page, follower = followed(events[:1])
    now = until_quiet(follower, 1000.0)
    for begin, end in itertools.pairwise(cuts):
        store.append(RUN, events[begin:end])
        now += data.draw(st.sampled_from([0.1, 0.4, 2.0, 11.0]))
        follower.step(now)
    now = until_quiet(follower, now + 1000)
    assert page.seen() == whole(events)
    assert follower.step(now) == isinstance(events[-1], RunClosed)


def test_messages_are_numbered_and_the_last_is_whole():
    """Every message counts one up, a difference names what it is based on, the end is a state."""
    events = simulate(revenue(4))
    store, page, follower = followed(events[:1])
    for i, event in enumerate(events[1:]):
        follower.step(1000 + i / 10)
        store.append(RUN, [event])
    assert follower.step(1100)
    numbered = [message for kind, message, _ in page.messages if kind in {"full", "delta"}]
    assert [message["seq"] for message in numbered] == [*range(1, len(numbered) + 1)]
    assert page.messages[0][0] == page.messages[-1][0] == "full"
    assert {kind for kind, _, _ in page.messages} == {"full", "delta", "log"}
    assert page.state["head"]["status"] == "completed"


def test_an_event_costs_what_it_changes():
    """A difference has the rows of the calls that changed and of no others."""
    events = simulate(revenue(40), workers=2)
    ended = [i for i, event in enumerate(events) if isinstance(event, CallSucceeded)]
    store, page, follower = followed(events[: ended[20]])
    now = until_quiet(follower, 1000.0)
    store.append(RUN, events[ended[20] : ended[20] + 1])
    event = events[ended[20]]
    assert isinstance(event, CallSucceeded)
    follower.step(now + 0.1)
    (kind, delta, size) = page.messages[-1]
    assert kind == "delta"
    row = follower.board.rows.row(event.call)
    touched = {
        f"c{row}",
        *(f"c{r}" for r in map(follower.board.rows.row, follower.board.graph.feeds(event.call))),
    }
    assert f"c{row}" in delta["nodes"]
    assert set(delta["nodes"]) <= touched
    assert sum(block["count"] for block in delta["blocks"] if block["table"] == "bars") == 1
    assert size < 3000


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))))
def test_boxes_that_come_and_go_are_told_as_they_do(states):
    """What is told of a table adds up, also of rows that are gone and come back as they were."""
    table, seen = Told(), dict[str, int]()
    for state in states:
        table.replace(state)
        news = table.news()
        assert all(seen.get(key) != row for key, row in news.items())
        seen = {k: row for k, row in {**seen, **news}.items() if row is not None}
        assert seen == state
    assert table.news() == {}


def test_whole_states_come_unasked():
    """A view that missed a message and cannot ask gets right by the next whole state."""
    events = simulate(revenue(40))
    store, page, follower = followed(events[:1])
    for i, event in enumerate(events[1:200]):
        store.append(RUN, [event])
        follower.step(1000 + i / 5)
    at = [message["now"] for message in page.of("full")]
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert len(at) >= 5
    assert max(gaps) <= 10.5


def test_a_run_that_rests_sends_heartbeats_only():
    """Nothing new is not told, but every few seconds a running run says that it is there."""
    _, page, follower = followed(simulate(revenue(2))[:5])
    for i in range(100):
        follower.step(1000 + i / 10)
    beats = page.of("delta")
    assert 1 <= len(beats) <= 10 / HEARTBEAT
    assert all(set(message) == {"kind", "seq", "base", "now"} for message in beats)


# ------------------------------------------------------------------ it stays small


def wide(activities: int, each: int) -> list[Call]:
    """List chains of calls: each activity's calls need those of the one before it."""
    return [
        (f"work{a}-{i}", (f"work{a - 1}-{i}",) if a % 4 else ())
        for a in range(activities)
        for i in range(1, each + 1)
    ]


@pytest.mark.case("W4")
def test_ten_thousand_calls_are_few_and_small_messages():
    """Of a big run no message is above a megabyte, and there is one a step at most."""
    events = simulate(wide(8, 1250), workers=16)
    store, page, follower = followed(events[:1])
    steps = 0
    for begin in range(1, len(events), 300):
        store.append(RUN, events[begin : begin + 300])
        follower.step(1000 + steps / 10)
        steps += 1
    assert len(page.messages) <= steps
    until_quiet(follower, 2000.0)
    assert max(page.sizes) < 500_000
    assert sum(page.sizes) / steps < 60_000
    assert page.state["head"]["counts"] == {"done": 10_000}
    assert len(page.state["nodes"]) == 8
    assert not page.missing
    assert page.seen() == whole(events)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.case("W4")
def test_a_hundred_thousand_calls_attached_late():
    """A closed run of 100,000 calls is one fold, and no message about it is above a megabyte."""
    events = simulate(wide(20, 5000), workers=16)
    _, page, follower = followed(events)
    began = time.process_time()
    until_quiet(follower, 1000.0)
    assert time.process_time() - began < 30
    assert page.state["tables"] == {"calls": 100_000, "bars": 100_000}
    assert not page.missing
    follower.hear({"kind": "view", "mode": "groups", "open": [3]})
    follower.hear({"kind": "view", "mode": "calls", "open": []})
    follower.hear({"kind": "detail", "call": 99_999})
    until_quiet(follower, 1200.0, least=4)
    assert max(page.sizes) < 1_000_000
    assert page.state["view"]["modes"] == ["groups"]
    assert page.of("detail")[0]["id"] == "work19-5000"


def test_long_names_and_many_edges_stay_below_a_megabyte():
    """Names, arguments and errors of any length are cut; many edges are summed up."""
    log = RunLog("w" * 100_000)
    names = [f"{'漢' * 5000}{i}" for i in range(250)]
    for i, name in enumerate(names):
        needs = [f"{other}-1" for other in names[max(0, i - 7) : i]]
        log.asked(f"{name}-1", needs, args=("字" * 5000,), activity=name)
        log.started(f"{name}-1", i, worker="w" * 5000)
    for i, name in enumerate(names):
        log.failed(f"{name}-1", i, i + 1, worker="w" * 5000 + str(i), message="e" * 100_000)
    _, page, follower = followed(log.events)
    now = until_quiet(follower, 1000.0)
    for row in range(0, 250, 50):
        follower.hear({"kind": "detail", "call": row})
    until_quiet(follower, now, least=6)
    assert page.state["nodes"]
    assert len(page.of("detail")) == 5
    assert max(page.sizes) < 1_000_000


@pytest.mark.parametrize("mode", ["calls", "groups"])
def test_every_view_of_a_graph_is_below_a_megabyte(mode):
    """Graphs of any density are sent in a form that fits: elements, columns, or summed up."""
    layers = [[f"layer{k}-{i}" for i in range(1, 31)] for k in range(50)]
    calls: list[Call] = [(call, ()) for call in layers[0]]
    for upper, lower in itertools.pairwise(layers):
        calls += [(call, tuple(upper)) for call in lower]
    _, page, follower = followed(simulate(calls, workers=8))
    follower.hear({"kind": "view", "mode": mode, "open": [*range(0, 50, 2)]})
    until_quiet(follower, 1000.0, least=3)
    assert max(page.sizes) < 1_000_000
    assert page.state["view"]["mode"] == mode
    assert page.state["view"]["canvas"] == bool(page.of("scene"))


def test_groups_count_calls_as_they_come():
    """In a graph by activity every call counts, whether the structure was drawn anew or not."""
    calls: list[Call] = [(f"fetch-{i}", ()) for i in range(1, 401)]
    board = Board(RUN)
    for i, event in enumerate(simulate(calls, workers=3)):
        board.apply(event)
        if i % 150 == 0:
            board.advance(1000.0 + i / 1e6)  # too soon to lay anything out again
            state = board.whole(1000.0)
            counted = sum(
                sum(row["counts"].values()) for row in state["nodes"].values() if "counts" in row
            )
            assert counted in {0, sum(state["head"]["counts"].values())}
    (group,) = whole_of(board)["nodes"].values()
    assert group["counts"] == {"done": 400}
    assert group["side"] == f"{TIMES}400"


# ------------------------------------------------------------------ what the browser asks for


def test_a_whole_state_is_sent_when_asked_for():
    """`ask` brings a whole state with the next step, also when all has been told."""
    events = simulate(revenue(2))
    store, page, follower = followed(events[:-1])
    now = until_quiet(follower, 1000.0)
    assert len(page.of("full")) == 1
    follower.ask()
    now = until_quiet(follower, now)
    assert len(page.of("full")) == 2
    store.append(RUN, events[-1:])
    assert follower.step(now)
    follower.ask()
    assert follower.step(now + 1)
    assert [kind for kind, _, _ in page.messages[-2:]] == ["full", "full"]
    assert page.seen() == whole(events)


def test_a_thread_answers_after_the_run(caplog):
    """When a run is over its thread has ended; a question begins one, which ends again."""
    _, page, follower = followed(simulate(revenue(2)))
    follower.start()
    assert follower.finished.wait(SECONDS)
    quiet = threading.active_count()
    for row in range(5):
        follower.hear({"kind": "detail", "call": row})
        assert follower.finished.wait(SECONDS)
    for row in range(5):
        follower.hear({"kind": "detail", "call": row})
    assert follower.finished.wait(SECONDS)
    assert [message["call"] for message in page.of("detail")] == [0, 1, 2, 3, 4] * 2
    assert threading.active_count() <= quiet
    assert not caplog.records


def test_rows_are_sent_from_where_they_are_wanted():
    """`rows` brings those from the wanted ones on, and an empty answer if there are none."""
    _, page, follower = followed(simulate(revenue(5)))
    now = until_quiet(follower, 1000.0)
    follower.hear({"kind": "rows", "calls": 9, "bars": 11})
    now = until_quiet(follower, now)
    (answer,) = page.of("rows")
    assert [(b["table"], b["from"], b["count"]) for b in answer["blocks"]] == [("calls", 9, 2)]
    follower.hear({"kind": "rows", "calls": 11, "bars": 11})
    until_quiet(follower, now)
    assert page.of("rows")[-1]["blocks"] == []


def test_another_view_is_drawn_when_asked_for():
    """`view` shows activities, some as their calls; a state tells what is shown."""
    _, page, follower = followed(simulate(revenue(5)))
    now = until_quiet(follower, 1000.0)
    assert page.state["view"] == {
        "mode": "calls",
        "open": [],
        "modes": ["calls", "groups"],
        "canvas": False,
    }
    follower.hear({"kind": "view", "mode": "groups", "open": [1, 99]})
    now = until_quiet(follower, now)
    assert page.state["view"]["open"] == [1]
    assert sorted(page.state["nodes"]) == ["c1", "c3", "c5", "c7", "c9", "g0", "g2"]
    assert page.state["nodes"]["g0"]["counts"] == {"done": 5}
    assert page.state["edges"]["c1>g2"][6:8] == ["c1", "g2"]
    follower.hear({"kind": "view", "mode": "calls", "open": []})
    until_quiet(follower, now)
    assert len(page.state["nodes"]) == 11


def test_a_big_graph_of_calls_goes_to_a_canvas():
    """Above 600 boxes the graph is sent as columns: places of calls, and edges by number."""
    _, page, follower = followed(simulate(wide(4, 500), workers=8))
    follower.hear({"kind": "view", "mode": "calls", "open": []})
    now = until_quiet(follower, 1000.0, least=3)
    assert page.state["view"]["canvas"]
    assert page.state["nodes"] == page.state["edges"] == {}
    (scene,) = page.of("scene")
    assert (scene["count"], scene["edges"]) == (2000, 1500)
    page.follower = None
    follower.ask()
    until_quiet(follower, now, least=2)
    assert len(page.of("scene")) == 2


def test_the_columns_of_a_canvas_are_the_layout():
    """Each box of a canvas is the call of its row, inside the whole, and sources lie above."""
    board = Board(RUN)
    for event in simulate(wide(4, 500), workers=8):
        board.apply(event)
    board.advance(2000.0)
    board.stage.choose("calls", [])
    board.advance(2000.0)
    assert board.stage.columns is not None
    head, buffers = board.stage.columns
    call, x, y, w, h, source, target, kind = (
        array(code, data) for code, data in zip("IffffIIB", buffers, strict=True)
    )
    assert sorted(call) == list(range(2000))
    assert all(a + b <= head["width"] + 0.1 for a, b in zip(x, w, strict=True))
    assert all(a + b <= head["height"] + 0.1 for a, b in zip(y, h, strict=True))
    for a, b in zip(source, target, strict=True):
        needing = board.rows.id(call[b])
        assert needing is not None
        assert board.rows.id(call[a]) in board.graph.history.calls[needing].deps
        assert y[a] < y[b]
    assert set(kind) == {0}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="nothing"),
        pytest.param("ask", id="a word"),
        pytest.param({}, id="no kind"),
        pytest.param({"kind": ["ask"]}, id="a kind that is a list"),
        pytest.param({"kind": "rows"}, id="no numbers"),
        pytest.param({"kind": "rows", "calls": -1, "bars": 0}, id="a negative row"),
        pytest.param({"kind": "rows", "calls": True, "bars": 0}, id="a truth value"),
        pytest.param({"kind": "rows", "calls": 1.5, "bars": 0}, id="half a row"),
        pytest.param({"kind": "detail", "call": 10**30}, id="a huge row"),
        pytest.param({"kind": "detail", "call": 999}, id="a row that is not there"),
        pytest.param({"kind": "cancel_call", "call": 999}, id="a call that is not there"),
        pytest.param({"kind": "view", "mode": "3d", "open": []}, id="no such mode"),
        pytest.param({"kind": "view", "mode": "calls", "open": "fetch"}, id="names"),
        pytest.param({"kind": "view", "mode": "calls", "open": [[]]}, id="lists"),
        pytest.param({"kind": "log", "from": "0"}, id="a number as text"),
    ],
)
def test_what_makes_no_sense_is_passed_over(content, caplog):
    """A malformed message from the browser makes one line in the log, and nothing else."""
    _, page, follower = followed(simulate(revenue(2)))
    now = until_quiet(follower, 1000.0)
    before = len(page.messages)
    follower.hear(content)
    assert follower.step(now)
    assert len(page.messages) == before
    (record,) = caplog.records
    assert record.getMessage().startswith(f"run {RUN}: a message from its panel is passed over: ")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
    | st.fixed_dictionaries(
        {"kind": st.sampled_from(["ask", "rows", "view", "detail", "log", "cancel_call"])},
        optional={
            "call": st.integers(-5, 20) | st.text(),
            "calls": st.integers(-5, 20),
            "bars": st.integers(-5, 20) | st.none(),
            "from": st.integers() | st.lists(st.integers()),
            "mode": st.sampled_from(["calls", "groups", "none", 3]),
            "open": st.lists(st.integers(-2, 9)),
        },
    )
)
@settings(deadline=None)
def test_no_message_breaks_anything(content):
    """Whatever a page sends, the next steps work, and what is shown stays true."""
    events = simulate(revenue(2))
    _, page, follower = followed(events)
    follower.hear(content)
    now = until_quiet(follower, 1000.0, least=3)
    follower.hear({"kind": "view", "mode": "calls", "open": []})
    until_quiet(follower, now, least=2)
    assert page.seen()["calls"] == whole(events)["calls"]


def test_a_flood_of_questions_is_cut_off(caplog):
    """Questions beyond what can be answered are passed over; the others are answered."""
    _, page, follower = followed(simulate(revenue(2)))
    now = until_quiet(follower, 1000.0)
    for _ in range(500):
        follower.hear({"kind": "detail", "call": 0})
    until_quiet(follower, now)
    assert len(page.of("detail")) == 200
    assert len(caplog.records) == 300


# ------------------------------------------------------------------ the log and the figures


def test_what_attempts_wrote_is_streamed():
    """Lines come with differences while they are written, and all that is kept when asked for."""
    log = RunLog()
    log.asked("fetch-1")
    store, page, follower = followed(log.events)
    now = until_quiet(follower, 1000.0)
    wrote = [
        CallWrote(seq=3 + i, at=1000.5, call="fetch-1", attempt=1, channel="stdout", text=f"{i}\n")
        for i in range(30)
    ]
    for event in wrote:
        store.append(RUN, [event])
        follower.step(now)
        now += 0.1
    until_quiet(follower, now)
    assert page.lines == {i: [0.5, 0, 1, "stdout", str(i)] for i in range(30)}
    late = Page()
    follower._sink = late
    follower.hear({"kind": "log", "from": 10})
    until_quiet(follower, now, least=3)
    assert sorted(late.lines) == list(range(10, 30))


def test_very_many_lines_are_few_messages():
    """Of 100,000 long lines the last are sent, in messages below a megabyte, one a step."""
    log = RunLog()
    log.asked("fetch-1")
    store, page, follower = followed(log.events)
    now = until_quiet(follower, 1000.0)
    text = "".join(f"{'x' * 300}{i}\n" for i in range(1000))
    for i in range(100):
        event = CallWrote(seq=3 + i, at=1001.0, call="fetch-1", attempt=1, channel="log", text=text)
        store.append(RUN, [event])
    steps = len(page.messages)
    until_quiet(follower, now)
    assert len(page.messages) - steps < 40
    assert max(page.sizes) < 300_000
    assert max(page.lines) == 99_999
    assert 2000 < len(page.lines) <= 5000


def test_the_critical_path_is_known_at_the_end():
    """The critical path is told by rows of bars once the run is over, and marks its boxes."""
    events = simulate(revenue(3), workers=2)
    profile = Profile.of(events)
    assert whole(events[:-1])["critical"] == []
    state = whole(events)
    path = profile.critical_path()
    assert [state["bars"][row][1][0] for row in state["critical"]] == [
        list(Graph.of(events).history.calls).index(step.bar.call) for step in path
    ]
    marked = {row["name"] for row in state["nodes"].values() if row.get("critical")}
    assert marked == {step.bar.call for step in path}
    assert any(edge[8] for edge in state["edges"].values())


def test_figures_are_those_of_the_profile():
    """Work, efficiency and the critical path's seconds agree with `Profile`."""
    events = simulate(revenue(6), workers=3)
    profile, figures = Profile.of(events), whole(events)["head"]["figures"]
    assert figures["work"] == pytest.approx(profile.busy(), abs=1e-3)
    assert figures["efficiency"] == pytest.approx(profile.efficiency(), abs=1e-3)
    assert figures["idle"] == pytest.approx(sum(profile.idle().values()), abs=1e-3)
    assert figures["workers"] == 3
    path = sum(step.bar.seconds(profile.latest) for step in profile.critical_path())
    assert figures["critical"] == pytest.approx(path, abs=1e-3)
    assert "eta" not in figures


def test_an_estimate_is_made_from_what_has_ended():
    """The time left is that of the open calls at the pace so far."""
    log = RunLog()
    for i in range(1, 11):
        log.asked(f"fetch-{i}")
    assert "eta" not in whole(log.events)["head"]["figures"]
    for i in range(1, 6):
        log.succeeded(f"fetch-{i}", i - 1.0, float(i))
    assert whole(log.events)["head"]["figures"]["eta"] == pytest.approx(5.0)
    log.asked("other-1")
    assert "eta" not in whole(log.events)["head"]["figures"]  # nobody knows what that one takes
    log.closed(6.0, "failed")
    assert "eta" not in whole(log.events)["head"]["figures"]


def test_the_time_in_which_nobody_drove_a_run_is_not_counted():
    """A run that was resumed a day later is as efficient as the two parts of it."""
    log = RunLog()
    log.asked("fetch-1")
    log.asked("fetch-2")
    log.succeeded("fetch-1", 0.0, 1.0)
    log.closed(1.0, "cancelled")
    log._add(RunResumed, 86_400.0)
    log.succeeded("fetch-2", 86_400.0, 86_401.0)
    log.closed(86_401.0)
    figures = whole(log.events)["head"]["figures"]
    assert (figures["wall"], figures["efficiency"]) == (2.0, 1.0)


# ------------------------------------------------------------------ what is shown is true and inert


def test_what_users_wrote_can_only_be_read():
    """No text in a state has a control or other invisible character, whatever people named."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield key
                yield from texts(item)
        elif isinstance(value, list):
            for item in value:
                yield from texts(item)

    board = Board(RUN)
    for event in hostile():
        board.apply(event)
    state = whole_of(board)
    details = [board.details.of(row) for row in range(len(board.rows.calls))]
    for text in texts({"state": {**state, "head": {**state["head"], "run": ""}}, "d": details}):
        assert text.replace("\n", "").isprintable()


def test_a_resumed_run_shows_what_runs_anew():
    """After a resumption the counts are those of the log: what was interrupted waits again."""
    log = RunLog()
    log.asked("fetch-1")
    log.asked("convert-1", ["fetch-1"])
    log.started("fetch-1", 0.1)
    board = Board(RUN)
    for event in log.events:
        board.apply(event)
    assert whole_of(board)["head"]["counts"] == {"waiting": 1, "running": 1}
    board.apply(RunResumed(seq=5, at=1001.0))
    state = whole_of(board)
    assert state["head"]["counts"] == {"waiting": 1, "queued": 1}
    assert {row["status"] for row in state["nodes"].values()} == {"waiting", "queued"}


class Trap:
    """Springs when it is unpickled."""

    sprung = False

    def __setstate__(self, state: object) -> None:
        Trap.sprung = True


class TrapError(Exception):
    """An error that springs the trap when it is brought back to life."""

    def __init__(self) -> None:
        super().__init__("caught")
        self.trap = Trap()
        self.trap.__dict__["armed"] = True


@pytest.mark.case("W6")
def test_watching_runs_nobodys_code():
    """Neither a pickled result nor a pickled error is brought to life to be shown."""
    error = Failure(
        kind="test.TrapError",
        bases=("Exception",),
        message="caught",
        pickled=payload.dumps(TrapError(), "the trap"),
    )
    trap = Trap()
    trap.__dict__["armed"] = True
    begun = RunStarted(seq=1, at=0, workflow="w", args=(), kwargs={})
    asked = CallScheduled(seq=2, at=0, call="f-1", activity="f")
    began = CallStarted(seq=3, at=0, call="f-1", attempt=1, worker="w")
    failed = CallFailed(seq=4, at=1, call="f-1", attempt=1, error=error)
    result = payload.pack(trap, "the trap")
    Trap.sprung = False
    state = whole(
        [begun, asked, began, failed, RunClosed(seq=5, at=2, status="failed", error=error)]
    )
    assert [row["detail"] for row in state["nodes"].values()] == ["TrapError: caught"]
    assert state["head"]["error"] == "TrapError: caught"
    state = whole([begun, RunClosed(seq=2, at=2, status="completed", result=result)])
    assert "pickled" in state["head"]["result"]
    assert not Trap.sprung


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(None, "None", id="none"),
        pytest.param(
            {"b": [1, (2.5, "x")], "a": {}}, "{'b': [1, (2.5, 'x')], 'a': {}}", id="nested"
        ),
        pytest.param("a\x1b[31mb", "'a\\x1b[31mb'", id="control"),
        pytest.param(list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...]", id="long"),
        pytest.param({str(i): i for i in range(50)}, "...}", id="wide"),
        pytest.param("x" * 100_000, "a value of 100.0 kB", id="big"),
        pytest.param(MemoryStore(), "pickled", id="object"),
        pytest.param(threading.Barrier, "pickled", id="class"),
    ],
)
def test_results_are_told_shortly(value, shown):
    """Exact builtin values are written and cut; of others the size is told."""
    stored = payload.pack([] if isinstance(value, MemoryStore) else value, "the value")
    if isinstance(value, MemoryStore):
        stored = payload.Packed("pickle", payload.dumps(Trap, "a class"))
    text = value_of(payload.spill(stored) if shown.startswith("a value") else stored)
    assert text.endswith(shown)
    assert len(text) <= 401


# ------------------------------------------------------------------ it hurts nobody


class Broken:
    """A sink that always raises."""

    def full(self, *_: Any) -> None:
        raise ValueError("the front end is gone")

    tell = allow = full


@pytest.mark.case("W2")
def test_a_sink_that_raises_is_logged_once_and_dropped(caplog):
    """A sink that raises gets nothing more; pictures for the file are still made."""
    events = simulate(revenue(3))
    pictures: list[str] = []
    store = stored(events[:4])
    follower = Follower(store, RUN, sink=Broken(), picture=lambda g, _: pictures.append(g.status))
    with caplog.at_level(logging.WARNING, "nbflow"):
        assert not follower.step(1000.0)
        follower.step(1000.1)
        store.append(RUN, events[4:])
        assert follower.step(1001.0)
    assert [record.message for record in caplog.records] == [
        f"a view of run {RUN} failed and is dropped"
    ]
    assert pictures == ["completed"]


def test_with_nobody_left_to_tell_it_stops(caplog):
    """When sink and picture have both failed, following ends by itself."""
    follower = Follower(stored(simulate(revenue(2))[:4]), RUN, sink=Broken())
    follower.start()
    assert follower.finished.wait(SECONDS)


def test_a_run_that_is_not_there_is_logged(caplog):
    """Following what the store does not have ends at once, without an exception in anyone's way."""
    follower = Follower(MemoryStore(), "nobody-1", sink=Page())
    follower.start()
    assert follower.finished.wait(SECONDS)
    assert [record.message for record in caplog.records] == [
        "the panel of run nobody-1 has stopped"
    ]


def test_a_store_in_trouble_is_tried_again(caplog):
    """A store that cannot be read for a while is logged once, and read again later."""

    class Troubled(MemoryStore):
        broken = True

        def events(self, run: str, after: int = 0) -> Iterator[Event]:
            if self.broken:
                raise StoreError("disk is full")
            return super().events(run, after)

    events, page, store = simulate(revenue(1)), Page(), Troubled()
    stored(events, store)
    follower = Follower(store, RUN, sink=page)
    assert not follower.step(1000.0)
    assert not follower.step(1002.0)
    assert len(caplog.records) == 1
    store.broken = False
    assert follower.step(1004.0)
    assert page.seen() == whole(events)


# ------------------------------------------------------------------ its thread


def test_it_follows_a_run_to_its_end():
    """A thread tells what is appended while it is, at most ten times a second, and then ends."""
    events = simulate(revenue(30))
    store, page, follower = followed(events[:1])
    began = time.monotonic()
    follower.start()
    for begin in range(1, len(events), 3):
        store.append(RUN, events[begin : begin + 3])
        threading.Event().wait(0.005)  # appended over a while, as by a run
    assert follower.finished.wait(SECONDS)
    assert len(page.messages) <= (time.monotonic() - began) * 10 + 2
    assert page.seen() == whole(events)


def test_it_stops_when_told():
    """`stop` ends the following of a run that goes on."""
    follower = Follower(stored(simulate(revenue(2))[:4]), RUN, sink=Page())
    follower.start()
    follower.stop()
    assert follower.finished.wait(SECONDS)


def test_a_run_that_nobody_drives_is_shown_as_stopped():
    """A run whose driver gave up is not shown as running, and says why."""
    _, page, follower = followed(
        simulate(revenue(2))[:4], halted=lambda: "NondeterminismError: fetch-1 differs"
    )
    until_quiet(follower, 1000.0)
    assert page.state["head"]["status"] == "stopped"
    assert page.state["head"]["error"] == "NondeterminismError: fetch-1 differs"


def test_the_picture_of_a_run_that_nobody_drives_says_so_too():
    """What is kept in the file does not call a run running that is not."""
    texts: list[str] = []

    def picture(graph: Graph, profile: Profile) -> None:
        texts.append(graph_text(graph, profile=profile))

    store = stored(simulate(revenue(2))[:4])
    follower = Follower(store, RUN, picture=picture, halted=lambda: "its process is gone")
    follower.start()
    assert follower.finished.wait(SECONDS)
    assert "□ stopped" in texts[-1].splitlines()[0]


@pytest.mark.case("W9")
def test_its_thread_carries_the_context():
    """The thread sees the context variables of who started it: kernels find the cell by them."""
    cell = contextvars.ContextVar("cell", default="none")
    found: list[str] = []

    class Sink(Page):
        def full(self, state: State) -> None:
            found.append(cell.get())

    cell.set("In[3]")
    follower = Follower(stored(simulate(revenue(1))), RUN, sink=Sink())
    follower.start()
    assert follower.finished.wait(SECONDS)
    assert found == ["In[3]"]


def test_pictures_are_few():
    """The picture for the file is made every ten seconds if there is news, and at the end."""
    events = simulate(revenue(20))
    store = stored(events[:1])
    pictures: list[tuple[int, float]] = []

    def picture(graph: Graph, profile: Profile) -> None:
        pictures.append((len(graph), profile.wall()))

    follower = Follower(store, RUN, picture=picture)
    for i in range(250):
        if i < 50:
            store.append(RUN, [events[i + 1]])
        follower.step(1000 + i / 5)
    assert len(pictures) == 1
    store.append(RUN, events[51:])
    follower.step(1060.0)
    assert len(pictures) == 2
    assert pictures[-1][0] == 41
    assert PICTURE == 10
