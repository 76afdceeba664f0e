"""nbflow beside simpleflow on Amazon SWF, on one emulator: seconds from start to close.

    .venv-bench/bin/python benchmarks/swf.py --write benchmarks/SWF.md
    .venv-bench/bin/python benchmarks/swf.py --shape chain --n 20 --repeats 1

Each system has one process that decides and two that work, all by long polls. simpleflow starts a
process for each decision and each activity; ``simpleflow, in place`` is the same without that, by
the functions that those processes call. Times are those of the service's own events.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
SYSTEMS = ("nbflow", "simpleflow", "simpleflow, in place")
SHAPES = ("chain", "wide")
WORKERS = 2
LIST = "bench"
LIMIT = 600.0
_WHAT = (
    "Both on one emulator, a process of its own; each with a process that decides and two that "
    "work, by long polls. simpleflow starts a process for each decision and each activity; *in "
    "place* is the same without that, by the functions that those processes call. Seconds are from "
    "the first event of the history to the last. Events are those that the service was asked for: "
    "simpleflow reads the whole history for each decision."
)
_KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
_PLACE = {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(HERE)}


def main() -> None:
    given = _parser().parse_args()
    if given.role:
        _ROLES[given.role](given.system, given.domain)
        return
    from nbflow.services.swf import emulator

    shapes, systems = given.shape or SHAPES, given.system_only or SYSTEMS
    load = os.getloadavg()[0]
    with emulator.running(process=True) as endpoint:
        os.environ.update({**_KEYS, **_PLACE, "AWS_ENDPOINT_URL": str(endpoint)})
        found = [_compare(endpoint, s, given.n, given.repeats, systems) for s in shapes]
    if given.write:
        text = _text(dict(zip(shapes, found, strict=True)), given.n, given.repeats, load)
        Path(given.write).write_text(text)


class Run(NamedTuple):
    """What a run took: seconds, decisions, and events that were read of the service."""

    seconds: float
    decisions: int
    events: int


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--shape", action="append", choices=SHAPES)
    parser.add_argument("--n", type=int, default=200, help="calls of a run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", action="append", choices=SYSTEMS, dest="system_only")
    parser.add_argument("--write", metavar="FILE", help="write the figures as Markdown")
    parser.add_argument("--role", choices=tuple(_ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--system", default="", help=argparse.SUPPRESS)
    parser.add_argument("--domain", default="", help=argparse.SUPPRESS)
    return parser


def _compare(
    endpoint: Any, shape: str, n: int, repeats: int, systems: tuple[str, ...]
) -> dict[str, list[Run]]:
    """Print a line for each system; one after the other, each in a domain of its own."""
    print(f"{shape} of {n}, median of {repeats} (seconds):", flush=True)
    found: dict[str, list[Run]] = {}
    for system in systems:
        found[system] = _runs(endpoint, system, shape, n, repeats)
        times = " ".join(f"{run.seconds:.2f}" for run in sorted(found[system]))
        took, counts = _median(found[system]), found[system][-1]
        ratio = f"  {took / _median(found['nbflow']):.1f} times nbflow" if "nbflow" in found else ""
        said = f"{counts.decisions} decisions, {counts.events} events read"
        print(f"  {system:22} {took:8.2f}   ({times})  {said}{ratio}", flush=True)
    return found


def _median(runs: list[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def _runs(endpoint: Any, system: str, shape: str, n: int, repeats: int) -> list[Run]:
    from nbflow.services.swf import Domain

    domain = f"{system.replace(', ', '-').replace(' ', '-')}-{shape}"
    made = Domain(name=domain, retention=1).save()
    with _working(system, domain):
        _one(system, made, shape, 4)  # what is loaded at first use is loaded
        return [_counted(endpoint, system, made, shape, n) for _ in range(repeats)]


@contextmanager
def _working(system: str, domain: str) -> Iterator[None]:
    """Have a decider and workers of a system at work."""
    command = [sys.executable, __file__, "--system", system, "--domain", domain, "--role"]
    roles = ["decider", *["worker"] * WORKERS]
    processes = [subprocess.Popen([*command, role]) for role in roles]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _counted(endpoint: Any, system: str, domain: Any, shape: str, n: int) -> Run:
    before = endpoint.stats()
    seconds, own = _one(system, domain, shape, n)
    after = endpoint.stats()
    answered = "RespondDecisionTaskCompleted"
    decisions = after["requests"][answered] - before["requests"].get(answered, 0)
    return Run(seconds, decisions, after["eventsServed"] - before["eventsServed"] - own)


def _one(system: str, domain: Any, shape: str, n: int) -> tuple[float, int]:
    """Run one; give the seconds from its first to its last event, and how many there are."""
    execution = _start(system, domain, shape, n)
    late = time.monotonic() + LIMIT
    # Seldom asked, so that asking takes no time from those who are measured.
    while execution.upstream().status == "OPEN":
        if time.monotonic() > late:
            raise SystemExit(f"{system}: {shape} of {n} takes more than {LIMIT:g} s")
        time.sleep(0.25)
    events = list(execution.events())
    last = events[-1]
    if last.kind != "WorkflowExecutionCompleted":
        raise SystemExit(f"{system}: {last.kind}: {last.attributes}")
    done = sum(event.kind == "ActivityTaskCompleted" for event in events)
    if done != n:
        raise SystemExit(f"{system}: {done} activities of {n}")
    return last.at - events[0].at, len(events)


def _start(system: str, domain: Any, shape: str, n: int) -> Any:
    if system == "nbflow":
        import swf_nbflow

        from nbflow.services.swf.flows import start_workflow

        return start_workflow(domain, swf_nbflow.graph, (shape, n), task_list=LIST)
    import json

    from nbflow.services.swf import WorkflowType

    kind = WorkflowType(api=domain.api, domain=domain, name="graph", version="1")
    if not kind.exists:
        kind.save()
    return kind.start(
        f"graph-{time.monotonic_ns()}",
        input=json.dumps({"args": [shape, n], "kwargs": {}}),
        task_list=LIST,
        execution_timeout=LIMIT,
        decision_timeout=60,
        child_policy="TERMINATE",
    )


def _decide(system: str, domain: str) -> None:
    if system == "nbflow":
        import swf_nbflow

        swf_nbflow.decide(domain, LIST)
    else:
        import swf_simpleflow

        swf_simpleflow.decide(domain, LIST, in_place=system != "simpleflow")


def _work(system: str, domain: str) -> None:
    if system == "nbflow":
        import swf_nbflow

        swf_nbflow.work(domain, LIST)
    else:
        import swf_simpleflow

        swf_simpleflow.work(domain, LIST, in_place=system != "simpleflow")


def _text(found: dict[str, dict[str, list[Run]]], n: int, repeats: int, load: float) -> str:
    """Give the figures as Markdown."""
    import nbflow

    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    lines = [
        "# nbflow beside simpleflow on Amazon SWF",
        "",
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {platform.platform()}, Python "
            f"{platform.python_version()}, nbflow {nbflow.__version__}, simpleflow "
            f"{version('simpleflow')}; `python benchmarks/swf.py`, the median of {repeats} runs, "
            f"load of the machine at the start {load:.1f}."
        ),
        "",
        _WHAT,
    ]
    for shape, systems in found.items():
        lines += [
            "",
            f"## {shape.capitalize()} of {n}",
            "",
            "| | s | fastest to slowest | times nbflow | decisions | events read |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        lines += [_row(system, runs, systems.get("nbflow")) for system, runs in systems.items()]
    return "\n".join([*lines, ""])


def _row(system: str, runs: list[Run], ours: list[Run] | None) -> str:
    times, last = sorted(run.seconds for run in runs), runs[-1]
    ratio = f"{_median(runs) / _median(ours):.1f}" if ours else ""
    spread = f"{times[0]:.2f} to {times[-1]:.2f}"
    counts = f"{last.decisions:,} | {last.events:,}"
    return f"| {system} | {_median(runs):.2f} | {spread} | {ratio} | {counts} |"


_ROLES = {"decider": _decide, "worker": _work}

if __name__ == "__main__":
    main()
