"""Every program means the same wherever it runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.differential import (
    programs_around,
    programs_async,
    programs_calls,
    programs_composed,
    programs_family,
    programs_rest,
    programs_values,
)
from tests.differential.backends import BACKENDS, REFERENCE, Backend
from tests.differential.outcome import ROOT, Outcome
from tests.differential.program import ELSEWHERE, FEATURES, NOTHING, PROGRAMS, Program

MODULES = (
    programs_around,
    programs_async,
    programs_calls,
    programs_composed,
    programs_family,
    programs_rest,
    programs_values,
)
"""To import them is to have their programs."""
ALL = list(PROGRAMS.values())
EACH = [
    pytest.param(
        backend,
        program,
        id=f"{program.name} - {backend.name}",
        # A program costs a cluster ten times what it costs a thread: every fourth by default.
        marks=[pytest.mark.torture] if backend.name == "dask" and number % 4 else [],
    )
    for number, program in enumerate(ALL)
    for backend in BACKENDS
    if program.needs <= backend.can
]


@cache
def decided(name: str) -> Outcome:
    """Give what comes of a program where nothing is left to chance."""
    with TemporaryDirectory() as directory:
        return REFERENCE.run(PROGRAMS[name], Path(directory))


@pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)
def test_what_is_decided_is_what_the_program_says(program: Program) -> None:
    """Fed one event at a time, deciding brings a program to the end that is written down for it."""
    check(decided(program.name), program)


@pytest.mark.parametrize(("backend", "program"), EACH)
def test_every_backend_does_as_is_decided(
    backend: Backend, program: Program, tmp_path: Path
) -> None:
    """Result, error, calls, hooks, edges and rows are the same on every backend."""
    outcome = backend.run(program, tmp_path)
    check(outcome, program)
    found = differences(outcome.without(program.loose), decided(program.name), program.loose)
    assert found == {}


def differences(found: Outcome, wanted: Outcome, loose: tuple[str, ...]) -> dict[str, Any]:
    """Give what differs, by run and field: what was found, and what was wanted."""
    wanted = wanted.without(loose)
    other = {"hooks": (found.hooks, wanted.hooks)} if found.hooks != wanted.hooks else {}
    if set(found.runs) != set(wanted.runs):
        return {"runs": (set(found.runs), set(wanted.runs)), **other}
    pairs = [(run, vars(found.runs[run]), vars(wanted.runs[run])) for run in found.runs]
    return other | {
        f"{run}: {name}": (one[name], two[name])
        for run, one, two in pairs
        for name in one
        if one[name] != two[name]
    }


def check(outcome: Outcome, program: Program) -> None:
    """Hold what came of a program against what is written down for it."""
    last = outcome.last
    assert last.status == program.status, last.error
    if program.gives is not NOTHING:
        assert _plain(last.result) == _plain(program.gives)
    if program.raises is not None:
        kind, message = program.raises
        assert last.error is not None
        assert (last.error[0], message in last.error[1]) == (kind, True), last.error
    assert outcome.hooks == dict(program.told)
    assert ROOT in outcome.runs


def _plain(value: Any) -> Any:
    """Give tuples and lists one form: what a workflow gives may be either."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def test_every_feature_is_shown() -> None:
    """Each feature of the language has a program, or says where it is tested instead."""
    shown = {number for program in ALL for number in program.shows}
    assert shown <= set(FEATURES)
    assert set(FEATURES) - shown == set(ELSEWHERE) - shown
    assert len(ALL) >= 60
