"""What a run of many calls takes in each place: time, memory, log, executions, money.

    python benchmarks/simulate.py                       10^4 to 10^7 calls of 50 ms, by known costs
    python benchmarks/simulate.py --seconds 5 --workers 100
    python benchmarks/simulate.py --measure             costs of this machine instead

Known costs are those of RESULTS.md; quotas and prices are as their services document them.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

SIZES = (10**4, 10**5, 10**6, 10**7)
MEASURED_CALLS = 5_000


@dataclass(frozen=True)
class Place:
    """What a call costs in a place, and what bounds a run there.

    Attributes:
        name: The place.
        overhead: Seconds of one processor, or of the service, that a call takes beside its work.
        memory: Bytes that the driving process keeps for a call.
        log: Bytes of log a call.
        events: Events a call.
        most_events: Events that one run may have; infinite where nothing says so.
        rate: Calls a second that the service lets begin.
        dollars: What a call costs.
        dollars_run: What a run costs.
    """

    name: str
    overhead: float
    memory: float
    log: float
    events: float
    most_events: float = math.inf
    rate: float = math.inf
    dollars: float = 0.0
    dollars_run: float = 0.0


PLACES = (
    Place("threads, SQLite", 25e-6, 1_050, 400, 2),
    Place("processes, SQLite", 150e-6, 1_050, 400, 2),
    Place("Dask, SQLite", 1.7e-3, 1_600, 450, 2),
    # An activity and its share of decisions: 3.2 to 3.9 events where many run at once. A call of
    # the API for the decision, the poll and the answer; 25 dollars a million of each kind.
    Place("SWF", 5e-3, 1_600, 900, 3.9, 25_000, 200, 2 * 25e-6, 1e-4),
)


@dataclass(frozen=True)
class Forecast:
    """What is foreseen of a run.

    Attributes:
        seconds: Wall time.
        gigabytes: Of memory, if it is one run.
        log: Gigabytes of log.
        runs: How many runs it has to be cut into for the place's quota of events.
        dollars: What the service takes for it.
        bound: What holds it up most.
    """

    seconds: float
    gigabytes: float
    log: float
    runs: int
    dollars: float
    bound: str


def forecast(place: Place, calls: int, seconds: float, workers: int, chunk: int) -> Forecast:
    """Foresee a run.

    Args:
        place: Where it runs.
        calls: How many pieces of work there are.
        seconds: What one takes.
        workers: How many run at once.
        chunk: How many of them one call does.
    """
    asked = math.ceil(calls / chunk)
    times = {
        "the work": calls * seconds / workers,
        "overhead": asked * place.overhead,
        "the rate": asked / place.rate,
    }
    bound = max(times, key=lambda name: times[name])
    runs = math.ceil(asked * place.events / place.most_events) if place.most_events else 1
    return Forecast(
        times[bound],
        asked * place.memory / 1e9,
        asked * place.log / 1e9,
        max(1, runs),
        asked * place.dollars + max(1, runs) * place.dollars_run,
        bound,
    )


def measured(place: Place, on: str) -> Place:
    """Give a place with the costs of this machine."""
    import nbflow
    from nbflow.store.sqlite import SqliteStore

    @nbflow.activity
    def same(n: int) -> int:
        return n

    @nbflow.workflow
    def wide(n: int) -> int:
        return sum(future.result() for future in [same(i) for i in range(n)])

    with tempfile.TemporaryDirectory() as directory:
        nbflow.configure(store=SqliteStore(directory), output="log")
        wide.on(on, max_workers=2).start(20).result()
        before = _bytes(directory)
        clock = time.perf_counter()
        run = wide.on(on, max_workers=2).start(MEASURED_CALLS)
        run.result()
        seconds = time.perf_counter() - clock
        events = sum(1 for _ in run.events())
        log = _bytes(directory) - before
    return replace(
        place,
        overhead=seconds / MEASURED_CALLS,
        log=log / MEASURED_CALLS,
        events=events / MEASURED_CALLS,
    )


def _bytes(directory: str) -> int:
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())


def lasts(seconds: float) -> str:
    """Write a time as people do."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.05, help="what a call takes (0.05)")
    parser.add_argument("--workers", type=int, default=8, help="how many run at once (8)")
    parser.add_argument("--chunk", type=int, default=1, help="pieces of work a call (1)")
    parser.add_argument("--measure", action="store_true", help="by the costs of this machine")
    given = parser.parse_args()
    if given.seconds <= 0 or given.workers < 1 or given.chunk < 1:
        parser.error("seconds, workers and chunk are positive numbers")
    places = list(PLACES)
    if given.measure:
        places[0] = measured(places[0], "threads")
        places[1] = measured(places[1], "processes")
    print("| place | calls | time | bound by | memory, GB | log, GB | runs | dollars |")
    print("|---|---:|---:|---|---:|---:|---:|---:|")
    for place in places:
        for calls in SIZES:
            it = forecast(place, calls, given.seconds, given.workers, given.chunk)
            print(
                f"| {place.name} | {calls:,} | {lasts(it.seconds)} | {it.bound} | "
                f"{it.gigabytes:.2f} | {it.log:.2f} | {it.runs:,} | {it.dollars:,.2f} |"
            )


if __name__ == "__main__":
    main()
