"""Workflows whose activities note each time that they run, for trials that kill processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import nbflow


def note(ledger: str, call: str) -> None:
    """Write a line at once; lines of this length are written whole, whoever writes at a time."""
    line = f"{call} {time.time():.6f} {os.getpid()}\n"
    out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(out, line.encode())
    finally:
        os.close(out)


def lines(ledger: Path) -> list[tuple[str, float]]:
    """Read what was noted: which call, and when."""
    text = ledger.read_text() if ledger.exists() else ""
    words = [line.split() for line in text.splitlines()]
    return [(call, float(at)) for call, at, _ in words]


@nbflow.activity(retry=nbflow.Retry(attempts=20, wait=0, jitter=0))
def noted(ledger: str, call: str) -> str:
    note(ledger, call)
    return call


@nbflow.activity
def plain(ledger: str, call: str) -> int:
    note(ledger, call)
    return len(call)


@nbflow.activity(retry=nbflow.Retry(attempts=20, wait=0, jitter=0))
def join(ledger: str, *parts: str) -> str:
    note(ledger, f"join{len(parts)}")
    return "+".join(parts)


@nbflow.workflow
def diamond(ledger: str, width: int, depth: int) -> str:
    """Some that are wide, and a chain behind each."""
    ends: list[Any] = []
    for column in range(width):
        latest: Any = ""
        for row in range(depth):
            latest = noted(ledger, f"c{column}.{row}").result() if row % 2 else ""
            latest = latest or noted(ledger, f"d{column}.{row}")
        ends.append(latest)
    last: Any = join(ledger, *ends)
    return last  # type: ignore[no-any-return]  # its result is the run's


@nbflow.workflow
def wide(ledger: str, count: int) -> int:
    """As many as there are, all at once."""
    return sum(future.result() for future in [plain(ledger, f"w{n}") for n in range(count)])


@nbflow.activity
def dies(ledger: str) -> None:
    """Take the process away under itself."""
    note(ledger, "dies")
    os.kill(os.getpid(), signal.SIGKILL)


@nbflow.workflow
def dying(ledger: str) -> None:
    dies(ledger).result()


@nbflow.activity
def speaks(ledger: str, gate: str) -> str:
    """Say something, wait for a file, and say something more; or end with the process."""
    print("so far")
    nbflow.context().progress(1, 2, "half")
    note(ledger, "speaks")
    while not Path(gate).exists():
        time.sleep(0.02)
    print("and so on", flush=True)
    if Path(gate).read_text() == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return "said"


@nbflow.workflow
def speaking(ledger: str, gate: str) -> str:
    return speaks(ledger, gate).result()


@nbflow.activity
def gated(ledger: str, gate: str) -> str:
    """Run until there is a file."""
    note(ledger, f"gated{os.getpid()}")
    while not Path(gate).exists():
        time.sleep(0.02)
    return "through"


@nbflow.workflow
def holding(ledger: str, gate: str) -> str:
    return gated(ledger, gate).result()


@nbflow.workflow
def part(ledger: str, number: int) -> str:
    return noted(ledger, f"part-{number}").result()


@nbflow.workflow
def family(ledger: str, left: int) -> str:
    """A child run, and once more as new."""
    found = part(ledger, left).result()
    if left:
        nbflow.continue_as_new(ledger, left - 1)
    return found
