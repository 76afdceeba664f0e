"""A notebook with five activities, two helpers and three globals, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest

CELLS = (
    "%load_ext nbflow\nimport math\nfrom collections import Counter, OrderedDict\nimport json",
    "RATE = 1.1\nREGIONS = ['eu', 'us']\nunused = json.dumps([1])",
    "# how sums are cut\nDIGITS = 2",
    (
        "def rounded(x: float) -> float:\n    return round(x, DIGITS)\n\n\n"
        "def weight(region: str) -> float:\n    return rounded(math.sqrt(len(region)))"
    ),
    (
        "%%activity fetch(region: str, rows: int = 3) -> list[int] --retry 2 --cache\n"
        "start = len(region)\n[start + row for row in range(rows)]"
    ),
    "%%activity total(rows: list[int]) -> int --cache\nsum(rows)",
    (
        "%%activity --timeout 60 --cache\n# by the rate of today\n"
        "def convert(amount: int, region: str) -> float:\n"
        '    """In our own money."""\n'
        "    return rounded(amount * RATE * weight(region))"
    ),
    (
        "import nbflow\n\n@nbflow.activity(cache=True)\n"
        "def often(words: list[str]) -> dict[str, int]:\n    return dict(Counter(words))"
    ),
    "print('never in a module')\nrounded(3.14159)",
    (
        "%%activity report(amounts: list[float], counts: dict[str, int]) -> dict[str, float]"
        " --cache\n"
        "return {'sum': rounded(sum(amounts)), 'regions': float(sum(counts.values()))}"
    ),
    (
        "%%workflow revenue(regions: list[str] = REGIONS) -> dict[str, float]\n"
        "amounts = [convert(total(fetch(region)), region) for region in regions]\n"
        "report(nbflow.gather(*amounts), often(regions)).result()"
    ),
    "run = revenue.start()\nrun.result()",
)
"""The cells; what the module of `revenue` gives is `GIVES`."""
GIVES = {"sum": 27.92, "regions": 2.0}

Book = Callable[[Sequence[str]], Path]
Do = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Write a notebook of these cells."""

    def write(cells: Sequence[str]) -> Path:
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        path = tmp_path / "book.ipynb"
        nbformat.write(made, path)
        return path

    return write


@pytest.fixture
def do(tmp_path: Path) -> Do:
    """Carry out a command line of nbflow in a process of its own."""

    def command(*words: str | Path, python: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        start = [sys.executable, *(python or ("-m", "nbflow"))]
        return subprocess.run(
            [*start, *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "NBFLOW_STORE": str(tmp_path / ".nbflow"), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command
