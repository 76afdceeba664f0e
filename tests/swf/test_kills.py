"""Processes that drive runs on SWF are killed: the run goes on, and nothing is left of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nbflow.core.capture import capture
from nbflow.core.events import CallStarted, CallSucceeded
from nbflow.running.remote import ServiceRun
from nbflow.services.swf import Api, Domain, emulator
from nbflow.services.swf.service import SwfService
from tests.swf import ledgers
from tests.swf.places import there

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MARK = "NBFLOW_TEST_TRIAL"


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds} s: {true}"
        time.sleep(0.02)
    return found


def processes(mark: str) -> list[int]:
    """The processes, but for this one, that were started with the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    made = f"{tmp_path.name}-{os.getpid()}-{random.randrange(10**9)}"
    monkeypatch.setenv(MARK, made)
    yield made
    for pid in processes(made):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def make(tmp_path: Path, mark: str) -> Iterator[Callable[..., SwfService]]:
    """Makes services of one emulator, as so many kernels would."""
    made = []
    with emulator.running(limits=emulator.Limits(poll=5)) as endpoint:
        Domain(api=Api(endpoint.client()), name="trials").save()

        def build(**more: Any) -> SwfService:
            options = {"domain": "trials", "endpoint_url": endpoint.url, "processes": 2}
            options |= {"lost_after": 2, "decision_timeout": 3} | more
            made.append(SwfService(tmp_path / "home", **options))
            return made[-1]

        yield build
        for service in made:
            service.close()


def begun(service: SwfService, flow: Any, *args: Any) -> ServiceRun[Any]:
    return ServiceRun(service.start(capture(flow), args, {}), service)


def members(service: SwfService, run: str) -> dict[int, str]:
    """The processes that drive a run, and what each does."""
    process = there(service.attended(run)).process
    process.ready.wait(60)
    alive = {pid: role for pid, role in process.members.items() if Path(f"/proc/{pid}").exists()}
    return {**alive, process.pid: "supervisor"}


def check(run: ServiceRun[Any], ledger: Path) -> None:
    """Nothing ran again that had succeeded, and nothing ran that the history does not know of."""
    events = list(run.events())
    attempts = Counter(e.call for e in events if isinstance(e, CallStarted))
    done = {e.call: e.at for e in events if isinstance(e, CallSucceeded)}
    assert set(done) == set(run.calls)
    names = {view.id: view.args[1] for view in run.calls.values() if view.activity == "noted"}
    ran = ledgers.lines(ledger)
    for call, name in names.items():
        times = [at for each, at in ran if each == name]
        assert 1 <= len(times) <= attempts[call], f"{call} ran {len(times)} times"
        assert max(times) <= done[call], f"{call} ran again after it had succeeded"


def reached(run: ServiceRun[Any], ledger: Path, point: int) -> bool:
    """Whether a run is over, or has noted so many lines."""
    return run.done() or len(ledgers.lines(ledger)) >= point


def trial(make: Callable[..., SwfService], tmp_path: Path, role: str, seed: int) -> None:
    chance = random.Random(f"{role} {seed}")
    service, ledger = make(), tmp_path / "ledger"
    run = begun(service, ledgers.diamond, str(ledger), 3, 4)
    members(service, run.id)
    for _ in range(2):
        point = len(ledgers.lines(ledger)) + chance.randrange(4)
        until(partial(reached, run, ledger, point))
        time.sleep(chance.random() * 0.05)  # anywhere between two events
        attended = service.attended(run.id)
        victims = [] if attended is None else [
            pid for pid, what in members(service, run.id).items() if what == role
        ]  # fmt: skip
        if victims:
            try:
                os.kill(chance.choice(victims), signal.SIGKILL)
            except ProcessLookupError:
                continue
    assert run.result(90) == "c0.3+c1.3+c2.3"
    check(run, ledger)


@pytest.mark.parametrize("role", ["worker", "decider", "supervisor"])
def test_a_run_survives_the_death_of_any_process(role, make, tmp_path, mark):
    """Killed at any point, each has a successor; and with the run all of them are gone."""
    trial(make, tmp_path, role, 1)
    until(lambda: not processes(mark), 30)


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(34))
@pytest.mark.parametrize("role", ["worker", "decider", "supervisor"])
def test_a_run_survives_deaths_at_random_points(role, seed, make, tmp_path, mark):
    """A hundred trials, at points that chance has chosen."""
    trial(make, tmp_path, role, seed)
    until(lambda: not processes(mark), 3)


def test_another_kernel_goes_on_with_a_run_whose_own_was_killed(make, tmp_path, mark):
    """With a kernel all of its processes end; whoever attaches from elsewhere drives the run on."""
    ledger = tmp_path / "ledger"
    first = tmp_path / "first.py"
    first.write_text(f"""
import sys, time
from pathlib import Path
from nbflow.core.capture import capture
from nbflow.services.swf.service import SwfService
from tests.swf.ledgers import diamond
service = SwfService(Path({str(tmp_path / "home")!r}), **{make().options.noted()!r})
print(service.start(capture(diamond), ({str(ledger)!r}, 2, 4), {{}}), flush=True)
time.sleep(600)
""")
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen(
        [sys.executable, str(first)], stdout=subprocess.PIPE, text=True, env=environment
    ) as kernel:
        run = there(kernel.stdout).readline().strip()
        until(lambda: len(ledgers.lines(ledger)) >= 2)
        kernel.kill()
    until(lambda: not processes(mark), 30)
    service = make()
    handle: ServiceRun[str] = ServiceRun(service.attach(run), service)
    assert handle.result(90) == "c0.3+c1.3"
    check(handle, ledger)
    until(lambda: not processes(mark), 30)


def test_each_activity_is_delivered_once(make, tmp_path, mark):
    """Eight workers and four hundred activities: each runs once."""
    service, ledger = make(processes=8, lost_after=30, decision_timeout=30), tmp_path / "ledger"
    run = begun(service, ledgers.wide, str(ledger), 400)
    assert run.result(150) == sum(len(f"w{n}") for n in range(400))
    assert Counter(name for name, _ in ledgers.lines(ledger)) == {f"w{n}": 1 for n in range(400)}
    attempts = [e.attempt for e in run.events() if isinstance(e, CallStarted)]
    assert attempts == [1] * 400
