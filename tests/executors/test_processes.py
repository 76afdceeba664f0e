from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import linecache
import os
import re
import select
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
from nbflow.engine.executor import Executor
from nbflow.engine.job import Code, Job
from nbflow.executors.pipe import Channel, Request
from nbflow.executors.processes import Processes

SOON = 20

_ids = itertools.count(1)


class Box:
    """An inbox that keeps what it is told, and lets a test wait for it."""

    def __init__(self):
        self._changed = threading.Condition()
        self.workers = {}
        self.answers = {}
        self.told = []

    def began(self, job, worker, at):
        with self._changed:
            self.workers[job.key] = worker
            self.told.append(("began", job.key))
            self._changed.notify_all()

    def ended(self, job, answer):
        with self._changed:
            self.answers[job.key] = answer
            self.told.append(("ended", job.key))
            self._changed.notify_all()

    def worker(self, job):
        with self._changed:
            assert self._changed.wait_for(lambda: job.key in self.workers, SOON)
            return self.workers[job.key]

    def answer(self, job):
        with self._changed:
            assert self._changed.wait_for(lambda: job.key in self.answers, SOON), job.call
            return self.answers[job.key]

    def value(self, job):
        return _value_of(self.answer(job))

    def error(self, job):
        failure = self.answer(job).error
        assert failure is not None
        return failure.rebuild()


class Gate:
    """A place where an activity in another process waits for the test, and the test for it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"gate-{next(_ids)}"
        self.path.mkdir()
        for name in ("in", "out"):
            os.mkfifo(self.path / name)

    def arrived(self) -> str:
        """Wait until the activity is there; what it says."""
        return (self.path / "in").read_text()

    def open(self) -> None:
        """Let it go on."""
        (self.path / "out").write_text("")


def _wait_at(gate: str, say="") -> str:
    Path(gate, "in").write_text(say)
    Path(gate, "out").read_text()
    return "passed"


def _job(fn, *args, kwargs=None, inputs=None, blobs=None, attempt=1) -> Job:
    name = getattr(fn, "__name__", "fn")
    return Job(
        run="run",
        call=f"{name}-{next(_ids)}",
        attempt=attempt,
        code=fn if isinstance(fn, Code) else Code(name, fn),
        args=tuple(payload.pack(a, "argument", _ref_of) for a in args),
        kwargs=kwargs,
        inputs=inputs,
        live=None,
        timeout=None,
        fetch=(blobs or {}).__getitem__,
    )


def _ref_of(value) -> str | None:
    return value.call if isinstance(value, Ref) else None


def _value_of(answer):
    assert answer.error is None, answer.error
    return payload.unpack(answer.result, _nothing, _nothing)


def _nothing(key):
    raise KeyError(key)


class Exits:
    """Waits for the ends of processes that need not be this one's children."""

    def __init__(self, *pids) -> None:
        self._poll = {}
        for pid in pids:
            fd = os.pidfd_open(pid)
            self._poll[pid] = fd

    def left_after(self, seconds: float) -> list[int]:
        """Give those that are still there after that time."""
        end = time.monotonic() + seconds
        left = []
        for pid, fd in self._poll.items():
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                left.append(pid)
            os.close(fd)
        return left


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path)


@pytest.fixture(scope="module")
def shared():
    """Two slots for the tests that may share them: any of these must leave the pool usable."""
    pool = Processes(2)
    yield pool
    pool.close()


@pytest.fixture
def make():
    """Makes pools that are closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(slots: int) -> Processes:
            pool = Processes(slots)
            stack.callback(pool.close)
            return pool

        yield make


def _add(a, b=1):
    return a + b


def _pids_of(pool) -> list[int]:
    return [lane.child.pid for lane in pool._dispatch._lanes if lane.child is not None]


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
def test_whatever_an_activity_does_is_its_own_calls_error_only(shared, box, gate, fn, kind, text):
    """A crash fails its own call; the neighbour running then, and later calls, succeed."""
    neighbour = _job(_wait_at, str(gate.path))
    shared.submit(neighbour, box)
    gate.arrived()
    crash = _job(fn)
    shared.submit(crash, box)
    error = box.error(crash)
    assert isinstance(error, kind)
    assert re.search(text, str(error))
    later = [_job(_add, n) for n in range(3)]
    for each in later:
        shared.submit(each, box)
    assert [box.value(each) for each in later] == [1, 2, 3]
    gate.open()
    assert box.value(neighbour) == "passed"


def test_a_death_is_reported_with_times_memory_and_worker(shared, box):
    """What a dead worker cannot tell is measured from outside."""
    crash = _job(_exits)
    before = time.time()
    shared.submit(crash, box)
    report = box.answer(crash).report
    assert before <= report.started <= report.ended <= time.time() + 0.01
    assert report.worker == box.worker(crash)
    assert report.memory > 1_000_000


def _closes_descriptors_and_stays():
    os.closerange(3, 100)
    signal.pause()


def test_a_worker_that_closed_its_connection_is_replaced(shared, box):
    """A worker that cannot answer any more is ended, and the error says why."""
    crash, later = _job(_closes_descriptors_and_stays), _job(_add, 1)
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
    jobs = [_job(_comes_back_twice), _job(_comes_back_twice)]
    for each in jobs:
        shared.submit(each, box)
    assert [box.value(each) for each in jobs] == ["worker", "worker"]


def test_code_that_cannot_be_pickled_fails_before_dispatch(make, box):
    """A function that holds a lock fails its own call, by name, and no worker is started for it."""
    pool = make(1)
    lock = threading.Lock()

    def locked():
        return lock.locked()

    call = _job(locked)
    pool.submit(call, box)
    error = box.error(call)
    assert isinstance(error, Unserialisable)
    assert "code of activity locked" in str(error)
    assert "lock" in str(error)
    assert call.key not in box.workers
    assert _pids_of(pool) == []


class ExitsWhenCopied:
    def __reduce__(self):
        raise SystemExit("while pickling")


def test_code_that_exits_when_pickled_ends_nothing(shared, box):
    """Whatever pickling the code raises is the error of its call."""
    bad = ExitsWhenCopied()
    call, later = _job(lambda: bad), _job(_add, 1)
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
    calls = [_job(lambda: bad) for _ in range(3)]
    for call in calls:
        shared.submit(call, box)
        assert "no such module here" in str(box.error(call))


# Values


def _total(numbers, *, extra, text=""):
    return sum(numbers) + extra, len(text)


def test_arguments_inputs_and_blobs_reach_the_worker(shared, box):
    """Scalars, packed values, references and blobs all arrive as values."""
    big = payload.dumps("x" * 500_000, "example")
    call = _job(
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
    call = _job(_add, kwargs={"a": Blob("json", "nowhere", 7)})
    shared.submit(call, box)
    assert isinstance(box.error(call), KeyError)


def test_large_values_travel_both_ways(shared, box):
    """Requests and answers of many megabytes come through unchanged."""
    data = os.urandom(1 << 20) * 20
    call = _job(lambda given: given[::-1], data)
    shared.submit(call, box)
    assert box.value(call) == data[::-1]


def test_a_class_of_the_notebook_comes_back_as_itself(shared, box):
    """An instance of a class that no module holds is of that very class when it returns."""
    Point = type("Point", (), {"__module__": "__main__", "__qualname__": "f.<locals>.Point"})
    call = _job(Point)
    shared.submit(call, box)
    assert type(box.value(call)) is Point


def test_source_lines_are_filled_in_where_the_source_is(shared, box, monkeypatch):
    """Tracebacks show lines of cells, whose text only this process has."""
    text = "def fails():\n    raise ValueError('in a cell')\n"
    name = "<a cell>"
    monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(True), name))
    space: dict = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), space)
    call = _job(space["fails"])
    shared.submit(call, box)
    frames = box.answer(call).error.frames
    assert frames[-1].source == "raise ValueError('in a cell')"


# Giving up


def test_giving_up_a_queued_call_takes_it_out_of_the_queue(make, box, gate, tmp_path):
    """A queued call that is given up is never run nor answered."""
    pool = make(1)
    first, last = _job(_wait_at, str(gate.path)), _job(_add, 1)
    queued = _job(_marks, str(tmp_path), 7)
    for each in (first, queued, last):
        pool.submit(each, box)
    gate.arrived()
    assert pool.give_up(queued)
    gate.open()
    assert box.value(last) == 2
    assert queued.key not in box.answers
    assert _runs_of(tmp_path, 7) == 0


def _holds_the_interpreter_lock(gate):
    Path(gate, "in").write_text("")
    re.match(r"(a+)+$", "a" * 60 + "b")


def test_giving_up_a_running_call_kills_its_process(shared, box, gate):
    """A call that holds the interpreter's lock is stopped, and its slot used again at once."""
    stuck, later = _job(_holds_the_interpreter_lock, str(gate.path)), [_job(_add, 1), _job(_add, 2)]
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
    ended, later = _job(_add, 1), _job(_add, 2)
    shared.submit(ended, box)
    box.answer(ended)
    assert shared.give_up(ended)
    assert shared.give_up(_job(_add, 1))
    shared.submit(later, box)
    assert box.value(later) == 3


def _starts_a_process(gate):
    process = subprocess.Popen(["sleep", "60"])
    _wait_at(gate, f"{os.getpid()} {process.pid}")
    os._exit(3)


@pytest.mark.parametrize("how", ["given up", "died"])
def test_processes_started_by_an_activity_end_with_its_worker(shared, box, gate, how):
    """When a worker is killed or dies, what its activity started is killed, too."""
    call = _job(_starts_a_process, str(gate.path))
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
        call, later = _job(_add, 1), _job(_add, 2)
        pool.submit(call, box)
        pool.give_up(call)
        pool.submit(later, box)
        assert box.value(later) == 3
        for pid in _pids_of(pool):
            os.kill(pid, signal.SIGKILL)


# Calls sent early


def _marks(folder, number, crash=None):
    with Path(folder, str(number)).open("a") as file:
        file.write(".")
    if crash == "exit":
        os._exit(3)
    if crash == "wait":
        signal.pause()
    return number


def _runs_of(folder, number) -> int:
    path = folder / str(number)
    return len(path.read_text()) if path.exists() else 0


def _early_count(pool) -> int:
    return sum(lane.child.tickets for lane in pool._dispatch._lanes if lane.child is not None)


def test_deaths_among_short_calls_harm_no_other_call(make, box, tmp_path):
    """With calls sent early, a death still fails one call, and every call runs exactly once."""
    pool, code = make(2), Code("marks", _marks)
    deadly = {150, 300, 301, 450}
    jobs = {n: _job(code, str(tmp_path), n, "exit" if n in deadly else None) for n in range(1, 601)}
    for each in jobs.values():
        pool.submit(each, box)
    for n, each in jobs.items():
        if n in deadly:
            assert isinstance(box.error(each), WorkerDied)
        else:
            assert box.value(each) == n
    assert _early_count(pool) > 0
    assert {n: _runs_of(tmp_path, n) for n in jobs} == dict.fromkeys(jobs, 1)
    order = [key for kind, key in box.told if kind == "began"]
    assert len(order) == len(set(order))


def test_giving_up_short_calls_harms_no_other_call(make, box, tmp_path):
    """With calls sent early, giving some up leaves all others to run exactly once."""
    pool, code = make(2), Code("marks", _marks)
    unwanted = set(range(40, 600, 47))
    jobs = {
        n: _job(code, str(tmp_path), n, "wait" if n in unwanted else None) for n in range(1, 601)
    }
    for each in jobs.values():
        pool.submit(each, box)
    for n in sorted(unwanted):
        # Some are queued, some were sent early, some run.
        if n % 2:
            box.worker(jobs[n - 1])
        else:
            box.worker(jobs[n])
        pool.give_up(jobs[n])
    wanted = {n: each for n, each in jobs.items() if n not in unwanted}
    assert {n: box.value(each) for n, each in wanted.items()} == {n: n for n in wanted}
    assert {n: _runs_of(tmp_path, n) for n in wanted} == dict.fromkeys(wanted, 1)
    assert not [n for n in unwanted if jobs[n].key in box.answers]


def test_a_call_sent_early_does_not_wait_behind_a_long_one(make, box, tmp_path):
    """A call that was sent to a busy process is run elsewhere if that stays busy."""
    pool, code = make(2), Code("add", _add)
    for _ in range(5):
        warm = [_job(code, n) for n in range(200)]
        gate = Gate(tmp_path)
        long = _job(_wait_at, str(gate.path))
        after = [_job(code, n) for n in range(20)]
        for each in (*warm, long, *after):
            pool.submit(each, box)
        assert [box.value(each) for each in after] == [n + 1 for n in range(20)]
        assert long.key not in box.answers
        gate.arrived()
        gate.open()
        assert box.value(long) == "passed"
    assert _early_count(pool) > 0


# Workers


def test_it_is_an_executor(shared):
    """It is what the engine calls an executor, and says where and how much it runs."""
    assert isinstance(shared, Executor)
    assert (shared.name, shared.slots, shared.in_process) == ("processes", 2, False)
    assert Processes().slots == os.cpu_count()
    with pytest.raises(ValueError, match="max_workers"):
        Processes(0)


def test_a_worker_is_replaced_under_its_name(make, box):
    """A slot keeps its name, so that pictures have one lane for each slot."""
    pool = make(1)
    jobs = [_job(_add, 1), _job(_exits), _job(_add, 1)]
    for each in jobs:
        pool.submit(each, box)
    assert [box.answer(each).report.worker for each in jobs] == ["process-1"] * 3
    assert {box.worker(each) for each in jobs} == {"process-1"}


def test_a_worker_that_died_while_idle_harms_no_call(make, box):
    """A call is not given to a worker that is not there any more."""
    pool = make(1)
    for n in range(3):
        call = _job(_add, n)
        pool.submit(call, box)
        assert box.value(call) == n + 1
        (pid,) = _pids_of(pool)
        exits = Exits(pid)
        os.kill(pid, signal.SIGKILL)
        assert exits.left_after(SOON) == []


def test_workers_are_started_when_needed_and_kept(make, box):
    """Calls that follow one another use one process, though there are more slots."""
    pool = make(4)
    pids = set()
    for _ in range(5):
        call = _job(os.getpid)
        pool.submit(call, box)
        pids.add(box.value(call))
    assert len(pids) == 1
    assert pids == set(_pids_of(pool))


def test_a_call_submitted_from_an_answer_starts_no_further_process(make):
    """The process that has just answered takes the call which its answer led to."""
    pool, box = make(4), Box()
    calls = [_job(os.getpid) for _ in range(20)]
    rest = iter(calls[1:])

    class Chain:
        def began(self, job, worker, at):
            pass

        def ended(self, job, answer):
            if (following := next(rest, None)) is not None:
                pool.submit(following, self)
            box.ended(job, answer)

    pool.submit(calls[0], Chain())
    assert len({box.value(call) for call in calls}) == 1


def test_all_slots_work_at_once(make, box, tmp_path):
    """As many calls as there are slots run at the same time."""
    pool = make(3)
    gates = [Gate(tmp_path) for _ in range(3)]
    jobs = [_job(_wait_at, str(gate.path)) for gate in gates]
    for each in jobs:
        pool.submit(each, box)
    for gate in gates:
        gate.arrived()
    for gate in gates:
        gate.open()
    assert [box.value(each) for each in jobs] == ["passed"] * 3
    assert {box.worker(each) for each in jobs} == {"process-1", "process-2", "process-3"}


def test_code_is_shipped_once_to_each_worker(make, box, monkeypatch):
    """A function's bytes travel with the first call only; changed code travels again."""
    pool, sent, send = make(1), [], Channel.send

    def count(channel, message):
        if isinstance(message, Request):
            sent.append(message.blob is not None)
        send(channel, message)

    monkeypatch.setattr(Channel, "send", count)
    for constant in (1, 2):
        code = Code("fn", lambda n, constant=constant: n + constant)
        for n in range(4):
            call = _job(code, n)
            pool.submit(call, box)
            assert box.value(call) == n + constant
    assert sent == [True, False, False, False] * 2


def test_many_functions_do_not_stay_in_a_worker_for_ever(make, box, monkeypatch):
    """Workers forget old code, and are sent it again when it is called again."""
    monkeypatch.setattr("nbflow.executors.processes.CODES", 2)
    pool = make(1)
    codes = [Code("fn", lambda n=n: n) for n in range(5)]
    for n in (0, 1, 0, 2, 3, 4, 0, 4):
        call = _job(codes[n])
        pool.submit(call, box)
        assert box.value(call) == n


@pytest.mark.parametrize("kind", ["missing", "failing"])
def test_workers_that_cannot_be_started_fail_their_calls(make, box, tmp_path, monkeypatch, kind):
    """Each call fails with what the interpreter said; the pool works once that is mended."""
    python = tmp_path / "python"
    if kind == "failing":
        python.write_text("#!/bin/sh\necho 'the disk is on fire' >&2\nexit 7\n")
        python.chmod(0o755)
    pool = make(2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(python))
        jobs = [_job(_add, 1) for _ in range(4)]
        for each in jobs:
            pool.submit(each, box)
        for each in jobs:
            error = box.error(each)
            assert isinstance(error, WorkerDied)
            expected = "code 7.*\nthe disk is on fire" if kind == "failing" else "No such file"
            assert re.search(expected, str(error))
    later = _job(_add, 1)
    pool.submit(later, box)
    assert box.value(later) == 2


def _leaves():
    os.chdir("/")


def test_activities_run_in_the_present_directory(make, box, monkeypatch, tmp_path):
    """Each call starts in the notebook's directory of that moment, wherever the last one went."""
    pool = make(1)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, here, there):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        call = _job(os.getcwd)
        pool.submit(_job(_leaves), box)
        pool.submit(call, box)
        assert box.value(call) == str(folder)


def _imports():
    return importlib.import_module("module_of_a_user").VALUE


def test_modules_found_here_are_found_in_workers(make, box, monkeypatch, tmp_path):
    """Changes of the import path reach workers that run already."""
    pool = make(1)
    call = _job(_imports)
    pool.submit(call, box)
    assert isinstance(box.error(call), ModuleNotFoundError)
    (tmp_path / "module_of_a_user.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(tmp_path)
    again = _job(_imports)
    pool.submit(again, box)
    assert box.value(again) == 7


def _speaks():
    print("said in a worker", end="")
    print("complained in a worker", file=sys.stderr)
    with contextlib.suppress(EOFError):
        input()


def test_output_is_this_process_and_input_is_empty(box, capfd):
    """What activities print appears at once where this process prints; there is nothing to read."""
    pool = Processes(1)
    call = _job(_speaks)
    pool.submit(call, box)
    assert box.value(call) is None
    out, err = capfd.readouterr()
    assert out == "said in a worker"
    assert "complained in a worker" in err
    pool.close()


# Ends


def test_closing_ends_everything_at_once(box, gate):
    """No process and no thread is left; busy workers are killed; closing twice is fine."""
    pool = Processes(3)
    jobs = [_job(_add, 1), _job(_add, 2), _job(_wait_at, str(gate.path))]
    for each in jobs:
        pool.submit(each, box)
    gate.arrived()
    box.value(jobs[0])
    box.value(jobs[1])
    pids, threads = _pids_of(pool), list(pool._dispatch._lanes)
    assert len(pids) == 3
    began = time.monotonic()
    pool.close()
    pool.close()
    assert time.monotonic() - began < 3
    assert not [thread for thread in threads if thread.is_alive()]
    for pid in pids:
        with pytest.raises(ProcessLookupError):  # a zombie could still be signalled
            os.kill(pid, 0)
    assert jobs[2].key not in box.answers


def test_a_closed_pool_refuses_calls(box):
    """Nobody waits for a pool that has ended."""
    pool = Processes(1)
    pool.close()
    call = _job(_add, 1)
    pool.submit(call, box)
    assert "closed" in str(box.error(call))


def test_a_pool_that_is_not_used_starts_nothing():
    """Making a pool costs nothing."""
    before = threading.active_count()
    pool = Processes(4)
    assert threading.active_count() == before
    assert _pids_of(pool) == []
    pool.close()


def test_a_pool_that_is_forgotten_ends_its_workers(box):
    """Without a reference to the pool, its processes end."""
    pool = Processes(1)
    call = _job(_add, 1)
    pool.submit(call, box)
    box.answer(call)
    (lane,) = pool._dispatch._lanes
    exits = Exits(*_pids_of(pool))
    del pool
    gc.collect()
    assert exits.left_after(SOON) == []
    lane.join(SOON)
    assert not lane.is_alive()


def test_a_faulty_inbox_costs_only_its_own_run(make, caplog):
    """An inbox that raises is logged; the lane serves other runs."""
    pool, good = make(1), Box()

    class Faulty:
        def began(self, job, worker, at):
            raise RuntimeError("no began")

        def ended(self, job, answer):
            raise RuntimeError("no ended")

    call, later = _job(_add, 1), _job(_add, 2)
    pool.submit(call, Faulty())
    pool.submit(later, good)
    assert good.value(later) == 3
    assert call.call in caplog.text


# Scripts: no guard for __main__, functions of the script itself.

SCRIPT = """
import os, re, subprocess, sys, threading, time
from nbflow.engine.job import Code, Job
from nbflow.executors.processes import Processes

class Box:
    def __init__(self):
        self.done = threading.Event()
    def began(self, job, worker, at):
        pass
    def ended(self, job, answer):
        self.answer = answer
        self.done.set()

def submit(fn, *args):
    box, name = Box(), fn.__name__
    pool.submit(Job("r", name, 1, Code(name, fn), args, None, None, None, None, None), box)
    return box

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

pool = Processes(3)
"""

KILLED = """
def sleeps(path):
    say(os.getpid())
    time.sleep(1)
    open(path, "w").close()

def holds(path):
    say(os.getpid())
    re.match(r"(a+)+$", "a" * 60 + "b")

def starts(path):
    say(os.getpid(), subprocess.Popen(["sh", "-c", "sleep 1; touch " + path]).pid)
    time.sleep(60)

boxes = [submit(fn, sys.argv[1]) for fn in (sleeps, holds, starts)]
boxes[1].done.wait()
"""

INTERRUPTED = """
def waits():
    say("running")
    time.sleep(0.5)
    return "finished"

box = submit(waits)
try:
    box.done.wait()
except KeyboardInterrupt:
    say("interrupted")
box.done.wait()
say(box.answer.result)
again = submit(waits)
again.done.wait()
say(again.answer.result)
pool.close()
"""


def started(tmp_path, text, *args):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + text)
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, str(script), *args],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": root},
    )


def test_nothing_survives_the_kill_of_the_parent(tmp_path):
    """After kill -9 of the notebook, no worker nor what it started is there 2 s later.

    Not even one that holds the interpreter's lock; so a resumed run overlaps with nothing.
    """
    effect = tmp_path / "effect"
    with started(tmp_path, KILLED, str(effect)) as process:
        pids = [int(pid) for _ in range(3) for pid in process.stdout.readline().split()]
        exits = Exits(*pids)
        process.kill()
        assert len(pids) == 4
        assert exits.left_after(2) == []
    assert not effect.exists()


def test_the_stop_button_leaves_the_pool_as_it_is(tmp_path):
    """SIGINT to the process group interrupts the notebook, no activity, and breaks no pool."""
    with started(tmp_path, INTERRUPTED) as process:
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=SOON)
    assert out.split() == ["interrupted", "finished", "running", "finished"]
    assert process.returncode == 0
