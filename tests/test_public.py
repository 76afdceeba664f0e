"""The public names, and what importing them costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nbflow

HEAVY = [
    "IPython",
    "alibabacloud_fnf20190315",
    "anywidget",
    "asyncio.tools",
    "boto3",
    "cloudpickle",
    "dask",
    "graphviz",
    "ipywidgets",
    "matplotlib",
    "numpy",
    "pandas",
    "sqlite3",
]


def test_importing_nbflow_loads_nothing_heavy() -> None:
    """``import nbflow`` alone loads no notebook, picture, service or data package."""
    code = f"import sys, nbflow; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_is_sorted_and_true() -> None:
    """``__all__`` is sorted, names only what exists, and names all public names there are."""
    names = nbflow.__all__
    assert names == sorted(
        names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert all(hasattr(nbflow, name) for name in names)
    public = {
        name
        for name, value in vars(nbflow).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    assert public - set(names) <= {"launcher", "load_ipython_extension", "unload_ipython_extension"}


@pytest.mark.parametrize("name", nbflow.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Every public class and function has a docstring."""
    value = getattr(nbflow, name)
    if callable(value):
        assert value.__doc__


def test_the_version_has_an_entry_in_the_changelog() -> None:
    """The changelog has a section for what is being worked on."""
    text = (Path(__file__).parent.parent / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{nbflow.__version__}]" in text


def test_every_test_states_its_rule() -> None:
    """Every test function of the suite has a docstring."""
    bare = [
        f"{path}:{node.lineno} {node.name}"
        for path in Path(__file__).parent.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not bare
