from __future__ import annotations

import contextlib
import gc
import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nbflow.core.errors import WorkerDied
from nbflow.engine.executor import Executor
from nbflow.engine.job import Code
from nbflow.executors.pipe import Channel, Request
from nbflow.executors.processes import Processes
from tests.executors.pools import SOON, Box, Exits, Gate, add, job, pids_of, wait_at

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
    jobs = [job(add, 1), job(os._exit, 3), job(add, 1)]
    for each in jobs:
        pool.submit(each, box)
    assert [box.answer(each).report.worker for each in jobs] == ["process-1"] * 3
    assert {box.worker(each) for each in jobs} == {"process-1"}


def test_a_worker_that_died_while_idle_harms_no_call(make, box):
    """A call is not given to a worker that is not there any more."""
    pool = make(1)
    for n in range(3):
        call = job(add, n)
        pool.submit(call, box)
        assert box.value(call) == n + 1
        (pid,) = pids_of(pool)
        exits = Exits(pid)
        os.kill(pid, signal.SIGKILL)
        assert exits.left_after(SOON) == []


def test_workers_are_started_when_needed_and_kept(make, box):
    """Calls that follow one another use one process, though there are more slots."""
    pool = make(4)
    pids = set()
    for _ in range(5):
        call = job(os.getpid)
        pool.submit(call, box)
        pids.add(box.value(call))
    assert len(pids) == 1
    assert pids == set(pids_of(pool))


def test_a_call_submitted_from_an_answer_starts_no_further_process(make):
    """The process that has just answered takes the call which its answer led to."""
    pool, box = make(4), Box()
    calls = [job(os.getpid) for _ in range(20)]
    rest = iter(calls[1:])

    class Chain:
        def began(self, job, worker, at):
            pass

        def ended(self, job, answer, *, more=False):
            if (following := next(rest, None)) is not None:
                pool.submit(following, self)
            box.ended(job, answer)

    pool.submit(calls[0], Chain())
    assert len({box.value(call) for call in calls}) == 1


def test_all_slots_work_at_once(make, box, tmp_path):
    """As many calls as there are slots run at the same time."""
    pool = make(3)
    gates = [Gate(tmp_path) for _ in range(3)]
    jobs = [job(wait_at, str(gate.path)) for gate in gates]
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
            call = job(code, n)
            pool.submit(call, box)
            assert box.value(call) == n + constant
    assert sent == [True, False, False, False] * 2


def test_many_functions_do_not_stay_in_a_worker_for_ever(make, box, monkeypatch):
    """Workers forget old code, and are sent it again when it is called again."""
    monkeypatch.setattr("nbflow.executors.processes.CODES", 2)
    pool = make(1)
    codes = [Code("fn", lambda n=n: n) for n in range(5)]
    for n in (0, 1, 0, 2, 3, 4, 0, 4):
        call = job(codes[n])
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
        jobs = [job(add, 1) for _ in range(4)]
        for each in jobs:
            pool.submit(each, box)
        for each in jobs:
            error = box.error(each)
            assert isinstance(error, WorkerDied)
            expected = "code 7.*\nthe disk is on fire" if kind == "failing" else "No such file"
            assert re.search(expected, str(error))
    later = job(add, 1)
    pool.submit(later, box)
    assert box.value(later) == 2


def _leaves():
    os.chdir("/")


@pytest.mark.case("U38")
def test_activities_run_in_the_present_directory(make, box, monkeypatch, tmp_path):
    """Each call starts in the notebook's directory of that moment, wherever the last one went."""
    pool = make(1)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, here, there):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        call = job(os.getcwd)
        pool.submit(job(_leaves), box)
        pool.submit(call, box)
        assert box.value(call) == str(folder)


def _imports():
    return importlib.import_module("module_of_a_user").VALUE


def test_modules_found_here_are_found_in_workers(make, box, monkeypatch, tmp_path):
    """Changes of the import path reach workers that run already."""
    pool = make(1)
    call = job(_imports)
    pool.submit(call, box)
    assert isinstance(box.error(call), ModuleNotFoundError)
    (tmp_path / "module_of_a_user.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(tmp_path)
    again = job(_imports)
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
    call = job(_speaks)
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
    jobs = [job(add, 1), job(add, 2), job(wait_at, str(gate.path))]
    for each in jobs:
        pool.submit(each, box)
    gate.arrived()
    box.value(jobs[0])
    box.value(jobs[1])
    pids, threads = pids_of(pool), list(pool._dispatch._lanes)
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
    call = job(add, 1)
    pool.submit(call, box)
    assert "closed" in str(box.error(call))


def test_a_pool_that_is_not_used_starts_nothing():
    """Making a pool costs nothing."""
    before = threading.active_count()
    pool = Processes(4)
    assert threading.active_count() == before
    assert pids_of(pool) == []
    pool.close()


def test_a_pool_that_is_forgotten_ends_its_workers(box):
    """Without a reference to the pool, its processes end."""
    pool = Processes(1)
    call = job(add, 1)
    pool.submit(call, box)
    box.answer(call)
    (lane,) = pool._dispatch._lanes
    exits = Exits(*pids_of(pool))
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

        def ended(self, job, answer, *, more=False):
            raise RuntimeError("no ended")

    call, later = job(add, 1), job(add, 2)
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
        self.begun, self.done = threading.Event(), threading.Event()
    def began(self, job, worker, at):
        self.begun.set()
    def ended(self, job, answer, *, more=False):
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

FORKED = """
def sleeps(path):
    say(os.getpid())
    time.sleep(2.5)
    open(path, "w").close()

box = submit(sleeps, sys.argv[1])
box.begun.wait()
if os.fork() == 0:
    os.close(1)
    time.sleep(5)
    os._exit(0)
box.done.wait()
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


def _started(tmp_path, text, *args):
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


@pytest.mark.case("U34", "U36")
def test_nothing_survives_the_kill_of_the_parent(tmp_path):
    """After kill -9 of the notebook, no worker nor what it started is there 2 s later.

    Not even one that holds the interpreter's lock; so a resumed run overlaps with nothing.
    """
    effect = tmp_path / "effect"
    with _started(tmp_path, KILLED, str(effect)) as process:
        pids = [int(pid) for _ in range(3) for pid in process.stdout.readline().split()]
        exits = Exits(*pids)
        process.kill()
        assert len(pids) == 4
        assert exits.left_after(2) == []
    assert not effect.exists()


def test_a_fork_of_the_parent_keeps_no_worker_alive(tmp_path):
    """Workers end with the parent itself, also where a fork of it holds its descriptors."""
    effect = tmp_path / "effect"
    with _started(tmp_path, FORKED, str(effect)) as process:
        exits = Exits(int(process.stdout.readline()))
        process.kill()
        assert exits.left_after(2) == []
    assert not effect.exists()


@pytest.mark.case("U29")
def test_the_stop_button_leaves_the_pool_as_it_is(tmp_path):
    """SIGINT to the process group interrupts the notebook, no activity, and breaks no pool."""
    with _started(tmp_path, INTERRUPTED) as process:
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=SOON)
    assert out.split() == ["interrupted", "finished", "running", "finished"]
    assert process.returncode == 0
