"""Benchmarks can be found, and the pictures of the docs are of what they wrote down."""

from __future__ import annotations

import concurrent.futures
import importlib
import importlib.util
import re
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
README = (BENCHMARKS / "README.md").read_text()


@pytest.fixture(scope="module")
def plots() -> ModuleType:
    """Give the module that draws, which is a script rather than part of the package."""
    spec = importlib.util.spec_from_file_location("plots_of_benchmarks", BENCHMARKS / "plots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_is_listed() -> None:
    """Whoever looks for a benchmark finds it in the README, and nothing there is gone."""
    commands = {path.name for path in BENCHMARKS.glob("*.py") if "def main(" in path.read_text()}
    listed = set(re.findall(r"^\| `(\w+\.py)` \|", README, re.MULTILINE))
    assert listed == commands


def test_costs_are_read_from_the_tables(plots: ModuleType) -> None:
    """By shape, system and number of calls; what a system could not do is left out."""
    text = """
| wide, 1,000 calls | median | best |
| ----------------- | -----: | ---: |
| floor             |    8.7 |  5.6 |
| other             |  1,636 |  1.0 |

| wide, 10,000 calls | median     | best |
| ------------------ | ---------: | ---: |
| floor              | 14.0       | 10.5 |
| other              | over limit |      |

| wide, as N grows | growth |
| ---------------- | -----: |
| floor            |   1.84 |
"""
    found = plots.costs(text)
    assert found["wide"] == {"floor": {1_000: 8.7, 10_000: 14.0}, "other": {1_000: 1636.0}}
    assert found["chain"] == found["tree"] == {}


def test_there_is_something_to_draw_of_each_file(plots: ModuleType) -> None:
    """The files are what the pictures are drawn from: nbflow is in every shape of its table."""
    found = plots.costs((BENCHMARKS / "RESULTS.md").read_text())
    assert all(any(name.startswith("nbflow") for name in found[shape]) for shape in plots.SHAPES)
    for picture, (source, _) in plots.DRAWN.items():
        assert (BENCHMARKS / source).exists()
        assert (plots.PICTURES / picture).exists()


def test_the_last_section_is_drawn(plots: ModuleType) -> None:
    """Of a file that sections are added to, the older ones are history."""
    assert plots.latest("# T\n\n## old\n\n1\n\n## new\n\n2\n") == "new\n\n2\n"


@pytest.fixture
def floor(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the bare pool that systems are held against."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("systems.floor")


def test_the_floor_gets_through_calls_that_are_over_at_once(
    floor: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many calls of a chain are over before anybody asks: none is told within another."""
    begun, over, pool = threading.Event(), threading.Event(), floor.Pool(2, noted=True)
    submit = pool.submit

    def quickly(fn: Any, *args: Any) -> Any:
        future = submit(fn, *args)
        if begun.is_set():
            concurrent.futures.wait([future])
        return future

    def first(x: int) -> int:
        begun.wait()
        return x

    monkeypatch.setattr(pool, "submit", quickly)
    handle = pool.call(first, 0)
    for _ in range(2_000):
        handle = pool.call(lambda x: x + 1, handle)
    handle.add_done_callback(lambda _: over.set())
    begun.set()
    assert over.wait(30)
    assert handle.result() == 2_000
    pool.shutdown()
