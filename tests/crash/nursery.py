"""A process that has imported nbflow once and forks a child for each trial.

Importing takes longer than a trial. The nursery has a single thread, so forking it is safe; each
child is a session of its own. The nursery kills and buries them, and ends with its own input.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.crash.engine import Spec

ROOT = Path(__file__).parents[2]
HUNG = -1000
"""Stands for the status of a child that did not end by itself in `_PATIENCE` seconds."""
_PATIENCE = 40.0


class Nurseries:
    """Several, each for one request at a time: a child that waits to be killed needs no processor.

    Args:
        number: How many.
    """

    def __init__(self, number: int = 2) -> None:
        self.number = number
        self._all = [_Nursery() for _ in range(number)]
        self._free: SimpleQueue[_Nursery] = SimpleQueue()
        for one in self._all:
            self._free.put(one)

    def run(self, *specs: Spec, kill_after: float | None = None) -> list[int]:
        """Have children live at the same time, and give how each ended: status or -signal.

        Args:
            specs: What each one does.
            kill_after: Kill them after so many seconds.
        """
        one = self._free.get()
        try:
            return one.run([asdict(spec) for spec in specs], kill_after)
        finally:
            self._free.put(one)

    def close(self) -> None:
        for one in self._all:
            one.close()


class _Nursery:
    """The parent's side of one."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C in pytest ends it by its input, with all that it has.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, specs: list[dict[str, Any]], kill_after: float | None) -> list[int]:
        request = json.dumps([specs, kill_after])
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(request.encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery has died"
        found: list[int] = json.loads(answer)
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(_PATIENCE) == 0
        self._process.stdout.close()


def main() -> None:
    """Serve requests until there are no more."""
    asked, answered = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what children print is no answer
    with os.fdopen(asked, "rb") as requests:
        for line in requests:
            specs, kill_after = json.loads(line)
            found = _tend(specs, kill_after, (asked, answered))
            os.write(answered, json.dumps(found).encode() + b"\n")


def _tend(
    specs: Sequence[dict[str, Any]], kill_after: float | None, ours: Sequence[int]
) -> list[int]:
    """Fork children, wait for them, and kill them when that is due."""
    start, go = os.pipe()  # closed when all are there, so that they begin together
    children: dict[int, int] = {}
    order = []
    for spec in specs:
        life, alive = os.pipe()
        pid = os.fork()
        if pid == 0:
            for end in (*ours, *children, life, go):
                os.close(end)
            _be(spec, start)
        os.close(alive)
        children[life] = pid
        order.append(pid)
    os.close(start)
    os.close(go)
    hung = kill_after is None
    statuses = _wait(children, _PATIENCE if kill_after is None else kill_after, hung=hung)
    return [statuses[pid] for pid in order]


def _wait(children: dict[int, int], seconds: float, *, hung: bool) -> dict[int, int]:
    """Wait for the end of each child's pipe, which is that of the child."""
    end = time.monotonic() + seconds
    left, statuses, late = dict(children), dict[int, int](), set[int]()
    while left:
        rest = None if late else max(0.0, end - time.monotonic())
        ended, _, _ = select.select(list(left), [], [], rest)
        if not ended:
            late.update(left.values())
            for pid in late:
                os.kill(pid, signal.SIGKILL)
        for life in ended:
            os.close(life)
            pid = left.pop(life)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            statuses[pid] = HUNG if hung and pid in late else status
    return statuses


def _be(spec: dict[str, Any], start: int) -> None:
    """Live, as the child."""
    from tests.crash.engine import FAULT, Spec, live

    status = FAULT
    with contextlib.suppress(BaseException):
        os.setsid()
        os.read(start, 1)
        os.close(start)
        status = live(Spec(**spec))
    os._exit(status)


def _prepare() -> None:
    """Load what children need, once for all of them. No thread may be started by that."""
    import concurrent.futures.thread
    import importlib.metadata
    import threading
    import uuid

    import cloudpickle

    from nbflow.core.reach import reach
    from tests.crash import engine, flow

    assert all((concurrent.futures.thread, importlib.metadata, uuid, cloudpickle, engine))
    reach(flow.kept)
    assert threading.active_count() == 1


if __name__ == "__main__":
    _prepare()
    main()
