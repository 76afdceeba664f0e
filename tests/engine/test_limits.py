"""The pulse and the limits of attempts, without a run."""

from __future__ import annotations

from nbflow.core.call import CallState
from nbflow.core.options import Options
from nbflow.engine.context import Beat
from nbflow.engine.limits import EVERY, HEARTBEAT, SCHEDULE_TO_START, Limits, Pulse
from nbflow.engine.line import Shared
from nbflow.testing import make_job, samples


def test_the_latest_heartbeat_of_a_second_is_written() -> None:
    """The first at once, then the latest, no sooner than a second after; each call by itself."""
    pulse, job, other = Pulse(), make_job(samples.double, 1), make_job(samples.double, 2)
    assert pulse.take(job, Beat("a")) == 0
    assert pulse.take(job, Beat("b")) is None, "one is to be written already"
    assert [e.details for e in pulse.due(lambda _: True)] == ["b"]
    wait = pulse.take(job, Beat("c"))
    assert wait is not None
    assert EVERY / 2 < wait <= EVERY
    pulse.take(other, Beat("d", 1, 2))
    found = list(pulse.due(lambda _: True))
    assert [(e.call, e.details, e.done, e.total) for e in found] == [(other.call, "d", 1, 2)]


def test_nobody_is_told_of_an_attempt_that_is_over() -> None:
    """What it said last is dropped."""
    pulse, job = Pulse(), make_job(samples.double, 1)
    pulse.take(job, Beat("a"))
    assert not list(pulse.due(lambda _: False))
    assert not list(pulse.due(lambda _: True))


def test_a_limit_is_passed_only_by_the_attempt_it_was_set_for() -> None:
    """Not by a later one, one that waits for its back-off, or one that began in time."""
    limits = Limits(lambda *_: None)
    state, options = CallState("f-1", "f"), Options().changed({"schedule_to_start_timeout": 60})
    limits.ready(state, options)
    assert limits.passed(state, 1, SCHEDULE_TO_START, 60)
    assert not limits.passed(state, 2, SCHEDULE_TO_START, 60)
    state.retry_at = 5.0
    assert not limits.passed(state, 1, SCHEDULE_TO_START, 60)
    state.retry_at = None
    job = make_job(samples.double, 1)
    limits.began(state, job, options, hears=True)
    assert not limits.passed(state, 1, SCHEDULE_TO_START, 60)


def test_a_heartbeat_puts_the_limit_off() -> None:
    """It counts from the latest one."""
    limits = Limits(lambda *_: None)
    state, options = CallState("f-1", "f"), Options().changed({"heartbeat_timeout": 60})
    limits.began(state, make_job(samples.double, 1), options, hears=True)
    assert not limits.passed(state, 1, HEARTBEAT, 60)
    assert limits.passed(state, 1, HEARTBEAT, 0)
    limits.heard("f-1")
    assert not limits.passed(state, 1, HEARTBEAT, 60)


def test_places_are_counted_and_those_who_wait_are_told() -> None:
    """Once for each place that is given back, whoever had none."""
    shared, told = Shared(), list[int]()
    key = ("f", "m", "f")

    def wake() -> None:
        told.append(1)

    assert shared.enter(key, 2, wake)
    assert shared.enter(key, 2, wake)
    assert not shared.enter(key, 2, wake)
    assert not shared.enter(key, 2, wake)
    shared.leave(key)
    assert told == [1]
    assert shared.enter(key, 2, wake)
    shared.leave(key)
    assert told == [1], "nobody waits any more"
