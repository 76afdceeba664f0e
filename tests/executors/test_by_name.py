"""What a module defines is sent to workers by name, with a decorator before it or not."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import nbflow
from nbflow.core import byname, payload
from nbflow.store.memory import MemoryStore

WAIT = 60
SOURCE = """
import abc, threading
import nbflow

LOCK = threading.Lock()
NUMBER = 1

def plain(x):
    with LOCK:
        return x + NUMBER

@nbflow.activity(name="another name")
def locked(x):
    with LOCK:
        return x + NUMBER

@nbflow.activity
async def waiting(x):
    return plain(x)

@nbflow.activity
class Tool(abc.ABC):
    def __init__(self, x): self.x = x
    def execute(self): return locked.fn(self.x)

class Home:
    @staticmethod
    @nbflow.activity
    def inside(x): return plain(x)

def before(context):
    with LOCK: pass

@nbflow.workflow
def flow():
    return [f.result() for f in (locked(1), waiting(2), Tool(3), Home.inside(4))]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    """Write a module with a lock in it, and import it."""
    nbflow.configure(store=MemoryStore())
    (tmp_path / "of_a_user.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("of_a_user")
    del sys.modules["of_a_user"]


def there_and_back(value: object) -> Any:
    return payload.loads(payload.dumps(value, "it"))


def test_a_module_s_things_come_back_as_themselves(module: Any) -> None:
    """Activities, their functions and classes, workflows, and what holds one of them."""
    for thing in (
        module.locked,
        module.locked.fn,
        module.waiting.fn,
        module.Tool.fn,
        module.Tool.fn.__nbflow_class__,
        module.Home.inside,
        module.Home.inside.fn,
        module.flow,
        module.flow.fn,
        module.plain,
    ):
        assert there_and_back(thing) is thing
    other = module.locked.options(retry=3)
    back = there_and_back(other)
    assert back.settings == other.settings
    assert back.fn is module.locked.fn


def test_what_has_no_name_goes_by_value(module: Any, monkeypatch: Any) -> None:
    """Of a notebook, of a function's own, of a name that is something else by now."""

    @nbflow.activity
    def local(x: int) -> int:
        return x

    assert byname.reference(local.fn) is None
    assert there_and_back(local).fn(3) == 3
    fn = module.locked.fn
    assert byname.reference(fn) is not None
    monkeypatch.setattr(module, "locked", 7)
    assert byname.reference(fn) is None
    monkeypatch.undo()
    sys.modules["of_a_user"] = module
    monkeypatch.setattr(fn, "__module__", "__main__")
    assert byname.reference(fn) is None


def test_a_module_that_is_to_go_by_value_does(module: Any) -> None:
    """Who registers it with cloudpickle has a reason: workers elsewhere do not have it."""
    cloudpickle.register_pickle_by_value(module)
    try:
        assert byname.reference(module.waiting.fn) is None
        with pytest.raises(nbflow.Unserialisable, match="lock"):
            payload.dumps(module.locked.fn, "it")
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def test_plain_pickle_reads_it(module: Any) -> None:
    """Workers need nothing but nbflow to read what was sent."""
    assert pickle.loads(payload.dumps(module.locked.fn, "it")) is module.locked.fn


@pytest.mark.parametrize("middleware", [False, True])
def test_activities_of_a_module_keep_its_locks(module: Any, middleware: bool) -> None:
    """They run in worker processes, in the module itself, also with a middleware around them."""
    nbflow.configure(middleware={"before": module.before} if middleware else None)
    try:
        assert module.flow.on("processes", max_workers=1).start().result(WAIT) == [2, 3, 4, 5]
    finally:
        nbflow.configure(middleware=None)


def test_a_worker_that_lives_on_follows_its_files(module: Any, tmp_path: Path) -> None:
    """A module that was edited and loaded anew here is loaded anew there."""
    on = module.flow.on("processes", max_workers=1)
    assert on.start().result(WAIT)[0] == 2
    file = tmp_path / "of_a_user.py"
    file.write_text(SOURCE.replace("NUMBER = 1", "NUMBER = 100"))
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 2 * 10**9))
    fresh = importlib.reload(module)
    assert fresh.flow.on("processes", max_workers=1).start().result(WAIT) == [101, 102, 103, 104]


def test_the_kernel_is_never_loaded_anew(module: Any, tmp_path: Path) -> None:
    """Only workers are: here it is for the user to say when."""
    data = payload.dumps(module.locked.fn, "it")
    file = tmp_path / "of_a_user.py"
    os.utime(file, ns=(1, 1))
    before: Callable[..., Any] = module.locked.fn
    assert payload.loads(data) is before
    assert payload.loads(payload.dumps(before, "it")) is before
