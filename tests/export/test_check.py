"""`nbflow check` says, before anything runs, what is wrong and in which line of which cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbflow.magics.source.cells import parts_of
from nbflow.magics.source.edges import unfit
from nbflow.magics.source.module import module
from tests.export.conftest import CELLS, Book, Do

pytestmark = pytest.mark.timeout(300)  # mypy takes its time on a busy machine
LOADING = "import nbflow\n"
COUNT = "%%activity count(words: list[str]) -> int\nlen(words)"
SHOUT = "%%activity shout(word: str) -> str\nword.upper()"


def found(done_text: str) -> list[tuple[int, int, str]]:
    rows = [json.loads(line) for line in done_text.splitlines()]
    return [(row["cell"], row["line"], row["code"]) for row in rows]


def test_a_sound_notebook_has_nothing_to_be_said_of(book: Book, do: Do) -> None:
    """Futures in a workflow's result count as their values, as they do in a run."""
    whole = "%%workflow whole(words: list[str]) -> int\ncount(words)"
    done = do("check", book([*CELLS, COUNT, whole]))
    assert (done.returncode, done.stdout) == (0, "nothing to say about book.ipynb\n"), done


FAULTS = {
    "%%activity a(x: int) -> int\ny = x + 1\nx + 'one'": (3, "operator"),
    "\n%%activity b(x: int) -> int\n\ny = x + 1\nx + 'one'": (5, "operator"),
    "%%activity\n\ndef c(x: int) -> int:\n    return x + 'one'": (4, "operator"),
    "def d(x: int) -> int:\n\n    return x + 'one'": (3, "operator"),
    "%%activity e(x: int) -> int\nprint(x)\nunknown(x)": (3, "undefined"),
    "%%activity f(x: int) -> int\nimport os\nx": (2, "F401"),
}
"""Cells with a fault each: in a body, below blank lines, in a def, in a helper, a name, by ruff."""


def test_a_fault_is_told_with_its_cell_and_line(book: Book, do: Do) -> None:
    """The place is that in the notebook, in the cells of magics too, and the exit code is 1."""
    flow = "%%workflow flow()\n[one(1) for one in (a, b, c, d, e, f)]"
    done = do("check", book([LOADING, *FAULTS, flow]), "--format=jsonl")
    assert done.returncode == 1
    places = {(cell, line, code) for cell, (line, code) in enumerate(FAULTS.values(), 2)}
    assert places <= set(found(done.stdout)), done.stdout


def edges(body: str) -> list[tuple[int, int, str]]:
    """Give what is said of the edges of a workflow with this body, in cell 4."""
    cells = (LOADING, COUNT, SHOUT, f"%%workflow flow()\n{body}")
    parts = [part for number, cell in enumerate(cells, 1) for part in parts_of(cell, number)]
    return [
        (one.cell, one.line, one.text) for one in unfit(module(parts, ["flow"], title="A flow."))
    ]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("n = count(['a'])\nshout(n)", 3),
        ("shout(count(['a']))", 2),
        ("shout(\n    word=count(['a'])\n)", 3),
    ],
    ids=["by a name", "at once", "by keyword"],
)
def test_a_result_that_cannot_fit_is_told(body: str, line: int) -> None:
    """An int handed to a parameter that is a str: the edge is named, with both ends."""
    assert edges(body) == [(4, line, "shout(word: str) is given the result of count() -> int")]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("shout(3)", "shout(word: str) is given 3"),
        ("count('words')", "count(words: list) is given 'words'"),
        (
            "count([shout('a'), count(['a'])])",
            "count(words: list[str]) is given a list with the result of count() -> int",
        ),
        (
            "count([count([w]) for w in 'abc'])",
            "count(words: list[str]) is given a list with the result of count() -> int",
        ),
        ("shout()", "shout() is not given word"),
        ("shout('a', 'b')", "shout() takes 1 argument and is given 2"),
        ("shout(words='a')", "shout() has no parameter words"),
        ("shout('a', word='b')", "shout() is given word twice"),
    ],
    ids=["int", "text", "list", "comprehension", "missing", "too many", "unknown", "twice"],
)
def test_a_call_that_cannot_be_right_is_told(body: str, text: str) -> None:
    """By its number of arguments, their names, constants, and what is in a list."""
    assert edges(body) == [(4, 2, text)]


@pytest.mark.parametrize(
    "body",
    [
        "shout(str(count(['a']).result()))",
        "n = count(['a'])\nn = shout('a')\nshout(n)",
        "shout(shout('a'))",
        "shout(*['a', 'b'])",
        "shout(**{'words': 1})",
        "count([shout('a'), 'b', *more])",
        "count(None)",
    ],
    ids=["a value", "assigned twice", "it fits", "starred", "unpacked", "a list", "None"],
)
def test_what_is_not_certain_is_not_told(body: str) -> None:
    """No edge is blamed where it fits, or where it cannot be seen what it is."""
    assert edges(body) == []


def test_annotations_are_asked_for_only_where_that_is_wished(book: Book, do: Do) -> None:
    """--strict is mypy's; without it, a cell without annotations is no fault."""
    cells = [LOADING, "%%workflow flow(x)\nx"]
    assert "no-untyped-def" in do("check", book(cells), "--strict").stdout


def test_a_cell_that_is_no_python_is_told_with_its_place(book: Book, do: Do) -> None:
    """The first line that cannot be read is named, and the exit code is that of bad input."""
    done = do("check", book([LOADING, "%%workflow flow(x)\nx = = 1"]))
    assert done.returncode == 2
    assert "book.ipynb, cell 2, line 2" in done.stderr


def test_files_are_checked_too(do: Do, tmp_path: Path) -> None:
    """A module is checked by its own lines."""
    (tmp_path / "flow.py").write_text(
        "import nbflow\n\n\n@nbflow.workflow\ndef flow(x: int) -> int:\n    return x + 'a'\n"
    )
    done = do("check", "flow.py", "--format=jsonl")
    assert found(done.stdout) == [(1, 6, "operator")]
