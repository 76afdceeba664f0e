"""An emulator for those who want to try CloudFlow out: it is there while somebody needs it.

It is a process of its own on loopback, which ends with the process that started it, however that
ends. Its data are in a file, so the next one goes on where it was: runs survive a restart of the
kernel. Kernels that share a directory share the emulator.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nbflow.core.errors import NbflowError
from nbflow.services.cloudflow.emulator.handle import Endpoint
from nbflow.services.cloudflow.errors import CloudFlowError

_GRACE: Final = 5.0


class Simulation:
    """The emulator of a directory.

    Args:
        directory: Where it keeps its data. It is made if it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def known(self) -> str:
        """Give the address of the emulator that runs now, whoever started it; "" if none does."""
        url = self._last()
        try:
            if url:
                Endpoint(url).now()
        except (OSError, ValueError, KeyError, NbflowError):
            return ""
        return url

    def _last(self) -> str:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads((self.directory / "address").read_text())["url"])
        return ""

    def url(self) -> str:
        """Give the address of the emulator, which is started if none runs.

        Raises:
            CloudFlowError: It does not start; the message has what it said.
        """
        with self._lock:
            found = self.known()
            if found:
                return found
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():  # another kernel may be starting one just now
                return self.known() or self._start()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        held = os.open(self.directory / "starting", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    def _start(self) -> str:
        # Whoever knows the address of the last one finds this one there.
        port = urlsplit(self._last()).port or 0
        said = ""
        for wanted in dict.fromkeys((port, 0)):
            child = self._spawn(wanted)
            assert child.stdout is not None  # noqa: S101 - all three are pipes
            url = child.stdout.readline().strip()
            if url:
                self._end()
                self._child = child
                fresh = self.directory / f"address.{child.pid}"
                fresh.write_text(json.dumps({"url": url}))
                fresh.replace(self.directory / "address")
                return url
            said = child.communicate()[1].strip()
        raise CloudFlowError(f"the emulator of CloudFlow did not start: {said}")

    def _spawn(self, port: int) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        module = "nbflow.services.cloudflow.emulator"
        data = str(self.directory / "data")
        # A session of its own: the stop button of a notebook interrupts the kernel's whole group.
        return subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-m", module, "--until-eof", "--data", data, "--port", str(port)],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )

    def close(self) -> None:
        """End the emulator, if it was started here."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()
        try:
            child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
