"""Who drives a run: one process at a time, and how others see whether it is still there."""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

RENEW: Final = 10.0
"""Seconds between two signs of life of a driver."""
PATIENCE: Final = 45.0
"""Seconds without a sign of life after which a driver on another machine counts as gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A process's claim to drive a run.

    The log itself keeps a second driver from doing harm: whoever resumes a run writes that first,
    and the next append of the one before is refused, since the log has grown. The lease is there
    to tell people before that happens.

    Attributes:
        host: Name of the machine.
        pid: The process there.
        born: When that process began, as its system tells it; 0 where that is not known. Process
            ids are used again, and this tells one from the next.
        token: Of this very claim.
        since: When it was made (seconds, epoch).
        seen: Its latest sign of life.
    """

    host: str
    pid: int
    born: int
    token: str
    since: float
    seen: float

    def blocks(self, other: Lease, now: float) -> bool:
        """Whether another claim has to yield: that of another process, while this one is there.

        Within one process the engine itself sees to it that a run is driven once.
        """
        same = (self.host, self.pid, self.born) == (other.host, other.pid, other.born)
        return self.token != other.token and not same and self.alive(now)

    def alive(self, now: float) -> bool:
        """Whether its process is there: known for sure on this machine, else by signs of life."""
        if self.host == socket.gethostname():
            return _runs(self.pid, self.born)
        return now - self.seen < PATIENCE

    def words(self, now: float) -> str:
        """Describe the process: ``process 4242 of this machine, for 12 s``."""
        here = self.host == socket.gethostname()
        where = "this machine" if here else self.host
        last = "" if here else f", last heard of {max(0.0, now - self.seen):.0f} s ago"
        return f"process {self.pid} of {where}, for {max(0.0, now - self.since):.0f} s{last}"


def new_lease() -> Lease:
    """Make a claim of this process."""
    now, pid = time.time(), os.getpid()
    return Lease(
        host=socket.gethostname(),
        pid=pid,
        born=_born(pid),
        token=secrets.token_hex(8),
        since=now,
        seen=now,
    )


def _runs(pid: int, born: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z" and (not born or _born(pid) in {0, born})


def _fields(pid: int) -> list[str]:
    """Read what Linux tells of a process after its name, which may hold anything (proc(5))."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _state(pid: int) -> str:
    fields = _fields(pid)
    return fields[0] if fields else ""


def _born(pid: int) -> int:
    return _own_birth(pid) if pid == os.getpid() else _birth(pid)


@cache
def _own_birth(pid: int) -> int:
    return _birth(pid)


def _birth(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[19]) if len(fields) > 19 else 0  # noqa: PLR2004 - starttime, see proc(5)
