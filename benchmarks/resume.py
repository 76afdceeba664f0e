"""What it costs to resume a run with a long log: time, memory, and how often the log is read.

    python benchmarks/resume.py                      logs of 100,000 and of 1,000,000 events
    python benchmarks/resume.py --events 10000 100000
    python benchmarks/resume.py --write benchmarks/RESUME.md

Each log is made first, by writing events into a store as a run would. All its calls have succeeded
but the last, which is what a resumption has to run. Then a fresh process attaches to the run and
resumes it. There are two kinds of logs: of few calls that have said much, so that the events are
nearly all there is, and of as many calls as there can be, each of which has to be in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbflow
from nbflow.core.events import CallScheduled, CallSucceeded, CallWrote, Event, RunStarted
from nbflow.store.sqlite import SqliteStore

FEW = 1_000
ROWS = 100
"""Events of one append: as many as a busy run writes at once."""
_MB = 1e6


@nbflow.activity
def work(number: int) -> int:
    print("work", number)
    return number


@nbflow.workflow
def long(calls: int) -> int:
    return sum(future.result() for future in [work(n) for n in range(calls)])


class Counting(SqliteStore):
    """A store that counts the events that are read from it."""

    read = 0

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        for event in super().events(run, after):
            self.read += 1
            yield event


def log(kind: str, count: int) -> Iterator[Event]:
    """Give a log of so many events, or one or two more, whose last call has no result."""
    calls = FEW if kind == "output" else (count - 1) // 2
    said = max(0, (count - 2 * calls) // calls)
    at = 1.7e9
    yield RunStarted(1, at, "long", (calls,), {}, seed="long")
    seq = 1
    for n in range(calls):
        seq += 1
        yield CallScheduled(seq, at, f"work-{n + 1}", "work", (n,), code=work.digest)
    for n in range(calls - 1):
        for line in range(said):
            seq += 1
            text = f"line {line} of call {n}, about as long as such lines are\n"
            yield CallWrote(seq, at, f"work-{n + 1}", 1, "stdout", text)
        seq += 1
        yield CallSucceeded(seq, at, f"work-{n + 1}", 1, n, "thread-1", at, 1000, 1000, 0, 0, 10**7)


def write(store: SqliteStore, kind: str, count: int) -> int:
    """Write a log, and give how many events it has."""
    events = log(kind, count)
    first: Any = next(events)
    store.create("long", first)
    batch: list[Event] = []
    written = 1
    for event in events:
        batch.append(event)
        written += 1
        if len(batch) == ROWS:
            store.append("long", batch)
            batch = []
    if batch:
        store.append("long", batch)
    return written


def peak() -> float:
    """Give the most memory that this process has used, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB


def measure(directory: str) -> dict[str, float]:
    """Resume the run of a store in this process, and give what that took."""
    store = Counting(directory)
    nbflow.configure(store=store, on="threads", max_workers=1, output="log")
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    run = nbflow.attach("long")
    run.resume(long)
    run.result(3600)
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "before": before,
        "peak": peak(),
        "read": store.read,
    }


def trial(kind: str, count: int) -> dict[str, float]:
    """Make a log and resume it, each in a process of its own, as memory is never given back."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "NBFLOW_DATA_DIR": f"{home}/key"}

        def child(*arguments: str) -> Any:
            command = [sys.executable, __file__, *arguments, f"{home}/store"]
            return json.loads(subprocess.check_output(command, env=env).splitlines()[-1])

        written = child("--make", kind, str(count))
        return {**child("--measure"), "events": written}


def table(kind: str, counts: list[int], rounds: int) -> list[str]:
    """Measure one kind of logs; give the rows of a table, the quickest of the rounds each."""
    lines = [
        (
            "| events | calls | s | processor s | µs of it an event | peak MB | over its start "
            "| bytes a call | read |"
        ),
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for count in counts:
        found = min((trial(kind, count) for _ in range(rounds)), key=lambda one: one["cpu"])
        calls = FEW if kind == "output" else (count - 1) // 2
        more = found["peak"] - found["before"]
        lines.append(
            f"| {found['events']:,.0f} | {calls:,} | {found['seconds']:.2f} "
            f"| {found['cpu']:.2f} | {found['cpu'] / found['events'] * 1e6:.1f} "
            f"| {found['peak']:.0f} "
            f"| {more:.0f} | {more * _MB / calls:,.0f} "
            f"| {found['read'] / found['events']:.2f} times |"
        )
        print(lines[-1], flush=True)
    return lines


def report(counts: list[int], rounds: int) -> str:
    """Measure all, and write it down."""
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    lines = [
        "# Resuming long runs",
        "",
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {platform.platform()}, Python "
            f"{platform.python_version()}, nbflow {nbflow.__version__}; "
            f"`python benchmarks/resume.py`, the best of {rounds} round(s), load of the machine "
            f"{os.getloadavg()[0]:.1f}."
        ),
        "",
        (
            "A fresh process attaches to a run and resumes it; all calls but the last have "
            "succeeded. The seconds are from attaching to the result; where others use the machine "
            "as well, those of the processor tell more. Memory is that of the whole process, and "
            "what it took more than when nbflow was imported and the store opened."
        ),
        "",
        f"## Output: {FEW:,} calls that have printed all the rest",
        "",
        "Events that are over and done with leave nothing in memory.",
        "",
        *table("output", counts, rounds),
        "",
        "## Calls: two events each",
        "",
        "Every call is in memory, since the workflow's code asks for it again.",
        "",
        *table("calls", counts, rounds),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--make", nargs=2, metavar=("KIND", "EVENTS"), help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("store", nargs="?", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        store = SqliteStore(asked.store)
        print(write(store, asked.make[0], int(asked.make[1])))
        store.close()
    elif asked.measure:
        print(json.dumps(measure(asked.store)))
    else:
        text = report(asked.events, asked.rounds)
        if asked.write:
            Path(asked.write).write_text(text)


if __name__ == "__main__":
    main()
