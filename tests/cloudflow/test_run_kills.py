"""Orchestrators, workers and the emulator, killed at any moment: runs come to their end."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.capture import capture
from nbflow.core.events import CallSucceeded, Event, RunClosed
from nbflow.services.cloudflow.dynamic.crew import ORCHESTRATOR, WORKER, Crew, Process
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.services.cloudflow.emulator.handle import EMULATOR
from nbflow.services.simulation import Simulation
from nbflow.testing.checks import eventually

LOST_AFTER = 2.0
PATIENCE = 240.0


@nbflow.activity
def entered(ledger: str, x: int) -> int:
    """Write a line into a ledger, and work a little."""
    note(ledger)
    return x + 1


@nbflow.activity(once=True)
def paid(ledger: str) -> int:
    """Write a line that must not be written twice."""
    note(ledger)
    return 100


def note(ledger: str) -> None:
    """Write which call begins, and when."""
    context = nbflow.context()
    with open(ledger, "a") as file:  # noqa: PTH123 - one write, which the system keeps whole
        file.write(f"{context.run} {context.call} {time.time()}\n")


@nbflow.activity
def total(parts: list[int]) -> int:
    """Take what others gave."""
    return sum(parts)


@nbflow.workflow
def layers(ledger: str, width: int) -> int:
    """Have calls beside each other, and after them others that take their results."""
    first = [entered(ledger, n) for n in range(width)]
    once = paid(ledger)
    second = [entered(ledger, part) for part in first]
    whole = total(second).result()
    try:
        return whole + once.result()
    except nbflow.ActivityInterrupted:
        return whole


class Machines:
    """An emulator, orchestrators and workers, each a process that can be killed."""

    def __init__(self, path: Path, home: Path) -> None:
        self.simulation = Simulation(EMULATOR, path / "emulator")
        self.crew = Crew(
            queue="work",
            values=str(path / "values"),
            endpoint=self.simulation.url(),
            pace=0.1,
            reports=0,
            lost_after=LOST_AFTER,
            path=tuple(sys.path),
        )
        log = path / "log"
        self.processes = [
            Process(module, self.crew, log)
            for module in (ORCHESTRATOR, ORCHESTRATOR, *[WORKER] * 2)
        ]
        self.service = CloudFlowService(
            home,
            endpoint=self.crew.endpoint,
            processes=0,
            queue="work",
            values=self.crew.values,
            pace=0.1,
        )

    def see(self) -> None:
        """Start again what was killed."""
        self.simulation.url()
        for process in self.processes:
            process.failures = 0
            process.see()

    def kill(self, chance: random.Random) -> bool:
        """Kill one of them; give whether there was one to kill."""
        running = [p.child for p in self.processes if p.child is not None]
        everybody: list[Any] = [*running, self.simulation.child]
        child = chance.choice(everybody)
        if child is None or child.poll() is not None:
            return False
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        return True

    def close(self) -> None:
        """End all."""
        for process in self.processes:
            process.end(0.0)
        self.service.close()
        self.simulation.close()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """Have machines of one's own."""
    made = Machines(tmp_path, tmp_path / "home")
    yield made
    made.close()
    eventually(lambda: not left(tmp_path), "no process is left", 10)


def left(path: Path) -> list[str]:
    """Give the command lines of other processes that name a directory, or were told of it."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (place / "cmdline").read_bytes()
            if int(place.name) != os.getpid() and str(path).encode() in line:
                found.append(line.decode(errors="replace"))
    return found


def _killing(machines: Machines, tmp_path: Path, kills: int, runs: int, seed: int) -> None:
    """Have so many runs under way until that many processes were killed, then until they end."""
    chance = random.Random(seed)
    ledger = tmp_path / "ledger"
    machines.see()
    width, killed = 4, 0
    started: list[str] = []

    def over() -> bool:
        nonlocal killed
        machines.see()
        if killed < kills and chance.random() < 0.25:
            killed += machines.kill(chance)
            return False
        try:
            under_way = [run for run in started if not _closed(machines.service, run)]
            if killed < kills and len(under_way) < runs:
                given = (str(ledger), width)
                started.append(machines.service.start(capture(layers), given, {}))
        except nbflow.NbflowError:
            return False  # the emulator was killed just now
        return killed == kills and not under_way

    eventually(over, "all runs come to their end", PATIENCE)
    assert killed == kills
    lines = [line.split() for line in ledger.read_text().splitlines()]
    for run in started:
        _whole(machines.service, run, width, lines)


def _closed(service: CloudFlowService, run: str) -> bool:
    return isinstance([*service.events(run)][-1], RunClosed)


def _whole(service: CloudFlowService, run: str, width: int, lines: list[list[str]]) -> None:
    """Hold a log against what has happened."""
    log: list[Event] = list(service.events(run))
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    last: Any = log[-1]
    done = Counter(event.call for event in log if isinstance(event, CallSucceeded))
    once = done.pop("paid-1", 0)
    wanted = sum(range(width)) + 2 * width + 100 * once
    assert (last.status, last.result) == ("completed", wanted), last.error
    entered = {f"entered-{n}" for n in range(1, 2 * width + 1)}
    assert done == dict.fromkeys(entered, 1) | {"total-1": 1}
    name = run.split("/")[2]
    begun = [(call, float(at)) for its, call, at in lines if its == name]
    assert {call for call, _ in begun} - {"paid-1"} == entered, "nothing is left out"
    assert once <= sum(call == "paid-1" for call, _ in begun) <= 1, "once is at most once"
    ended = {event.call: event.at for event in log if isinstance(event, CallSucceeded)}
    again = [call for call, at in begun if at > ended.get(call, at)]
    assert again == [], "what has succeeded ran again"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_runs_come_to_their_end_whatever_is_killed(machines: Machines, tmp_path: Path) -> None:
    """Each call has one result in the log, each run its right one, and the log has no gap."""
    _killing(machines, tmp_path, kills=4, runs=2, seed=1)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_runs_come_to_their_end_a_hundred_kills(
    machines: Machines, tmp_path: Path, seed: int
) -> None:
    """The same with ten kills at each of ten times."""
    _killing(machines, tmp_path, kills=10, runs=4, seed=seed)
