"""Keeps a run going from this process: its crew is started, kept there, and ended with the run."""

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
from pathlib import Path
from typing import Any, Final

from nbflow.core.errors import NbflowError
from nbflow.services.swf.crew import Crew

_log = logging.getLogger(__name__)
_LOOK: Final = 0.2
_STEADY: Final = 30.0
_GRACE: Final = 10.0
_PAUSES: Final = (0.2, 1.0, 3.0)


class CrewProcess:
    """The process that supervises a crew, for as long as this process wants it.

    It ends with this process, however that ends: it reads a pipe from here.

    Args:
        crew: Which processes there are to be.
        log: The file that their standard output and error are appended to.

    Attributes:
        trouble: Why runs do not go on, by workflow id.
        fatal: Why there is no crew any more; "" if there is one.
        ready: Set once all of its processes are at work.
        members: Its processes, as they were when they were last all at work: what each does.
    """

    def __init__(self, crew: Crew, log: Path) -> None:
        self.crew = crew
        self.trouble: dict[str, str] = {}
        self.fatal = ""
        self.ready = threading.Event()
        self.members: dict[int, str] = {}
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        pipe = subprocess.PIPE
        try:
            # A session of its own: a notebook's stop button interrupts the kernel's whole group.
            self._child = subprocess.Popen(
                [sys.executable, "-m", "nbflow.services.swf.supervisor"],
                stdin=pipe,
                stdout=pipe,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        finally:
            os.close(errors)
        self.pid = self._child.pid
        assert self._child.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):  # it has ended: `ended` tells
            self._child.stdin.write(f"{crew.write()}\n")
            self._child.stdin.flush()
        name = f"nbflow crew {self.pid}"
        self._hearing = threading.Thread(target=self._hear, name=name, daemon=True)
        self._hearing.start()

    def _hear(self) -> None:
        assert self._child.stdout is not None  # noqa: S101 - it is a pipe
        with self._child.stdout as told, contextlib.suppress(OSError, ValueError):
            for line in told:
                said: dict[str, Any] = json.loads(line)
                if "ready" in said:
                    self.members = {int(pid): role for pid, role in said["ready"].items()}
                    self.ready.set()
                elif "trouble" in said:
                    self.trouble[said["run"]] = said["trouble"]
                else:
                    self.fatal = str(said.get("fatal", ""))

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._child.poll() is not None

    def stop(self, grace: float = _GRACE) -> None:
        """End it; what is under way gets `grace` seconds to end."""
        with contextlib.suppress(ProcessLookupError):
            if grace:
                self._child.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(grace)
        assert self._child.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError, ValueError):
            self._child.stdin.close()
        try:
            self._child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._hearing.join(_GRACE)


class Attendance:
    """Drives one run from this process until it is over.

    Args:
        crew: The processes that it needs.
        log: Where these write.
        over: Says whether the run is over. It may raise what the service says.
        ended: Is called when it is, or when it is attended to no longer.
    """

    def __init__(
        self, crew: Crew, log: Path, over: Callable[[], bool], ended: Callable[[], None]
    ) -> None:
        self.crew, self._log = crew, log
        self._over, self._ended = over, ended
        self._stop = threading.Event()
        self._hasty = False
        self.gone = threading.Event()
        """Set when there is nothing of it left."""
        self.fatal = ""
        self.process = CrewProcess(crew, log)
        self._failures = 0
        self._thread = threading.Thread(
            target=self._attend, name=f"nbflow swf {crew.task_list}", daemon=True
        )
        self._thread.start()

    def trouble(self, workflow_id: str) -> str:
        """Say why a run does not go on; "" if nothing is known against it."""
        return self.fatal or self.process.trouble.get(workflow_id, "")

    def stop(self, *, hasty: bool = False) -> None:
        """End the crew, though the run is not over.

        Args:
            hasty: End it at once, whatever is under way.
        """
        self._hasty = self._hasty or hasty
        self._stop.set()
        self.gone.wait()

    def _attend(self) -> None:
        began = time.monotonic()
        try:
            while not self._stop.is_set() and not self._is_over():
                if self.process.ended and not self.fatal:
                    began = self._again(began)
                self._stop.wait(_LOOK)
        finally:
            self.process.stop(0.0 if self._hasty else _GRACE)
            self.gone.set()
            self._ended()

    def _is_over(self) -> bool:
        try:
            return self._over()
        except NbflowError as error:
            _log.debug("whether %s is over cannot be told now: %s", self.crew.task_list, error)
            return False

    def _again(self, began: float) -> float:
        """Start the crew anew, but for one that cannot be started at all; give when that was."""
        said = self.process.fatal
        self._failures = 0 if time.monotonic() - began > _STEADY else self._failures + 1
        if self._failures > (1 if said else len(_PAUSES)):
            self.fatal = (
                f"its deciders and workers end as soon as they are started: {said or 'see'} "
                f"({self._log})"
            )
            return began
        self._stop.wait(_PAUSES[self._failures - 1] if self._failures else 0)
        if not self._stop.is_set():
            self.process.stop(0.0)
            self.process = CrewProcess(self.crew, self._log)
        return time.monotonic()
