"""An emulator for those who want to try a service out: it is there while somebody needs it.

It is a process of its own on loopback, which ends with the process that started it, however that
ends. What it knows is in a file, so the next one goes on where it was: runs survive a restart of
the kernel. Kernels that share a directory share the emulator.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from nbflow.core.errors import NbflowError

_GRACE: Final = 5.0
_PATIENCE: Final = 60.0
_LOOK: Final = 0.1


class Reached(Protocol):
    """An emulator that runs."""

    def now(self) -> float:
        """Give its time; fail if it does not run."""


class Emulator(NamedTuple):
    """How the emulator of a service is started and reached.

    Attributes:
        service: What the service is called.
        module: What ``python -m`` runs.
        kept: The option that takes the file with what it knows, and the name of that file.
        endpoint: Gives the emulator of an address.
        error: What is raised if it does not start.
        held: What one says that ends at once since another has the file; "" if none does so.
    """

    service: str
    module: str
    kept: tuple[str, str]
    endpoint: Callable[[str], Reached]
    error: type[NbflowError] = NbflowError
    held: str = ""

    def command(self, directory: Path, port: int) -> Sequence[str]:
        """Give what starts it."""
        option, name = self.kept
        kept = (option, str(directory / name))
        return [sys.executable, "-m", self.module, "--until-eof", *kept, "--port", str(port)]


class Simulation:
    """The emulator of a directory.

    Args:
        emulator: What is started, and how.
        directory: Where it keeps what it knows. It is made if it is not there.
    """

    def __init__(self, emulator: Emulator, directory: Path) -> None:
        self.emulator, self.directory = emulator, directory
        self.child: subprocess.Popen[str] | None = None
        """The process, if it was started here."""
        self._lock = threading.Lock()

    def known(self) -> str:
        """Give the address of the emulator that runs now, whoever started it; "" if none does."""
        url = self._last()
        try:
            if url:
                self.emulator.endpoint(url).now()
        except (OSError, ValueError, TypeError, KeyError, NbflowError):
            return ""
        return url

    def _last(self) -> str:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads((self.directory / "address").read_text())["url"])
        return ""

    def url(self) -> str:
        """Give the address of the emulator, which is started if none runs.

        Raises:
            NbflowError: It does not start; the message has what it said. It is the error that the
                emulator was given with.
        """
        with self._lock:
            found = self.known()
            if found:
                return found
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():  # another kernel may be starting one just now
                return self.known() or self._started()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        import fcntl  # noqa: PLC0415 - not on every system

        held = os.open(self.directory / "starting", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    def _started(self) -> str:
        """Start one, and again while that of another kernel is about to end."""
        end = time.monotonic() + _PATIENCE
        while True:
            # Whoever knows the address of the last one finds this one there.
            port = urlsplit(self._last()).port or 0
            for wanted in dict.fromkeys((port, 0)):
                url, said = self._start(wanted)
                if url:
                    return url
            held = self.emulator.held
            if not held or held not in said or time.monotonic() > end:
                what = f"the emulator of {self.emulator.service} did not start"
                raise self.emulator.error(f"{what}: {said}")
            time.sleep(_LOOK)

    def _start(self, port: int) -> tuple[str, str]:
        """Give the address of a new one; "" and what it said if it ended at once."""
        pipe: Any = subprocess.PIPE
        # A session of its own: the stop button of a notebook interrupts the kernel's whole group.
        child = subprocess.Popen(  # noqa: S603 - ours
            self.emulator.command(self.directory, port),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )
        assert child.stdout is not None  # noqa: S101 - all three are pipes
        url = child.stdout.readline().strip()
        if not url:
            said = child.communicate()[1].strip()
            return "", said or f"it ended with code {child.returncode}"
        self._end()
        self.child = child
        fresh = self.directory / f"address.{child.pid}"
        fresh.write_text(json.dumps({"url": url}))
        fresh.replace(self.directory / "address")
        return url, ""

    def close(self) -> None:
        """End the emulator, if it was started here."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        child, self.child = self.child, None
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
