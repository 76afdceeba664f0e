"""``nbflow binaries download``: programs are fetched before anything runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said

Do = Callable[..., Said]


@pytest.fixture
def program(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program to be fetched, and a place of this test's own for what is."""
    monkeypatch.setenv("NBFLOW_BINARIES", str(place / "kept"))
    path = place / "hello"
    path.write_text("#!/bin/sh\necho hello\n")
    return path


def test_programs_are_fetched_once(do: Do, program: Path) -> None:
    """Their paths are printed; they can be executed; a second time nothing is fetched."""
    words = ("binaries.download", f"hi={program.as_uri()}", f"ho={program.as_uri()}", "--json")
    said = do(*words)
    assert said.code == 0, said.err
    found = {row["name"]: Path(row["path"]) for row in json.loads(said.out)}
    assert sorted(found) == ["hi", "ho"]
    assert all(os.access(path, os.X_OK) for path in found.values())
    program.unlink()
    assert do(*words) == said


def test_one_that_is_not_what_it_should_be_is_refused(do: Do, program: Path) -> None:
    """Its digest is compared; the right one is taken."""
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    right = do("binaries", "download", f"hi={program.as_uri()}", "--sha256", f"hi={digest}")
    assert right.code == 0, right.err
    wrong = do("binaries", "download", f"hi={program.as_uri()}", "--sha256", f"hi={'0' * 64}")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.startswith("nbflow: ")
    assert len(wrong.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["hi"], "write it as NAME=URL"),
        (["hi=ftp://x/y"], "ftp"),
        (["hi=http://127.0.0.1/y"], "sha256"),
        (["a=file:///x", "a=file:///y"], "twice"),
        (["a=file:///x", "--sha256", "b=0"], "which is not fetched"),
    ],
)
def test_what_makes_no_sense_is_refused(do: Do, program: Path, words: list[str], part: str) -> None:
    """Before anything is fetched, with one line and 2."""
    said = do("binaries.download", *words)
    assert (said.code, said.out) == (2, "")
    assert part in said.err
    assert not (program.parent / "kept").exists()
