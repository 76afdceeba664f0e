"""The clock that tests turn."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

import nbflow
from nbflow.testing import FakeClock, FaultTable, Gate
from nbflow.testing.checks import eventually

START = 1_750_000_000.0
DAY = 86400


@pytest.fixture(params=["threads", "asyncio"])
def place(request):
    """Where runs are driven whose clock the test can move."""
    return request.param


def test_a_day_passes_at_once_and_no_sooner(place):
    """A timer fires when the clock has come to its time, however far away that is."""

    @nbflow.workflow
    def patient():
        nbflow.sleep(DAY)
        return nbflow.now().timestamp()

    with FakeClock(start=START) as clock:
        began = time.monotonic()
        run = patient.on(place).start()
        clock.advance(hours=23, minutes=59, seconds=59)
        assert run.status == "running"
        clock.advance(1)
        assert run.result() == START + DAY
        assert time.monotonic() - began < 10
    assert [e.at - START for e in run.events()] == [0, 0, DAY, DAY]


def test_one_thing_leads_to_another_within_the_time_that_passes():
    """Each is done at its own time, not at the end."""

    @nbflow.activity
    def note(at):
        return at - START

    @nbflow.workflow
    def hourly():
        found = []
        for _ in range(24):
            nbflow.sleep(3600)
            found.append(note(nbflow.now().timestamp()).result())
        return found

    with FakeClock(start=START) as clock:
        run = hourly.start()
        clock.advance(days=2)
        assert run.status == "completed"
        assert clock.time() == START + 2 * DAY
    assert run.result() == [3600.0 * n for n in range(1, 25)]


def test_waits_between_attempts_go_by_it(tmp_path):
    """An attempt that is due in ten minutes is not made before they have passed."""
    faults = FaultTable(tmp_path, {"a": [OSError("away")] * 3})

    @nbflow.activity(retry=nbflow.Retry(attempts=4, wait=600, cap=600, jitter=0))
    def fetch():
        return faults.act("a")

    @nbflow.workflow
    def flow():
        return fetch().result()

    with FakeClock() as clock:
        run = flow.start()
        clock.advance(minutes=9)
        assert faults.count("a") == 1
        clock.advance(minutes=2)
        assert faults.count("a") == 2
        clock.advance(hours=5)
        assert run.result() == 4


@pytest.mark.parametrize("limit", ["timeout", "schedule_to_close_timeout", "heartbeat_timeout"])
def test_time_limits_of_an_activity_that_hangs_go_by_it(tmp_path, limit):
    """An hour's limit is passed once an hour has, and the message says which limit it was."""
    gate = Gate(tmp_path)

    limits: dict[str, Any] = {limit: 3600}

    @nbflow.activity(**limits)
    def hang():
        gate.enter()

    @nbflow.workflow
    def flow():
        return hang().result()

    with FakeClock(patience=0.1) as clock:
        run = flow.start()
        gate.wait_for(1)
        clock.advance(minutes=59)
        assert run.status == "running"
        clock.advance(minutes=1)
        with pytest.raises(nbflow.ActivityTimeout):
            run.result()
        gate.open()


def test_an_activity_that_works_is_waited_for():
    """Time does not pass it by: a limit is not passed while a quick activity runs."""

    @nbflow.activity(timeout=60)
    def slow():
        time.sleep(0.2)  # real work
        return "done"

    @nbflow.workflow
    def flow():
        nbflow.sleep(10)
        return slow().result()

    with FakeClock(patience=20) as clock:
        run = flow.start()
        clock.advance(days=1)
        assert run.result() == "done"


def test_it_moves_by_itself_where_it_is_told_to():
    """With ``auto`` nobody has to say how much time there is to pass."""

    @nbflow.activity(retry=nbflow.Retry(attempts=3, wait=1000, cap=1000, factor=1, jitter=0))
    def flaky(seen=[]):  # noqa: B006 - counts its calls
        seen.append(1)
        if len(seen) < 3:
            raise OSError("away")
        return len(seen)

    @nbflow.workflow
    def flow():
        nbflow.sleep(DAY)
        return flaky().result()

    with FakeClock(auto=True, start=START) as clock:
        assert flow.start().result() == 3
        assert clock.time() >= START + DAY + 2000


def test_inline_it_moves_by_itself():
    """The thread that drives such a run cannot move the clock, and would wait for ever."""

    @nbflow.workflow
    def flow():
        nbflow.sleep(DAY)
        return "over"

    with FakeClock():
        assert flow.on("inline").start().result() == "over"


def test_children_go_by_it_too():
    """A child run's day is its parent's, and both come to rest before time goes on."""

    @nbflow.activity
    def one():
        return 1

    @nbflow.workflow
    def child(days):
        nbflow.sleep(days * DAY)
        return one().result()

    @nbflow.workflow
    def parent():
        return sum(f.result() for f in [child(1), child(2)])

    with FakeClock() as clock:
        run = parent.start()
        clock.advance(days=1)
        assert run.status == "running"
        clock.advance(days=1)
        assert run.result() == 2


def test_processes_report_in_its_time():
    """What a worker of another process measured stands in the log by the clock of the run."""

    @nbflow.activity
    def one():
        return 1

    @nbflow.workflow
    def flow():
        nbflow.sleep(DAY)
        return one().result()

    with FakeClock(start=START, patience=20) as clock:
        run = flow.on("processes", max_workers=1).start()
        clock.advance(days=1)
        assert run.result() == 1
        assert [bar.started for bar in run.profile.bars] == [START + DAY]


def test_the_cache_lines_and_signals_are_waited_for(tmp_path):
    """A run that looks results up, holds calls back or hears a signal has yet to come to rest."""
    ran = FaultTable(tmp_path)

    @nbflow.activity(cache=True)
    def load(n):
        ran.act(n)
        return n

    @nbflow.activity(max_running=1, task_priority=1)
    def narrow(n):
        return n

    @nbflow.workflow
    def flow():
        nbflow.sleep(60)
        loaded = [load(n) for n in range(5)]
        through = [narrow(part) for part in loaded]
        total = sum(part.result() for part in through)
        nbflow.sleep(60)
        return total + nbflow.wait_signal("more").result()

    for _ in range(2):
        with FakeClock() as clock:
            run = flow.start()
            clock.advance(60)
            assert run.calls["narrow-5"].status == "done"
            clock.advance(59)
            run.signal("more", 1)
            clock.settle()
            assert run.status == "running"
            clock.advance(1)
            assert run.result() == 11
    assert ran.total() == 5


def test_every_time_in_the_log_is_its_own():
    """Of what activities print as well: no event is older than the one before."""

    @nbflow.activity
    def tell():
        print("something")
        nbflow.context().heartbeat("on it")

    @nbflow.workflow
    def flow():
        nbflow.sleep(DAY)
        tell().result()

    with FakeClock(start=START) as clock:
        run = flow.start()
        clock.advance(days=1)
        run.result()
    assert {e.at for e in run.events()} == {START, START + DAY}


def test_the_next_thing_that_is_due():
    """One may go from one due time to the next without knowing them."""

    @nbflow.workflow
    def flow():
        nbflow.sleep(70)
        nbflow.sleep(5)

    with FakeClock() as clock:
        run = flow.start()
        assert [clock.run_until_due() for _ in range(3)] == pytest.approx([70, 5, 0])
        assert run.status == "completed"


def test_what_is_left_goes_by_the_machines_clock_again():
    """Leaving the clock loses no run: it goes on in real time."""

    @nbflow.workflow
    def flow():
        nbflow.sleep(0.05)
        return "over"

    with FakeClock() as clock:
        run = flow.start()
        clock.settle()
        assert run.status == "running"
    assert run.result(timeout=20) == "over"


def test_wrong_use_is_said():
    """Going back, moving it when it is not entered, and two at once are errors that say so."""
    clock = FakeClock()
    with pytest.raises(RuntimeError, match="only while it is entered"):
        clock.advance(1)
    with clock:
        with pytest.raises(ValueError, match="time does not go back"):
            clock.advance(-1)
        with pytest.raises(RuntimeError, match="another FakeClock"), FakeClock():
            pass
    with clock:  # may be entered again
        clock.advance(1)
    with pytest.raises(RuntimeError, match="only while it is entered"):
        clock.advance(1)


def test_standing_still_is_said(caplog, monkeypatch):
    """Whoever waits for a run and forgot to move the clock is told how."""
    monkeypatch.setattr("nbflow.testing.clock._HINT", 0.05)

    @nbflow.workflow
    def flow():
        nbflow.sleep(DAY)

    with caplog.at_level(logging.WARNING, "nbflow"), FakeClock() as clock:
        run = flow.start()
        eventually(lambda: "clock.advance()" in caplog.text, "the hint is given")
        assert run.id in caplog.text
        clock.advance(days=1)
