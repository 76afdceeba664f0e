"""Workflows whose activities are the cause of what happens to their process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import nbflow
from nbflow.core.events import CallStarted
from tests.crash.flow import made, part
from tests.crash.ledger import read

store: Any = None
"""Where the run is that this process drives."""


def noted() -> bool:
    """Whether the log says that the running attempt has begun."""
    told = nbflow.context()
    mine = told.call, told.attempt
    events = store.events(told.run)
    return any(type(e) is CallStarted and (e.call, e.attempt) == mine for e in events)


@nbflow.activity(timeout=30)
def deadly():
    """Kill the process, some time after it has begun."""
    made(())
    while not noted():
        os.sched_yield()
    os.kill(os.getpid(), signal.SIGKILL)


@nbflow.activity
def sudden():
    """Kill the process at once."""
    made(())
    os.kill(os.getpid(), signal.SIGKILL)


@nbflow.activity
def offer():
    """Fail, but not in a process after the first one."""
    made(())
    lines = read(Path(store.path).parent / "ledger")
    if sum(line.kind == "begun" for line in lines) == 1:
        raise OSError("not now")
    return "real"


@nbflow.workflow
def mine():
    return deadly().result()


@nbflow.workflow
def trap():
    return sudden().result()


@nbflow.workflow
def careful():
    """Deal with a failure, and build upon that."""
    try:
        value = offer().result()
    except OSError:
        value = "default"
    return part(part(value).result()).result()


bills = 0


@nbflow.activity
def amount():
    return 7


@nbflow.activity(once=True)
def send(value):
    global bills  # noqa: PLW0603 - stands for the world outside
    bills += 1
    return value


@nbflow.workflow
def bill():
    return send(amount()).result()


FLOWS = {"mine": mine, "trap": trap, "careful": careful}
