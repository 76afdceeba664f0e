"""What commands that run until they are ended say first, and how they end."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.timeout(120)
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize("service", ["swf", "cloudflow"])
def test_an_emulator_says_where_it_is_alone_on_standard_output(spawn: Spawn, service: str) -> None:
    """A script reads one line and has the address; SIGTERM ends it with code 0."""
    pytest.importorskip("boto3" if service == "swf" else "alibabacloud_tea_openapi")
    command = spawn("emulator", service)
    assert command.stdout is not None
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", command.stdout.readline())
    command.send_signal(signal.SIGTERM)
    out, _ = command.communicate(timeout=60)
    assert (command.returncode, out) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("decider", "start"), "nbflow: 1 process decides in here, task list default\n"),
        (
            ("worker", "start", "--nb-processes", "2", "-t", "night"),
            "nbflow: 2 processes run activities in here, task list night\n",
        ),
    ],
)
def test_processes_on_swf_say_what_they_are_at(
    spawn: Spawn, words: tuple[str, ...], said: str
) -> None:
    """Before the first poll, on standard error; who is asked to end then ends with code 0."""
    emulator = pytest.importorskip("nbflow.services.swf.emulator")
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        endpoint.client().register_domain(name="here", workflowExecutionRetentionPeriodInDays="1")
        command = spawn(*words, "-d", "here", "--endpoint", endpoint.url)
        assert command.stderr is not None
        assert command.stderr.readline() == said
        command.send_signal(signal.SIGTERM)
        out, _ = command.communicate(timeout=90)
        assert (command.returncode, out) == (0, "")


@pytest.mark.parametrize(("word", "what"), [("worker", "activities"), ("orchestrator", "runs")])
def test_processes_on_cloudflow_say_what_they_are_at(spawn: Spawn, word: str, what: str) -> None:
    """Before there is anything to be done; who is asked to end then ends with code 0."""
    emulator = pytest.importorskip("nbflow.services.cloudflow.emulator")
    with emulator.running() as endpoint:
        given = ("--queue", "night", "--values", "kept", "--endpoint", endpoint.url)
        command = spawn("cloudflow", word, *given)
        assert command.stderr is not None
        first = command.stderr.readline()
        assert first == f"nbflow: {what} of queue night at {endpoint.url}, until SIGTERM\n"
        command.send_signal(signal.SIGTERM)
        command.communicate(timeout=90)
        assert command.returncode == 0
