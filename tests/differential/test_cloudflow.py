"""Every program means the same on CloudFlow: on its emulator, with orchestrator and workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.cloudflow import OnCloudFlow
from tests.differential.program import Program
from tests.differential.test_programs import ALL, check, decided, differences

BACKEND = OnCloudFlow()
SOME = ALL[1::4]


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the key that pickles are signed with out of the home."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "data"))


def play(program: Program, directory: Path) -> None:
    """Run a program and compare what comes of it with what is decided one event at a time."""
    place = directory / "here"
    place.mkdir()
    outcome = BACKEND.run(program, place)
    check(outcome, program)
    assert not differences(outcome.without(program.loose), decided(program.name), program.loose)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("program", SOME, ids=lambda program: program.name)
def test_cloudflow_does_as_is_decided(program: Program, tmp_path: Path) -> None:
    """Result, error, calls, hooks, edges and rows are the same."""
    play(program, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)
def test_cloudflow_does_all_as_is_decided(program: Program, tmp_path: Path) -> None:
    """So it is for all programs."""
    play(program, tmp_path)
