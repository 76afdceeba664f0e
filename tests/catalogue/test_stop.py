"""U28 to U31: the stop button and Ctrl-C, as signals that real processes get."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbflow
from nbflow.store.unbroken import Unbroken

ROOT = str(Path(__file__).parents[2])
SETUP = """
import asyncio, os, signal, sys, threading, time
import nbflow
nbflow.configure(on=sys.argv[1], store=sys.argv[2], max_workers=2)
GATE = sys.argv[4]

@nbflow.activity
def work(n):
    while not os.path.exists(GATE):
        time.sleep(0.005)
    return n

@nbflow.workflow
def flow():
    return sum(call.result() for call in [work(n) for n in range(int(sys.argv[3]))])
"""
WAITS = """
run, times = flow.start(), 0
while True:
    try:
        print("waiting", flush=True)
        result = run.result()
        break
    except KeyboardInterrupt:
        times += 1
        print("interrupted", flush=True)
print("over", result, run.status, run.counts(), flush=True)
"""
AWAITS = """
async def cell():
    print("waiting", flush=True)
    return await run

run = flow.start()
try:
    asyncio.run(cell())
except (KeyboardInterrupt, asyncio.CancelledError):
    print("interrupted", flush=True)
print("over", run.result(), run.status, flush=True)
"""
TWICE = """
import random
chance = random.Random(4)

def strike():
    for _ in range(2):
        struck.wait(chance.random() * 0.03)
        os.kill(os.getpid(), signal.SIGINT)
    struck.set()

for trial in range(25):
    struck, begun = threading.Event(), False
    while True:
        try:
            if not begun:
                begun = True
                threading.Thread(target=strike).start()
                nbflow.run(flow)
            struck.wait()
            for _ in range(5):  # so that a late signal is felt here
                threading.Event().wait(0.001)
            break
        except KeyboardInterrupt:
            pass
    for row in nbflow.runs(1):
        nbflow.attach(row.run).wait(10)
statuses = {row.status for row in nbflow.runs(None)}
print("over", sorted(statuses), nbflow.run(flow), flush=True)
"""


@contextlib.contextmanager
def started(text: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a process group of its own, as a kernel is."""
    with subprocess.Popen(
        [sys.executable, "-c", SETUP + text, *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """Give the next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_u28_u29_an_interrupt_at_any_time_stops_the_waiting_and_nothing_else(on, tmp_path):
    """Twenty times: the cell is back within a second, no call is lost or tried again."""
    chance, slowest = random.Random(28), 0.0
    with started(WAITS, on, tmp_path / "store", 100, tmp_path / "open") as process:
        for _ in range(20):
            assert line(process) == "waiting"
            threading.Event().wait(chance.random() * 0.03)
            struck = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            assert line(process) == "interrupted"
            slowest = max(slowest, time.monotonic() - struck)
        assert line(process) == "waiting"
        (tmp_path / "open").touch()
        assert line(process) == "over 4950 completed {'done': 100}"
    assert slowest < 1
    nbflow.configure(store=tmp_path / "store")
    (row,) = nbflow.runs()
    assert {call.attempt for call in nbflow.attach(row.run).calls.values()} == {1}


def test_u30_an_interrupt_while_a_run_is_awaited_is_felt_at_once(tmp_path):
    """``await run`` is left within half a second of it, and the run goes on."""
    with started(AWAITS, "threads", tmp_path / "store", 100, tmp_path / "open") as process:
        assert line(process) == "waiting"
        threading.Event().wait(0.05)
        struck = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        assert line(process) == "interrupted"
        assert time.monotonic() - struck < 0.5
        (tmp_path / "open").touch()
        assert line(process) == "over 4950 completed"


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_u31_two_interrupts_at_any_two_moments_leave_nothing_half_done(on, tmp_path):
    """Each run is then completed, cancelled or not there; the store and the pool go on."""
    with started(TWICE, on, tmp_path / "store", 8, tmp_path) as process:
        said = line(process)
    statuses = said[said.index("[") : said.index("]") + 1]
    assert set(statuses[1:-1].replace("'", "").split(", ")) <= {"cancelled", "completed"}, said
    assert said.endswith(" 28")


def test_u31_what_must_not_be_broken_is_not():
    """An interrupt within is felt at the end; one that is repeated is let through."""
    done: list[str] = []

    def interrupted(times: int) -> None:
        with Unbroken():
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
            done.append(f"within {times}")
        done.append("after")

    with pytest.raises(KeyboardInterrupt):
        interrupted(2)
    with pytest.raises(KeyboardInterrupt):
        interrupted(3)
    assert done == ["within 2"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
