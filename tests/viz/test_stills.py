from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz import live, reading, stills
from nbflow.viz.board import Board
from nbflow.viz.live import Follower
from nbflow.viz.stills import CALM, PICTURE, Stills
from tests.viz.page import Page
from tests.viz.runlog import revenue, simulate
from tests.viz.test_live import RUN, stored

SECONDS = 20


class Told(Page):
    """A page, from whose messages others may wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self.news = threading.Condition()

    def full(self, state: Any) -> None:
        super().full(state)
        self.tell({"kind": "full"}, [])

    def tell(self, message: Any, buffers: list[bytes]) -> None:
        super().tell(message, buffers)
        with self.news:
            self.news.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is so."""
        with self.news:
            return self.news.wait_for(condition, SECONDS)


@pytest.fixture(autouse=True)
def _own_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out without dot: a process a layout is slow, and not what is tested here."""
    monkeypatch.setenv("PATH", "")


def board() -> Board:
    """Give the board of a run that is over."""
    found = Board(RUN)
    for event in simulate(revenue(2)):
        found.apply(event)
    return found


class Drawn:
    """Pictures that are drawn when somebody says so.

    Attributes:
        statuses: What the runs that were drawn looked like.
        begun: Set once a drawing has begun.
        go: A drawing ends once this is set.
    """

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, graph: Graph, _: Profile) -> None:
        self.begun.set()
        assert self.go.wait(SECONDS)
        self.statuses.append(graph.status)


def test_questions_are_answered_while_a_picture_is_drawn():
    """Drawing takes a second or two: who asks meanwhile has an answer before it is over."""
    page, drawn = Told(), Drawn()
    follower = Follower(stored(simulate(revenue(2))), RUN, sink=page, picture=drawn)
    follower.start()
    assert drawn.begun.wait(SECONDS)
    follower.hear({"kind": "detail", "call": 0})
    assert page.wait_for(lambda: bool(page.of("detail")))
    assert not follower.finished.is_set()
    drawn.go.set()
    assert follower.finished.wait(SECONDS)
    assert drawn.statuses == ["completed"]


def test_nothing_is_learnt_while_a_picture_is_drawn():
    """What is drawn does not change under the pen: news of the log wait until it is there."""
    events = simulate(revenue(4))
    store, page, drawn = stored(events[:6]), Told(), Drawn()
    follower = Follower(store, RUN, sink=page, picture=drawn, halted=lambda: "gone")
    follower.start()
    assert drawn.begun.wait(SECONDS)
    store.append(RUN, events[6:])
    follower.ask()
    before = len(page.of("full"))
    assert page.wait_for(lambda: len(page.of("full")) > before)
    assert follower.board.graph.history.last == 6
    drawn.go.set()
    assert page.wait_for(lambda: page.state["head"]["status"] == "completed")
    assert follower.finished.wait(SECONDS)
    assert drawn.statuses[-1] == "completed"


def test_no_picture_is_drawn_of_a_log_that_is_being_opened(monkeypatch):
    """Reading it would wait for the picture, and the picture would not be of the whole run."""
    monkeypatch.setattr(reading, "_FIRST", 0.0)
    monkeypatch.setattr(reading, "_LOOK", 0.0)
    monkeypatch.setattr(reading, "_MOST", 48)
    monkeypatch.setattr(stills, "PICTURE", 0.0)
    monkeypatch.setattr(stills, "CALM", 0.0)
    drawn = Drawn()
    drawn.go.set()
    follower = Follower(stored(simulate(revenue(200))), RUN, sink=Told(), picture=drawn)
    follower.start()
    assert follower.finished.wait(SECONDS)
    assert drawn.statuses == ["completed"]


def test_while_a_picture_is_drawn_the_follower_rests(monkeypatch):
    """With more to be read it goes on without a pause, but not while it may not read anything."""
    monkeypatch.setattr(reading, "_FIRST", 0.0)
    monkeypatch.setattr(reading, "_LOOK", 0.0)
    monkeypatch.setattr(reading, "_MOST", 48)
    monkeypatch.setattr(stills, "PICTURE", 0.0)
    monkeypatch.setattr(stills, "CALM", 0.0)
    events = simulate(revenue(200))
    store, page, drawn, steps = stored(events[:6]), Told(), Drawn(), queue.Queue[float]()
    follower = Follower(store, RUN, sink=page, picture=drawn)
    step = follower.step

    def counted(now: float) -> bool:
        if drawn.begun.is_set():
            steps.put(time.monotonic())
        return step(now)

    monkeypatch.setattr(follower, "step", counted)
    drawn.go.set()
    follower.start()
    assert page.wait_for(lambda: drawn.statuses == ["running"])
    drawn.go.clear()
    drawn.begun.clear()
    store.append(RUN, events[6:])
    assert drawn.begun.wait(SECONDS)
    while not steps.empty():
        steps.get()
    times = [steps.get(timeout=SECONDS) for _ in range(4)]
    assert follower.board.behind
    assert times[-1] - times[0] >= 3 * live.PACE * 0.99
    drawn.go.set()
    assert follower.finished.wait(SECONDS)
    assert drawn.statuses[-1] == "completed"


def test_stopped_meanwhile_the_last_picture_is_there():
    """At the end of the process a picture of a run that is over is neither cut nor left out."""
    page, drawn = Told(), Drawn()
    drawn.go.set()
    follower = Follower(stored(simulate(revenue(2))), RUN, sink=page, picture=drawn)
    follower.start()
    assert page.wait_for(lambda: bool(page.state))
    follower.stop()
    assert follower.finished.wait(SECONDS)
    assert drawn.statuses == ["completed"]


@pytest.mark.parametrize("asked", [False, True])
def test_a_picture_waits_for_a_quiet_moment(asked):
    """Who has just opened a run, or asked for something, does not share the processor with it."""
    pictures: list[str] = []
    made = Stills(board(), lambda graph, _: pictures.append(graph.status))
    made.look(1000.0, closed=True, watched=True)
    if asked:
        made.put_off(1000.1)
    made.look(1000.0 + CALM - 0.01, closed=True, watched=True)
    assert (pictures, made.owed) == ([], True)
    made.look(1000.0 + CALM, closed=True, watched=True)
    assert pictures == ([] if asked else ["completed"])
    made.look(1001.0 + CALM, closed=True, watched=True)
    assert (pictures, made.owed) == (["completed"], False)


def test_who_asks_all_the_time_gets_a_picture_all_the_same():
    """A picture is put off for some seconds and no longer."""
    pictures: list[float] = []
    made = Stills(board(), lambda *_: pictures.append(now))
    for tenth in range(100):
        now = 1000 + tenth / 10
        made.put_off(now)
        made.look(now, closed=True, watched=True)
    assert pictures == [1005.0]


def test_with_nobody_watching_a_picture_is_drawn_at_once():
    """Where nobody can ask for anything there is nothing to wait for."""
    pictures: list[str] = []
    made = Stills(board(), lambda graph, _: pictures.append(graph.status))
    made.look(1000.0, closed=True)
    made.look(1000.1, closed=True)
    assert pictures == ["completed"]
    made.stale = True
    made.look(1000.2, closed=False)
    assert len(pictures) == 1
    made.look(1000.0 + PICTURE, closed=False)
    assert len(pictures) == 2


def test_without_threads_a_picture_is_drawn_where_it_is_asked_for():
    """At the end of a process no thread can be begun; the picture is drawn all the same."""

    def beside(_: Callable[[], None]) -> bool:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    pictures: list[str] = []
    made = Stills(board(), lambda graph, _: pictures.append(graph.status), beside)
    made.look(1000.0, closed=True)
    assert (pictures, made.busy) == (["completed"], False)


def test_who_asked_for_a_view_does_not_wait_for_the_follower_to_rest(monkeypatch):
    """A graph for the canvas comes in two messages; after the first the follower does not pause."""
    monkeypatch.setattr(live, "_LONGEST", 10 * SECONDS)
    monkeypatch.setattr(live, "_SHARE", 1e9)
    page = Told()
    follower = Follower(stored(simulate(revenue(170))), RUN, sink=page)
    follower.start()
    assert follower.finished.wait(SECONDS)
    follower.hear({"kind": "view", "mode": "calls", "open": []})
    assert page.wait_for(lambda: bool(page.of("scene")))
    assert page.wait_for(lambda: page.state["view"]["canvas"])
    assert follower.finished.wait(SECONDS)
