"""A notebook's workflow is found with what it needs, and with nothing else."""

from __future__ import annotations

import pytest

from nbflow.magics.source.slicing import parts, reached


def kept(source: str, *names: str) -> list[str]:
    return [part.source.strip() for part in reached(list(parts(source, 1)), names)]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("a = 1\nb = 2\nc = a", ["a = 1", "c = a"]),
        ("a = 1\na = 2\nc = a", ["a = 1", "a = 2", "c = a"]),
        ("import os\nimport re\ndef c(): return os.sep", ["import os", "def c(): return os.sep"]),
        (
            "def f(): return g()\ndef g(): return 1\nc = f",
            ["def f(): return g()", "def g(): return 1", "c = f"],
        ),
        ("x = 1\ndef c(x): return x", ["def c(x): return x"]),
        ("x = 1\nc = [x for x in range(3)]", ["c = [x for x in range(3)]"]),
        ("x = 1\nclass c:\n    y = x", ["x = 1", "class c:\n    y = x"]),
        ("d = {}\nd['a'] = 1\nprint(d)\nc = d", ["d = {}", "d['a'] = 1", "c = d"]),
        ("d = []\nd.append(1)\nd.count(1)\nc = d", ["d = []", "d.append(1)", "c = d"]),
        ("d = 1\nd += 1\nc = d", ["d = 1", "d += 1", "c = d"]),
        ("if True:\n    d = 1\nc = d", ["if True:\n    d = 1", "c = d"]),
        ("from m import *\nc = 1", ["from m import *", "c = 1"]),
        ("def c():\n    global d\n    d = 1\nd = 3", ["def c():\n    global d\n    d = 1"]),
        (
            "@deco\ndef c(): pass\ndef deco(f): return f",
            ["@deco\ndef c(): pass", "def deco(f): return f"],
        ),
        ("a = 1; b = 2\nc = b", ["b = 2", "c = b"]),
        ("(c := 3)", ["(c := 3)"]),
        ("for c in [1]: pass", ["for c in [1]: pass"]),
        ("with open('x') as c: pass", ["with open('x') as c: pass"]),
    ],
)
def test_what_a_name_needs_is_kept_in_order(source: str, lines: list[str]) -> None:
    """Bindings, changes and all that they read are kept; what only shows or computes is not."""
    assert kept(source, "c") == lines


def test_starting_a_run_is_no_definition() -> None:
    """Cells that start, wait for or show runs are left out."""
    source = "def wf(): return K\nK = 1\nrun = wf()\nwf.start()\nrun.result()\nwf()\nrun"
    assert kept(source, "wf") == ["def wf(): return K", "K = 1"]


def test_settings_of_modules_that_are_needed_are_made() -> None:
    """What a needed module was told counts, and what others were told does not."""
    source = "import nbflow, other\nnbflow.configure(on='x')\nother.use('y')\ndef wf(): nbflow.x"
    assert "nbflow.configure(on='x')" in kept(source, "wf")
