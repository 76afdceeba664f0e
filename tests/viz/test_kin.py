from __future__ import annotations

import threading
from typing import Any

import pytest

from nbflow.core.events import ChildStarted, RunStarted
from nbflow.store.memory import MemoryStore
from nbflow.viz import live, reading
from nbflow.viz.board import Board, State
from nbflow.viz.kin import MOST, Kin
from nbflow.viz.live import Follower
from nbflow.viz.reading import Reader
from tests.viz.page import size_of
from tests.viz.runlog import RunLog, revenue, simulate
from tests.viz.test_live import RUN, SECONDS, followed, stored

CHILD = f"{RUN}/child-1"


class Line:
    """A sink that keeps what it is told, and lets one wait for it."""

    def __init__(self) -> None:
        self.told: list[tuple[State, list[bytes]]] = []
        self.changed = threading.Condition()

    def full(self, state: State) -> None:
        self.tell({"kind": "full", **state}, [])

    def tell(self, message: State, buffers: list[bytes]) -> None:
        with self.changed:
            self.told.append((message, buffers))
            self.changed.notify_all()

    def allow(self, actions: list[str]) -> None:
        self.tell({"kind": "actions", "actions": actions}, [])

    def wait(self, wanted: Any) -> State:
        """Wait for a message, and give it."""
        with self.changed:
            self.changed.wait_for(lambda: any(wanted(m) for m, _ in self.told), SECONDS)
            return next(message for message, _ in self.told if wanted(message))


@pytest.fixture
def family() -> MemoryStore:
    """A store with a run that has a child, both over."""
    log = RunLog()
    log.asked("child-1")
    log.events.append(ChildStarted(3, 1000.1, "child-1", CHILD))
    log.asked("fetch-1")
    log.started("child-1", 0.2)
    log.succeeded("child-1", 0.2, 0.9)
    log.closed(1.0)
    store = stored(log.events)
    first, *others = simulate(revenue(2))
    assert isinstance(first, RunStarted)
    store.create(CHILD, first)
    store.append(CHILD, others)
    return store


def test_a_child_is_followed_in_its_parents_panel(family):
    """What is told of a child comes in envelopes with its call's row, and it answers questions."""
    line = Line()
    follower = Follower(family, RUN, sink=line)
    follower.start()
    assert follower.finished.wait(SECONDS)
    follower.hear({"kind": "detail", "call": 0})
    assert line.wait(lambda m: m["kind"] == "detail")["child"] == CHILD
    follower.hear({"kind": "child", "call": 0, "message": {"kind": "ask"}})
    told = line.wait(lambda m: m["kind"] == "child" and "state" in m)
    assert (told["call"], told["state"]["head"]["run"]) == (0, CHILD)
    assert told["state"]["head"]["counts"] == {"done": 5}
    assert follower.company() == 2
    follower.hear({"kind": "child", "call": 0, "message": {"kind": "detail", "call": 1}})
    answer = line.wait(lambda m: m["kind"] == "child" and m.get("message", {}).get("id"))
    assert answer["message"]["id"] == "convert-1"
    follower.hear({"kind": "child", "call": 0, "message": None})
    assert follower.company() == 1
    assert all(size_of(message, buffers) < 1_000_000 for message, buffers in line.told)
    follower.stop()


def test_the_runs_of_a_panel_share_its_pace(family):
    """With a child open each follower waits twice as long: the line has ten messages a second."""
    line = Line()
    follower = Follower(family, RUN, sink=line)
    follower.start()
    assert follower.finished.wait(SECONDS)
    assert follower._pace() == live.PACE
    follower.hear({"kind": "child", "call": 0, "message": {"kind": "ask"}})
    (child,) = follower._kin._open.values()
    assert isinstance(child, Follower)
    assert follower._pace() == child._pace() == 2 * live.PACE
    follower.stop()
    assert follower._pace() == live.PACE


@pytest.mark.parametrize(("row", "why"), [(1, "fetch-1 is no child run"), (0, "has not begun")])
def test_what_is_no_child_is_said(family, row, why):
    """A call that is no run, or one whose run is not there yet, is answered by a note."""
    line = Line()
    store = stored(list(family.events(RUN)))
    follower = Follower(store, RUN, sink=line)
    follower.start()
    assert follower.finished.wait(SECONDS)
    follower.hear({"kind": "child", "call": row, "message": {"kind": "ask"}})
    assert why in line.wait(lambda m: m["kind"] == "note")["text"]
    follower.stop()


class Counter:
    """A follower of nothing, which counts what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def start(self) -> None:
        self.heard.append("start")

    def stop(self) -> None:
        self.heard.append("stop")

    def hear(self, content: object) -> None:
        self.heard.append(content)

    def company(self) -> int:
        return 1


def test_so_many_children_are_open_at_once():
    """One more is refused, and fits when another is closed; a second message opens nothing."""
    made: list[Counter] = []

    def follow(_: str, __: Any) -> Counter:
        made.append(Counter())
        return made[-1]

    kin = Kin(follow, lambda *_: None)
    for row in range(MOST):
        kin.hear(row, f"c-{row}", {"kind": "ask"})
    kin.hear(0, "c-0", {"kind": "log"})
    assert (len(made), kin.company()) == (MOST, MOST)
    with pytest.raises(ValueError, match="close one of them"):
        kin.hear(MOST, "one-more", {"kind": "ask"})
    kin.hear(0, "c-0", None)
    kin.hear(0, "c-0", None)
    kin.hear(MOST, "one-more", {"kind": "ask"})
    assert made[0].heard == ["start", {"kind": "ask"}, {"kind": "log"}, "stop"]
    kin.close()
    assert all(counter.heard[-1] == "stop" for counter in made)
    assert kin.company() == 0


# ------------------------------------------------------------------ long logs


def test_a_long_log_is_shown_while_it_is_read(monkeypatch):
    """What is known by then is told, as such, without offers that may be wrong; then the rest."""
    monkeypatch.setattr(reading, "_FIRST", 0.0)
    monkeypatch.setattr(reading, "_LOOK", 0.0)
    monkeypatch.setattr(reading, "_SKIM", 0.0)

    class Driven:
        def possible(self, status: str) -> list[str]:
            return ["cancel", "resume"] if status == "running" else ["retry"]

    events = simulate(revenue(100))
    _, page, follower = followed(events, actions=Driven())
    assert not follower.step(5000.0)
    head = page.state["head"]
    assert (head["status"], head["reading"]) == ("running", True)
    assert 0 < head["calls"] < 201
    assert page.state["now"] < 60  # not the time of day, which is long after the run
    follower.step(5000.1)
    assert page.actions[-1] == ["cancel"]
    steps = 1
    while not follower.step(5000.1 + steps / 10):
        steps += 1
        assert steps < 300
    head = page.state["head"]
    assert (head["status"], head["reading"], head["calls"]) == ("completed", False, 201)
    assert page.actions[-1] == ["retry"]


def test_reading_gives_way_to_threads_that_work():
    """It takes little at once while other threads compute, and more where nobody does."""
    board = Board(RUN)
    reader = Reader(stored(simulate(revenue(400))), board)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        reader.read()
    finally:
        over.set()
        thread.join()
    assert reader.crowded
    alone = Reader(stored(simulate(revenue(400))), Board(RUN))
    while alone.read() and alone.behind:
        pass
    assert not alone.crowded
    assert alone._gulp > reader._gulp
