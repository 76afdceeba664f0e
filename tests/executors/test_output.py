"""What activities write in other processes: how it gets home, whatever becomes of the process."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from nbflow.core.errors import WorkerDied
from nbflow.engine import streams
from nbflow.engine.output import Rules
from nbflow.executors.futures import Futures
from nbflow.testing.checks import eventually
from tests.executors.pools import Box, add, job, wait_at


def said(box, of, channel="stdout"):
    """Give what a job wrote to a channel."""
    return "".join(text for key, on, text, _ in box.texts if key == of.key and on == channel)


@pytest.fixture(autouse=True)
def rules():
    """Leave the rules as they were."""
    before = streams.rules()
    yield
    streams.use(before)


# -------------------------------------------------------------------- last words


def print_and_die(how, end, flush):
    """Say something, and end the process in a bad way."""
    print("begun")
    print("last words", end=end, flush=flush)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(3)
    ctypes.string_at(0)


@pytest.mark.parametrize("how", ["kill", "exit", "segfault"])
@pytest.mark.parametrize(("end", "flush"), [("\n", False), ("\n", True), ("", True)])
def test_the_last_words_of_a_process_that_dies_are_kept(make, box, how, end, flush):
    """A line that ended, or what was flushed, is told before the failure."""
    pool = make(1)
    one = job(print_and_die, how, end, flush)
    pool.submit(one, box)
    assert isinstance(box.error(one), WorkerDied)
    assert said(box, one) == f"begun\nlast words{end}"
    assert box.told[-1] == ("ended", one.key)
    other = job(print, "next")
    pool.submit(other, box)
    box.value(other)
    assert said(box, other) == "next\n"


def progress(gate):
    """Draw a bar, wait, and finish it."""
    for n in range(100):
        print(f"\r{n}%", end="", flush=True)
    wait_at(gate)
    print("\rdone")


def test_a_bar_that_is_flushed_is_told_of_when_it_ends(make, box, gate):
    """Its states are sent, for the case that the process dies, but no text until it does end."""
    pool = make(1)
    one = job(progress, str(gate.path))
    pool.submit(one, box)
    gate.arrived()
    assert box.texts == []
    gate.open()
    box.value(one)
    assert said(box, one) == "done\n"


def test_a_bar_of_a_process_that_is_killed_is_kept_as_it_was(make, box):
    """With it, people know how far it got."""

    def act():
        for n in range(100):
            sys.stderr.write(f"\r{n}%")
            sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    one = job(act)
    make(1).submit(one, box)
    box.error(one)
    assert said(box, one, "stderr") == "99%"


# -------------------------------------------------------------------- how much


@pytest.mark.case("U13")
def test_a_flood_is_cut_where_it_is_written(make, box):
    """The pipe is spared, and what was dropped is counted."""
    streams.use(Rules(stream=False, attempt=1000))

    def flood():
        for n in range(20_000):
            print("x" * 99, flush=n % 1000 == 0)

    pool = make(1)
    for _ in range(2):
        one = job(flood)
        pool.submit(one, box)
        box.value(one)
        assert len(said(box, one)) == 1000
        told = [dropped for key, _, _, dropped in box.texts if key == one.key]
        assert sum(told) == 20_000 * 100 - 1000
        assert len(told) < 100


@pytest.mark.parametrize("place", ["ours", "stock"])
def test_binary_garbage_arrives_as_text(make, box, stock, place):
    """Whatever is written can be stored and sent on."""

    def act():
        sys.stdout.write(bytes(range(256)).decode(errors="surrogateescape") + "\n")

    streams.use(Rules(stream=False))
    one = job(act)
    (make(1) if place == "ours" else Futures(stock)).submit(one, box)
    box.value(one)
    text = said(box, one)
    assert text.encode()
    assert "\\udc80" in text


@pytest.fixture(scope="module")
def stock():
    """Give a pool of the standard library's."""
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    yield pool
    pool.shutdown()


# -------------------------------------------------------------------- where it goes


def talk():
    """Write to everything."""
    print("out")
    print("err", file=sys.stderr)
    logging.getLogger("x").warning("careful")


@pytest.mark.parametrize("place", ["ours", "stock"])
def test_workers_obey_the_rules_of_the_moment(make, box, stock, place, capfd):
    """Also those that were started before: to the log, to the stream, to both."""
    pool = make(1) if place == "ours" else Futures(stock)
    for log, stream in [(True, True), (True, False), (False, True), (True, None), (True, True)]:
        streams.use(Rules(log=log, stream=stream))
        capfd.readouterr()
        one = job(talk)
        pool.submit(one, box)
        box.value(one)
        assert said(box, one) == ("out\n" if log else "")
        assert said(box, one, "stderr") == ("err\n" if log else "")
        assert said(box, one, "log:WARNING") == ("careful\n" if log else "")
        if place == "ours":
            out, err = capfd.readouterr()
            assert out == ("out\n" if stream else "")
            assert err == ("err\ncareful\n" if stream else "")


# -------------------------------------------------------------------- who said it


def leave_a_thread(folder):
    """Leave a thread behind that speaks in the name of the attempt when it is over."""
    import contextvars
    import pathlib

    def late():
        while not pathlib.Path(folder, "go").exists():
            time.sleep(0.001)
        print("too late", flush=True)
        pathlib.Path(folder, "went").touch()

    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(late,), daemon=True).start()
    print("on time")
    return os.getpid()


@pytest.mark.case("U37")
def test_what_is_left_of_an_attempt_is_not_listened_to(make, box, tmp_path):
    """It disturbs neither an idle worker nor the next attempt on it."""
    pool = make(1)
    one = job(leave_a_thread, str(tmp_path))
    pool.submit(one, box)
    pid = box.value(one)
    (tmp_path / "go").touch()
    eventually((tmp_path / "went").exists, "the thread has spoken")
    other = job(os.getpid)
    pool.submit(other, box)
    assert box.value(other) == pid
    assert said(box, one) == "on time\n"
    assert said(box, other) == ""


def test_short_jobs_that_are_sent_early_keep_their_words(make, box):
    """However the requests were sent, text belongs to the job that wrote it."""
    pool = make(2)

    def act(n):
        if n % 3:
            print(n, end="" if n % 2 else "\n")
        return n

    code = job(act).code
    jobs = [job(code, n) for n in range(600)]
    for each in jobs:
        pool.submit(each, box)
    for n, each in enumerate(jobs):
        assert box.value(each) == n
        assert said(box, each) == (f"{n}{'' if n % 2 else chr(10)}" if n % 3 else "")


def test_a_fork_of_an_activity_says_nothing_to_the_pool(make, box, capfd):
    """It has no part in the conversation, and prints where the worker would."""

    def act():
        print("before")
        pid = os.fork()
        if not pid:
            print("forked", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print("after")

    one = job(act)
    pool = make(1)
    pool.submit(one, box)
    box.value(one)
    assert said(box, one) == "before\nafter\n"
    assert capfd.readouterr().out == "before\nforked\nafter\n"
    other = job(add, 1)
    pool.submit(other, box)
    assert box.value(other) == 2


def test_an_inbox_that_fails_does_not_cost_a_lane(make, box):
    """A fault of the run's is its own."""

    class Bad(Box):
        def wrote(self, job, channel, text, dropped=0):
            raise OSError

    bad, pool = Bad(), make(1)
    one = job(print, "x")
    pool.submit(one, bad)
    bad.value(one)
    other = job(print, "y")
    pool.submit(other, box)
    box.value(other)
    assert said(box, other) == "y\n"
