"""Going on with a run by the code that it was started with."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core import recorded
from nbflow.core.errors import PickleRefused
from nbflow.core.events import CallFailed, RunResumed, RunStarted
from nbflow.core.payload import Blob, Packed
from nbflow.store.exchange import export, load
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore

WAIT = 30
Cell = Callable[[str], dict[str, Any]]

CELL = """
import pathlib
import nbflow

class Row:
    def __init__(self, value):
        self.value = value

def worth(row):
    return row.value * RATE

RATE = 2

@nbflow.activity
def load(ledger):
    with open(ledger, "a") as file:
        file.write("load ")
    return Row(5)

@nbflow.activity
def price(ledger, row):
    with open(ledger, "a") as file:
        file.write("price ")
    if not pathlib.Path(ledger).with_name("open").exists():
        raise OSError("the shop is closed")
    return worth(row), isinstance(row, Row)

@nbflow.workflow
def shop(ledger):
    return price(ledger, load(ledger)).result()
"""


@pytest.fixture
def cell() -> Iterator[Cell]:
    """Give a notebook to execute cells in: a module that nobody can import."""
    module = types.ModuleType("a_notebook")
    sys.modules["a_notebook"] = module
    names: list[str] = []

    def run(source: str) -> dict[str, Any]:
        name = f"<recorded cell {len(names)}>"
        names.append(name)
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)  # as IPython does
        exec(compile(source, name, "exec"), module.__dict__)
        return module.__dict__

    yield run
    del sys.modules["a_notebook"]
    for name in names:
        linecache.cache.pop(name, None)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a store of either kind, which is used from here on."""
    made: Any = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store")
    nbflow.configure(store=made)
    yield made
    made.close()


def begun(store: Any, run: Any) -> RunStarted:
    """Give the first event of a run, as its store has it."""
    event = next(store.events(run.id))
    assert isinstance(event, RunStarted)
    return event


def failed(workflow: Any, *args: Any) -> Any:
    """Start a run that fails."""
    run = workflow(*args)
    run.wait(WAIT)
    assert isinstance(run.exception(), Exception)
    return run


def closed_shop(cell: Cell, tmp_path: Path) -> tuple[Any, dict[str, Any]]:
    """Start a run whose second call fails, and let that one succeed from now on."""
    space = cell(CELL)
    run = failed(space["shop"], str(tmp_path / "ledger"))
    (tmp_path / "open").touch()
    return run, space


# -------------------------------------------------------------------- what it is for


def test_each_code_is_what_it_says(store: Any, cell: Cell, tmp_path: Path) -> None:
    """The recorded code is that of the start, with helpers and globals; new is what they are now.

    Either way, what has succeeded does not run again.
    """
    run, space = closed_shop(cell, tmp_path)
    cell(CELL.replace("RATE = 2", "RATE = 70").replace("row.value * RATE", "row.value + RATE"))
    assert run.resume(code="recorded").result(WAIT) == (10, True)
    assert (tmp_path / "ledger").read_text() == "load price price "
    assert run.rerun("price-1", workflow=space["shop"]).result(WAIT)[0] == 75
    assert (tmp_path / "ledger").read_text() == "load price price price "
    assert run.rerun("price-1", code="recorded").result(WAIT) == (10, True)
    said = [event.code for event in store.events(run.id) if isinstance(event, RunResumed)]
    assert said == ["recorded", "new", "recorded"]


FIRST = """
import sys
nbflow.configure(store=sys.argv[1])
run = shop(sys.argv[2])
print(run.id)
run.wait()
"""
SECOND = """
import sys
import nbflow
nbflow.configure(store=sys.argv[1])
run = nbflow.attach(sys.argv[3])
try:
    run.resume()
except nbflow.DefinitionError as error:
    assert "code='recorded'" in str(error), error
else:
    raise AssertionError("the workflow is defined nowhere")
print(run.resume(code="recorded").result())
"""


def process(code: str, *arguments: Path | str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script from nowhere, as a kernel does with cells."""
    return subprocess.run(
        [sys.executable, "-", *map(str, arguments)],
        input=code,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_a_fresh_process_has_none_of_the_functions(tmp_path: Path, on: str) -> None:
    """A process that defines nothing goes on with a run, and says so where it is not told how."""
    begin = FIRST.replace("shop(", f"shop.on({on!r}).start(")
    first = process(CELL + begin, tmp_path / "store", tmp_path / "ledger")
    assert first.stdout, first.stderr
    (tmp_path / "open").touch()
    second = process(SECOND, tmp_path / "store", tmp_path / "ledger", first.stdout.strip())
    assert second.stdout == "(10, True)\n", second.stderr
    assert (tmp_path / "ledger").read_text() == "load price price "


def test_a_process_with_another_key_is_refused(tmp_path: Path) -> None:
    """Code that nothing shows to be this user's own is not loaded, and the run stays as it is."""
    first = process(CELL + FIRST, tmp_path / "store", tmp_path / "ledger")
    (tmp_path / "open").touch()
    run, key = first.stdout.strip(), str(tmp_path / "key")
    other = SECOND.replace(
        'print(run.resume(code="recorded").result())',
        """
try:
    run.resume(code="recorded")
except nbflow.PickleRefused as error:
    print(error)
""",
    ).replace("nbflow.PickleRefused", "nbflow.core.errors.PickleRefused")
    second = process(
        other, tmp_path / "store", tmp_path / "ledger", run, NBFLOW_DATA_DIR=str(tmp_path / "other")
    )
    assert "another user signed it" in second.stdout, (second.stderr, key)
    assert "Nothing was executed" in second.stdout
    assert (tmp_path / "ledger").read_text() == "load price "


def test_children_go_on_with_recorded_code(store: Any, cell: Cell, tmp_path: Path) -> None:
    """A child run goes on with the code of its parent's start; and alone with that of its own."""
    text = CELL + "\n@nbflow.workflow\ndef mall(ledger):\n    return shop(ledger).result()\n"
    run = failed(cell(text)["mall"], str(tmp_path / "ledger"))
    (tmp_path / "open").touch()
    cell(text.replace("RATE = 2", "RATE = 70"))
    (child,) = [row.run for row in store.runs() if row.run != run.id]
    assert nbflow.attach(child).resume(code="recorded").result(WAIT) == (10, True)
    assert run.resume(code="recorded").result(WAIT) == (10, True)


def test_a_class_goes_on_with_recorded_code(store: Any, cell: Cell, tmp_path: Path) -> None:
    """A workflow written as a class is recorded like a function, with its methods."""
    text = CELL + (
        "\nclass Shop(nbflow.Workflow):\n    def run(self, ledger):\n"
        "        return self.paid(ledger)\n\n    def paid(self, ledger):\n"
        "        return self.submit(price, ledger, self.submit(load, ledger)).result()\n"
    )
    run = cell(text)["Shop"].start(str(tmp_path / "ledger"))
    run.wait(WAIT)
    (tmp_path / "open").touch()
    cell(text.replace("RATE = 2", "RATE = 70"))
    assert run.resume(code="recorded").result(WAIT) == (10, True)


def test_tracebacks_have_the_recorded_lines(store: Any, cell: Cell, tmp_path: Path) -> None:
    """Errors of recorded code show its lines, though no cell of this kernel has them."""
    run = failed(cell(CELL)["shop"], str(tmp_path / "ledger"))
    linecache.cache.pop("<recorded cell 0>")
    run.resume(code="recorded").wait(WAIT)
    event = [e for e in store.events(run.id) if isinstance(e, CallFailed)][-1]
    assert event.error.frames[-1].source == 'raise OSError("the shop is closed")'


# -------------------------------------------------------------------- where there is none


def asked(run: Any) -> str:
    """Ask for the recorded code, and give why there is none."""
    before = list(run._store.events(run.id))
    with pytest.raises((nbflow.RunError, PickleRefused)) as caught:
        run.resume(code="recorded")
    assert list(run._store.events(run.id)) == before, "the run was changed"
    assert "run.resume()" in str(caught.value), "it does not say what to do"
    return str(caught.value)


@nbflow.activity
def fails() -> None:
    raise OSError("no")


@nbflow.workflow
def of_a_module() -> object:
    return fails().result()


def test_code_of_modules_is_not_recorded(store: Any) -> None:
    """What can be imported is not recorded, and the message names the module."""
    assert f"imported from {__name__}" in asked(failed(of_a_module))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        pytest.param("LOCK = __import__('threading').Lock()", "cannot be stored", id="lock"),
        pytest.param("LOCK = bytes(2_000_000)", "too large to be kept", id="large"),
        pytest.param("LOCK = 'AKIAIOSFODNN7EXAMPLE'", "value of a secret", id="secret"),
    ],
)
def test_what_cannot_be_recorded_says_why(
    store: Any, cell: Cell, monkeypatch: pytest.MonkeyPatch, cause: str, words: str
) -> None:
    """A run whose code cannot be kept runs as ever; who asks for that code is told why."""
    monkeypatch.setattr(recorded, "MOST_BYTES", 1_000_000)
    space = cell(
        f"import nbflow\n{cause}\n@nbflow.activity\ndef use():\n    LOCK\n    raise OSError('no')\n"
        "@nbflow.workflow\ndef w():\n    return use().result()\n"
    )
    assert words in asked(failed(space["w"]))


def test_json_only_records_nothing(
    store: Any, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pickles are not allowed, no code is kept; and none is loaded that was kept before."""
    run, _ = closed_shop(cell, tmp_path)
    assert isinstance(begun(store, run).program, Packed)
    monkeypatch.setenv("NBFLOW_ALLOW_PICKLE", "0")
    assert "NBFLOW_ALLOW_PICKLE=0" in asked(run)
    space = cell(
        "import nbflow\n@nbflow.activity\ndef use():\n    raise OSError('no')\n"
        "@nbflow.workflow\ndef w():\n    return use().result()\n"
    )
    assert "NBFLOW_ALLOW_PICKLE=0" in asked(failed(space["w"]))


def test_another_python_cannot_load_it(
    store: Any, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled code is good for one version of Python: the message names both."""
    run, _ = closed_shop(cell, tmp_path)
    monkeypatch.setattr(recorded, "python", lambda: "cpython-399")
    found = asked(run)
    assert "cpython-399" in found
    assert begun(store, run).python in found


def test_older_logs_have_none(cell: Cell, tmp_path: Path) -> None:
    """A run of an older nbflow says that its code was not recorded."""
    old, store = MemoryStore(), MemoryStore()
    nbflow.configure(store=old)
    run, _ = closed_shop(cell, tmp_path)
    store.create("shop-old", begun(old, run)._replace(program=None, python=""))
    store.append("shop-old", list(old.events(run.id))[1:])
    assert "did not record it" in asked(nbflow.attach("shop-old", store))


def test_others_can_write_to_the_store(cell: Cell, tmp_path: Path) -> None:
    """In a store that is open to others runs start as ever, and their code is not recorded."""
    SqliteStore(tmp_path / "store").close()
    (tmp_path / "store").chmod(0o777)
    nbflow.configure(store=tmp_path / "store")
    space = cell(
        "import nbflow\n@nbflow.activity\ndef use():\n    raise OSError('no')\n"
        "@nbflow.workflow\ndef w():\n    return use().result()\n"
    )
    assert "other users can write" in asked(failed(space["w"]))


def test_an_export_leaves_code_out(cell: Cell, tmp_path: Path) -> None:
    """An export without pickles has no code either, and whoever imports it is told."""
    nbflow.configure(store=tmp_path / "store")
    run, _ = closed_shop(cell, tmp_path)
    export(tmp_path / "store", tmp_path / "file.zip")
    load(tmp_path / "copy", tmp_path / "file.zip")
    copy = SqliteStore(tmp_path / "copy")
    assert "left out when the run was exported" in asked(nbflow.attach(run.id, copy))
    copy.close()


def test_large_code_is_a_blob(tmp_path: Path, cell: Cell) -> None:
    """Code that takes a large table along is kept beside the log."""
    nbflow.configure(store=tmp_path / "store")
    text = CELL.replace("RATE = 2", "RATE = 2\nTABLE = bytes(range(256)) * 1000").replace(
        "return worth(row)", "return len(TABLE) + worth(row)"
    )
    run = failed(cell(text)["shop"], str(tmp_path / "ledger"))
    (tmp_path / "open").touch()
    assert isinstance(begun(run._store, run).program, Blob)
    cell(CELL)
    assert run.resume(code="recorded").result(WAIT) == (256_010, True)


@pytest.mark.parametrize("code", ["old", "", None])
def test_there_are_two_codes(store: Any, cell: Cell, tmp_path: Path, code: Any) -> None:
    """Any other word is refused where it is written."""
    run, space = closed_shop(cell, tmp_path)
    with pytest.raises(nbflow.RunError, match=r"'new'.*or 'recorded'"):
        run.resume(code=code)
    with pytest.raises(nbflow.RunError, match="not both"):
        run.resume(space["shop"], code="recorded")
