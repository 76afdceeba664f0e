"""Variables of the notebook in what stands behind ``%nbflow``."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbflow.magics.filling import filled

NAMES = {"path": Path("/tmp/a"), "text": "x", "n": 3, "rows": [1], "größe": 2}


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("-o {path}/flow.py", "-o /tmp/a/flow.py"),
        ("$text --last {n}", "x --last 3"),
        ("{größe}", "2"),
        ("{rows} {other} $other", "{rows} {other} $other"),
        ("""--input '{"text": ["x"]}'""", """--input '{"text": ["x"]}'"""),
        ("{n + 1} {path.name} {{n}}", "{n + 1} {path.name} {3}"),
    ],
    ids=["path", "two", "letters", "neither", "json", "expressions"],
)
def test_plain_values_stand_for_their_names(given: str, there: str) -> None:
    """Texts, numbers and paths are put in; nothing is computed, and the rest stays."""
    assert filled(given, NAMES) == there


def test_a_module_is_written_where_a_variable_says(shell, tmp_path: Path) -> None:
    """``%nbflow export -o {file}`` goes by the variable, as other line magics do."""
    shell.ip.user_ns["file"] = tmp_path / "double_flow.py"
    shell.ip.history_manager.reset(new_session=False)
    shell.cell("%%activity double(x: int) -> int", "2 * x")
    shell.cell("%%workflow doubled(x: int) -> int", "double(x)")
    shell.cell("%nbflow export doubled -o {file}")
    assert "def double" in (tmp_path / "double_flow.py").read_text()


def test_an_expression_is_left_alone(shell) -> None:
    """What stands behind ``run`` is Python, where ``{name}`` is a set."""
    shell.cell("%%activity size(x: set) -> int", "len(x)")
    shell.cell("%%workflow sized(x: set) -> int", "size(x)")
    shell.cell("x = 'text'", "%nbflow run sized({x}) -o run", "found = run.result()")
    assert shell["found"] == 1
