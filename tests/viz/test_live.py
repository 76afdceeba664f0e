from __future__ import annotations

import contextvars
import itertools
import json
import logging
import threading
import time
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
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.store.memory import MemoryStore
from nbflow.viz.board import BARS, Board, State, difference, patched
from nbflow.viz.live import HEARTBEAT, PICTURE, Follower
from nbflow.viz.preview import value_of
from nbflow.viz.wording import TIMES
from tests.viz.runlog import Call, RunLog, hostile, revenue, simulate

RUN = "revenue-1"
SECONDS = 10


class Collected:
    """A sink that keeps what it is told, and puts it together as the browser does."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, State]] = []
        self.state: State = {}

    def full(self, state: State) -> None:
        self.messages.append(("full", state))
        self.state = json.loads(json.dumps(state))

    def delta(self, delta: State) -> None:
        self.messages.append(("delta", delta))
        assert delta["base"] == self.state["seq"]
        told = json.loads(json.dumps(delta))
        del told["base"]
        self.state = patched(self.state, told)

    @property
    def sizes(self) -> list[int]:
        return [
            len(json.dumps(message, ensure_ascii=False).encode()) for _, message in self.messages
        ]


def stored(events: Sequence[Event], store: MemoryStore | None = None) -> MemoryStore:
    """Put a whole log into a store."""
    store = store or MemoryStore()
    first = events[0]
    assert isinstance(first, RunStarted)
    store.create(RUN, first)
    if len(events) > 1:
        store.append(RUN, events[1:])
    return store


def seen(state: State) -> State:
    """Give the parts of a state that do not change by themselves."""
    return {key: value for key, value in state.items() if key not in {"seq", "now", "base"}}


def whole(events: Sequence[Event]) -> State:
    """Give what is to be seen of a whole log."""
    board = Board(RUN)
    for event in events:
        board.apply(event)
    found: State = json.loads(json.dumps(seen(board.state(2000.0, settle=True))))
    return found


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
def _own_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out without dot: a process a layout is slow, and not what is tested here."""
    monkeypatch.setenv("PATH", "")


# ------------------------------------------------------------------ what is told adds up


@settings(deadline=None)
@given(logs(), st.data())
def test_differences_add_up_to_the_whole(events, data):
    """However a log is cut into pieces, what the sink was told adds up to the fold of it all."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events)))) | {1, len(events)})
    sink, store = Collected(), stored(events[:1])
    follower = Follower(store, RUN, sink=sink)
    now, over = 1000.0, follower.step(1000.0)
    for begin, end in itertools.pairwise(cuts):
        store.append(RUN, events[begin:end])
        now += data.draw(st.sampled_from([0.1, 0.4, 2.0, 11.0]))
        over = follower.step(now)
        if over and end < len(events):  # a panel ends with the run; resuming shows a new one
            assert seen(sink.state) == whole(events[:end])
            return
    follower.step(now + 1000)
    assert seen(sink.state) == whole(events)
    assert over == isinstance(events[-1], RunClosed)


@settings(deadline=None)
@given(logs(), logs())
def test_a_difference_leads_from_any_state_to_any_other(one, other):
    """`patched(old, difference(old, new))` is `new`, and no difference is no message."""
    old, new = whole(one), whole(other)
    assert patched(old, difference(old, new)) == new
    assert difference(new, new) == {}


def test_messages_are_numbered_and_the_last_is_whole():
    """Every message counts one up, a difference names what it is based on, the end is a state."""
    events = simulate(revenue(4))
    sink, store = Collected(), stored(events[:1])
    follower = Follower(store, RUN, sink=sink)
    for i, event in enumerate(events[1:]):
        follower.step(1000 + i / 10)
        store.append(RUN, [event])
    assert follower.step(1100)
    assert [message["seq"] for _, message in sink.messages] == [*range(1, len(sink.messages) + 1)]
    assert sink.messages[0][0] == sink.messages[-1][0] == "full"
    assert {kind for kind, _ in sink.messages} == {"full", "delta"}
    assert sink.state["head"]["status"] == "completed"


def test_whole_states_come_unasked():
    """A view that missed a message and cannot ask gets right by the next whole state."""
    events = simulate(revenue(40))
    sink, store = Collected(), stored(events[:1])
    follower = Follower(store, RUN, sink=sink)
    for i, event in enumerate(events[1:200]):
        store.append(RUN, [event])
        follower.step(1000 + i / 5)
    at = [message["now"] for kind, message in sink.messages if kind == "full"]
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert len(at) >= 5
    assert max(gaps) <= 10.5


def test_a_whole_state_is_sent_when_asked_for():
    """`ask` brings a whole state with the next step, and one at once when all has been told."""
    events = simulate(revenue(2))
    sink, store = Collected(), stored(events[:-1])
    follower = Follower(store, RUN, sink=sink)
    follower.step(1000.0)
    follower.step(1000.1)
    assert [kind for kind, _ in sink.messages] == ["full"]
    follower.ask()
    follower.step(1000.2)
    assert [kind for kind, _ in sink.messages] == ["full", "full"]
    store.append(RUN, events[-1:])
    follower.start()
    assert follower.finished.wait(SECONDS)
    last = sink.messages[-1][1]["seq"]
    follower.ask()
    assert sink.messages[-1][0] == "full"
    assert sink.messages[-1][1]["seq"] == last + 1
    assert seen(sink.state) == whole(events)


def test_a_run_that_rests_sends_heartbeats_only():
    """Nothing new is not told, but every few seconds a running run says that it is there."""
    sink = Collected()
    follower = Follower(stored(simulate(revenue(2))[:5]), RUN, sink=sink)
    for i in range(100):
        follower.step(1000 + i / 10)
    beats = [message for kind, message in sink.messages if kind == "delta"]
    assert 1 <= len(beats) <= 10 / HEARTBEAT
    assert all(set(message) == {"seq", "base", "now"} for message in beats)


# ------------------------------------------------------------------ it stays small


def test_ten_thousand_calls_are_few_and_small_messages():
    """Of a big run no message is above a megabyte, and there is one a step at most."""
    calls: list[Call] = [(f"fetch-{i}", ()) for i in range(1, 5001)]
    calls += [(f"convert-{i}", (f"fetch-{i}",)) for i in range(1, 5001)]
    events = simulate(calls, workers=16)
    sink, store = Collected(), stored(events[:1])
    follower = Follower(store, RUN, sink=sink)
    steps = 0
    for begin in range(1, len(events), 300):
        store.append(RUN, events[begin : begin + 300])
        follower.step(1000 + steps / 10)
        steps += 1
    assert len(sink.messages) <= steps
    assert max(sink.sizes) < 500_000
    assert sum(sink.sizes) / steps < 60_000
    assert sink.state["head"]["counts"] == {"done": 10_000}
    assert len(sink.state["nodes"]) == 2
    assert len(sink.state["bars"]) <= BARS


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
    state = whole(log.events)
    assert state["nodes"]
    assert len(json.dumps(state, ensure_ascii=False).encode()) < 1_000_000


def test_groups_count_calls_as_they_come():
    """In a graph by activity every call counts, whether the structure was drawn anew or not."""
    calls: list[Call] = [(f"fetch-{i}", ()) for i in range(1, 401)]
    events = simulate(calls, workers=3)
    board = Board(RUN)
    for i, event in enumerate(events):
        board.apply(event)
        if i % 150 == 0:
            state = board.state(1000.0 + i / 1e6)  # too soon to lay anything out again
            counted = sum(
                sum(row["counts"].values()) for row in state["nodes"].values() if "counts" in row
            )
            assert counted in {0, sum(state["head"]["counts"].values())}
    (group,) = board.state(2000.0)["nodes"].values()
    assert group["counts"] == {"done": 400}
    assert group["side"] == f"{TIMES}400"


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

    state = whole(hostile())
    for text in texts({**state, "head": {**state["head"], "run": ""}}):
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
    assert board.state(1000.0)["head"]["counts"] == {"waiting": 1, "running": 1}
    board.apply(RunResumed(seq=5, at=1001.0))
    state = board.state(1002.0)
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

    def full(self, _: State) -> None:
        raise ValueError("the front end is gone")

    delta = full


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
    follower = Follower(MemoryStore(), "nobody-1", sink=Collected())
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

    events, sink, store = simulate(revenue(1)), Collected(), Troubled()
    stored(events, store)
    follower = Follower(store, RUN, sink=sink)
    assert not follower.step(1000.0)
    assert not follower.step(1002.0)
    assert len(caplog.records) == 1
    store.broken = False
    assert follower.step(1004.0)
    assert seen(sink.state) == whole(events)


# ------------------------------------------------------------------ its thread


def test_it_follows_a_run_to_its_end():
    """A thread tells what is appended while it is, at most ten times a second, and then ends."""
    events = simulate(revenue(30))
    sink, store = Collected(), stored(events[:1])
    follower = Follower(store, RUN, sink=sink)
    began = time.monotonic()
    follower.start()
    for begin in range(1, len(events), 3):
        store.append(RUN, events[begin : begin + 3])
        threading.Event().wait(0.005)  # appended over a while, as by a run
    assert follower.finished.wait(SECONDS)
    assert len(sink.messages) <= (time.monotonic() - began) * 10 + 2
    assert seen(sink.state) == whole(events)


def test_it_stops_when_told():
    """`stop` ends the following of a run that goes on."""
    follower = Follower(stored(simulate(revenue(2))[:4]), RUN, sink=Collected())
    follower.start()
    follower.stop()
    assert follower.finished.wait(SECONDS)


def test_a_run_that_nobody_drives_is_shown_as_stopped():
    """A run whose driver gave up is not shown as running, and says why."""
    sink = Collected()
    log = stored(simulate(revenue(2))[:4])
    follower = Follower(log, RUN, sink=sink, halted=lambda: "NondeterminismError: fetch-1 differs")
    assert follower.step(1000.0)
    assert sink.state["head"]["status"] == "stopped"
    assert sink.state["head"]["error"] == "NondeterminismError: fetch-1 differs"


def test_its_thread_carries_the_context():
    """The thread sees the context variables of who started it: kernels find the cell by them."""
    cell = contextvars.ContextVar("cell", default="none")
    found: list[str] = []

    class Sink(Collected):
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
