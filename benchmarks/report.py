"""Tables of what was measured."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import NamedTuple

from case import WORKERS, Measured
from systems import FLOOR, SYSTEMS

MEMORY_LIMIT = 2.0
GROWTH_LIMIT = 1.25
AIMED = 10_000
"""The number of calls that these are for; where it was not measured, all are judged."""
RATIO_LIMITS = {
    "nbflow-memory": {"wide": 1.0, "chain": 1.0, "tree": 1.0},
    "nbflow-sqlite": {"wide": 1.5, "chain": 3.0, "tree": 1.5},
}
"""How many times the floor's cost nbflow's may be, at the most."""


class Key(NamedTuple):
    system: str
    shape: str
    n: int


@dataclass
class Results:
    """Everything that was measured.

    Attributes:
        times: The time of each case; for the floor, of all its runs.
        around: The floor just before and just after each case of another system.
        smallest: The smallest N just before and just after each case of the largest.
        memory: The memory of each system and shape, at the largest N that it could do.
        missing: Systems that are not installed.
    """

    times: dict[Key, Measured] = field(default_factory=dict)
    around: dict[Key, Measured] = field(default_factory=dict)
    smallest: dict[Key, Measured] = field(default_factory=dict)
    memory: dict[Key, Measured] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def ok(self, key: Key) -> bool:
        """Whether the case has been measured."""
        return key in self.times and bool(self.times[key].seconds)

    def ratio(self, key: Key, what: str = "median") -> float | None:
        """Give a case's median, best or processor time over that of the floor around it."""
        around = self.around.get(key)
        if not self.ok(key) or around is None or not around.seconds:
            return None
        return getattr(self.times[key], what) / getattr(around, what)

    def growth(self, system: str, shape: str, what: str = "median") -> float | None:
        """Give the cost of a call at the largest N over that at the smallest; `own` without GC."""
        sizes = [k.n for k in self.times if k[:2] == (system, shape) and self.ok(k)]
        if len(sizes) < 2:
            return None
        small, large = Key(system, shape, min(sizes)), Key(system, shape, max(sizes))
        beside = self.smallest.get(large)
        few = beside if beside is not None and beside.seconds else self.times[small]
        return getattr(self.times[large], what) / large.n / (getattr(few, what) / small.n)

    def beside(self, system: str, shape: str) -> float | None:
        """Give the growth of a system over that of the floor, or None."""
        own, floor = self.growth(system, shape), self.growth(FLOOR, shape)
        return None if own is None or floor is None else own / floor

    def a_call(self, system: str, shape: str) -> tuple[int, float] | None:
        """Give N and the kilobytes a call that memory grew by, or None."""
        for key, found in self.memory.items():
            if key[:2] == (system, shape) and found.kilobytes is not None:
                return key.n, found.kilobytes / key.n
        return None

    def shapes(self) -> list[str]:
        """Give the shapes that were measured, in order."""
        return list(dict.fromkeys(key.shape for key in self.times))

    def sizes(self) -> list[int]:
        """Give the numbers of calls that were measured, in order."""
        return sorted({key.n for key in self.times})

    def systems(self) -> list[str]:
        """Give the systems that were measured, in the order of `SYSTEMS`."""
        return [name for name in SYSTEMS if any(key.system == name for key in self.times)]


def micros(seconds: float, n: int) -> float:
    """Give microseconds a call."""
    return seconds / n * 1e6


def progress(name: str, shape: str, n: int, found: Measured) -> str:
    """Give one line on a case that has just been measured."""
    if found.kilobytes is not None:
        what = f"{found.kilobytes / n:8.2f} KB a call"
    elif found.seconds:
        what = f"{micros(found.median, n):8.1f} us a call"
    else:
        what = found.problem
    return f"{shape:6} {n:>7,}  {name:18} {what}"


# ---------------------------------------------------------------- the machine


def load() -> float:
    """Give how many processes have wanted a processor in the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system() -> str:
    """Give the type of file system that temporary directories are on."""
    mounts, where = Path("/proc/mounts"), Path(tempfile.gettempdir()).resolve()
    if not mounts.exists():
        return "unknown"
    found = {}
    for line in mounts.read_text().splitlines():
        _, place, kind, *_ = line.split()
        if where.is_relative_to(place):
            found[place] = kind
    return found[max(found, key=len)]


def _machine(before: float) -> list[str]:
    return [
        f"- processor: {_processor()}, {os.cpu_count()} cores",
        f"- system: {platform.system()} {platform.release()}, temporary files on {_file_system()}",
        f"- Python: {platform.python_implementation()} {platform.python_version()}",
        f"- date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        f"- load average: {before:.1f} before, {load():.1f} after; the benchmark's own is about 1",
    ]


def _versions(names: Iterable[str]) -> str:
    found = {}
    for name in names:
        for package in SYSTEMS[name].packages:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "not installed"
    return ", ".join(f"{package} {what}" for package, what in found.items())


def _revision() -> str:
    """Name the revision of the checkout that was measured, if this is one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" (checkout {found.stdout.strip()})"


# ---------------------------------------------------------------- tables


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Give a table that reads well as text, too: first column left, the others right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"

    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(head), f"| {' | '.join(ruler)} |", *(line(row) for row in rows)]


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


_COLUMNS = ("median", "quartiles", "best", "CPU", "GC", "x floor", "x best", "x CPU", "repeats")


def _row(results: Results, key: Key) -> list[str]:
    found, title = results.times[key], SYSTEMS[key.system].title
    if not found.seconds:
        return [title, found.problem.partition(":")[0], *[""] * (len(_COLUMNS) - 1)]
    costs = (found.best, found.busy, median(found.garbage))
    spread = [_number(micros(seconds, key.n), 1) for seconds in found.quartiles]
    ratios = [results.ratio(key, what) for what in ("median", "best", "busy")]
    return [
        title,
        _number(micros(found.median, key.n), 1),
        " to ".join(spread),
        *[_number(micros(cost, key.n), 1) for cost in costs],
        *["1" if key.system == FLOOR else _number(ratio) for ratio in ratios],
        str(len(found.seconds)),
    ]


def _shape(results: Results, shape: str) -> list[str]:
    lines = []
    for n in results.sizes():
        keys = [Key(name, shape, n) for name in results.systems()]
        rows = [_row(results, key) for key in keys if key in results.times]
        lines += [*_table([f"{shape}, {n:,} calls", *_COLUMNS], rows), ""]
    head = [f"{shape}, as N grows", *_SCALE]
    systems = [name for name in results.systems() if shape in SYSTEMS[name].shapes]
    return [*lines, *_table(head, [_scale(results, name, shape) for name in systems]), ""]


_SCALE = ("growth", "x floor's", "CPU growth", "without GC", "KB a call", "measured at")


def _scale(results: Results, system: str, shape: str) -> list[str]:
    memory = results.a_call(system, shape)
    n, kilobytes = memory or (None, None)
    wall, cpu, own = (results.growth(system, shape, what) for what in ("median", "busy", "own"))
    growth = [_number(value) for value in (wall, results.beside(system, shape), cpu, own)]
    return [SYSTEMS[system].title, *growth, _number(kilobytes), f"{n:,}" if n else ""]


def _targets(results: Results) -> list[list[str]]:
    """Give a row for each target that was measured: what, limit, worst found, met or not."""
    rows = []
    sizes = results.sizes()
    for name in (n for n in results.systems() if n in RATIO_LIMITS):
        for shape in results.shapes():
            keys = [Key(name, shape, n) for n in sizes]
            limit = RATIO_LIMITS[name][shape]
            aimed = [key for key in keys if key.n == AIMED] or keys
            found = [results.ratio(key) for key in aimed]
            rows.append(_target(f"{name}: {shape}, x floor", limit, found))
            growth = [results.growth(name, shape)]
            span = f"{sizes[-1]:,} / {sizes[0]:,}"
            rows.append(_target(f"{name}: {shape}, growth {span}", GROWTH_LIMIT, growth))
            memory = results.a_call(name, shape)
            kilobytes = [memory[1] if memory else None]
            rows.append(_target(f"{name}: {shape}, KB a call", MEMORY_LIMIT, kilobytes))
    return rows


def _target(what: str, limit: float, values: list[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    if not known:
        return [what, f"{limit:g}", "", "not measured"]
    worst = max(known)
    verdict = "met" if worst <= limit else "missed"
    return [what, f"{limit:g}", ", ".join(_number(v) for v in known), verdict]


_HOW = f"""\
Calls that do nothing, in three shapes: `wide` is N independent calls whose results are all waited
for; `chain` is N calls of which each takes the result of the one before; `tree` reduces pairwise
in N calls. Results are checked. Every system has {WORKERS} workers. Every case is a fresh process,
one after the other: it warms up with a small graph, collects garbage, then measures from the first
call that is asked for to the last result, several times. nbflow's log must then hold the whole
graph, and a bar of the profile for every call.

- *median*, *best*: microseconds a call; half of the repeats lie between the *quartiles*.
- *CPU*: processor time of the case's own process, likewise, median.
- *GC*: what Python's cyclic garbage collector took, likewise. It looks again and again at all that
  is kept, so it is why a call costs more among many, on the bare pool, too.
- *x floor*: the median over that of the floor, measured just before and just after this case (the
  floor's own line shows all its runs of this table).
- *x best*, *x CPU*: the same of the best times and of the processor times, which suffer less from
  what else the machine does.
- *growth*: the median for a call at the largest N over that at the smallest, measured just before
  and just after it; *x floor's* is that over the growth of the floor, and *CPU growth* the same of
  the processor times.
- *without GC*: the same, less the collector's part.
- *KB a call*: what the process's peak of resident memory grew by, in one more process that runs
  the graph once."""


def _notes(results: Results) -> list[str]:
    lines = [f"- {SYSTEMS[name].title}: {SYSTEMS[name].how}" for name in results.systems()]
    lines += [f"- {SYSTEMS[name].title}: not installed" for name in results.missing]
    return [*lines, *_unmeasured(results)]


def _unmeasured(results: Results) -> list[str]:
    """Tell why cases have no figures."""
    return [
        f"- {SYSTEMS[key.system].title}, {key.shape}, {key.n:,} calls: {found.problem:.300}"
        for key, found in (*results.times.items(), *results.memory.items())
        if found.problem
    ]


def markdown(results: Results, repeats: tuple[int, int], limit: float, before: float) -> str:
    """Give the whole report; `repeats` of a case, and how many times more of a small one."""
    usual, small = repeats
    lines = [
        "# What a call costs",
        "",
        "Written by `python benchmarks/overhead.py`.",
        "",
        *_machine(before),
        f"- versions: {_versions(results.systems()) or 'none'}{_revision()}",
        f"- repeats: {usual} ({small * usual} below 10,000 calls); a case may take {limit:g} s",
        "",
        "## How it was measured",
        "",
        *_HOW.splitlines(),
        "",
        *_notes(results),
        "",
        "## Targets",
        "",
        *_table(["target", "at most", "found", ""], _targets(results)),
        "",
    ]
    for shape in results.shapes():
        lines += [f"## {shape}", "", *_shape(results, shape)]
    return "\n".join(lines)
