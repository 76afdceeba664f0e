"""The processes that drive a run on CloudFlow from this machine, and what they need to know."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from nbflow.core.errors import NbflowError
from nbflow.core.secret import known_values, take_values
from nbflow.services.cloudflow.client.client import CloudFlow
from nbflow.services.cloudflow.dynamic.names import NAMESPACE, Flows
from nbflow.services.cloudflow.dynamic.queues import HIDDEN, WorkQueue, queue_of, resource
from nbflow.services.cloudflow.dynamic.values import Values, values_of

_log = logging.getLogger(__name__)
ORCHESTRATOR: Final = "nbflow.running.conducting"
WORKER: Final = "nbflow.services.cloudflow.dynamic.working"
_PAUSES: Final = (0.0, 0.2, 1.0, 3.0, 10.0)
_STEADY: Final = 20.0
_LOOK: Final = 0.5
_GRACE: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """What an orchestrator and workers need to know. It travels as JSON, without credentials.

    Attributes:
        endpoint: The service's address, if not the region's own.
        region: The region.
        mns: The account's address at Message Service; None: the emulator has the queues.
        namespace: What the flows' names begin with.
        queue: Name of the workers' queue; the orchestrators' has ``-runs`` behind it.
        values: Where large values are.
        pace: Seconds between two looks at how things stand.
        reports: Reports a second that the service takes; 0: any number.
        lost_after: Seconds without a sign of life after which work is handed to somebody else.
        workers: How many worker processes there are.
        path: Where modules are imported from, before everything else.
    """

    queue: str
    values: str
    endpoint: str | None = None
    region: str | None = None
    mns: str | None = None
    namespace: str = NAMESPACE
    pace: float = 1.0
    reports: float = 2.0
    lost_after: float = HIDDEN
    workers: int = 1
    path: tuple[str, ...] = ()

    def write(self) -> str:
        """Give it as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `write` wrote."""
        found: dict[str, Any] = json.loads(text)
        known = {field.name for field in fields(cls)}  # an older version noted more
        found["path"] = tuple(found.get("path", ()))
        return cls(**{name: value for name, value in found.items() if name in known})

    def client(self) -> CloudFlow:
        """Connect."""
        return CloudFlow(self.endpoint, region=self.region)

    def flows(self) -> Flows:
        """Give the flows."""
        return Flows(self.namespace)

    def store(self) -> Values:
        """Give where large values are."""
        return values_of(self.values)

    def runs(self) -> WorkQueue:
        """Give the queue of the orchestrators."""
        return queue_of(f"{self.queue}-runs", self.endpoint, self.mns, self.lost_after)

    def work(self) -> WorkQueue:
        """Give the queue of the workers."""
        return queue_of(self.queue, self.endpoint, self.mns, self.lost_after)

    def addresses(self) -> tuple[str, str]:
        """Give what flows call the two queues: that of orchestrators, and that of workers."""
        return resource(f"{self.queue}-runs", self.mns), resource(self.queue, self.mns)


def end_with_parent() -> None:
    """Be a process group of its own, and end with it when the standard input ends."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    take_values(_handed(0))
    life = os.dup(0)
    quiet = os.open(os.devnull, os.O_RDONLY)
    os.dup2(quiet, 0)
    threading.Thread(target=_die_with, args=(life,), name="nbflow life", daemon=True).start()


def _handed(life: int) -> tuple[tuple[str, str], ...]:
    """Read the line that whoever has started this process hands over: values of secrets."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(life, 1)  # not a byte more: what follows is none of it
        if not byte:
            return ()
        line += byte
    return tuple((str(reference), str(value)) for reference, value in json.loads(line))


def _die_with(life: int) -> None:
    while True:
        try:
            if not os.read(life, 1):
                break
        except InterruptedError:
            continue
        except OSError:
            break
    os.killpg(0, signal.SIGKILL)


class Process:
    """A process of a crew, which is started anew when it ends."""

    def __init__(self, module: str, crew: Crew, log: Path) -> None:
        self.module, self._crew, self._log = module, crew, log
        self.failures = 0
        self._due = 0.0
        self.child: subprocess.Popen[bytes] | None = None

    def see(self) -> None:
        """Start it if it does not run, unless it has just ended again and again."""
        now = time.monotonic()
        if self.child is not None:
            if self.child.poll() is None:
                return
            _log.info("%s has ended with %s", self.module, self.child.returncode)
            lived = now - self._began
            self.failures = 1 if lived > _STEADY else self.failures + 1
            self.end(0.0)
            self._due = now + _PAUSES[min(self.failures, len(_PAUSES)) - 1]
        if now >= self._due:
            self._start()

    def _start(self) -> None:
        self._began = time.monotonic()
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = os.pathsep.join([*self._crew.path, *filter(None, [os.environ.get("PYTHONPATH")])])
        with self._log.open("ab") as log:
            # A session of its own: the stop button of a notebook interrupts the kernel's group.
            self.child = subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, "-m", self.module, self._crew.write()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        assert self.child.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError):  # it has ended already: that is seen soon
            # By the pipe: what a command line or an environment has, others can read.
            self.child.stdin.write(json.dumps(known_values()).encode() + b"\n")
            self.child.stdin.flush()

    def end(self, grace: float) -> None:
        """End it; what it does gets `grace` seconds."""
        child, self.child = self.child, None
        if child is None:
            return
        if grace and child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace)
        assert child.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError):
            child.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)


class Attendance:
    """Drives one run from this process until it is over.

    Args:
        crew: What the processes need to know.
        log: Where they write.
        over: Says whether the run is over. It may raise what the service says.
        ended: Is called when it is, or when it is attended to no longer.
    """

    def __init__(
        self, crew: Crew, log: Path, over: Callable[[], bool], ended: Callable[[], None]
    ) -> None:
        self.crew, self._log = crew, log
        self._over, self._ended = over, ended
        self._stop = threading.Event()
        self.gone = threading.Event()
        """Set when there is nothing of it left."""
        modules = (ORCHESTRATOR, *[WORKER] * crew.workers)
        self.processes = [Process(module, crew, log) for module in modules]
        self._thread = threading.Thread(
            target=self._attend, name=f"nbflow cloudflow {crew.queue}", daemon=True
        )
        self._thread.start()

    def trouble(self) -> str:
        """Say why the run does not go on; "" if nothing is known against it."""
        ending = [p for p in self.processes if p.failures >= len(_PAUSES)]
        if not ending:
            return ""
        return f"its processes end as soon as they are started: see {self._log}"

    def stop(self) -> None:
        """End its processes, though the run is not over."""
        self._stop.set()
        self.gone.wait()

    def _attend(self) -> None:
        try:
            while not self._stop.is_set() and not self._is_over():
                for process in self.processes:
                    process.see()
                self._stop.wait(_LOOK)
        finally:
            for process in self.processes:
                process.end(0.0)
            self.gone.set()
            self._ended()

    def _is_over(self) -> bool:
        try:
            return self._over()
        except NbflowError as error:
            _log.debug("whether %s is over cannot be told now: %s", self.crew.queue, error)
            return False
