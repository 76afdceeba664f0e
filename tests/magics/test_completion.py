"""Tab completes flags, verbs and the names that fit."""

from __future__ import annotations

import pytest

from nbflow import executors
from nbflow.magics.commands import others
from nbflow.magics.verbs import VERBS


@pytest.fixture
def complete(shell, monkeypatch):
    """Press Tab at the end of a text."""
    monkeypatch.setattr(shell.ip.Completer, "use_jedi", False)  # on a busy machine it gives up
    shell.cell("%%activity fetch(x)", "x")
    shell.cell("%%workflow revenue(x)", "fetch(x)")
    shell.cell("run = revenue(1)", "run.result()")

    def press(code: str) -> set[str]:
        return {c.text for c in shell.ip.Completer.completions(code, len(code))}

    return press


@pytest.fixture(autouse=True)
def provisional():
    """IPython calls its own completion provisional, and warns unless told that we know."""
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        yield


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (
            "%%activity f(x) --",
            [
                *("--retry", "--timeout", "--executor", "--name", "--version", "--cache"),
                *("--cache-key", "--task-list", "--task-priority", "--no-raise"),
                *("--start-to-close-timeout", "--schedule-to-start-timeout"),
                *("--schedule-to-close-timeout", "--heartbeat-timeout"),
                *("--once", "--idempotent", "--max-running", "--copy", "--no-persist", "--meta"),
            ],
        ),
        ("%%activity f(x) -> int --re", ["--retry"]),
        ("%%activity f(x) --executor pro", ["processes"]),
        ("%nbflow dag run --li", ["--lines"]),
        ("%nbflow dag run --ou", ["--output"]),
        ("%nbflow run revenue(1) --js", []),
        ("%%activity f(x) --executor ", list(executors.TABLE)),
        ("%%workflow f(x) --ru", ["--run"]),
        ("%%workflow f(x) --run --on th", ["threads"]),
        ("%nbflow sta", ["status"]),
        ("%nbflow ", [*VERBS, *others(VERBS)]),
        ("dag = %nbflow da", ["dag"]),
        ("%nbflow wait run --ti", ["--timeout"]),
        ("%nbflow dag ru", ["run"]),
        ("%nbflow executor in", ["inline"]),
        ("%nbflow help pro", ["profile"]),
    ],
    ids=str,
)
def test_only_what_fits_is_offered(complete, code, found):
    """Where only flags, verbs or runs make sense, nothing else is offered."""
    assert complete(code) == set(found)


@pytest.mark.parametrize(
    ("code", "found"),
    [("%nbflow run rev", "revenue"), ("%%activity f(x)\nru", "run"), ("%%activity f(x: in", "int")],
    ids=str,
)
def test_python_is_completed_as_ever(complete, code, found):
    """Names in an expression, in a header and in a body are completed as in any cell."""
    assert found in complete(code)


def test_other_cells_are_left_alone(complete):
    """No flag of ours appears elsewhere."""
    assert not {c for c in complete("%%timeit -") if c.startswith("--retry")}
    assert "--retry" not in complete("x = 1 --")
