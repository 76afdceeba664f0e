"""What benchmarks write down: a table, with the machine, the day and the versions it is of."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent


def machine(packages: Sequence[str]) -> str:
    """Say on what it was measured."""
    versions = ", ".join(f"{name} {version_of(name)}" for name in packages)
    load = ", ".join(f"{figure:.1f}" for figure in os.getloadavg())
    day = dt.datetime.now(tz=dt.UTC).date()
    return (
        f"{day}, {processor()}, {os.cpu_count()} cores, {platform.platform()}, Python "
        f"{platform.python_version()}; {versions}; load average at the end {load} (the benchmark's "
        "own is 1 to 3)"
    )


def processor() -> str:
    """Give the name of the processor, as far as it is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def version_of(package: str) -> str:
    """Give the version of a package; what is not there was not measured."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Make a table of which the first column is text."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def append(name: str, title: str, about: str, text: str, packages: Sequence[str]) -> Path:
    """Add what was measured to a file of this directory, and print it.

    Args:
        name: The file, which is begun with `title` and `about` where there is none.
        title: Its heading.
        about: How it is measured.
        text: What was found.
        packages: Whose versions matter.
    """
    path = HERE / name
    if not path.exists():
        path.write_text(f"# {title}\n\n{about}\n")
    entry = f"\n## {machine(packages)}\n\n{text}\n"
    with path.open("a") as file:
        file.write(entry)
    print(entry)
    return path
