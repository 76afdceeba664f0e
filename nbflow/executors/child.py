"""The pool's hold on one worker process: starting it, talking to it, ending it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.executors.pipe import Channel, Place

# A plain interpreter rather than multiprocessing: nothing of __main__ is run again, so that it
# works in notebooks and in scripts without a guard, and a kernel full of threads is not forked.
_BOOT = """\
import sys
name, *fds = sys.argv[1:5]
sys.path[:] = sys.argv[5:]
del sys.argv[1:]
from nbflow.executors.worker import main
main(name, *map(int, fds))
"""
_ROOT = str(Path(__file__).parents[2])

_START_SECONDS = 60.0
_GRACE_SECONDS = 1.0
_LOOK_MS = 1000
_LOG_CHARACTERS = 2000
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Gone(Exception):
    """The process does not answer any more."""


def here() -> Place | None:
    """Give the present working directory and import path; None if the directory is gone."""
    try:
        cwd = os.getcwd()
    except OSError:
        return None
    return Place(cwd, tuple([entry for entry in sys.path if isinstance(entry, str)]))


class Child:
    """A worker process.

    Attributes:
        name: The worker's name in reports.
        pid: Its process id, which is also the id of its process group.
        known: Digests of the code that it has.
        place: Where it runs activities.
        memory: Its peak memory in bytes, known once it was buried.
    """

    def __init__(self, name: str) -> None:
        """Start it and wait until it is ready.

        Raises:
            WorkerDied: It could not be started; the message ends with what it said.
        """
        self.name = name
        self.known: set[str] = set()
        self.place = here()
        self.memory = 0
        self._lock = threading.Lock()
        self._buried = False
        with tempfile.TemporaryFile() as log:
            try:
                self._spawn(log)
            except (OSError, TypeError, ValueError) as error:
                message = f"{name} could not be started with {sys.executable!r}: {error}"
                raise WorkerDied(message) from error
            self._poll = select.poll()
            self._poll.register(self._channel, select.POLLIN)
            try:
                self._ready()
            except Gone as error:
                how = self.bury()
                message = f"{name} (pid {self.pid}) {how} while starting{_tail(log)}"
                raise WorkerDied(message) from error

    def _spawn(self, log: IO[bytes]) -> None:
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as mine:
            near, far = socket.socketpair()
            theirs.callback(far.close)
            mine.callback(near.close)
            life, self._life = os.pipe()
            theirs.callback(os.close, life)
            mine.callback(os.close, self._life)
            stderr = _stderr()
            theirs.callback(os.close, stderr)
            fds = (far.fileno(), life, stderr)
            path = [*(self.place.path if self.place else sys.path), _ROOT]
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _BOOT, self.name, *map(str, fds), *path],
                stdin=subprocess.DEVNULL,
                stderr=log,
                pass_fds=fds,
                start_new_session=True,
            )
            mine.pop_all()
        self.pid = self._process.pid
        self._channel = Channel(near)

    def _ready(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while not self._poll.poll(_LOOK_MS):
            if self._exited() or time.monotonic() > end:
                raise Gone
        self.receive()

    def idle(self) -> bool:
        """Whether it is still there, while it has nothing to do and so nothing to say."""
        return not self._poll.poll(0)

    def send(self, message: tuple[object, ...]) -> None:
        """Send a request.

        Raises:
            Gone: The process has ended.
        """
        try:
            self._channel.send(message)
        except OSError as error:
            raise Gone from error

    def receive(self) -> Any:  # noqa: ANN401 - what the worker sent
        """Wait for its answer, however long that takes.

        Raises:
            Gone: The process ended without one.
        """
        # Something that the activity started may hold the connection of a dead worker open.
        while not self._poll.poll(_LOOK_MS):
            if self._exited():
                raise Gone
        try:
            return self._channel.receive()
        except (EOFError, OSError, NbflowError) as error:
            raise Gone from error

    def kill(self) -> None:
        """Kill the process and those it started, at once. From any thread, at any time."""
        with self._lock:
            # Once waited for, its id may be another's.
            if not self._buried:
                self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Ask it to end, which it does once its activity returns; kill it if it does not."""
        self._channel.close()
        self._exits_within(_GRACE_SECONDS)
        self.bury()

    def bury(self) -> str:
        """Make sure that it and those it started are gone. To be called once, by its user.

        Returns:
            How it ended: ``exited with code 3``.
        """
        # Its connection is closed just before it is gone: wait, to learn its own way to end.
        alone = self._exits_within(_GRACE_SECONDS)
        with self._lock:
            self._kill_group()
            self._buried = True
        how = self._wait()
        self._channel.close()
        os.close(self._life)
        return how if alone else "lost its connection to the pool"

    def _wait(self) -> str:
        try:
            _, status, usage = os.wait4(self.pid, 0)
        except ChildProcessError:
            self._process.returncode = 0
            return "ended in a way that is not known: something else waited for it"
        self.memory = usage.ru_maxrss * _RSS_UNIT
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"exited with code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        hint = " (often because memory ran out)" if -code == signal.SIGKILL else ""
        return f"was killed by signal {name}{hint}"

    def _exited(self) -> bool:
        """Whether it has ended, leaving it to be waited for."""
        if not hasattr(os, "waitid"):  # pragma: no cover - macOS before Python 3.13
            return True
        try:
            flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self.pid, flags) is not None
        except ChildProcessError:
            return True

    def _exits_within(self, seconds: float) -> bool:
        end, pause = time.monotonic() + seconds, 0.0005
        while not self._exited():
            if time.monotonic() > end:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return True


def _stderr() -> int:
    """Give a copy of this process's error output, or of nothing if it has none."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _tail(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_CHARACTERS))
    text = log.read().decode(errors="replace").strip()
    return f":\n{text}" if text else ""
