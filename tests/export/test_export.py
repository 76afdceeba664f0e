"""A workflow of cells becomes a plain module that does the same, and has nothing else in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nbflow.magics.source.tools import program
from tests.export.conftest import CELLS, GIVES, Book, Do

WITHOUT_IPYTHON = """
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"IPython", "ipywidgets", "anywidget", "ipykernel"}:
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Absent())
import flow
print(flow.revenue.start().result())
"""


def test_the_module_gives_what_the_notebook_gives_without_ipython(book: Book, do: Do) -> None:
    """Five activities, two helpers, three globals: the same result where IPython is not."""
    done = do("export", f"{book(CELLS)}:revenue", "-o", "flow.py")
    assert (done.returncode, done.stderr) == (0, "")
    ran = do(python=("-c", WITHOUT_IPYTHON))
    assert ran.stdout.strip() == str(GIVES), ran.stderr
    program_too = do(python=("flow.py", "--json"))
    assert json.loads(program_too.stdout)["result"] == GIVES, program_too.stderr


def test_the_module_has_what_the_workflow_reaches_and_nothing_else(book: Book, do: Do) -> None:
    """Unused imports, parts of imports, values, and cells that start runs are left out."""
    text = do("export", book(CELLS)).stdout
    assert "from collections import Counter\n" in text
    assert "# how sums are cut\nDIGITS = 2\n" in text
    assert "@nbflow.activity(retry=2, cache=True)\ndef fetch(region: str, rows: int = 3)" in text
    assert "@nbflow.activity(timeout=60, cache=True)\ndef convert" in text
    for word in ("json", "OrderedDict", "unused", "never in a module", "load_ext", "start()"):
        assert word not in text
    assert text.count("import nbflow") == 1


FUTURES = (
    "import nbflow\nN = 3",
    "%%activity add(x: int, y: int) -> int --cache\nx + y",
    "%%activity name(x: int) -> str\nstr(x)",
    "%%workflow direct(x: int) -> int\nadd(x, 1)",
    "%%workflow named(x: int) -> 'int'\nout = add(x, 1)\nout",
    "%%workflow several(x: int) -> list[int]\n[add(x, n) for n in range(N)]",
    "%%workflow literal(x: int) -> list[int]\nreturn [add(x, 1),\n        add(x, 2)]",
    "%%workflow by_name(x: int) -> dict[str, int]\n{str(n): add(x, n) for n in range(N)}",
    "%%workflow pair(x: int) -> tuple[int, str]\nadd(x, 1), name(x)",
    "%%workflow inner(x: int) -> dict[str, list[int]]\n{'a': several(x), 'b': [direct(x)]}",
    "%%workflow plain(x: int) -> int\nif x:\n    return add(x, 1)\nreturn 0",
    "%%workflow waits(x: int) -> int\nreturn add(x, 1).result() + 1",
    "%%workflow future(x: int) -> nbflow.Future[int]\nreturn add(x, 1)",
)


WRONG = (*FUTURES[:3], "%%workflow wrong(x: int) -> list[int]\n[name(x), name(x)]")
USER = """
import typing
import many

typing.assert_type(many.direct.start(1).result(), int)
typing.assert_type(many.several.start(1).result(), list[int])
"""


@pytest.mark.timeout(300)
def test_modules_are_clean_for_ruff_and_mypy(book: Book, do: Do, tmp_path: Path) -> None:
    """Where the cells are annotated, the modules pass `ruff check` and `mypy --strict`.

    Also where workflows are annotated with values that a run gives, and return futures of them;
    no cast hides that an activity gives something else than the workflow says.
    """
    for name, cells in {"flow": CELLS, "many": FUTURES, "wrong": WRONG}.items():
        assert do("export", book(cells), "-o", f"{name}.py").returncode == 0
    (tmp_path / "user.py").write_text(USER)
    ruff, mypy = program("ruff"), program("mypy")
    assert ruff is not None
    assert mypy is not None

    def said(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for words in (
        ["check", "--isolated", "--select=E,F,I,W,B,UP,SIM", "flow.py", "many.py"],
        ["format", "--isolated", "--check", "flow.py", "many.py"],
    ):
        done = said(*ruff, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    files = ("flow.py", "many.py", "user.py", "wrong.py")
    found = said(*mypy, "--strict", f"--cache-dir={tmp_path}/.cache", *files).stdout.splitlines()
    assert [line for line in found if not line.startswith("wrong.py")] == found[-1:], found
    assert [line.rpartition("  ")[2] for line in found[:-1]] == ["[list-item]"] * 2


def test_futures_that_a_workflow_returns_are_written_as_their_values(book: Book, do: Do) -> None:
    """Where the annotations say the same, and nowhere else; what it gives is the same."""
    assert do("export", book(FUTURES), "-o", "many.py").returncode == 0
    code = "import many; print(many.inner.start(1).result(), many.pair.start(2).result())"
    ran = do(python=("-c", code))
    assert ran.stdout == "{'a': [1, 2, 3], 'b': [2]} (3, '2')\n", ran.stderr
    text = do("export", book(FUTURES)).stdout
    assert text.count("typing.cast") == 8
    assert "return add(x, 1).result() + 1" in text
    assert "typing" not in do("export", book(WRONG)).stdout


def test_a_round_trip_answers_every_call_from_the_cache(book: Book, do: Do) -> None:
    """Exported, loaded into a new notebook and run: nothing of the code has changed."""
    first = do("run", f"{book(CELLS)}:revenue", "--json")
    assert json.loads(first.stdout)["result"] == GIVES, first.stderr
    assert do("export", "book.ipynb:revenue", "-o", "flow.py").returncode == 0
    assert do("load", "flow.py:revenue", "-o", "again.ipynb").returncode == 0
    again = do("run", "again.ipynb:revenue", "--json")
    assert json.loads(again.stdout)["result"] == GIVES, again.stderr
    calls = [json.loads(line) for line in do("calls", "--format", "jsonl").stdout.splitlines()]
    assert {call["status"] for call in calls} == {"cached"}, calls
    assert len(calls) == 8


def test_the_map_names_the_cell_of_each_line(book: Book, do: Do, tmp_path: Path) -> None:
    """Each line of the formatted module is traced to the line of the cell that it comes from."""
    do("export", book(CELLS), "-o", "flow.py", "--map", "map.json")
    lines = (tmp_path / "flow.py").read_text().splitlines()
    places = json.loads((tmp_path / "map.json").read_text())["lines"]
    assert len(places) == len(lines)
    for line, place in zip(lines, places, strict=True):
        if place is not None and line.strip() and not line.startswith(("@", "def")):
            cell = CELLS[place[0] - 1].splitlines()
            word = line.split()[0].replace("return", "").strip("'\"()[]{}")
            assert word in cell[place[1] - 1], (line, place)
    assert places[lines.index("DIGITS = 2")] == [3, 2]


def test_a_skeleton_of_tests_runs(book: Book, do: Do, tmp_path: Path) -> None:
    """What needs arguments is skipped and says which; what needs none is run."""
    do("export", book(CELLS), "-o", "flow.py", "--tests", "test_flow.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_flow.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 5 skipped" in done.stdout, done.stdout
    assert "give it amount, region" in done.stdout


def test_definitions_that_were_replaced_are_left_out(book: Book, do: Do) -> None:
    """Of a cell that was written again below, the later one counts, as in the notebook."""
    cells = [
        "import nbflow\nK = 1",
        "@nbflow.activity\ndef f(x):\n    return x + K",
        "K = 2",
        "@nbflow.activity\ndef f(x, by=K):\n    return x * by",
        "K = 3",
        "%%workflow flow()\nf(2)",
    ]
    text = do("export", book(cells)).stdout
    assert "return x + K" not in text
    assert "K = 1\n" not in text
    assert text.index("K = 2\n") < text.index("def f(x, by=K)") < text.index("K = 3\n")
    do("export", "book.ipynb", "-o", "flow.py")
    assert do(python=("flow.py",)).stdout == do("run", "book.ipynb:flow").stdout == "4\n"


def test_what_only_a_notebook_has_is_refused_with_its_place(book: Book, do: Do) -> None:
    """A shell command that the workflow needs has no form in a module."""
    cells = ["import nbflow", "files = !ls", "%%workflow flow()\nfiles"]
    done = do("export", book(cells), "-o", "flow.py")
    assert done.returncode == 1
    assert "cell 2, line 1 uses shell commands and magics" in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_that_no_cell_defines_are_told(book: Book, do: Do) -> None:
    """The module is written, and the missing name is named with cell and line."""
    done = do("export", book(["%%workflow flow(x: int)\ny = x + 1\nhelper(y)"]))
    assert "helper is read in cell 1, line 3, and no cell defines it" in done.stderr


def test_nothing_of_the_users_is_overwritten(book: Book, do: Do, tmp_path: Path) -> None:
    """A file that was exported is written again; any other needs --force."""
    book(CELLS)
    (tmp_path / "flow.py").write_text("# mine\n")
    refused = do("export", "book.ipynb", "-o", "flow.py")
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert (tmp_path / "flow.py").read_text() == "# mine\n"
    assert do("export", "book.ipynb", "-o", "flow.py", "--force").returncode == 0
    assert do("export", "book.ipynb", "-o", "flow.py").returncode == 0


def test_unknown_workflows_are_told_with_those_there_are(book: Book, do: Do) -> None:
    """The message lists what could have been meant."""
    done = do("export", f"{book(CELLS)}:revenu")
    assert done.returncode == 1
    assert "no cell defines revenu; there is revenue" in done.stderr


def test_ipythons_syntax_in_other_cells_does_no_harm(book: Book, do: Do) -> None:
    """Magics and shell commands beside the workflow are left out; strings with % are kept."""
    cells = [
        "import nbflow\n%matplotlib inline\n!echo hello\nlen?\ntext = '''\n%s and\n'''",
        "files = !ls",
        "%%time\nTEXT = text + 'more'",
        "%%workflow flow()\nTEXT",
    ]
    do("export", book(cells), "-o", "flow.py")
    ran = json.loads(do(python=("flow.py", "--json")).stdout)
    assert ran["result"] == "\n%s and\nmore"


def test_the_end_of_a_pipe_is_no_fault(book: Book, do: Do, tmp_path: Path) -> None:
    """`nbflow export | head -1` ends without a traceback."""
    book(CELLS)
    done = subprocess.run(
        f"{sys.executable} -m nbflow export book.ipynb | head -1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == '"""revenue of book.ipynb, as exported by nbflow."""\n'
    assert done.stderr == ""


def test_what_starts_a_run_in_a_cell_is_left_out(book: Book, do: Do) -> None:
    """A cell may define and start at once, on a service too; its options are the decorator's."""
    file = book(
        (
            "LIMIT = 60",
            "%%activity one() -> int --once\n1",
            (
                "%%workflow flow() --run --on swf --simulate --domain d -o run"
                " --options \"{'max_events': LIMIT}\"\none()"
            ),
        )
    )
    text = do("export", f"{file}:flow").stdout
    assert "LIMIT = 60" in text
    assert "@nbflow.activity(once=True)" in text
    assert '@nbflow.workflow(**{"max_events": LIMIT})' in text
