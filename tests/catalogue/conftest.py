"""What the cases of the catalogue share: places, a namespace like a notebook's, and a shell."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.testing import Gate
from tests.magics.conftest import headless, kernel_home, session_shell, shell

__all__ = ["headless", "kernel_home", "session_shell", "shell"]

WAIT = 30
SLOTS = 2


@pytest.fixture(params=["threads", "processes"])
def place(request: pytest.FixtureRequest) -> str:
    """Go through the two places of this machine that run calls side by side."""
    nbflow.configure(on=request.param, max_workers=SLOTS)
    return str(request.param)


@pytest.fixture
def processes() -> None:
    """Have calls run in processes."""
    nbflow.configure(on="processes", max_workers=SLOTS)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Give a gate, which is open at the end of the test at the latest."""
    made = Gate(tmp_path / "gate")
    yield made
    made.open()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Keep the logs in a directory, and give it."""
    nbflow.configure(store=tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def notebook(request: pytest.FixtureRequest) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Give a function that runs cells in a module that nobody can import."""
    module = types.ModuleType("a_notebook_of_the_catalogue")
    sys.modules[module.__name__] = module

    def cell(source: str) -> dict[str, Any]:
        exec(compile(source, "<cell>", "exec"), module.__dict__)
        return module.__dict__

    yield cell
    del sys.modules[module.__name__]
