"""nbflow beside simpleflow on Amazon SWF, on one emulator: seconds from start to close.

    .venv-bench/bin/python benchmarks/swf.py
    .venv-bench/bin/python benchmarks/swf.py --shape chain --n 20 --repeats 1

Each system has one process that decides and two that work, all by long polls. simpleflow starts a
process for each decision and each activity; ``simpleflow, in place`` is the same without that, by
the functions that those processes call. Times are those of the service's own events.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SYSTEMS = ("nbflow", "simpleflow", "simpleflow, in place")
SHAPES = ("chain", "wide")
WORKERS = 2
LIST = "bench"
LIMIT = 600.0
_KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
_PLACE = {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(HERE)}


def main() -> None:
    given = _parser().parse_args()
    if given.role:
        _ROLES[given.role](given.system, given.domain)
        return
    from nbflow.services.swf import emulator

    with emulator.running(process=True) as endpoint:
        os.environ.update({**_KEYS, **_PLACE, "AWS_ENDPOINT_URL": str(endpoint)})
        for shape in given.shape or SHAPES:
            _compare(shape, given.n, given.repeats, given.system_only or SYSTEMS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--shape", action="append", choices=SHAPES)
    parser.add_argument("--n", type=int, default=200, help="calls of a run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", action="append", choices=SYSTEMS, dest="system_only")
    parser.add_argument("--role", choices=tuple(_ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--system", default="", help=argparse.SUPPRESS)
    parser.add_argument("--domain", default="", help=argparse.SUPPRESS)
    return parser


def _compare(shape: str, n: int, repeats: int, systems: tuple[str, ...]) -> None:
    """Print a line for each system; one after the other, each in a domain of its own."""
    print(f"{shape} of {n}, median of {repeats} (seconds):", flush=True)
    found: dict[str, float] = {}
    for system in systems:
        times = _times(system, shape, n, repeats)
        found[system] = statistics.median(times)
        others = " ".join(f"{t:.2f}" for t in sorted(times))
        ratio = f"  {found[system] / found['nbflow']:.1f} times nbflow" if "nbflow" in found else ""
        print(f"  {system:22} {found[system]:8.2f}   ({others}){ratio}", flush=True)


def _times(system: str, shape: str, n: int, repeats: int) -> list[float]:
    from nbflow.services.swf import Domain

    domain = f"{system.replace(', ', '-').replace(' ', '-')}-{shape}"
    made = Domain(name=domain, retention=1).save()
    command = [sys.executable, __file__, "--system", system, "--domain", domain, "--role"]
    roles = ["decider", *["worker"] * WORKERS]
    processes = [subprocess.Popen([*command, role]) for role in roles]
    try:
        _one(system, made, shape, 4)  # what is loaded at first use is loaded
        return [_one(system, made, shape, n) for _ in range(repeats)]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _one(system: str, domain: Any, shape: str, n: int) -> float:
    """Run one; give the seconds from its first to its last event."""
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
    return last.at - events[0].at


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


_ROLES = {"decider": _decide, "worker": _work}

if __name__ == "__main__":
    main()
