"""Steps whose results outlive the process: nbflow beside DBOS, redun and joblib.Memory.

    python benchmarks/durable.py               about a minute; adds to DURABLE.md
    python benchmarks/durable.py --quick       fewer calls, nothing written down

Every case is a process of its own, which runs a workflow of steps that do nothing, each of which
takes the result of the one before it, and times that; then the same calls are answered by what is
kept. All write to files on the same disk, at their default settings.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.record import append, table

LIMIT_SECONDS = 100
TAKES = "It takes about a minute and adds to DURABLE.md; with --quick ten seconds."
ABOUT = """Written by `python benchmarks/durable.py`; each run adds a section. Steps do nothing.
*chain*: each step takes what the one before gave, run for the first time, and written down as the
system does by default: nbflow, DBOS and redun to SQLite, joblib.Memory to files. *wide*: steps that
take numbers, asked for at once where the system can; nbflow's have `cache=True`. *cached*: those
again, answered by what is kept. DBOS has no cache."""


def timed(fn: Callable[[], Any]) -> tuple[float, Any]:
    clock = time.perf_counter()
    found = fn()
    return time.perf_counter() - clock, found


def with_nbflow(directory: Path, count: int) -> dict[str, float]:
    import nbflow
    from nbflow.store.sqlite import SqliteStore

    nbflow.configure(store=SqliteStore(directory), output="log")

    @nbflow.activity
    def step(n: int) -> int:
        return n + 1

    @nbflow.activity(cache=True)
    def kept(n: int) -> int:
        return n + 1

    @nbflow.workflow
    def chain(count: int) -> Any:
        last: Any = 0
        for _ in range(count):
            last = step(last)
        return last

    @nbflow.workflow
    def wide(count: int) -> int:
        return sum(future.result() for future in [kept(n) for n in range(count)])

    def run(workflow: Any) -> Any:
        return workflow.on("threads", max_workers=2).start(count).result()

    return measured(count, lambda: run(chain), lambda: run(wide))


def with_dbos(directory: Path, count: int) -> dict[str, float]:
    from dbos import DBOS

    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{directory / 'dbos.sqlite'}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )

    @DBOS.step()
    def step(n: int) -> int:
        return n + 1

    @DBOS.workflow()
    def chain(count: int) -> int:
        last = 0
        for _ in range(count):
            last = step(last)
        return last

    DBOS.launch()
    try:
        return measured(count, lambda: chain(count), None)
    finally:
        DBOS.destroy()


def with_redun(directory: Path, count: int) -> dict[str, float]:
    from redun import Scheduler, task
    from redun.config import Config

    logging.getLogger("redun").setLevel(logging.ERROR)
    settings = {"backend": {"db_uri": f"sqlite:///{directory / 'redun.db'}"}}
    scheduler = Scheduler(config=Config(settings))
    scheduler.load()

    @task(namespace="benchmark")
    def step(n: int) -> int:
        return n + 1

    @task(namespace="benchmark")
    def total(values: list[int]) -> int:
        return sum(values)

    def chain() -> Any:
        last: Any = 0
        for _ in range(count):
            last = step(last)
        return scheduler.run(last)

    def wide() -> Any:
        return scheduler.run(total([step(-n) for n in range(1, count + 1)])) + count * (count + 1)

    sys.setrecursionlimit(100_000)
    return measured(count, chain if count <= 1_000 else None, wide, wanted=False)


def with_joblib(directory: Path, count: int) -> dict[str, float]:
    from joblib import Memory

    def step(n: int) -> int:
        return n + 1

    # Of a file's function it can tell where it is defined; so of this one, too.
    kept = Memory(directory, verbose=0).cache(step)

    def chain() -> int:
        last = count  # so that the chain has other arguments than what is wide
        for _ in range(count):
            last = kept(last)
        return last - count

    return measured(count, chain, lambda: sum(kept(n) for n in range(count)))


def measured(
    count: int,
    chain: Callable[[], Any] | None,
    wide: Callable[[], Any] | None,
    *,
    wanted: bool = True,
) -> dict[str, float]:
    """Run what there is once for the first time, and the wide one again."""
    found: dict[str, float] = {}
    if chain is not None:
        found["chain"], value = timed(chain)
        if value != count:
            message = f"the chain gives {value!r} rather than {count}"
            raise RuntimeError(message)
    if wide is not None:
        found["wide"], first = timed(wide)
        found["cached"], again = timed(wide)
        if first != again or (wanted and first != count * (count + 1) // 2):
            message = f"the steps give {first!r} and {again!r}"
            raise RuntimeError(message)
    return found


SYSTEMS = {
    "nbflow": with_nbflow,
    "DBOS": with_dbos,
    "redun": with_redun,
    "joblib.Memory": with_joblib,
}


SLOWER = {"DBOS": 10, "redun": 100}
"""These commit each step by itself: so many times fewer steps show what one costs."""


def case(name: str, count: int) -> dict[str, float] | str:
    """Measure a system in a process of its own; what went wrong where it cannot be."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, __file__, "--case", name, str(count), directory]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"took more than {LIMIT_SECONDS} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no message"])[-1]
        found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], epilog=TAKES)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, not written down")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        name, count, directory = given.case
        with contextlib.redirect_stdout(sys.stderr):
            found = SYSTEMS[name](Path(directory), int(count))
        print(json.dumps(found), flush=True)
        os._exit(0)  # the threads of some have more to say
    count = 1_000 if given.quick else 10_000
    rows, notes = [], []
    for name in SYSTEMS:
        calls = count // SLOWER.get(name, 1)
        found = case(name, calls)
        if isinstance(found, str):
            notes.append(f"- {name}: {found}")
            continue
        rates = [
            f"{calls / found[kind]:,.0f}" if kind in found else "" for kind in ("chain", "wide")
        ]
        again = f"{found['cached']:.2f}" if "cached" in found else ""
        each = f"{1e6 * found['cached'] / calls:,.0f}" if "cached" in found else ""
        rows.append((name, f"{calls:,}", *rates, again, each))
    head = ("", "steps", "chain, steps a second", "wide, steps a second", "cached, s", "µs a call")
    text = "\n\n".join(part for part in (table(head, rows), "\n".join(notes)) if part)
    if given.quick:
        print(text)
        return
    append(
        "DURABLE.md", "Durable steps", ABOUT, text, ("jupyter-nbflow", "dbos", "redun", "joblib")
    )


if __name__ == "__main__":
    main()
