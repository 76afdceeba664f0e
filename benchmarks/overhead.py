"""What a call costs: no-op calls in three shapes, on nbflow, on its peers, and on a bare pool.

    python benchmarks/overhead.py                 everything that is installed; writes RESULTS.md
    python benchmarks/overhead.py --quick         nbflow and the floor only, writes nothing

Every case runs in a process of its own, one after the other. The floor is measured again before
and after every other case, so that a machine that becomes slower meanwhile does both harm alike;
and so is the smallest N around every case of the largest, for what a call costs among many.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import report
from case import Measured, measure
from report import Key, Results
from shapes import SHAPES
from systems import FLOOR, SYSTEMS

HERE = Path(__file__).resolve().parent
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 10_000)
QUICK_SYSTEMS = (FLOOR, "submit", "nbflow-memory", "nbflow-sqlite")
SMALL = 10
"""So many times more often is a case of less than 10,000 calls repeated: it lasts milliseconds."""
GRACE = 30.0
"""Seconds beside the limit for imports, warming up, checks and the end of a case's process."""


@dataclass
class Bench:
    """All cases of one run of the benchmark.

    Attributes:
        systems: What is compared with the floor.
        shapes: Which graphs.
        sizes: How many calls, in growing order.
        repeats: How often a case of 10,000 calls is repeated.
        limit: Seconds that a case may take.
        tell: Shows progress.
        keep: Writes down what is known so far.
        show: Prints what is known in the end.
    """

    systems: list[str]
    shapes: list[str]
    sizes: list[int]
    repeats: int
    limit: float
    tell: Callable[[str], object]
    keep: Callable[[Results], object]
    show: Callable[[Results], object]
    results: Results = field(default_factory=Results)

    def run(self) -> None:
        """Measure everything."""
        for shape in self.shapes:
            for n in self.sizes:
                self._group(shape, n)
                self.keep(self.results)
        for shape in self.shapes:
            for name in (FLOOR, *self.systems):
                self._memory(name, shape)
            self.keep(self.results)

    def _group(self, shape: str, n: int) -> None:
        """Measure all systems at one shape and N, and the floor around each of them."""
        floors = [self._paired(FLOOR, shape, n)]
        for name in (s for s in self.systems if shape in SYSTEMS[s].shapes):
            key = Key(name, shape, n)
            problem = self._why_not(name, shape, n)
            if problem:
                self.results.times[key] = Measured(problem=problem)
                continue
            self.results.times[key] = self._paired(name, shape, n)
            floors.append(self._paired(FLOOR, shape, n))
            self.results.around[key] = _merged(floors[-2:])
        self.results.times[Key(FLOOR, shape, n)] = _merged(floors)

    def _paired(self, name: str, shape: str, n: int) -> Measured:
        """Measure a case; if it is of the largest N, the smallest just before and after it, too."""
        small = self.sizes[0]
        if n != self.sizes[-1] or n == small:
            return self._spawn(name, shape, n)
        before = self._spawn(name, shape, small)
        found = self._spawn(name, shape, n)
        known = self.results.smallest.get(Key(name, shape, n), Measured())
        parts = [known, before, self._spawn(name, shape, small)]
        self.results.smallest[Key(name, shape, n)] = _merged(parts)
        return found

    def _memory(self, name: str, shape: str) -> None:
        """Measure memory at the largest N that the system could do."""
        done = [n for n in self.sizes if self.results.ok(Key(name, shape, n))]
        if done:
            key = Key(name, shape, done[-1])
            self.results.memory[key] = self._spawn(name, shape, done[-1], memory=True)

    def _why_not(self, name: str, shape: str, n: int) -> str:
        """Tell why a case is not tried, or give ""."""
        smaller = [Key(name, shape, m) for m in self.sizes if m < n]
        if not smaller:
            return ""
        known = self.results.times[smaller[-1]]
        if not known.seconds:
            return known.problem
        if known.best * n / smaller[-1].n > self.limit:
            return f"over limit: {smaller[-1].n:,} calls took {known.best:.0f} s already"
        return ""

    def _spawn(self, name: str, shape: str, n: int, *, memory: bool = False) -> Measured:
        """Measure a case in a fresh process."""
        repeats = SMALL * self.repeats if n < SIZES[1] else self.repeats
        found = spawned(name, shape, n, repeats, self.limit, memory=memory)
        self.tell(report.progress(name, shape, n, found))
        return found


def _merged(parts: list[Measured]) -> Measured:
    """Take several measurements of the same case as one."""
    return Measured(
        seconds=[s for part in parts for s in part.seconds],
        cpu=[s for part in parts for s in part.cpu],
        garbage=[s for part in parts for s in part.garbage],
        problem=next((part.problem for part in parts if not part.seconds), ""),
    )


def spawned(
    name: str, shape: str, n: int, repeats: int, limit: float, *, memory: bool = False
) -> Measured:
    """Measure a case in a fresh process; see `case.measure`."""
    case = [name, shape, str(n), str(repeats), str(limit), "memory" if memory else "time"]
    command = [sys.executable, str(HERE / "overhead.py"), "--case", *case]
    return _run(command, limit + GRACE)


def _run(command: list[str], seconds: float) -> Measured:
    """Run a case in a session of its own, so that its end takes the workers it started along."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Measured(problem=f"over limit: stopped after {seconds:g} s")
    return _read(process.returncode, output, errors)


def _read(code: int, output: str, errors: str) -> Measured:
    """Read the last line that a case printed; whatever is above it came from the system."""
    if code == 0 and output.strip():
        return Measured(**json.loads(output.splitlines()[-1]))
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return Measured(problem=f"failed: {lines[-1] if lines else f'exit code {code}'}")


def _case(words: list[str]) -> None:
    """Measure one case in this process and print it as JSON."""
    name, shape, n, repeats, limit, kind = words
    found = measure(name, shape, int(n), int(repeats), float(limit), memory=kind == "memory")
    print()
    print(json.dumps(found.as_json()), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    names = ", ".join(SYSTEMS)
    add("--systems", nargs="+", choices=list(SYSTEMS), metavar="SYSTEM", help=f"some of {names}")
    add("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES), help="which graphs")
    add("--sizes", nargs="+", type=int, metavar="N", help="numbers of calls")
    add("--repeats", type=int, default=3, help="of a case; ten times as many below 10,000 calls")
    add("--limit", type=float, default=120.0, help="seconds that a case may take")
    add("--output", type=Path, help="file to write; RESULTS.md unless --quick")
    add("--quick", action="store_true", help="nbflow and the floor, up to 10,000 calls")
    add("--case", nargs=6, help=argparse.SUPPRESS)
    return parser.parse_args()


def _bench(options: argparse.Namespace) -> Bench:
    asked = options.systems or list(QUICK_SYSTEMS if options.quick else SYSTEMS)
    sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    output = options.output or (None if options.quick else HERE / "RESULTS.md")
    before = report.load()

    def text(results: Results) -> str:
        return report.markdown(results, (options.repeats, SMALL), options.limit, before)

    return Bench(
        systems=[name for name in asked if name != FLOOR and _installed(name)],
        shapes=options.shapes,
        sizes=sorted(sizes),
        repeats=options.repeats,
        limit=options.limit,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
        keep=lambda results: output and output.write_text(text(results)),
        show=lambda results: print(text(results)),
        results=Results(missing=[name for name in asked if not _installed(name)]),
    )


def _installed(name: str) -> bool:
    return all(find_spec(module) is not None for module in SYSTEMS[name].imports)


def main() -> None:
    """Run one case, or all of them."""
    options = _options()
    if options.case:
        _case(options.case)
        return
    bench = _bench(options)
    try:
        bench.run()
    finally:
        bench.show(bench.results)


if __name__ == "__main__":
    main()
