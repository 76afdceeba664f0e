from __future__ import annotations

import math
import os
import socket
from typing import Any, cast

import pytest

from nbflow.core.errors import DefinitionError, WorkerDied
from nbflow.core.held import Held
from nbflow.core.payload import Blob, Ref
from nbflow.engine import streams
from nbflow.engine.job import Code
from nbflow.executors.child import here
from nbflow.executors.dispatch import Dispatch
from nbflow.executors.pipe import BATCH_BYTES, Channel, early, request, weight
from nbflow.executors.processes import Processes, _Lane
from nbflow.executors.worker import _Requests
from tests.executors.pools import Box, Gate, add, job, marks, runs_of, wait_at

# With processes


def _early_count(pool) -> int:
    return sum(lane.child.tickets for lane in pool._dispatch._lanes if lane.child is not None)


def test_deaths_among_short_calls_harm_no_other_call(make, box, tmp_path):
    """With calls sent early, a death still fails one call, and every call runs exactly once."""
    pool, code = make(2), Code("marks", marks)
    deadly = {150, 300, 301, 450}
    jobs = {n: job(code, str(tmp_path), n, "exit" if n in deadly else None) for n in range(1, 601)}
    for each in jobs.values():
        pool.submit(each, box)
    for n, each in jobs.items():
        if n in deadly:
            assert isinstance(box.error(each), WorkerDied)
        else:
            assert box.value(each) == n
    assert _early_count(pool) > 0
    assert {n: runs_of(tmp_path, n) for n in jobs} == dict.fromkeys(jobs, 1)
    order = [key for kind, key in box.told if kind == "began"]
    assert len(order) == len(set(order))


def test_giving_up_short_calls_harms_no_other_call(make, box, tmp_path):
    """With calls sent early, giving some up leaves all others to run exactly once."""
    pool, code = make(2), Code("marks", marks)
    unwanted = set(range(40, 600, 47))
    jobs = {
        n: job(code, str(tmp_path), n, "wait" if n in unwanted else None) for n in range(1, 601)
    }
    for each in jobs.values():
        pool.submit(each, box)
    given_up: set[int] = set()

    def stuck():
        # Short calls that a busy process has not begun are handed on before older ones, so both
        # processes may have come to calls that are given up further down. No other one begins then.
        return sum(jobs[n].key in box.workers for n in unwanted - given_up) >= pool.slots

    for n in sorted(unwanted):
        # Some are queued, some were sent early, some run.
        box.seen(jobs[n - 1] if n % 2 else jobs[n], or_if=stuck)
        pool.give_up(jobs[n])
        given_up.add(n)
    wanted = {n: each for n, each in jobs.items() if n not in unwanted}
    assert {n: box.value(each) for n, each in wanted.items()} == {n: n for n in wanted}
    assert {n: runs_of(tmp_path, n) for n in wanted} == dict.fromkeys(wanted, 1)
    assert not [n for n in unwanted if jobs[n].key in box.answers]


def test_a_call_sent_early_does_not_wait_behind_a_long_one(make, box, tmp_path):
    """A call that was sent to a busy process is run elsewhere if that stays busy."""
    pool, code = make(2), Code("add", add)
    for _ in range(5):
        warm = [job(code, n) for n in range(200)]
        gate = Gate(tmp_path)
        long = job(wait_at, str(gate.path))
        after = [job(code, n) for n in range(20)]
        for each in (*warm, long, *after):
            pool.submit(each, box)
        assert [box.value(each) for each in after] == [n + 1 for n in range(20)]
        assert long.key not in box.answers
        gate.arrived()
        gate.open()
        assert box.value(long) == "passed"
    assert _early_count(pool) > 0


# Without: each situation on its own


class FakeChild:
    """A process that does nothing; `begun` says how many of the early jobs it has begun."""

    def __init__(self):
        self.name, self.pid, self.memory = "process-1", 1, 0
        self.known, self.place = set(), here()
        self.rules, self.secrets = streams.rules(), ()
        self.side = None
        self.killed = False
        self.begun = 0
        self.tickets = 0
        self.taken = 0
        self.sent = []
        self.replies = []

    def kill(self):
        self.killed = True

    def heard(self):
        return False

    def put_tickets(self, count):
        self.tickets += count

    def take_tickets(self, count):
        taken = min(count, self.tickets - self.begun - self.taken)
        self.taken += taken
        return taken

    def send(self, message):
        self.sent.append(message)

    def receive(self):
        return self.replies.pop(0)


class Lane(_Lane):
    """A lane whose thread is not started, with a process that does nothing."""

    def __init__(self, dispatch, slot):
        super().__init__(dispatch, slot, 1)
        self.child = cast("Any", FakeChild())
        self._mean = 0.0

    def start(self):
        pass


class Situation:
    """A pool of one lane that runs `first`, with `second` sent early and `third` queued."""

    def __init__(self, slots=1):
        self.box = Box()
        code = Code("add", add)
        self.first, self.second, self.third = (job(code, n) for n in range(3))
        self.dispatch = Dispatch(slots, Lane)
        for each in (self.first, self.second, self.third):
            self.dispatch.submit((each, self.box))
        self.lanes = self.dispatch._lanes
        self.lane = self.lanes[0]
        self.child = self.lane.child
        assert self.dispatch.next(self.lane) == (self.first, self.box)
        self.child.known.add(code.digest if code.blob() else "")
        self.lane._send_early()
        for lane in self.dispatch._early:
            self.dispatch._early[lane] = math.inf  # it is overdue when a test says so

    @property
    def queued(self):
        return [job for job, _ in self.dispatch.queued.values()]

    @property
    def sent(self):
        return [job for message in self.child.sent for _, job, *_ in message]


@pytest.fixture
def now():
    """Give a pool in the midst of work."""
    return Situation()


def test_the_next_short_call_is_sent_early(now):
    """While one call runs the next one is sent, and no more than that one."""
    now.lane._send_early()
    assert now.sent == [now.second.key]
    assert now.queued == [now.third]
    assert now.dispatch.done(now.lane, now.first, alive=True) == (True, (now.second, now.box))


def test_nothing_is_sent_early_while_a_slot_is_free():
    """A call that another process could begin at once does not wait behind one."""
    now = Situation(slots=4)
    assert now.sent == []


@pytest.mark.parametrize(
    "why", ["long", "unknown code", "heavy", "elsewhere", "other rules", "given up"]
)
def test_nothing_is_sent_early_that_could_do_harm(now, why, monkeypatch, tmp_path):
    """Calls stay in the queue that would hold up the lane, or would be held up by it."""
    now.lane._few = 1
    match why:
        case "long":
            now.lane._mean = 0.1
        case "unknown code":
            now.child.known.clear()
        case "heavy":
            now.third.args = ("x" * 50_000,)
        case "elsewhere":
            monkeypatch.chdir(tmp_path)
        case "other rules":
            now.child.rules = now.child.rules._replace(attempt=1)
        case "given up":
            now.lane.given_up = True
    now.lane._send_early()
    assert now.sent == [now.second.key]
    assert now.queued == [now.third]


def test_no_ticket_is_put_before_the_last_one_was_looked_for(now):
    """A worker that has yet to read a request which was taken back gets no ticket meanwhile."""
    reply = (0.0, 0.0, 0.0, 0.0, 0, 0, None, None)
    now.dispatch._reclaim(-math.inf)
    assert now.queued == [now.second, now.third]
    now.child.replies = [(0, *reply)]
    assert now.lane._served(now.first, now.box) is None
    assert now.dispatch.next(now.lane) == (now.second, now.box)
    now.lane._send_early()
    assert now.queued == [now.third]
    now.child.replies = [(1, *reply)]
    now.lane._served(now.second, now.box)
    assert not now.lane._revoked


def test_another_lane_takes_an_early_call_back(now):
    """Whoever looks for work takes the call that waits behind a long one, before younger ones."""
    other = Lane(now.dispatch, 2)
    now.dispatch._coming += 1
    now.dispatch._early[now.lane] = 0.0
    assert now.dispatch.next(other) == (now.second, now.box)
    assert now.dispatch.done(now.lane, now.first, alive=True) == (True, None)


def test_an_early_call_that_has_begun_is_not_taken_back(now):
    """What one process has begun, no other one begins."""
    other = Lane(now.dispatch, 2)
    now.child.begun = 1
    now.dispatch._coming += 2
    assert now.dispatch.next(other) == (now.third, now.box)
    now.dispatch._reclaim(-math.inf)
    assert now.queued == []


def test_when_a_process_dies_its_early_call_goes_first(now):
    """The death is the running call's alone, even if the early one cannot be taken back."""
    now.child.begun = 1
    assert now.dispatch.done(now.lane, now.first, alive=False) == (True, None)
    assert now.queued == [now.second, now.third]


def test_giving_up_the_running_call_spares_the_early_one(now):
    """The process is killed; the early call goes back to the front of the queue."""
    now.dispatch.give_up(now.first)
    assert now.child.killed
    assert now.queued == [now.second, now.third]
    assert now.dispatch.done(now.lane, now.first, alive=False) == (False, None)


def test_giving_up_a_call_that_has_just_ended_kills_nobody(now):
    """Where the early call has begun, the one before has ended, and the process is left alone."""
    now.child.begun = 1
    now.dispatch.give_up(now.first)
    assert not now.child.killed
    assert now.dispatch.done(now.lane, now.first, alive=True) == (False, (now.second, now.box))
    assert now.dispatch.done(now.lane, now.second, alive=True) == (True, None)


def test_giving_up_an_early_call_takes_it_back(now):
    """It is neither run nor queued, and the running call goes on."""
    now.dispatch.give_up(now.second)
    assert not now.child.killed
    assert now.queued == [now.third]
    assert now.dispatch.done(now.lane, now.first, alive=True) == (True, None)


def test_giving_up_an_early_call_that_has_begun_waits_for_the_answer_before(now):
    """The process is killed once the answer that it is sending has been read."""
    now.child.begun = 1
    now.dispatch.give_up(now.second)
    assert not now.child.killed
    assert now.dispatch.done(now.lane, now.first, alive=True) == (True, (now.second, now.box))
    assert now.child.killed
    assert now.dispatch.done(now.lane, now.second, alive=False) == (False, None)


def test_an_early_call_that_was_given_up_too_late_does_not_outlive_its_process(now):
    """If the process dies before the answer, the early call is not queued again."""
    now.child.begun = 1
    now.dispatch.give_up(now.second)
    assert now.dispatch.done(now.lane, now.first, alive=False) == (True, None)
    assert now.queued == [now.third]


def test_giving_up_a_call_whose_process_is_being_made_kills_it_at_once(now):
    """A process that was made for a call which is not wanted any more is not waited for."""
    now.dispatch.done(now.lane, now.first, alive=False)
    now.dispatch.next(now.lane)
    now.lane.child = None
    now.dispatch.give_up(now.second)
    child = FakeChild()
    now.dispatch.born(now.lane, child)
    assert child.killed


def test_a_worker_passes_over_what_was_taken_back():
    """Without its ticket an early request is read, counted and left alone."""
    near, far = socket.socketpair()
    out, into = os.pipe()
    os.set_blocking(out, False)
    ours, requests = Channel(near), _Requests(Channel(far), out)
    code = Code("add", add)
    jobs = [job(code, n) for n in range(3)]
    assert requests.next(wait=False) is None
    ours.send([early(jobs[0])])
    assert requests.next(wait=False) is None
    assert requests.read == 1
    os.write(into, b"t")
    ours.send([early(jobs[1])])
    ours.send(request(jobs[2], set(), None))
    got = [requests.next(wait=True) for _ in range(2)]
    assert [each and each.job for each in got] == [jobs[1].key, jobs[2].key]
    assert requests.read == 2
    near.close()
    with pytest.raises(EOFError):
        requests.next(wait=True)
    far.close()
    os.close(out)
    os.close(into)


def test_only_small_messages_are_light():
    """What might fill the connection to a busy process is not sent early."""
    assert weight(job(add, 1, kwargs={"b": 2}))
    assert weight(job(add, [1, 2], inputs={"a-1": 5}))
    assert weight(job(add, "x" * 20_000)) is None
    assert weight(job(add, *range(1000))) is None
    assert weight(job(add, list(range(10_000)))) is None
    assert weight(job(add, kwargs={"a": Blob("json", "digest", 10)})) is None
    assert weight(job(add, Ref("held-1"), inputs={"held-1": Held.of([1])})) is None


def test_a_call_that_may_end_its_process_is_sent_on_its_own():
    """Where it has to be known that a call begins before it does, it is not one of many."""
    suspect = job(add, 1)
    suspect.timeout = math.inf
    assert weight(suspect) is None


# Several at once


class Batch(Situation):
    """A pool of one lane that runs a job, with `ahead` sent early at once and `rest` queued."""

    def __init__(self, ahead=4, rest=2, slots=1):
        super().__init__()
        self.code = Code("add", add)
        for each in (self.second, self.third):
            self.dispatch.give_up(each)
        self.child.known.add(self.code.digest if self.code.blob() else "")
        self.child.sent.clear()
        self.child.begun = self.child.taken = self.child.tickets = 0
        self.lane._revoked = False
        self.lane._most = ahead
        self.ahead = self.add(ahead)
        self.lane._send_early()
        for lane in self.dispatch._early:
            self.dispatch._early[lane] = math.inf
        self.rest = self.add(rest)

    def add(self, count):
        made = [job(self.code, n) for n in range(count)]
        for each in made:
            self.dispatch.submit((each, self.box))
        return made


def test_several_short_calls_are_sent_at_once_in_their_order():
    """One message, and no other one until at most half of them are left."""
    now = Batch()
    assert len(now.child.sent) == 1
    assert now.sent == [each.key for each in now.ahead]
    present = now.first
    for left in (3, 2):
        now.lane._send_early()
        assert len(now.child.sent) == 1
        _, following = now.dispatch.done(now.lane, present, alive=True)
        assert following is not None
        assert len(now.lane.early) == left
        present = following[0]
    now.lane._send_early()
    assert now.sent[4:] == [each.key for each in now.rest]


def test_a_death_leaves_all_that_were_sent_early_to_run_in_their_order():
    """It is the call's own that had no answer yet; what has not been answered is queued again."""
    now = Batch()
    now.child.begun = 1
    assert now.dispatch.done(now.lane, now.first, alive=True) == (True, (now.ahead[0], now.box))
    assert now.dispatch.done(now.lane, now.ahead[0], alive=False) == (True, None)
    assert now.queued == [*now.ahead[1:], *now.rest]


def test_an_idle_lane_takes_half_of_what_waits_elsewhere():
    """The lane that has them keeps the others; those that are long overdue are taken all."""
    now = Batch(rest=0)
    other = Lane(now.dispatch, 2)
    now.dispatch._coming += 1
    now.dispatch._early[now.lane] = 0.0
    assert now.dispatch.next(other) == (now.ahead[2], now.box)
    assert now.queued == [now.ahead[3]]
    assert [each for each, _ in now.lane.early] == now.ahead[:2]
    now.dispatch._coming += 1
    assert now.dispatch.next(other) == (now.ahead[0], now.box)
    assert now.queued == [now.ahead[1], now.ahead[3]]


@pytest.mark.parametrize("begun", [0, 1, 2, 3])
def test_giving_one_of_many_up_kills_only_what_runs_it(begun):
    """Not begun: taken back. It runs: killed once what is before is read. Ended: nobody is."""
    now = Batch()
    now.child.begun = begun
    unwanted = now.ahead[1]
    now.dispatch.give_up(unwanted)
    assert not now.child.killed
    assert unwanted not in now.queued
    left = [each for each in now.ahead[begun:] if each is not unwanted]
    assert now.queued == [*left, *now.rest]
    served, present = [now.first], now.first
    while (found := now.dispatch.done(now.lane, present, alive=True)[1]) is not None:
        present = found[0]
        served.append(present)
        assert now.lane.given_up == (present is unwanted)
        assert now.child.killed == (begun == 2 and present is unwanted)
    assert served == [now.first, *now.ahead[:begun]]
    assert len({*served, *now.queued}) == len(served) + len(now.queued)


def test_what_is_sent_at_once_has_room_in_the_connection():
    """However many are allowed, together they are no heavier than the connection takes."""
    now = Batch(ahead=1, rest=0)
    now.lane._most, now.lane._few = 200, 5
    heavy = [job(now.code, "x" * 7_000) for _ in range(50)]
    for each in heavy:
        now.dispatch.submit((each, now.box))
    now.lane._send_early()
    sent = len(now.child.sent[1])
    assert 2 < sent < 50
    assert sum(weight(each) or BATCH_BYTES for each in heavy[:sent]) <= BATCH_BYTES


@pytest.mark.parametrize("chunk", [0, 257, 1.5, "all", True, None])
def test_a_chunk_that_makes_no_sense_is_refused(chunk):
    """It says what a chunk is, and names what was given."""
    with pytest.raises(DefinitionError, match=r"chunk is .*from 1 to 256, or .auto."):
        Processes(1, chunk=chunk)


@pytest.mark.parametrize("chunk", ["auto", 1, 7])
def test_every_chunk_gives_the_same(box, chunk):
    """Each call runs once and is answered once, whatever is sent together."""
    pool, code = Processes(2, chunk=chunk), Code("add", add)
    try:
        jobs = [job(code, n) for n in range(400)]
        for each in jobs:
            pool.submit(each, box)
        assert [box.value(each) for each in jobs] == list(range(1, 401))
        assert sum(kind == "ended" for kind, _ in box.told) == 400
    finally:
        pool.close()
