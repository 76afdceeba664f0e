"""Figures of a worker: their form, where they are to be had, and what they count."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nbflow.services.metrics import Listener, Metric, exposition
from nbflow.services.swf.figures import Figures
from tests.cli.conftest import Said

Spawn = Callable[..., "subprocess.Popen[str]"]
Do = Callable[..., Said]


def read(text: str) -> dict[tuple[str, str], float]:
    """Read figures as Prometheus does: by name, and by the label that tells them apart."""
    found = {}
    for family in text_string_to_metric_families(text):
        for name, labels, number, *_ in family.samples:
            found[name, labels.get("role", labels.get("how", ""))] = number
    return found


def test_figures_are_what_prometheus_reads() -> None:
    """With help, type and labels, whatever stands in a label."""
    odd = 'a "list"\\ of\nlines'
    metric = Metric("jobs_total", "counter", "All of them.", {(odd,): 3, ("b",): 0.5}, ("list",))
    (family,) = text_string_to_metric_families(exposition([metric]))
    assert (family.name, family.type, family.documentation) == ("jobs", "counter", "All of them.")
    assert [(s.labels["list"], s.value) for s in family.samples] == [(odd, 3.0), ("b", 0.5)]


def test_activities_are_counted_by_how_they_ended() -> None:
    """Answered or ended with their process; those under way are told apart."""
    figures = Figures("parts")
    figures.busy(1)
    figures.idle(1)
    figures.idle(1)  # twice said is once done
    figures.busy(2)
    figures.died(2, "worker")
    figures.busy(3)
    figures.trouble()
    found = read(exposition(figures.metrics(Counter({"worker": 2}))))
    assert found["nbflow_activities_total", "answered"] == 1
    assert found["nbflow_activities_total", "died"] == 1
    assert found["nbflow_activities_running", ""] == 1
    assert found["nbflow_processes", "worker"] == 2
    assert found["nbflow_process_deaths_total", "worker"] == 1
    assert found["nbflow_decision_troubles_total", ""] == 1


def test_whoever_asks_for_something_else_is_told_where_figures_are() -> None:
    """One request is one answer, on the loopback interface alone."""
    listener = Listener(0)

    def serve() -> None:
        for _ in range(2):
            while not listener_ready(listener):
                pass
            listener.answer("up 1\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with urllib.request.urlopen(listener.url) as answer:
        assert answer.read() == b"up 1\n"
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(listener.url.replace("/metrics", "/else"))
    thread.join()
    listener.close()


def listener_ready(listener: Listener) -> bool:
    """Wait a while for somebody to ask."""
    import select

    return bool(select.select([listener], [], [], 1)[0])


def test_a_worker_gives_its_figures(spawn: Spawn, place: Path) -> None:
    """`--metrics 0` says where, on stderr."""
    words = ("worker", "start", "--simulate", "-t", "parts", "--metrics")
    command = spawn(*words, "0")
    assert command.stderr is not None
    url = ""
    while not url:
        line = command.stderr.readline()
        assert line, "it ended"
        url = next(iter(re.findall(r"http://127\.0\.0\.1:\d+/metrics", line)), "")
    end = time.monotonic() + 60
    found: dict[tuple[str, str], float] = {}
    while not found.get(("nbflow_processes", "worker")):
        assert time.monotonic() < end
        with urllib.request.urlopen(url) as answer:
            found = read(answer.read().decode())
    assert found["nbflow_activities_total", "answered"] == 0
    command.send_signal(signal.SIGINT)
    command.send_signal(signal.SIGINT)
    command.kill()
    assert place.exists()


def test_a_port_that_is_taken_is_said(do: Do) -> None:
    """Nothing is started then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = do("worker", "start", "--simulate", "--metrics", port)
    assert said.code == 1
    assert f"port {port} of this machine: Address already in use. Nothing was started" in said.err
