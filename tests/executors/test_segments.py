"""Large values between the pool and its workers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest

import nbflow
from nbflow.core import payload
from nbflow.core.digests import digest
from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.core.events import CallSucceeded, Report
from nbflow.core.held import Held
from nbflow.core.payload import Blob, Packed
from nbflow.engine.job import Answer, Code
from nbflow.executors import segments
from nbflow.executors.pipe import Channel, Parcel, Request
from nbflow.executors.segments import LEAST, Far, Segment, Shelf, Side
from nbflow.store.memory import MemoryStore
from tests.executors.pools import job, value_of

COUNT = 400_000


def _changed(array):
    before = float(array.sum())
    array += 1
    return before, bool(array.flags.owndata)


def _ones():
    return np.ones(COUNT)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def _dies_with(array):
    array[:] = 0
    os._exit(3)


@pytest.fixture
def stored():
    """Give an array as a blob, and the store that it is in."""
    data = payload.dumps(np.ones(COUNT), "ones")
    return Blob("pickle", digest(data), len(data)), {digest(data): data}


@pytest.fixture
def sent(monkeypatch):
    """Give the sizes of the messages that go to workers."""
    sizes, send = [], Channel.send

    def count(channel, message):
        if isinstance(message, Request):
            sizes.append(sum(v.size for v in message.args if isinstance(v, Packed)))
        send(channel, message)

    monkeypatch.setattr(Channel, "send", count)
    return sizes


def test_calls_get_large_arrays_without_a_copy_and_each_its_own(shared, box, stored, sent):
    """They may write to them: no other call sees it, and no message has the bytes in it."""
    blob, blobs = stored
    jobs = [job(_changed, blobs=blobs) for _ in range(6)]
    for each in jobs:
        each.args = (blob,)
        shared.submit(each, box)
    assert [box.value(each) for each in jobs] == [(COUNT, False)] * 6
    assert sent == [0] * 6


def test_a_blob_is_read_from_the_store_once(make, box, stored):
    """Calls that take the same value share what was read for the first of them."""
    blob, blobs = stored
    asked = []

    def fetch(digest):
        asked.append(digest)
        return blobs[digest]

    pool = make(1)
    for _ in range(3):
        each = job(_changed)
        each.args, each.fetch = (blob,), fetch
        pool.submit(each, box)
        assert box.value(each)[0] == COUNT
    assert asked == [blob.digest]


def test_a_worker_that_dies_harms_no_value(shared, box, stored):
    """What a call did to its array before its process died, the next call does not see."""
    blob, blobs = stored
    crash, later = job(_dies_with, blobs=blobs), job(_changed, blobs=blobs)
    for each in (crash, later):
        each.args = (blob,)
        shared.submit(each, box)
    assert isinstance(box.error(crash), WorkerDied)
    assert box.value(later)[0] == COUNT


def test_large_results_come_home_as_they_are_stored(shared, box):
    """The answer has the bytes, for the log, where the worker put them; they read as the value."""
    call = job(_ones)
    shared.submit(call, box)
    answer = box.answer(call)
    assert type(answer.result) is Packed
    assert type(answer.result.data) is memoryview
    assert answer.result.data.readonly
    assert answer.report.size == answer.result.size > LEAST
    assert value_of(answer).sum() == COUNT


def test_a_result_that_is_not_kept_stays_where_it_is(shared, box):
    """With persist=False its bytes are not copied here, and can be had as long as it is held."""
    call = job(Code("ones", _ones, held="copy"))
    shared.submit(call, box)
    held = box.answer(call).result
    assert type(held) is Held
    assert type(held.elsewhere) is Segment
    assert held.there
    assert payload.unpack(held, lambda call: call, lambda digest: b"").sum() == COUNT
    following = job(_changed)
    following.args = (held,)
    shared.submit(following, box)
    assert box.value(following) == (COUNT, False)


@nbflow.activity(persist=False)
def ones():
    return _ones()


@nbflow.activity(persist=False)
def doubled(array):
    array *= 2
    return array


@nbflow.activity
def total(array):
    return float(array.sum())


@nbflow.activity(executor="threads")
def total_here(array):
    return float(array.sum())


@nbflow.workflow
def several():
    made = ones()
    twice = doubled(made)
    sums = [total(made), total(twice), total_here(twice)]
    return [each.result() for each in sums], twice.result().sum()


def test_a_workflow_passes_large_arrays_from_process_to_process():
    """Values stay right from call to call, on another executor, and in the workflow's code."""
    nbflow.configure(store=MemoryStore())
    run = several.on("processes", max_workers=2).start()
    assert run.result(60) == ([COUNT, 2 * COUNT, 2 * COUNT], 2 * COUNT)
    kept = {e.call: e.result for e in run.events() if isinstance(e, CallSucceeded)}
    assert kept["ones-1"] == Held()


@pytest.mark.parametrize("count", [20_000, COUNT])
@pytest.mark.parametrize("room", [True, False])
def test_a_result_is_sent_from_where_it_lies(monkeypatch, count, room):
    """A large one is written into a segment; a smaller one, or one without room, into the answer.

    Of either the bytes are those that it is stored as, and the next answer has nothing of them.
    """

    def full(*_):
        raise OSError(28, "No space left on device")

    value, parcel, before = np.arange(count), Parcel(), open_files()
    near, far = socket.socketpair()
    with near, far, monkeypatch.context() as patch:
        if not room:
            patch.setattr(Segment, "of", full)
        stored = payload.pack(value, "the result", put=parcel.put)
        assert type(stored) is Blob
        value[:] = 0
        answer = parcel.sent(Answer(Report("worker", 0.0), stored), Side(near))
        result: object = answer.result
        if room and count == COUNT:
            assert result == Far(stored.size)
            result = Packed("pickle", Side(far).receive(stored.size).data())
        assert type(result) is Packed
        assert payload.unpack(result, str, lambda digest: b"").sum() == count * (count - 1) // 2
        assert parcel.sent(Answer(Report("worker", 0.0), 7), Side(near)).result == 7
    del answer
    assert open_files() <= before  # something of another test may have been closed meanwhile


def test_no_descriptors_are_left():
    """Segments, and what was sent of them, are closed when nobody needs them any more."""
    near, far = socket.socketpair()
    with near, far:
        before = open_files()
        segment = Segment.of(b"x" * 5000)
        Side(near).send(segment)
        got = Side(far).receive(5000)
        assert got.data() == b"x" * 5000
        assert not os.get_inheritable(got.fd)
        own = got.own()
        own[:5] = b"other"
        assert got.data() == segment.data() == b"x" * 5000
        del segment, got, own
        assert open_files() == before


def test_the_other_end_being_closed_is_told():
    """Whoever waits for a value of a process that is gone does not wait for ever."""
    near, far = socket.socketpair()
    far.close()
    with near, pytest.raises((EOFError, OSError)):
        Side(near).receive(10)


def test_only_so_much_is_kept(monkeypatch):
    """The oldest values go first, and the latest stays however large it is."""
    monkeypatch.setattr(segments, "KEPT_BYTES", 250)
    asked, shelf = [], Shelf()

    def fetch(digest):
        asked.append(digest)
        return b"x" * 100

    for name in ("a", "b", "a", "c", "a", "b"):
        assert shelf.of(Blob("pickle", name, 100), fetch).size == 100
    assert asked == ["a", "b", "c", "b"]
    monkeypatch.setattr(segments, "KEPT_BYTES", 50)
    shelf.of(Blob("pickle", "d", 100), fetch)
    shelf.of(Blob("pickle", "d", 100), fetch)
    assert asked == ["a", "b", "c", "b", "d"]


def test_where_there_is_no_room_the_call_says_so(make, box, stored, monkeypatch):
    """An argument that cannot be handed over fails its own call; the pool goes on."""
    blob, blobs = stored

    def full(_):
        raise OSError(28, "No space left on device")

    pool = make(1)
    call, later = job(_changed, blobs=blobs), job(abs, -3)
    call.args = (blob,)
    with monkeypatch.context() as patch:
        patch.setattr(Segment, "of", full)
        pool.submit(call, box)
        error = box.error(call)
    assert isinstance(error, OSError)
    assert "No space left" in str(error)
    pool.submit(later, box)
    assert box.value(later) == 3


def test_a_missing_blob_is_the_calls_own_error(shared, box):
    """What the store says of it is what the call fails with."""

    def fetch(digest):
        raise NbflowError(f"blob {digest} is missing from {Path('here')}")

    call = job(_changed)
    call.args, call.fetch = (Blob("pickle", "gone", 2 * LEAST),), fetch
    shared.submit(call, box)
    assert "blob gone is missing" in str(box.error(call))
