"""What every test begins with: settings of its own, a store in memory, and executors to end."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import nbflow
from nbflow.core import redact, secret
from nbflow.running import config
from nbflow.running.session import sessions

# A shell that starts this in the background has it ignore interrupts, and all its children, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How quick an example is says nothing on a machine that is busy.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")


CRASH = Path(__file__).parent / "crash"
LEFT_OUT = ("aws", "torture")
"""Marks that have to be named: they cost money, or a quarter of an hour."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the address of the real Amazon SWF that ``-m aws`` is to be run on."""
    parser.addoption("--endpoint", help="of the service for -m aws; by default AWS's own")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs a browser last: its driver keeps an event loop running in this thread.

    Where tests run in several processes, those of a file that needs a browser stay together.
    """
    for item in items:
        if CRASH in item.path.parents:
            # One failure in many is what these look for, so not even CI runs them again.
            item.add_marker(pytest.mark.flaky(reruns=0))
        if item.get_closest_marker("browser") is not None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if any(item.get_closest_marker(name) is not None for name in ("browser", "kernels")):
            # Front ends and kernels of others now and then miss a message of their own when the
            # machine is busy. What fails a second time is a failure; the summary tells of both.
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(specname="pytest_collection_modifyitems")
def pytest_leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for.

    What is marked ``slow`` runs where its file is named, or where marks are chosen with ``-m``.
    """
    asked = config.option.markexpr
    marks = {mark for mark in LEFT_OUT if mark not in asked}
    base = config.invocation_params.dir
    named = {(base / arg.partition("::")[0]).resolve() for arg in config.args}

    def stays(item: pytest.Item) -> bool:
        if any(item.get_closest_marker(mark) is not None for mark in marks):
            return False
        return bool(asked) or item.path in named or item.get_closest_marker("slow") is None

    left_out = [item for item in items if not stays(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if stays(item)]


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_browser_last(items: list[pytest.Item]) -> None:
    """Sort them so, after whoever shuffles them."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session", autouse=True)
def own_key() -> Iterator[None]:
    """Keep the key by which stores are signed out of the home of whoever runs the tests."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["NBFLOW_DATA_DIR"] = directory
        yield


@pytest.fixture(autouse=True)
def no_error_left() -> Iterator[None]:
    """Find the test after which every later error of this process has one more cause.

    An interrupt within an ``except`` can leave the thread handling that error for ever (CPython
    3.11): all that is raised later is then "during handling of" it.
    """
    before = sys.exc_info()[1]
    yield
    assert sys.exc_info()[1] is before, "the main thread is left handling an error"


@pytest.fixture(autouse=True)
def no_secret_left() -> Iterator[None]:
    """Forget after each test which secrets it met: they are blotted out of what others print."""
    yield
    redact._known.clear()
    redact._values = None
    secret._given.clear()
    secret._named.clear()


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test its own memory store and executors, and end them afterwards."""
    monkeypatch.delenv("NBFLOW_STORE", raising=False)
    monkeypatch.delenv("NBFLOW_WAIT", raising=False)
    before = (config.settings.on, config.settings.options, config.settings.store)
    output = (config.settings.output, config.settings.output_limits)
    ways = (config.settings.durability, config.settings.middleware)
    nbflow.configure(on="threads", store=":memory:", max_workers=4)
    yield
    for session in list(sessions.values()):
        if not session.done.done():
            session.live.cancel_run("the test is over")
    config.settings.close()
    config.settings.on, config.settings.options, config.settings.store = before
    config.settings.output, config.settings.output_limits = output
    config.settings.durability, config.settings.middleware = ways
