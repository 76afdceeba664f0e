"""Programs that format and check Python, where they are installed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nbflow.magics.source.module import Module

_SECONDS: Final = 300
_NAME: Final = "exported.py"
_UNSUITED: Final = ("INP001", "D100", "ERA001", "I001")
"""Rules about files, and about imports, which are arranged here."""
_MYPY: Final = re.compile(
    r"^(?P<file>.*?):(?P<line>\d+)(?::\d+)?: error: (?P<text>.*?)(?:  \[(?P<code>[\w-]+)\])?$"
)


_RETURNED: Final = re.compile(r'\(got "(?P<got>.*)", expected "(?P<expected>.*)"\)')
_FUTURE: Final = re.compile(r"Future\[(?P<of>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that a program, or nbflow itself, has found in a cell.

    Attributes:
        cell: The number of the cell; 0 where it is in no cell.
        line: The line in the cell, from 1.
        code: The rule.
        text: What is wrong.
    """

    cell: int
    line: int
    code: str
    text: str


def program(name: str) -> list[str] | None:
    """Give the beginning of a command line for a program of Python's; None if there is none."""
    own = Path(sysconfig.get_path("scripts")) / (name + (".exe" if os.name == "nt" else ""))
    found = str(own) if own.is_file() else shutil.which(name)
    if found is not None:
        return [found]
    return [sys.executable, "-m", name] if importlib.util.find_spec(name) else None


def formatted(text: str, beside: Path) -> str | None:
    """Give Python code as ruff formats it; None where there is no ruff, or it cannot.

    Args:
        text: The code.
        beside: A file in whose directory ruff looks for its settings.
    """
    command = program("ruff")
    if command is None:
        return None
    where = f"--stdin-filename={beside.with_suffix('.py')}"
    done = _run([*command, "format", "--quiet", where, "-"], text)
    return done.stdout if done.returncode == 0 else None


def by_ruff(made: Module, beside: Path) -> list[Finding] | None:
    """Give what ruff says of a module; None where there is no ruff."""
    command = program("ruff")
    if command is None:
        return None
    rules = ",".join(_UNSUITED)
    words = ["check", "--quiet", "--output-format=json", f"--extend-ignore={rules}"]
    done = _run([*command, *words, f"--stdin-filename={beside.with_suffix('.py')}", "-"], made.text)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return [Finding(0, 0, "ruff", _last_line(done))]
    placed = [(made.place(one["location"]["row"]), one) for one in found]
    return [
        Finding(*place, one["code"] or "syntax", one["message"])
        for place, one in placed
        if place[0]
    ]


def by_mypy(made: Module, beside: Path, *, strict: bool) -> list[Finding] | None:
    """Give what mypy says of a module; None where there is no mypy.

    Args:
        made: The module.
        beside: A file in whose directory mypy looks for its settings, and for other modules.
        strict: Whether it is to ask for annotations everywhere.
    """
    command = program("mypy")
    if command is None:
        return None
    with tempfile.TemporaryDirectory(prefix="nbflow-check-") as directory:
        file = Path(directory) / _NAME
        file.write_text(made.text, encoding="utf-8")
        words = ["--no-error-summary", "--no-color-output", "--ignore-missing-imports"]
        words += ["--hide-error-context", "--no-pretty", f"--cache-dir={_cache()}"]
        words += ["--strict"] if strict else ["--check-untyped-defs"]
        path = os.pathsep.join([str(beside.parent), os.environ.get("MYPYPATH", "")]).rstrip(
            os.pathsep
        )
        done = _run([*command, *words, str(file)], "", cwd=beside.parent, MYPYPATH=path)
        found = list(_of_mypy(made, done.stdout, str(file)))
        if ": error: " not in done.stdout and done.returncode:
            return [Finding(0, 0, "mypy", _last_line(done))]
    return found


def _cache() -> Path:
    """Give where mypy keeps what it knows of libraries: it takes long to find out again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nbflow" / "mypy"


def _of_mypy(made: Module, text: str, file: str) -> Iterator[Finding]:
    for line in text.splitlines():
        found = _MYPY.match(line)
        if found and Path(found["file"]).name == Path(file).name and not _given(found["text"]):
            yield Finding(*made.place(int(found["line"])), found["code"] or "mypy", found["text"])


def _given(text: str) -> bool:
    """Whether it is about futures in the result of a workflow, which gives their values."""
    found = _RETURNED.search(text)
    if found is None:
        return False
    got, before = found["got"], ""
    while got != before:
        before, got = got, _FUTURE.sub(r"\g<of>", got)
    return got == found["expected"]


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"it ended with {done.returncode} and said nothing"


def _run(
    command: Sequence[str], text: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a program of the user's environment, and no shell
        command,
        input=text,
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
        env={**os.environ, **variables},
    )
