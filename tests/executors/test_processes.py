from __future__ import annotations

import linecache
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nbflow.core import payload
from nbflow.core.errors import RemoteError, Unserialisable, WorkerDied
from nbflow.core.payload import Blob, Ref
from tests.executors.pools import Exits, add, job, marks, pids_of, runs_of, wait_at

# What an activity can do to its worker.


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def _exits():
    os._exit(3)


def _segfaults():
    os.kill(os.getpid(), signal.SIGSEGV)


def _is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def _forks_and_exits():
    if os.fork() == 0:
        signal.pause()
    os._exit(3)


def _raises_two_arguments():
    raise TwoArguments(1, 2)


def _raises_with_lock():
    raise ValueError("holds a lock", threading.Lock())


def _gives_lock():
    return threading.Lock()


def _gives_generator():
    return (n for n in range(3))


def _gives_deep_list():
    deep: list = []
    for _ in range(200_000):
        deep = [deep]
    return deep


def _raises_local_base_exception():
    class Local(BaseException):
        pass

    raise Local("only here")


def _raises_system_exit():
    sys.exit("leaving")


def _raises_keyboard_interrupt():
    raise KeyboardInterrupt


def _raises_recursion_error():
    return _raises_recursion_error()


def _raises_memory_error():
    return bytearray(1 << 60)


class ExitsWhenPickled:
    def __reduce__(self):
        sys.exit("pickled")


def _gives_what_exits_when_pickled():
    return ExitsWhenPickled()


class ExitsWhenUnpickled(Exception):
    def __reduce__(self):
        return os._exit, (4,)


def _raises_what_exits_when_unpickled():
    raise ExitsWhenUnpickled


CRASHES = [
    (_exits, WorkerDied, r"exits-\d+, attempt 1: process-\d \(pid \d+\) exited with code 3"),
    (_forks_and_exits, WorkerDied, "exited with code 3"),
    (_segfaults, WorkerDied, "killed by signal SIGSEGV"),
    (_is_killed, WorkerDied, "killed by signal SIGKILL.*memory"),
    (_raises_what_exits_when_unpickled, WorkerDied, "exited with code 4"),
    (_raises_two_arguments, RemoteError, "TwoArguments: 1 and 2"),
    (_raises_with_lock, RemoteError, "ValueError: .*holds a lock"),
    (_gives_lock, Unserialisable, "lock"),
    (_gives_generator, Unserialisable, "generator.*return list"),
    (_gives_deep_list, Unserialisable, "(?i)recursion"),
    (_gives_what_exits_when_pickled, SystemExit, "pickled"),
    (_raises_local_base_exception, BaseException, "only here"),
    (_raises_system_exit, SystemExit, "leaving"),
    (_raises_keyboard_interrupt, KeyboardInterrupt, ""),
    (_raises_recursion_error, RecursionError, "maximum recursion"),
    (_raises_memory_error, MemoryError, ""),
]


@pytest.mark.parametrize(("fn", "kind", "text"), CRASHES, ids=[c[0].__name__[1:] for c in CRASHES])
@pytest.mark.case("U5", "U6", "U7", "U8", "U10", "U15", "U16", "U17", "U20", "U32")
def test_whatever_an_activity_does_is_its_own_calls_error_only(shared, box, gate, fn, kind, text):
    """A crash fails its own call; the neighbour running then, and later calls, succeed."""
    neighbour = job(wait_at, str(gate.path))
    shared.submit(neighbour, box)
    gate.arrived()
    crash = job(fn)
    shared.submit(crash, box)
    error = box.error(crash)
    assert isinstance(error, kind)
    assert re.search(text, str(error))
    later = [job(add, n) for n in range(3)]
    for each in later:
        shared.submit(each, box)
    assert [box.value(each) for each in later] == [1, 2, 3]
    gate.open()
    assert box.value(neighbour) == "passed"


def test_a_death_is_reported_with_times_memory_and_worker(shared, box):
    """What a dead worker cannot tell is measured from outside."""
    crash = job(_exits)
    before = time.time()
    shared.submit(crash, box)
    report = box.answer(crash).report
    assert before <= report.started <= report.ended <= time.time() + 0.01
    assert report.worker == box.worker(crash)
    assert report.memory > 1_000_000


def _closes_descriptors_and_stays():
    # Their numbers are those of the pool's process, which may have many files open.
    os.closerange(3, 1 << 20)
    signal.pause()


def test_a_worker_that_closed_its_connection_is_replaced(shared, box):
    """A worker that cannot answer any more is ended, and the error says why."""
    crash, later = job(_closes_descriptors_and_stays), job(add, 1)
    shared.submit(crash, box)
    assert "closed its connection" in str(box.error(crash))
    shared.submit(later, box)
    assert box.value(later) == 2


def _comes_back_twice():
    pid = os.fork()
    if pid == 0:
        return "fork"
    os.waitpid(pid, 0)
    return "worker"


def test_a_fork_of_the_activity_does_not_answer(shared, box):
    """Only the worker itself answers, not a forked child that returns from the activity."""
    jobs = [job(_comes_back_twice), job(_comes_back_twice)]
    for each in jobs:
        shared.submit(each, box)
    assert [box.value(each) for each in jobs] == ["worker", "worker"]


def test_code_that_cannot_be_pickled_fails_before_dispatch(make, box):
    """A function that holds a lock fails its own call, by name, and no worker is started for it."""
    pool = make(1)
    lock = threading.Lock()

    def locked():
        return lock.locked()

    call = job(locked)
    pool.submit(call, box)
    error = box.error(call)
    assert isinstance(error, Unserialisable)
    assert "code of activity locked" in str(error)
    assert "lock" in str(error)
    assert call.key not in box.workers
    assert pids_of(pool) == []


class ExitsWhenCopied:
    def __reduce__(self):
        raise SystemExit("while pickling")


def test_code_that_exits_when_pickled_ends_nothing(shared, box):
    """Whatever pickling the code raises is the error of its call."""
    bad = ExitsWhenCopied()
    call, later = job(lambda: bad), job(add, 1)
    shared.submit(call, box)
    assert isinstance(box.error(call), SystemExit)
    shared.submit(later, box)
    assert box.value(later) == 2


def _missing(*_):
    raise ModuleNotFoundError("no such module here")


class NotThere:
    def __reduce__(self):
        return _missing, ()


def test_code_that_cannot_be_read_in_the_worker_is_the_calls_error(shared, box):
    """Where the code needs a module that is not there, its call says so."""
    bad = NotThere()
    calls = [job(lambda: bad) for _ in range(3)]
    for call in calls:
        shared.submit(call, box)
        assert "no such module here" in str(box.error(call))


# Values


def _total(numbers, *, extra, text=""):
    return sum(numbers) + extra, len(text)


def test_arguments_inputs_and_blobs_reach_the_worker(shared, box):
    """Scalars, packed values, references and blobs all arrive as values."""
    big = payload.dumps("x" * 500_000, "example")
    call = job(
        _total,
        Ref("numbers-1"),
        kwargs={"extra": 4, "text": Blob("pickle", "abc", len(big))},
        inputs={"numbers-1": Blob("json", "def", 7)},
        blobs={"abc": big, "def": b"[1,2,3]"},
    )
    shared.submit(call, box)
    assert box.value(call) == (10, 500_000)


def test_a_blob_that_is_not_there_fails_its_call(shared, box):
    """What the store raises is the error of the call that needed it."""
    call = job(add, kwargs={"a": Blob("json", "nowhere", 7)})
    shared.submit(call, box)
    assert isinstance(box.error(call), KeyError)


def test_large_values_travel_both_ways(shared, box):
    """Requests and answers of many megabytes come through unchanged."""
    data = os.urandom(1 << 20) * 20
    call = job(lambda given: given[::-1], data)
    shared.submit(call, box)
    assert box.value(call) == data[::-1]


def test_a_class_of_the_notebook_comes_back_as_itself(shared, box):
    """An instance of a class that no module holds is of that very class when it returns."""
    Point = type("Point", (), {"__module__": "__main__", "__qualname__": "f.<locals>.Point"})
    call = job(Point)
    shared.submit(call, box)
    assert type(box.value(call)) is Point


def test_source_lines_are_filled_in_where_the_source_is(shared, box, monkeypatch):
    """Tracebacks show lines of cells, whose text only this process has."""
    text = "def fails():\n    raise ValueError('in a cell')\n"
    name = "<a cell>"
    monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(True), name))
    space: dict = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), space)
    call = job(space["fails"])
    shared.submit(call, box)
    frames = box.answer(call).error.frames
    assert frames[-1].source == "raise ValueError('in a cell')"


# Giving up


def test_giving_up_a_queued_call_takes_it_out_of_the_queue(make, box, gate, tmp_path):
    """A queued call that is given up is never run nor answered."""
    pool = make(1)
    first, last = job(wait_at, str(gate.path)), job(add, 1)
    queued = job(marks, str(tmp_path), 7)
    for each in (first, queued, last):
        pool.submit(each, box)
    gate.arrived()
    assert pool.give_up(queued)
    gate.open()
    assert box.value(last) == 2
    assert queued.key not in box.answers
    assert runs_of(tmp_path, 7) == 0


def _holds_the_interpreter_lock(gate):
    Path(gate, "in").write_text("")
    re.match(r"(a+)+$", "a" * 60 + "b")


@pytest.mark.case("U4")
def test_giving_up_a_running_call_kills_its_process(shared, box, gate):
    """A call that holds the interpreter's lock is stopped, and its slot used again at once."""
    stuck, later = job(_holds_the_interpreter_lock, str(gate.path)), [job(add, 1), job(add, 2)]
    shared.submit(stuck, box)
    gate.arrived()
    began = time.monotonic()
    assert shared.give_up(stuck)
    for each in later:
        shared.submit(each, box)
    assert [box.value(each) for each in later] == [2, 3]
    assert time.monotonic() - began < 5
    assert stuck.key not in box.answers


def test_a_call_that_has_ended_or_is_unknown_can_be_given_up(shared, box):
    """Giving up what does not run harms nobody."""
    ended, later = job(add, 1), job(add, 2)
    shared.submit(ended, box)
    box.answer(ended)
    assert shared.give_up(ended)
    assert shared.give_up(job(add, 1))
    shared.submit(later, box)
    assert box.value(later) == 3


def _starts_a_process(gate):
    process = subprocess.Popen(["sleep", "60"])
    wait_at(gate, f"{os.getpid()} {process.pid}")
    os._exit(3)


@pytest.mark.parametrize("how", ["given up", "died"])
@pytest.mark.case("U36")
def test_processes_started_by_an_activity_end_with_its_worker(shared, box, gate, how):
    """When a worker is killed or dies, what its activity started is killed, too."""
    call = job(_starts_a_process, str(gate.path))
    shared.submit(call, box)
    exits = Exits(*map(int, gate.arrived().split()))
    if how == "given up":
        shared.give_up(call)
    else:
        gate.open()
        assert isinstance(box.error(call), WorkerDied)
    assert exits.left_after(2) == []


def test_a_call_can_be_given_up_while_its_worker_starts(make, box):
    """Whenever it is given up, a call is not answered and the next one runs."""
    pool = make(1)
    for _ in range(3):
        call, later = job(add, 1), job(add, 2)
        pool.submit(call, box)
        pool.give_up(call)
        pool.submit(later, box)
        assert box.value(later) == 3
        for pid in pids_of(pool):
            os.kill(pid, signal.SIGKILL)
