"""A run executes the code and the globals that the notebook had when it was started."""

from __future__ import annotations

import concurrent.futures as cf
import sys
import threading
import types
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import loky
import pytest

import nbflow
from nbflow.core.capture import capture
from nbflow.core.events import RunStarted


@pytest.fixture
def notebook() -> Iterator[Any]:
    """Give a namespace that is like a notebook's: a module that nobody can import."""
    module = types.ModuleType("a_notebook")
    sys.modules["a_notebook"] = module

    def run(source: str) -> dict[str, Any]:
        exec(compile(source, "<cell>", "exec"), module.__dict__)
        return module.__dict__

    yield run
    del sys.modules["a_notebook"]


CELL = """
import pathlib, time
import nbflow

K = 2
TABLE = [1, 2, 3]

def helper(x):
    return x * K + sum(TABLE)

@nbflow.activity
def compute(gate, x):
    while not pathlib.Path(gate).exists():
        time.sleep(0.005)
    return helper(x)

@nbflow.activity
def after(x):
    return x + K

@nbflow.workflow
def flow(gate):
    first = [compute(gate, x) for x in range(3)]
    return [after(f) for f in first] + [K]
"""


PLACES: dict[str, Callable[[], Any]] = {
    "threads": lambda: "threads",
    "processes": lambda: "processes",
    "asyncio": lambda: "asyncio",
    "ThreadPoolExecutor": lambda: cf.ThreadPoolExecutor(3),
    "ProcessPoolExecutor": lambda: cf.ProcessPoolExecutor(3, get_context("spawn")),
    "loky": lambda: loky.ProcessPoolExecutor(3),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.case("U23")
def test_a_later_cell_cannot_change_a_run_under_way(
    notebook: Any, place: str, tmp_path: Path
) -> None:
    """Globals, a mutable one included, are those of the run's start on every executor."""
    ns = notebook(CELL)
    gate = tmp_path / "gate"
    if place == "asyncio":
        gate.touch()  # plain functions hold up the loop
    where = PLACES[place]()
    run = ns["flow"].on(where).start(str(gate))
    notebook("K = 1000\nTABLE.append(10**6)\ndef helper(x): return -1\n")
    gate.touch()
    assert run.result(timeout=60) == [8, 10, 12, 2]
    assert any(line.startswith("K: 2") for line in run.captured)
    if not isinstance(where, str):
        where.shutdown()


def test_inline_uses_the_snapshot_too(notebook: Any, tmp_path: Path) -> None:
    """An activity that changes a global changes the notebook's, not the run's copy."""
    ns = notebook(
        "import nbflow\nK = 2\n"
        "@nbflow.activity\ndef spoil():\n"
        "    import a_notebook\n    a_notebook.K = 1000\n    return K\n"
        "@nbflow.workflow\ndef flow():\n    return [spoil().result(), spoil().result(), K]\n"
    )
    run = ns["flow"].on("inline").start()
    assert run.result(timeout=30) == [2, 2, 2]
    assert ns["K"] == 1000


def test_the_next_run_sees_the_new_value(notebook: Any) -> None:
    """Capture is as of each run's start."""
    ns = notebook(
        "import nbflow\nK = 2\n@nbflow.activity\ndef f(): return K\n"
        "@nbflow.workflow\ndef flow(): return f()\n"
    )
    assert nbflow.run(ns["flow"]) == 2
    notebook("K = 3")
    assert nbflow.run(ns["flow"]) == 3


def test_closures_defaults_and_recursion_are_captured(notebook: Any) -> None:
    """Closures are copied; functions that call themselves or each other stay tied together."""
    ns = notebook(
        "import nbflow\n"
        "def make():\n"
        "    box = [1]\n"
        "    @nbflow.activity\n"
        "    def f(n): return fact(n) + box[0]\n"
        "    return f, box\n"
        "def fact(n): return 1 if n < 2 else n * fact(n - 1)\n"
        "f, box = make()\n"
        "@nbflow.workflow\ndef flow(n): return f(n)\n"
    )
    frozen = capture(ns["flow"])
    ns["box"].append(0)
    ns["box"][0] = 100
    notebook("def fact(n): return 0")
    assert frozen.definition.fn.__globals__["f"].fn(4) == 25


def test_class_workflows_are_captured(notebook: Any) -> None:
    """Methods of a class workflow see the globals of the start, inherited ones included."""
    ns = notebook(
        "import nbflow\nK = 2\n"
        "@nbflow.activity\ndef double(x): return x * K\n"
        "class Base(nbflow.Workflow):\n"
        "    def step(self, x): return self.submit(double, x + K)\n"
        "class Flow(Base):\n"
        "    name = 'flow'\n"
        "    def run(self, x): return super().step(x).result() + K\n"
    )
    frozen = capture(ns["Flow"])
    notebook("K = 1000")
    assert nbflow.run(ns["Flow"], 1) == (1 + 1000) * 1000 + 1000
    body: Any = frozen.definition.fn
    frozen_globals = body.cls.run.__globals__
    assert frozen_globals["K"] == 2
    assert body.cls.__mro__[1].step.__globals__ is frozen_globals
    assert any(name.startswith("K: 2") for name in frozen.names)


def test_what_cannot_be_copied_is_shared_and_said(notebook: Any) -> None:
    """A lock cannot be copied: it is shared with the notebook, and the run's header says so."""
    ns = notebook(
        "import nbflow, threading\nlock = threading.Lock()\n"
        "@nbflow.activity\ndef f():\n    with lock:\n        return 1\n"
        "@nbflow.workflow\ndef flow(): return f()\n"
    )
    frozen = capture(ns["flow"])
    assert frozen.shared == ("lock",)
    assert "lock: lock, shared: it cannot be copied" in frozen.names
    assert nbflow.run(ns["flow"]) == 1


def test_digests_follow_what_is_reached(notebook: Any) -> None:
    """An activity's digest changes with a helper or global it reaches, and with nothing else."""

    def digest() -> str:
        frozen = capture(notebook("pass")["flow"])
        activity = frozen.definition.fn.__globals__["f"]
        return str(activity.digest)

    source = (
        "import nbflow\nK = 2\nOTHER = 1\n"
        "def deep(x): return x + K\n"
        "def helper(x): return deep(x)\n"
        "@nbflow.activity\ndef f(x): return helper(x)\n"
        "@nbflow.workflow\ndef flow(): return f(1)\n"
    )
    notebook(source)
    first = digest()
    notebook(
        "\n\n# a comment\n" + source.replace("def f(x): return", "def f(x):\n    'doc'\n    return")
    )
    assert digest() == first
    notebook("OTHER = 2")
    assert digest() == first
    notebook("K = 3")
    second = digest()
    assert second != first
    notebook("def deep(x): return x - K")
    assert digest() not in {first, second}


def test_code_that_can_be_imported_is_left_alone() -> None:
    """Functions of modules go by name: the run uses the very objects of the module."""
    frozen = capture(importable)
    assert frozen.definition.fn is importable.fn


@nbflow.workflow
def importable() -> int:
    """Have nothing to do."""
    return threading.active_count()


def test_the_source_of_the_workflow_is_in_the_log() -> None:
    """The run's first event has the text of the workflow as it was."""
    run = importable.start()
    run.result(timeout=30)
    started = next(run.events())
    assert isinstance(started, RunStarted)
    assert started.source.startswith("@nbflow.workflow\ndef importable() -> int:")
