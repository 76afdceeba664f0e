"""A kernel that is killed in the middle of a run on processes, restarted, and goes on."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from tests.crash.ledger import Line, read
from tests.crash.nursery import ROOT
from tests.crash.rules import gone, judge_incarnation, judge_trial
from tests.crash.snapshot import Snapshot

pytestmark = pytest.mark.timeout(180)
WAIT = 60.0
SETUP = """
import os, subprocess, sys
sys.path.insert(0, {root!r})
import nbflow
from tests.crash import flow
from tests.crash.ledger import Ledger, short
os.environ["NBFLOW_TEST_LEDGER"] = {ledger!r}
nbflow.configure(on="processes", max_workers=3, store={store!r})
ledger = flow.ledger = Ledger({ledger!r})

@nbflow.activity
def brood(gate):
    child = subprocess.Popen(["sleep", "1000"])
    flow.effect("brood", child.pid)
    while not os.path.exists(gate):
        pass
    child.kill()
    return child.wait()

@nbflow.workflow
def breeding(gate):
    return brood(gate).result()
"""


class Kernel:
    """A kernel of a notebook whose store and ledger are in a directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ledger = home / "ledger"
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(home))
        self._client: Any = None
        self.prepare()

    def prepare(self) -> None:
        """Connect to the kernel, and define what is run there."""
        self._client = self.manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=WAIT)
        store = str(self.home / "store")
        self.run(SETUP.format(root=str(ROOT), ledger=str(self.ledger), store=store))

    def run(self, code: str) -> None:
        """Run a cell to its end."""
        reply = self._client.execute(code, silent=True, reply=True, timeout=WAIT)
        content = reply["content"]
        assert content["status"] == "ok", "\n".join(content.get("traceback", []))

    def kill(self) -> None:
        """End it with signal 9."""
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)  # type: ignore[union-attr]

    def restart(self, *, now: bool = True) -> None:
        """Start another one in its place; not `now`: once it has been asked to end."""
        self._client.stop_channels()
        self.manager.restart_kernel(now=now)
        self.prepare()

    def close(self) -> None:
        self._client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def until(self, enough: Callable[[list[Line]], bool]) -> list[Line]:
        """Wait until the ledger says so."""
        end = time.monotonic() + WAIT
        while not enough(lines := read(self.ledger)):
            assert time.monotonic() < end, lines
            os.sched_yield()
        return lines


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """Give a kernel."""
    made = Kernel(tmp_path)
    yield made
    made.close()


def workers(lines: list[Line]) -> set[int]:
    """Give the processes of which a ledger tells, and those that they have started."""
    return {line.pid for line in lines} | {
        line.what[1] for line in lines if line.kind == "effect" and line.what[0] == "brood"
    }


def nothing_stays(lines: list[Line]) -> None:
    sessions = {line.session for line in lines}
    assert gone(workers(lines), sessions), "I10: a process of a killed kernel is still there"


def kill_and_resume(kernel: Kernel, at: int) -> None:
    """Kill a kernel once so many effects have happened, and have the next one end the run."""
    kernel.run("run = flow.everything.start(); ledger.write('started', run.id)")
    kernel.until(lambda lines: sum(line.kind == "effect" for line in lines) >= at)
    kernel.kill()
    nothing_stays(read(kernel.ledger))
    first = read(kernel.ledger)
    between = Snapshot.of(kernel.home / "store")
    judge_incarnation(Snapshot(between.store), between, first, workers(first))
    kernel.restart()
    assert len(read(kernel.ledger)) == len(first), "something runs unasked"
    kernel.run("run = nbflow.attach(nbflow.runs()[0].run)")
    if between.closed is None:
        kernel.run("run.resume(flow.everything)")
    kernel.run("ledger.write('value', short(run.result(60)))")
    lines, end = read(kernel.ledger), Snapshot.of(kernel.home / "store")
    later = lines[len(first) :]
    assert not workers(first) & workers(later), "I10: an old process is at work"
    judge_incarnation(between, end, later, workers(later))
    judge_trial(end, lines, kills=1)


@pytest.mark.parametrize("part", range(3))
@pytest.mark.case("U34")
def test_a_killed_kernel_loses_nothing(kernel: Kernel, part: int) -> None:
    """Neither do its processes stay, nor do they write anything after it."""
    at = 1 + 7 * part + secrets.randbelow(7)
    print(f"\nkilled after {at} effects")
    kill_and_resume(kernel, at)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(20))
def test_many_killed_kernels_lose_nothing(kernel: Kernel, seed: int) -> None:
    """The same, here and there."""
    kill_and_resume(kernel, random.Random(seed).randint(1, 22))


@pytest.mark.parametrize("how", ["killed", "restarted"])
@pytest.mark.case("U33", "U36")
def test_what_a_call_has_started_ends_with_its_kernel(kernel: Kernel, how: str) -> None:
    """A process that an activity of a notebook has started is no orphan two seconds later."""
    gate = kernel.home / "gate"
    kernel.run(f"run = breeding.start({str(gate)!r})")
    lines = kernel.until(lambda lines: any(line.kind == "effect" for line in lines))
    if how == "killed":
        kernel.kill()
        nothing_stays(lines)
        kernel.restart()
    else:
        kernel.restart(now=False)
        nothing_stays(lines)
    gate.touch()
    kernel.run("run = nbflow.attach(nbflow.runs()[0].run).resume(breeding)")
    kernel.run("assert run.result(60) == -9")
    assert sum(line.kind == "effect" for line in read(kernel.ledger)) == 2
