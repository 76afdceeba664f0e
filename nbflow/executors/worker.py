"""The main program of a worker process.

It runs one request after another until its pool closes the connection, and does not outlive the
pool's process: neither it nor what its activities started may go on when the kernel is gone,
since a resumed run would overlap with them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import os
import select
import signal
import socket
import sys
import threading

from nbflow.engine.job import run_job
from nbflow.executors.pipe import CODES, Channel, Request, Shipped, job_of, reply

try:
    import fcntl
except ImportError:  # pragma: no cover - the pool does not start where there is none
    fcntl = None  # type: ignore[assignment]


def main(name: str, connection: int, life: int, stderr: int) -> None:
    """Serve the pool.

    Args:
        name: The worker's name in reports.
        connection: Descriptor of the socket to the pool.
        life: Descriptor of a pipe that reads as ended once the pool's process is gone.
        stderr: Descriptor of the error output to use from now on. What is written before, while
            starting, goes to where the pool can read it.
    """
    # The stop button of a notebook signals whole process groups; workers have their own, yet an
    # activity may change that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent(life)
    channel = Channel(socket.socket(fileno=connection))
    # A forked child of an activity must not hold the connection open, or answer on it.
    os.register_at_fork(after_in_child=channel.close)
    os.dup2(stderr, 2)
    os.close(stderr)
    faulthandler.enable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    channel.send(("ready",))
    _serve(channel, name)


def _end_with_parent(life: int) -> None:
    if hasattr(fcntl, "F_SETSIG"):
        # Linux kills the group itself, even while an activity holds the interpreter's lock.
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(life, fcntl.F_GETFL)
        fcntl.fcntl(life, fcntl.F_SETFL, flags | os.O_ASYNC)
    watch = threading.Thread(target=_watch, args=(life, os.getppid()), daemon=True)
    watch.name = "nbflow-watch"
    watch.start()


def _watch(life: int, parent: int) -> None:
    """Wait for the end of the pool's process, then end this one and its group."""
    poll = select.poll()
    poll.register(life, select.POLLIN)
    # A process that the parent forked may hold the pipe open: hence the look at the parent, too.
    while not poll.poll(1000) and os.getppid() == parent:
        pass
    with contextlib.suppress(OSError):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _serve(channel: Channel, name: str) -> None:
    codes: dict[str, Shipped] = {}
    home = os.getcwd()
    while True:
        try:
            request = Request(*channel.receive())
        except (EOFError, OSError):
            return
        if request.place is not None:
            home = request.place.cwd
            sys.path[:] = request.place.path
            importlib.invalidate_caches()
        _go(home)
        answer = run_job(job_of(request, _code(request, codes)), name, shared=False)
        with contextlib.suppress(Exception):  # an activity may have put anything there
            sys.stdout.flush()
        try:
            channel.send(reply(answer))
        except OSError:
            # The pool has closed, or this is a forked child that came back from the activity:
            # it must not run the worker's exit handlers.
            os._exit(1)
        # Let go of the values before waiting for the next request.
        del request, answer


def _go(home: str) -> None:
    """Go back to the working directory, which the previous activity may have left."""
    try:
        here = os.getcwd()
    except OSError:
        here = ""
    if here != home:
        with contextlib.suppress(OSError):
            os.chdir(home)


def _code(request: Request, codes: dict[str, Shipped]) -> Shipped:
    name, digest = request.code
    if request.blob is not None:
        if len(codes) >= CODES:
            codes.clear()
        codes[digest] = Shipped(name, digest, request.blob)
    return codes[digest]
