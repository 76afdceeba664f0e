"""Activities that are classes: frozen with their run, and answered by earlier results."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.capture import capture
from nbflow.core.events import CallMissed, CallReused
from nbflow.store.memory import MemoryStore
from nbflow.testing import Gate

WAIT = 30
Cell = Callable[[str], dict[str, Any]]

CLASSES = """
import abc
import nbflow

K = 5
RATE = 2

class Base(abc.ABC):
    SHIFT = 1
    def __init__(self, x):
        self.x = x
    @property
    def shifted(self): return self.x + self.SHIFT
    def scaled(self): return self.shifted * K

@nbflow.activity(cache=True)
class Tool(Base):
    __slots__ = ("x", "y", "ledger", "context")
    def __init__(self, ledger, x, *, y=1):
        super().__init__(x)
        self.ledger, self.y = ledger, y
    @staticmethod
    def rate(): return RATE
    def execute(self):
        with open(self.ledger, "a") as file:
            file.write("ran\\n")
        return self.scaled() + self.y * self.rate()

@nbflow.workflow
def flow(ledger, x, y=1): return Tool(ledger, x, y=y)
"""


@pytest.fixture
def cell() -> Iterator[Cell]:
    """Execute source as a cell of a notebook, whose names nobody can import."""
    space: dict[str, Any] = {"__name__": "__main__"}
    files: list[str] = []

    def run(source: str) -> dict[str, Any]:
        file = f"<cell of classes {len(files)}>"
        files.append(file)
        text = textwrap.dedent(source)
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), space)
        return space

    yield run
    for file in files:
        linecache.cache.pop(file, None)


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[Callable[[Any], int]]:
    """Run a workflow that notes in a file what ran; give how often it did."""
    nbflow.configure(store=MemoryStore())
    ledger = tmp_path / "ledger"

    def run(flow: Any, *args: Any, **kwargs: Any) -> Any:
        ledger.write_text("")
        found = flow.start(str(ledger), *args, **kwargs)
        return found, found.result(timeout=WAIT), ledger.read_text().count("ran")

    return run  # type: ignore[return-value]


def looked(run: Any) -> Any:
    return [event for event in run.events() if isinstance(event, CallReused | CallMissed)]


def test_a_class_is_answered_by_an_earlier_result(cell: Cell, ran: Any) -> None:
    """What is given to ``__init__`` is its arguments, whether by position, by name or default."""
    flow = cell(CLASSES)["flow"]
    first, value, times = ran(flow, 3)
    assert (value, times) == (22, 1)
    second, value, times = ran(flow, 3, y=1)
    assert (value, times) == (22, 0)
    assert looked(second)[0].source == f"{first.id}/Tool-1"
    third, value, times = ran(flow, 3, y=4)
    assert (value, times) == (28, 1)
    assert "y: 1 -> 4" in str(third.why("Tool-1"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("K = 5", "K = 50", "K: 5 -> 50", id="global-of-an-inherited-method"),
        pytest.param("RATE = 2", "RATE = 3", "RATE: 2 -> 3", id="global-of-a-static-method"),
        pytest.param("SHIFT = 1", "SHIFT = 2", "Base.SHIFT: 1 -> 2", id="attribute-of-a-base"),
        pytest.param("self.x + self", "self.x - self", "Base.shifted() edited", id="property"),
        pytest.param("scaled() + ", "scaled() - ", "Tool.execute() edited", id="execute"),
        pytest.param("self.x = x", "self.x = x + 1", "Base.__init__() edited", id="constructor"),
        pytest.param("y=1):\n        super", "y=2):\n        super", "y", id="default"),
    ],
)
def test_what_a_class_reaches_counts(cell: Cell, ran: Any, old: str, new: str, says: str) -> None:
    """An edit of its methods, its bases or their attributes makes it run, and is named."""
    ran(cell(CLASSES)["flow"], 3)
    assert CLASSES.replace(old, new) != CLASSES
    given = {"y": 2} if says == "y" else {}
    run, _, times = ran(cell(CLASSES.replace(old, new))["flow"], 3, **given)
    assert times == 1
    assert says in str(run.why("Tool-1"))


def test_looks_of_a_class_do_not_count(cell: Cell, ran: Any) -> None:
    """Comments, docstrings and what it does not reach leave a class what it was."""
    ran(cell(CLASSES)["flow"], 3)
    text = CLASSES.replace("def scaled(self):", "def scaled(self):  # a comment\n        ")
    text = text.replace("    SHIFT = 1", "    '''Say what.'''\n    SHIFT = 1") + "\nOTHER = 1\n"
    assert ran(cell(text)["flow"], 3)[1:] == (22, 0)


def test_a_plan_says_what_a_class_will_do(cell: Cell, ran: Any, tmp_path: Path) -> None:
    """The plan of a workflow knows which of its classes' calls are answered."""
    flow = cell(CLASSES)["flow"]
    ledger = str(tmp_path / "ledger")
    ran(flow, 3)
    assert "from the cache" in str(nbflow.plan(flow, ledger, 3))
    cell("K = 50")
    assert "K: 5 -> 50" in str(nbflow.plan(flow, ledger, 3))


def test_a_class_sees_the_globals_of_the_start(cell: Cell) -> None:
    """Methods, inherited ones, properties and static ones are frozen, as functions are."""
    space = cell(CLASSES)
    frozen = capture(space["flow"])
    tool = frozen.definition.fn.__globals__["Tool"]
    before = tool.digest
    cell("K = 1000\nRATE = 1000")
    ledger = "/dev/null"
    assert tool.fn(ledger, 3, y=1) == 22
    assert space["Tool"].fn(ledger, 3, y=1) == 4 * 1000 + 1000
    assert {"K: 5", "RATE: 2", "Tool: class", "Base: class"} <= set(frozen.names)
    again = capture(space["flow"]).definition.fn.__globals__["Tool"]
    assert again.digest != before
    assert space["Tool"].fn(ledger, 3) == 5000  # the notebook's own class is as it was


def test_a_run_under_way_keeps_its_class(cell: Cell, tmp_path: Path) -> None:
    """A global that is edited while a run waits does not reach the methods of its classes."""
    nbflow.configure(store=MemoryStore())
    gate = Gate(tmp_path / "gate")
    space = cell(
        """
        import nbflow
        K = 1
        @nbflow.activity
        def held(): gate.enter(); return 0
        @nbflow.activity(cache=True)
        class Late:
            def __init__(self, n): self.n = n
            def execute(self): return self.n + K
        @nbflow.workflow
        def late(): return Late(held())
        """
    )
    space["gate"] = gate
    run = space["late"].on("threads").start()
    gate.wait_for(1)
    cell("K = 1000")
    gate.open()
    assert run.result(timeout=WAIT) == 1
    assert space["late"].on("threads").start().result(timeout=WAIT) == 1000


def test_a_class_that_others_watch_is_shared_and_said(cell: Cell) -> None:
    """To copy it would run somebody's ``__init_subclass__``: it stays the one that it is."""
    space = cell(
        """
        import nbflow
        class Registered:
            known = []
            def __init_subclass__(cls): Registered.known.append(cls.__name__)
        @nbflow.activity(cache=True)
        class Mine(Registered):
            def execute(self): return 1
        @nbflow.workflow
        def mine(): return Mine()
        """
    )
    nbflow.configure(store=MemoryStore())
    frozen = capture(space["mine"])
    assert frozen.shared == ("Mine",)
    assert [space["mine"].start().result(timeout=WAIT) for _ in range(2)] == [1, 1]
    assert space["Registered"].known == ["Mine"]


def test_a_class_in_use_elsewhere_is_one_class(cell: Cell) -> None:
    """A base that other code of the run has as it is stays the same class for both."""
    space = cell(
        """
        import nbflow
        class Shape: pass
        def known(x): return isinstance(x, Shape)
        @nbflow.activity
        class Box(Shape):
            def execute(self): return known(self)
        @nbflow.activity
        def look(): return known(Shape())
        @nbflow.workflow
        def first(): return [look().result(), Box().result()]
        @nbflow.workflow
        def second(): return [Box().result(), look().result()]
        """
    )
    nbflow.configure(store=MemoryStore())
    assert space["first"].start().result(timeout=WAIT) == [True, True]
    assert space["second"].start().result(timeout=WAIT) == [True, True]
    assert space["first"].on("processes").start().result(timeout=WAIT) == [True, True]
