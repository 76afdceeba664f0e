"""The thread that calls functions when they are due."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

import pytest

from nbflow.engine.timekeeper import Timekeeper

WAIT = 20


def test_it_calls_in_the_order_of_due_times() -> None:
    """Whatever order they are asked for in; those due together in the order of asking."""
    keeper, asked, over = Timekeeper(), threading.Event(), threading.Event()
    found: list[float] = []
    keeper.after(-100, asked.wait)
    for seconds in (-30, -50, -10, -40, 0, -20):
        keeper.after(seconds, partial(found.append, seconds))
    keeper.after(0.01, over.set)
    asked.set()
    assert over.wait(WAIT)
    assert found == [-50, -40, -30, -20, -10, 0]


def test_nothing_is_called_before_its_time() -> None:
    """By the monotonic clock, which nobody can set."""
    keeper, over = Timekeeper(), threading.Event()
    called = []
    asked = time.monotonic()
    keeper.after(0.05, lambda: called.append(time.monotonic()))
    keeper.after(0.05, over.set)
    assert over.wait(WAIT)
    assert called[0] - asked >= 0.05


def test_an_earlier_one_is_not_held_up_by_a_later_one() -> None:
    """Also when the thread sleeps towards the later one already, however far away that is."""
    keeper, over = Timekeeper(), threading.Event()
    keeper.after(float("inf"), lambda: None)
    keeper.after(1e12, lambda: None)
    keeper.after(60, lambda: None)
    keeper.after(0.01, over.set)
    assert over.wait(WAIT)


def test_one_that_fails_is_logged_and_the_others_are_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault of one run's must not stop the time of all others."""
    keeper, over = Timekeeper(), threading.Event()

    def fail() -> None:
        raise ValueError("mine")

    with caplog.at_level(logging.ERROR, "nbflow"):
        keeper.after(0, fail)
        keeper.after(0.01, over.set)
        assert over.wait(WAIT)
    assert "a timed action failed" in caplog.text
    assert "mine" in caplog.text


def test_a_timed_action_may_ask_for_the_next_one() -> None:
    """As ticks do."""
    keeper, over, left = Timekeeper(), threading.Event(), [5]

    def tick() -> None:
        left[0] -= 1
        if left[0]:
            keeper.after(0.001, tick)
        else:
            over.set()

    keeper.after(0, tick)
    assert over.wait(WAIT)


def test_any_thread_may_ask() -> None:
    """Each thing asked for is called exactly once."""
    keeper, over = Timekeeper(), threading.Event()
    called: list[tuple[int, int]] = []

    def note(thread: int, n: int) -> None:
        called.append((thread, n))
        if len(called) == 800:
            over.set()

    def ask(thread: int) -> None:
        for n in range(100):
            keeper.after(n % 7 / 1000, partial(note, thread, n))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert over.wait(WAIT)
    assert sorted(called) == [(thread, n) for thread in range(8) for n in range(100)]


def test_it_starts_no_thread_before_it_is_needed() -> None:
    """Importing nbflow starts none; the one that is started ends with the process."""
    keeper, over = Timekeeper(), threading.Event()
    assert vars(keeper)["_thread"] is None
    keeper.after(0, over.set)
    assert over.wait(WAIT)
    assert vars(keeper)["_thread"].daemon
