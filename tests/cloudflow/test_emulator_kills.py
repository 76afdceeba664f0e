"""The emulator killed with kill -9 at any moment: what it answered stands, and flows go on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("alibabacloud_tea_openapi")

from nbflow.services.cloudflow.client import CloudFlow, Unreachable, requests

FLOW = """\
Type: StateMachine
SpecVersion: v1
Name: three
StartAt: s0
States:
"""
for _n, _after in enumerate(("Next: s1", "Next: s2", "End: true")):
    FLOW += f"""\
  - Type: Task
    Name: s{_n}
    Action: FC:InvokeFunction
    Parameters: {{resourceArn: acs:fc:c:1:functions/echo/LATEST, body.$: $Input}}
    OutputConstructor: {{n.$: "intAdd($Output.Body.n, 1)"}}
    {_after}
"""


class Killed:
    """An emulator that can be killed and started again on the same data and address."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._child: subprocess.Popen | None = None
        self.url = ""
        self.start()

    def start(self) -> None:
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "nbflow.services.cloudflow.emulator", "--port", port]
        command += ["--data", str(self._path), "--function", "echo=cat"]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        assert self.url

    def kill(self) -> None:
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.communicate()


def trial(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    place = Killed(path)
    try:
        CloudFlow(place.url).create_flow("three", FLOW)
        answered = []
        for n in range(3):
            client = CloudFlow(place.url, attempts=1)
            # Between any two requests, or while the functions of one run.
            for _ in range(chance.randrange(4)):
                client.list_executions("three")
            answered.append(client.start_execution("three", f"e-{n}", {"n": n}).name)
            if chance.random() < 0.7:
                place.kill()
                with pytest.raises(Unreachable):
                    client.list_flows()
                place.start()
        client = CloudFlow(place.url)
        for n, name in enumerate(answered):
            assert client.wait("three", name, 60).value == {"n": n + 3}
            events = list(client.each(requests.GetExecutionHistory("three", name)))
            assert [event.event_id for event in events] == list(range(1, len(events) + 1))
            assert [event.type for event in events].count("TaskSucceeded") == 3
            assert [event.type for event in events].count("ExecutionSucceeded") == 1
    finally:
        place.kill()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("seed", range(2))
def test_what_was_answered_stands(tmp_path: Path, seed: int):
    """Each execution that was started ends with its result, and its log has each thing once."""
    trial(tmp_path / "data", seed)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 102))
def test_what_was_answered_stands_a_hundred_times(tmp_path: Path, seed: int):
    """The same at a hundred other moments."""
    trial(tmp_path / "data", seed)
