"""Lanes of the pool of processes take the answers to short calls several at a time."""

from __future__ import annotations

import time

from nbflow.engine.job import Code
from tests.executors.pools import Box, Gate, job, wait_at

_CALLS = 60


def busy(n: int) -> int:
    """Take four milliseconds of a processor."""
    end = time.thread_time() + 0.004
    while time.thread_time() < end:
        pass
    return n


class Ends(Box):
    """An inbox that counts the answers after which nobody said that more come at once."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    def ended(self, job, answer, *, more=False):
        self.last += not more
        super().ended(job, answer, more=more)


def test_answers_to_calls_of_milliseconds_come_several_at_a_time(make):
    """Far fewer times than there are calls is the run told that this was all for now."""
    pool, code, box = make(1), Code("busy", busy), Ends()
    jobs = [job(code, n) for n in range(_CALLS)]
    for each in jobs:
        pool.submit(each, box)
    assert [box.value(each) for each in jobs] == list(range(_CALLS))
    assert 1 <= box.last <= _CALLS / 3


def test_an_answer_does_not_wait_for_a_long_call_behind_it(make, tmp_path):
    """Answers that were ready when a long call began are given while it runs."""
    pool, code, box = make(1), Code("busy", busy), Ends()
    before = [job(code, n) for n in range(_CALLS)]
    gate = Gate(tmp_path)
    long, after = job(Code("wait_at", wait_at), str(gate.path)), job(code, 7)
    for each in (*before, long, after):
        pool.submit(each, box)
    gate.arrived()
    assert [box.value(each) for each in before] == list(range(_CALLS))
    assert {long.key, after.key}.isdisjoint(box.answers)
    gate.open()
    assert (box.value(long), box.value(after)) == ("passed", 7)


def test_a_call_with_a_time_limit_is_answered_at_once(make):
    """Whether it ended in time must not depend on when its answer is taken."""
    pool, code, box = make(1), Code("busy", busy), Ends()
    jobs = [job(code, n) for n in range(_CALLS)]
    for each in jobs:
        each.timeout = 60.0
        pool.submit(each, box)
    assert [box.value(each) for each in jobs] == list(range(_CALLS))
    assert box.last > _CALLS / 3
