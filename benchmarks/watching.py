"""What watching costs a run: many short calls, with nobody looking and with a follower.

    python benchmarks/watching.py                         10,000 calls of 1 ms, 2 threads, 5 rounds
    python benchmarks/watching.py --calls 2000 --rounds 3

Both kinds of runs take turns in one process, in changing order, so that a machine that becomes
slower meanwhile does both harm alike. What the follower tells is encoded, as it would be for a
browser, and counted. The processor time is that of the whole process.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbflow
from nbflow.viz.live import Follower

WORKERS = 2
PAUSE = 0.001


@dataclass
class Counted:
    """A sink that counts what it is told.

    Attributes:
        sizes: Bytes of each message.
        first: When the first came...
        last: ...and the last, on the clock of `time.monotonic`.
    """

    sizes: list[int] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0

    def tell(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        told = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        self.sizes.append(len(told) + sum(map(len, buffers)))
        self.last = time.monotonic()
        self.first = self.first or self.last

    def full(self, state: dict[str, Any]) -> None:
        self.tell(state, [])

    def allow(self, actions: list[str]) -> None:
        self.tell({"actions": actions}, [])


@dataclass
class Took:
    """What one run took: seconds on the wall, of the processor, and of it for the follower."""

    wall: float
    cpu: float
    watching: float = 0.0


@nbflow.activity
def short(_: int) -> None:
    time.sleep(PAUSE)


@nbflow.workflow
def many(calls: int) -> int:
    return len([short(i) for i in range(calls)])


def once(calls: int, sink: Counted | None) -> Took:
    """Run the workflow once, watched or not, and wait until the watching is over, too."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    run = nbflow.start(many, calls)
    follower = None
    if sink is not None:
        follower = Follower(run._log(), run.id, sink=sink)
        follower.start()
    run.result()
    watching = follower.spent if follower is not None else 0.0
    took = Took(time.perf_counter() - wall, time.process_time() - cpu, watching)
    if follower is not None:
        follower.finished.wait()
    return took


def rounds(calls: int, count: int) -> tuple[dict[str, list[Took]], list[Counted]]:
    """Run both kinds in turns; give what they took, and what the followers told."""
    once(min(calls, 500), Counted())
    found: dict[str, list[Took]] = {"alone": [], "watched": []}
    sinks: list[Counted] = []
    for number in range(count):
        order = ("alone", "watched") if number % 2 else ("watched", "alone")
        for kind in order:
            sink = Counted() if kind == "watched" else None
            found[kind].append(once(calls, sink))
            if sink is not None:
                sinks.append(sink)
        last = {kind: took[-1] for kind, took in found.items()}
        each = ", ".join(f"{k} {t.wall:.2f} s ({t.cpu:.2f} s CPU)" for k, t in last.items())
        print(f"round {number + 1}: {each}", flush=True)
    return found, sinks


def report(found: dict[str, list[Took]], sinks: list[Counted]) -> None:
    """Print medians and ratios."""
    for what in ("wall", "cpu"):
        middle = {k: statistics.median(getattr(t, what) for t in ts) for k, ts in found.items()}
        pairs = zip(found["watched"], found["alone"], strict=True)
        ratio = statistics.median(getattr(w, what) / getattr(a, what) for w, a in pairs)
        best = {k: min(getattr(t, what) for t in ts) for k, ts in found.items()}
        print(
            f"{what:4}: alone {middle['alone']:.2f} s, watched {middle['watched']:.2f} s; "
            f"median of ratios {ratio:.3f}, ratio of the best {best['watched'] / best['alone']:.3f}"
        )
    share = statistics.median(took.watching / took.wall for took in found["watched"])
    spent = statistics.median(took.watching for took in found["watched"])
    print(f"the follower took {spent:.2f} s of the processor during a run, {share:.1%} of its time")
    for sink in sinks[-1:]:
        rate = (len(sink.sizes) - 1) / max(1e-9, sink.last - sink.first)
        print(
            f"{len(sink.sizes)} messages, {rate:.1f} a second, {sum(sink.sizes):,} bytes, "
            f"the largest {max(sink.sizes):,}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="keep the log in memory, not on disk")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = ":memory:" if chosen.memory else str(Path(folder) / "runs.db")
        nbflow.configure(on="threads", max_workers=WORKERS, store=store)
        report(*rounds(chosen.calls, chosen.rounds))


if __name__ == "__main__":
    main()
