"""The pool's hold on one worker process: starting it, talking to it, ending it."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.engine.output import Rules
from nbflow.executors.pipe import Channel, Early, Place
from nbflow.executors.segments import Segment, Side

# A plain interpreter rather than multiprocessing: nothing of __main__ is run again, so that it
# works in notebooks and in scripts without a guard, and a kernel full of threads is not forked.
_BOOT = """\
import sys
name, *fds = sys.argv[1:7]
sys.path[:] = sys.argv[7:]
del sys.argv[1:]
from nbflow.executors.worker import main
main(name, *map(int, fds))
"""
_ROOT = str(Path(__file__).parents[2])

_START_SECONDS = 60.0
_GRACE_SECONDS = 1.0
_LOOK_MS = 1000
_LOG_BYTES = 2000
_BUFFER = 256 * 1024
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Gone(Exception):
    """The process does not answer any more."""


def here(last: Place | None = None) -> Place | None:
    """Give the present working directory and import path; `last` itself if that is still true.

    Without a working directory, since it was deleted, there is no place: then the last one stays.
    """
    try:
        cwd = os.getcwd()  # noqa: PTH109 - asked before each call: a Path takes five times as long
    except OSError:
        return last
    if last is not None and last.cwd == cwd and last.path == sys.path:
        return last
    return Place(cwd, list(sys.path))


class Child:
    """A worker process. It is used by one thread; only `kill` may be called from any.

    Attributes:
        name: The worker's name in reports.
        pid: Its process id, which is also the id of its process group.
        known: Digests of the code that it has.
        place: Where it runs activities.
        rules: What it does with what they write; None: it was not told yet.
        secrets: The values of secrets that it was told.
        killed: Whether `kill` was called.
        tickets: How many requests it was sent while it was busy.
        memory: Its peak memory in bytes, known once it has ended.
        side: Where large values come and go.

    Raises:
        WorkerDied: No process could be started.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.known: set[str] = set()
        self.place = here()
        self.rules: Rules | None = None
        self.secrets: tuple[tuple[str, str], ...] = ()
        self.killed = False
        self.tickets = 0
        self.memory = 0
        self._how = ""
        self._lock = threading.Lock()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed once it is ready, or buried
        try:
            self._spawn()
        except (OSError, TypeError, ValueError) as error:
            self._log.close()
            message = f"{name} could not be started with {sys.executable!r}: {error}"
            raise WorkerDied(message) from error

    def _spawn(self) -> None:
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            near, far = socket.socketpair()
            for sock in (near, far):
                # So much that a light request is sent at once, even to a busy worker.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            side, far_side = socket.socketpair()
            theirs.callback(far.close)
            theirs.callback(far_side.close)
            ours.callback(near.close)
            ours.callback(side.close)
            life, self._life = os.pipe()
            theirs.callback(os.close, life)
            ours.callback(os.close, self._life)
            # Both ends stay here, too: the ticket of a request may be taken back.
            self._tickets = os.pipe()
            for end in self._tickets:
                ours.callback(os.close, end)
            os.set_blocking(self._tickets[0], False)
            stderr = _stderr()
            theirs.callback(os.close, stderr)
            fds = (far.fileno(), far_side.fileno(), self._tickets[0], life, stderr)
            path = [*map(str, sys.path), _ROOT]
            with _not_interrupted():
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-c", _BOOT, self.name, *map(str, fds), *path],
                    stdin=subprocess.DEVNULL,
                    stderr=self._log,
                    pass_fds=fds,
                    start_new_session=True,
                )
            ours.pop_all()
        self.pid = self._process.pid
        self._channel = Channel(near)
        self.side = Side(side)

    def ready(self) -> None:
        """Wait until it can take requests.

        Raises:
            WorkerDied: It ended before; the message ends with what it wrote.
        """
        try:
            self._receive(_START_SECONDS)
        except Gone as error:
            how = self._gone()
            message = f"{self.name} (pid {self.pid}) {how} while it was starting{self._said()}"
            raise WorkerDied(message) from error
        self._log.close()

    def _said(self) -> str:
        """Give the end of what it wrote while starting."""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _LOG_BYTES))
        text = self._log.read().decode(errors="replace").strip()
        return f":\n{text}" if text else ""

    def idle(self) -> bool:
        """Whether it is still there, while it has nothing to do and so nothing to say."""
        return not self._channel.waiting()

    def send(
        self, message: tuple[object, ...] | list[Early], segments: Sequence[Segment] = ()
    ) -> None:
        """Send a request, with its segments, or several that are sent early.

        Raises:
            Gone: The process has ended.
        """
        try:
            for segment in segments:
                self.side.send(segment)
            self._channel.send(message)
        except OSError as error:
            raise Gone from error

    def heard(self) -> bool:
        """Whether a message of its is here already."""
        return self._channel.heard()

    def put_tickets(self, count: int) -> None:
        """Allow it to begin so many more of the requests that are sent to it while it is busy."""
        self.tickets += count
        os.write(self._tickets[1], b"t" * count)

    def take_tickets(self, count: int) -> int:
        """Take that back of the latest ones; of how many in time. It will pass them over."""
        try:
            return len(os.read(self._tickets[0], count))
        except BlockingIOError:
            return 0

    def receive(self) -> Any:
        """Wait for its answer, however long that takes.

        Raises:
            Gone: The process ended without one.
        """
        return self._receive(math.inf)

    def _receive(self, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not self._channel.waiting(_LOOK_MS):
            # Something that the activity started may hold the connection of a dead worker open.
            # Its last words may have come just now.
            if time.monotonic() > end or (self._exited() and not self._channel.waiting()):
                raise Gone
        try:
            return self._channel.receive()
        except (EOFError, OSError, NbflowError) as error:
            raise Gone from error

    def kill(self) -> None:
        """Kill the process and those it started, at once. From any thread, at any time."""
        self.killed = True
        with self._lock:
            # Once it was waited for, its id may be another's.
            if not self._how:
                self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Ask it to end, which it does if it has nothing to do; kill it if it does not."""
        self._channel.close()
        self.bury()

    def bury(self) -> str:
        """Make sure that it and those it started are gone, and let go of it.

        Returns:
            How it ended: ``exited with code 3``.
        """
        how = self._gone()
        self._channel.close()
        self.side.close()
        self._log.close()
        for end in (self._life, *self._tickets):
            os.close(end)
        return how

    def _gone(self) -> str:
        # A connection is closed just before its process is gone: wait, to learn how that ended.
        if self._exits_within(_GRACE_SECONDS):
            return self._how
        self.kill()
        self._exits_within(math.inf)
        return "closed its connection to the pool"

    def _exits_within(self, seconds: float) -> bool:
        end, pause = time.monotonic() + seconds, 0.0005
        while not self._exited():
            if time.monotonic() > end:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return True

    def _exited(self) -> bool:
        """Whether it has ended; then take note of how, and end those it started."""
        with self._lock:
            if not self._how:
                try:
                    pid, status, usage = os.wait4(self.pid, os.WNOHANG)
                except ChildProcessError:
                    self._process.returncode = 0
                    self._how = "ended, and something else took note of how"
                else:
                    if not pid:
                        return False
                    self.memory = usage.ru_maxrss * _RSS_UNIT
                    self._process.returncode = os.waitstatus_to_exitcode(status)
                    self._how = _how(self._process.returncode)
                # The id of a group stays taken as long as one of its processes is there.
                self._kill_group()
            return True


@contextlib.contextmanager
def _not_interrupted() -> Iterator[None]:
    """Have a process that is started in this block hear no stop button until it asks for it.

    For a moment it is still in the notebook's process group, which the button signals.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    hint = " (often because memory ran out)" if -code == signal.SIGKILL else ""
    return f"was killed by signal {name}{hint}"


def _stderr() -> int:
    """Give a copy of this process's error output, or of nothing if it has none."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
