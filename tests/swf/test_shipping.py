"""How the code of a run gets to its deciders and workers, and when it does not."""

from __future__ import annotations

import linecache
import threading
import types
from dataclasses import replace
from typing import Any

import cloudpickle
import pytest

from nbflow.core.capture import capture
from nbflow.core.errors import PickleRefused
from nbflow.core.events import RunStarted
from nbflow.services.swf.codec.texts import Note, Texts
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.shipping import code_of, name_of, program, reached, shipped, words
from nbflow.services.swf.wire import TypeName
from nbflow.testing import services as contract
from tests.swf.places import there

CELL = """
import nbflow
from nbflow.testing import services as library

RATE = 3

@nbflow.activity
def fetch(x):
    return x * RATE

@nbflow.activity
def other(x):
    return x

@nbflow.activity
def kept(x):
    return x

@nbflow.activity
def unreached(x):
    return x

TABLE = {"kept": [kept]}

@nbflow.workflow
def inner(x):
    return other(x)

@nbflow.workflow
def outer(x):
    return [fetch(x), inner(x), TABLE["kept"][0](x), library.double(x)]

class Shaped(nbflow.Workflow):
    name = "shaped"

    def run(self, x):
        return self.helper(x)

    def helper(self, x):
        return self.submit(fetch, x)
"""


@pytest.fixture
def cell() -> types.SimpleNamespace:
    """What a cell defines: its functions cannot be imported."""
    name = "<cell of test_shipping>"
    linecache.cache[name] = (len(CELL), None, CELL.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CELL, name, "exec"), space)
    return types.SimpleNamespace(**space)


def sent(target: Any, run: str = "run-1") -> str:
    """The text that a run of a workflow is started with."""
    event = shipped(RunStarted(1, 0.0, "flow", (), {}, on="swf", seed=run), capture(target))
    return Texts(run, None, KeySeal()).write(words(), event, most=10**6)


def read(text: str, run: str = "run-1") -> Note:
    note = Texts(run, None, KeySeal()).read(text)
    assert note is not None
    return note


def test_code_of_a_notebook_travels_with_all_that_it_reaches(cell):
    """Its workflow, its child workflows and the activities of all of them, with their globals."""
    code = there(code_of(read(sent(cell.outer)), ()))
    assert code.definition.name == "outer"
    assert {kind.name for kind in code.activities} == {"fetch", "other", "kept", "double"}
    assert {kind.name for kind in code.workflows} == {"outer", "inner"}
    assert code.activities[TypeName("fetch", "1")].fn(2) == 6


def test_a_class_travels_too(cell):
    """The activities that its methods name are found."""
    code = there(code_of(read(sent(cell.Shaped)), ()))
    assert {kind.name for kind in code.activities} == {"fetch"}


def test_a_run_keeps_the_code_that_it_was_started_with(cell):
    """What changes afterwards, code and globals, is not seen by it."""
    text = sent(cell.outer)
    cell.outer.fn.__globals__["RATE"] = 100
    assert there(code_of(read(text), ())).activities[TypeName("fetch", "1")].fn(2) == 6


def test_code_that_can_be_imported_goes_by_its_name():
    """Nothing of it is pickled, and it is imported only where that was allowed."""
    name = "nbflow.testing.services:doubling"
    assert name_of(contract.doubling) == name
    assert program(capture(contract.doubling)) == f"import {name}"
    note = read(sent(contract.doubling))
    assert there(code_of(note, [name])).definition.name == "doubling"
    with pytest.raises(Invalid, match="not told to import"):
        code_of(note, ["nbflow.testing.services:waiting"])


def test_a_name_that_is_nowhere_is_said():
    """Where the module or the name is missing, the message says so and that the run is kept."""
    for name in ("nowhere_at_all:flow", "nbflow.testing.services:nothing"):
        event = RunStarted(1, 0.0, "flow", (), {}, program=f"import {name}")
        with pytest.raises(Invalid, match="The run is as it was"):
            code_of(Note(("run",), (event,)), [name])


@pytest.mark.case("R15")
def test_other_versions_are_refused(cell, monkeypatch):
    """A pickle of another cloudpickle or Python is not loaded, and the message names both."""
    text = sent(cell.outer)
    with monkeypatch.context() as patched:
        patched.setattr(cloudpickle, "__version__", "0.1")
        with pytest.raises(Invalid, match=r"cloudpickle-.* and this is .*cloudpickle-0\.1"):
            code_of(read(text), ())
    began = read(text).events[0]
    assert isinstance(began, RunStarted)
    started = began._replace(python="cpython-38")
    with pytest.raises(Invalid, match="cpython-38"):
        code_of(Note(("run",), (started,)), ())


def test_code_that_somebody_else_wrote_is_refused(cell, monkeypatch, tmp_path):
    """Without this user's signature for that very run it is not unpickled."""
    text = sent(cell.outer)
    with pytest.raises(PickleRefused):
        code_of(read(text, run="run-2"), ())
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path))
    with pytest.raises(PickleRefused, match="The run is as it was"):
        code_of(read(text), ())


def test_what_cannot_be_pickled_starts_nothing(cell):
    """The message names what stands in the way."""
    cell.fetch.fn.__globals__["RATE"] = threading.Lock()
    with pytest.raises(Invalid, match="lock"):
        sent(cell.outer)


def test_options_of_imported_code_are_not_changed_silently():
    """Deciders import it as it is, so other options than tags are refused."""
    frozen = capture(contract.doubling)
    tagged = frozen.definition.settings.changed({"tags": ("a",)})
    assert program(replace(frozen, definition=replace(frozen.definition, settings=tagged)))
    other = frozen.definition.settings.changed({"max_open_activity_count": 3})
    with pytest.raises(Invalid, match="where it is defined"):
        program(replace(frozen, definition=replace(frozen.definition, settings=other)))


def test_libraries_are_not_looked_through():
    """Only code of the workflow's own package, and of notebooks, is searched for activities."""
    found = {thing.name for thing in reached(contract.doubling)}
    assert found == {"doubling", "double", "join"}


def test_events_of_runs_without_code_have_none():
    """A run that was started by somebody who knows its deciders brings no code."""
    event = RunStarted(1, 0.0, "flow", (), {})
    assert code_of(Note(("run",), (event,)), ()) is None
