"""What it costs to import nbflow: time, modules and memory, beside what else one would import.

    python benchmarks/imports.py         half a minute; adds to IMPORTS.md
    python benchmarks/imports.py --dry   writes nothing

Each import is done in a fresh interpreter, all of them in turn, several times over; what an
interpreter without it takes is taken off. Files are in the system's cache by then, and compiled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.record import append, machine, table

IMPORTS = (
    "nbflow",
    "nbflow.magics",
    "nbflow.viz.panel",
    "nbflow.cli.app",
    "concurrent.futures.thread",
    "joblib",
    "dask",
    "dask.distributed",
    "parsl",
    "dbos",
    "ray",
    "simpleflow",
)
PROBE = """
import json, resource, sys, time
names = set(sys.modules)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
clock, cpu = time.perf_counter(), time.process_time()
__import__(sys.argv[1])
clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
heavy = "IPython ipywidgets anywidget matplotlib boto3 dask alibabacloud_fnf20190315 pandas numpy"
loaded = [name for name in heavy.split() if name in sys.modules]
print(json.dumps([clock, cpu, len(set(sys.modules) - names), after - before, loaded]))
"""
TAKES = "It takes half a minute to a minute and adds to IMPORTS.md."
ABOUT = """Written by `python benchmarks/imports.py`; each run adds a section. Each import is in
a fresh interpreter, all in turn, several times over; the medians. *modules* are those that it
loads, *heavy ones* what of IPython, ipywidgets, anywidget, matplotlib, boto3, dask, CloudFlow's
SDK, pandas and numpy comes with it."""


class Probed(NamedTuple):
    """What an import took: the last is what of the heavy ones came along."""

    seconds: float
    cpu: float
    modules: int
    kilobytes: int
    heavy: list[str]


def probed(name: str) -> Probed:
    """Import a module in an interpreter of its own."""
    command = [sys.executable, "-c", PROBE, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Probed(*json.loads(done.stdout.splitlines()[-1]))


def there(name: str) -> bool:
    """Whether it is installed."""
    try:
        return find_spec(name.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def main() -> None:
    """Measure all, show it, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], epilog=TAKES)
    parser.add_argument("--rounds", type=int, default=9, help="how often; by default 9 times")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    asked = parser.parse_args()
    names = [name for name in IMPORTS if there(name)]
    for name in names:
        probed(name)  # the first one compiles
    found: dict[str, list[Probed]] = {name: [] for name in names}
    for _ in range(asked.rounds):
        for name in names:
            found[name].append(probed(name))
    rows = []
    for name, all_of in found.items():
        seconds = statistics.median(each.seconds for each in all_of) * 1e3
        cpu = statistics.median(each.cpu for each in all_of) * 1e3
        memory = statistics.median(each.kilobytes for each in all_of) / 1e3
        first = all_of[0]
        heavy = ", ".join(first.heavy) or "none"
        row = (f"`{name}`", f"{seconds:.0f}", f"{cpu:.0f}", first.modules, f"{memory:.1f}", heavy)
        rows.append(row)
    text = table(("import", "ms", "processor ms", "modules", "MB", "heavy ones"), rows)
    packages = ("jupyter-nbflow", "joblib", "dask", "parsl", "dbos", "ray", "simpleflow")
    if asked.dry:
        print(machine(packages), text, sep="\n\n")
    else:
        append("IMPORTS.md", "What imports cost", ABOUT, text, packages)


if __name__ == "__main__":
    main()
