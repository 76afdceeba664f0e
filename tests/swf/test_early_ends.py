"""Processes of a crew that are asked to end before they have begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("boto3")

pytestmark = pytest.mark.timeout(120)
PROGRAM = """
import os, sys, threading
from nbflow.services.swf import member, supervisor
from nbflow.services.swf.crew import Crew

gate, role = sys.argv[1:]

class Slow:
    '''Takes long to become what it is, and then works until it is asked to end.'''

    def __init__(self, crew, tell, api):
        print("begins", flush=True)
        with open(gate) as waits:
            waits.read()
        self.busy, self.over = threading.Event(), threading.Event()

    def stop(self):
        self.over.set()

    def run(self):
        self.over.wait()

def kill(pid, number):
    plain(pid, number)
    print("asked", flush=True)

member.CrewDecider = member.CrewWorker = Slow
plain, supervisor._kill = supervisor._kill, kill
counts = {"deciders": role == "decider", "workers": role == "worker"}
crew = Crew(domain="d", task_list="t", activity_task_list="t", region="us-east-1", **counts)
sys.exit(supervisor.Supervisor(crew).run())
"""


@pytest.mark.parametrize("role", ["decider", "worker"])
def test_who_is_asked_to_end_while_it_starts_ends(tmp_path: Path, role: str) -> None:
    """What asks it to end comes before it can hear it, and is heard once it can."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(gate), role],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"},
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "begins\n"
        program.send_signal(signal.SIGTERM)
        assert program.stdout.readline() == "asked\n"
        gate.write_text("")
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.communicate()
