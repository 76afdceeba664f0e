"""Dask clusters for tests: one whose parts are processes that can be killed, and a tap."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from distributed import Client

from nbflow.testing.checks import eventually

ROOT = Path(__file__).parents[2]


class Cluster:
    """A scheduler and two workers of a thread each, all of them processes of their own."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "scheduler.json"
        self._environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "DASK_TEMPORARY_DIRECTORY": str(directory),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
        }
        where = ["--scheduler-file", str(self._file)]
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", *where)
        eventually(self._told, "the scheduler says where it is", 60)
        alone = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "20"]
        self.workers = [self._start("worker", "--name", f"w{n}", *alone, *where) for n in range(2)]
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)

    def _told(self) -> bool:
        """Whether the scheduler has written its file to the end."""
        with contextlib.suppress(OSError, ValueError):
            return bool(self.address)
        return False

    def _start(self, what: str, *args: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *args]
        return subprocess.Popen(
            command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self._file.read_text())["address"])

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, as the system does that has no memory left."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()


class Tap:
    """Stands between a client and a scheduler, and counts the bytes that the client gets."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._to = host, int(port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.received = self.sent = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._open.append(client)
                scheduler = socket.create_connection(self._to)
                self._open.append(scheduler)
                for source, sink, way in (
                    (client, scheduler, "sent"),
                    (scheduler, client, "received"),
                ):
                    threading.Thread(
                        target=self._pass_on, args=(source, sink, way), daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                setattr(self, way, getattr(self, way) + len(data))
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._server.close()
        for one in self._open:
            one.close()


@contextlib.contextmanager
def tapped(address: str) -> Iterator[Tap]:
    tap = Tap(address)
    try:
        yield tap
    finally:
        tap.close()
