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
from collections import deque

from nbflow.core.byname import follow_files
from nbflow.core.secret import take_values
from nbflow.engine import streams
from nbflow.engine.job import run_job
from nbflow.executors.pipe import (
    CODES,
    Channel,
    Early,
    Parcel,
    Place,
    Request,
    Shipped,
    arrived,
    job_of,
    reply,
)
from nbflow.executors.segments import Side
from nbflow.executors.voice import Voice

try:
    import fcntl
except ImportError:  # pragma: no cover - the pool does not start where there is none
    fcntl = None  # type: ignore[assignment]


def main(name: str, connection: int, side: int, tickets: int, life: int, stderr: int) -> None:
    """Serve the pool.

    Args:
        name: The worker's name in reports.
        connection: Descriptor of the socket to the pool.
        side: Descriptor of the socket that large values come and go by.
        tickets: Descriptor of the pipe with the tickets of requests that were sent early.
        life: Descriptor of a pipe that reads as ended once the pool's process is gone.
        stderr: Descriptor of the error output to use from now on. What is written before, while
            starting, goes to where the pool can read it.
    """
    # The stop button of a notebook signals whole process groups; workers have their own, yet an
    # activity may change that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # what activities start may hear it
    _end_with_parent(life)
    follow_files()
    channel = Channel(socket.socket(fileno=connection))
    # A forked child of an activity must not hold the connection open, or answer on it.
    os.register_at_fork(after_in_child=channel.close)
    os.dup2(stderr, 2)
    os.close(stderr)
    faulthandler.enable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        channel.send(("ready",))
    except OSError:
        return  # the pool gave this worker up while it was starting
    pid = os.getpid()
    _serve(channel, Side(socket.socket(fileno=side)), _Requests(channel, tickets), name)
    if os.getpid() != pid:
        os._exit(1)  # the exit handlers are the worker's, not those of its forks


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
    # Another fork of the parent may hold the pipe open: hence the look at the parent, too.
    while os.getppid() == parent:
        for _, event in poll.poll(1000):
            if event & select.POLLNVAL:  # an activity closed it
                poll.unregister(life)
            else:
                parent = 0
    with contextlib.suppress(OSError):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


class _Requests:
    """What the pool sends.

    Requests may be sent while an activity runs, so that the next ones begin without delay. The
    pool takes such requests back, the latest first, by taking their tickets out of a pipe that
    both read from; whoever gets a ticket has the job.
    """

    def __init__(self, channel: Channel, tickets: int) -> None:
        self._channel = channel
        self._tickets = tickets
        self._early: deque[Early] = deque()
        self.read = 0
        self.home = _cwd()

    def next(self, *, wait: bool) -> Request | None:
        """Give the next request; without waiting, None if none has come yet."""
        while True:
            while self._early:
                early = self._early.popleft()
                self.read += 1
                with contextlib.suppress(BlockingIOError):
                    os.read(self._tickets, 1)
                    return Request.of_early(early)
            if not (wait or self._channel.waiting()):
                return None
            message = self._channel.receive()
            if type(message) is list:
                self._early.extend(message)
                continue
            request = Request(*message)
            self._move(request.place)
            if request.rules is not None:
                streams.use(request.rules)
            if request.secrets is not None:
                take_values(request.secrets)
            return request

    def _move(self, place: Place | None) -> None:
        if place is not None:
            self.home = place.cwd
            sys.path[:] = place.path
            importlib.invalidate_caches()


def _serve(channel: Channel, side: Side, requests: _Requests, name: str) -> None:
    codes: dict[str, Shipped] = {}
    request = None
    voice, parcel = Voice(channel), Parcel()
    streams.serve(voice, voice.flushed)
    while True:
        try:
            request = request or requests.next(wait=True)
            assert request is not None  # noqa: S101 - it waited
            if request.far:
                request = arrived(request, side)
            _go(requests.home)
            job = voice.job = job_of(request, _code(request, codes), parcel)
            answer = run_job(job, name, shared=False)
            with contextlib.suppress(Exception):  # an activity may have put anything there
                sys.stdout.flush()
            if voice.sign is not None:
                voice.pass_on()
            voice.job = None
            if voice.words is not None:
                voice.end(job)
            # Before the answer goes, so that the answer tells whether the next one has begun.
            request = requests.next(wait=False)
            channel.send(reply(parcel.sent(answer, side), requests.read))
            # Let go of the values before waiting for the next request.
            del answer, job
        except (EOFError, OSError):
            # The pool has closed; or this is a forked child that came back from the activity.
            return


def _go(home: str) -> None:
    """Go back to the working directory, which the previous activity may have left."""
    if _cwd() != home:
        with contextlib.suppress(OSError):
            os.chdir(home)


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - as in child.py
    except OSError:  # it was deleted
        return ""


def _code(request: Request, codes: dict[str, Shipped]) -> Shipped:
    name, digest = request.code
    if request.blob is not None:
        if len(codes) >= CODES:
            codes.clear()
        codes[digest] = Shipped(name, digest, request.blob)
    return codes[digest]
