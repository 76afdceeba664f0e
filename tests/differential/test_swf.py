"""Every program means the same on Amazon SWF: on its emulator, and on moto as far as that goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbflow.services.swf.errors import Refused
from tests.differential.on_moto import LACKS, OnMoto
from tests.differential.program import Program
from tests.differential.swf import OnSwf
from tests.differential.test_programs import ALL, check, decided, differences

STICKY = OnSwf("swf", keep=1_000)
FORGETFUL = OnSwf("swf-forgetful", keep=0)
MOTO = OnMoto()
SOME = ALL[::3]


def play(backend: OnSwf, program: Program, directory: Path) -> None:
    """Run a program and compare what comes of it with what is decided one event at a time."""
    place = directory / "here"
    place.mkdir()
    outcome = backend.run(program, place)
    check(outcome, program)
    assert not differences(outcome.without(program.loose), decided(program.name), program.loose)


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the key that pickles are signed with out of the home."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize("program", SOME, ids=lambda program: program.name)
def test_swf_does_as_is_decided(program: Program, tmp_path: Path) -> None:
    """Result, error, calls, hooks, edges and rows are the same where the code waits."""
    play(STICKY, program, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)
@pytest.mark.parametrize("backend", [STICKY, FORGETFUL], ids=lambda backend: backend.name)
def test_swf_does_all_as_is_decided(backend: OnSwf, program: Program, tmp_path: Path) -> None:
    """So it is for all programs, and where each decision begins with nothing but the history."""
    play(backend, program, tmp_path)


def on_moto(program: Program, directory: Path) -> None:
    """Run a program on moto; what moto cannot do has to fail, so it is noticed once it can."""
    if program.name not in LACKS:
        play(MOTO, program, directory)
        return
    with pytest.raises((Refused, AssertionError), match=LACKS[program.name]):
        play(MOTO, program, directory)


@pytest.mark.slow
@pytest.mark.parametrize("program", ALL[1::9], ids=lambda program: program.name)
def test_swf_by_moto_does_as_is_decided(program: Program, tmp_path: Path) -> None:
    """So it is on somebody else's emulator, where each decision begins with the whole history."""
    on_moto(program, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)
def test_swf_by_moto_does_all_as_is_decided(program: Program, tmp_path: Path) -> None:
    """So it is for all programs that need no more than moto has."""
    on_moto(program, tmp_path)


def test_what_moto_lacks_is_said_of_programs_that_there_are() -> None:
    """No name in that table is left over."""
    assert set(LACKS) <= {program.name for program in ALL}
