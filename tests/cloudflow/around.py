"""Functions around attempts, in a module that every process of a run can import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbflow


def note(context: Any, **ended: Any) -> None:
    """Write which process was at which call, and whether that was before it or after."""
    when = "after" if ended else "before"
    with Path(os.environ["NBFLOW_TEST_AROUND"]).open("a") as file:
        file.write(f"{when} {context.call} {os.getpid()}\n")


@nbflow.activity
def opened(key: nbflow.Secret) -> list[int]:
    """Give the length of a secret, and the process that knows it."""
    return [len(key.get()), os.getpid()]


@nbflow.workflow
def opening(key: nbflow.Secret) -> list[int]:
    """Have a secret looked at."""
    return opened(key).result()


@nbflow.activity
def counted(word: str) -> int:
    """Count letters."""
    return len(word)


@nbflow.workflow
def inside(word: str) -> int:
    """Be a run within another."""
    return counted(word).result()


@nbflow.workflow
def nesting(word: str) -> int:
    """Have a call, and a run with another one."""
    return counted(word).result() + inside(word).result()
