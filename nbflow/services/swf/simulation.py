"""An emulator for those who want to try SWF out: it is there while somebody needs it.

It is a process of its own on loopback, which ends with the process that started it, however that
ends. What was asked of it is in a file, so the next one goes on where it was: runs survive a
restart of the kernel. Kernels that share a directory share the emulator.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nbflow.core.errors import NbflowError
from nbflow.services.swf.emulator.handle import Endpoint
from nbflow.services.swf.emulator.recording import HELD

_GRACE: Final = 5.0
_PATIENCE: Final = 60.0
_LOOK: Final = 0.1


class Simulation:
    """The emulator of a directory.

    Args:
        directory: Where it keeps what it was asked. It is made if it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def known(self) -> str:
        """Give the address of the emulator that runs now, whoever started it; "" if none does."""
        try:
            url = str(json.loads((self.directory / "address").read_text())["url"])
            Endpoint(url).now()
        except (OSError, ValueError, TypeError, KeyError, NbflowError):
            return ""
        return url

    def url(self) -> str:
        """Give the address of the emulator, which is started if none runs.

        Raises:
            NbflowError: It does not start; the message has what it said.
        """
        with self._lock:
            end = time.monotonic() + _PATIENCE
            while True:
                found = self.known()
                if found:
                    return found
                said = self._start()
                if self._child is None and time.monotonic() > end:
                    raise NbflowError(f"the emulator of SWF did not start: {said}")
                time.sleep(_LOOK if self._child is None else 0)

    def _start(self) -> str:
        """Start one; give what it said if it ended at once, since another one has the file."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        pipe = subprocess.PIPE
        # A session of its own: the stop button of a notebook interrupts the kernel's whole group.
        child = subprocess.Popen(  # noqa: S603 - ours
            [*_command(self.directory), "--port", str(self._port())],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )
        assert child.stdout is not None  # noqa: S101 - all three are pipes
        url = child.stdout.readline().strip()
        if not url:
            said = child.communicate()[1]
            if HELD not in said:  # else it is the address of the one that has the file
                (self.directory / "address").unlink(missing_ok=True)
            return said.strip() or f"it ended with code {child.returncode}"
        self._child = child
        target = self.directory / "address"
        fresh = target.with_suffix(f".{child.pid}")
        fresh.write_text(json.dumps({"url": url}))
        fresh.replace(target)
        return ""

    def _port(self) -> int:
        """Give the port that the last one had: who still knows the address finds the next one."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads((self.directory / "address").read_text())["url"]
            return urlsplit(found).port or 0
        return 0

    def close(self) -> None:
        """End the emulator, if it was started here."""
        with self._lock:
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


def _command(directory: Path) -> list[str]:
    module = "nbflow.services.swf.emulator"
    return [sys.executable, "-m", module, "--until-eof", "--record", str(directory / "record")]
