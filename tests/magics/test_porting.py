"""``%nbflow export``, ``check``, ``load``, and the verbs that the command has."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from nbflow.cli.app import app


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch, shell) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    shell.ip.history_manager.reset(new_session=False)
    yield
    sys.modules.pop("pricing_flow", None)


def define(shell) -> None:
    shell.cell("RATE = 2")
    shell.cell("RATE = 3")
    shell.cell("%%activity priced(x: int) -> int", "x * RATE")
    shell.cell("%%workflow pricing(x: int = 5) -> int", "priced(x)")


def test_the_cells_of_this_kernel_are_exported_as_they_are_now(shell, tmp_path):
    """The module has the latest value of what was defined twice, and gives the same result."""
    define(shell)
    assert "wrote pricing_flow.py" in shell.cell("%nbflow export pricing -o pricing_flow.py")
    text = (tmp_path / "pricing_flow.py").read_text()
    assert "RATE = 3" in text
    assert "RATE = 2" not in text
    said = shell.cell("import pricing_flow", "pricing_flow.pricing.start().result()")
    assert said.strip().endswith("]: 15")


def test_what_raised_in_its_cell_is_left_out(shell, tmp_path):
    """A statement that failed has changed nothing, nor have those below it; those above have."""
    define(shell)
    shell.cell("RATE = 4", "nbflow.configure(on='swf', simulated=True)", "RATE = 5")
    shell.cell("RATE = (", "    1 / 0", ")")
    shell.cell("%%activity priced(x: int) -> int --no-such-flag", "x")
    shell.cell("def helper():", "    raise ValueError", "helper()")
    shell.cell("RATE += 1 if", "    6")
    assert "wrote pricing_flow.py" in shell.cell("%nbflow export pricing -o pricing_flow.py")
    text = (tmp_path / "pricing_flow.py").read_text()
    assert "RATE = 4" in text
    assert "configure" not in text
    assert "RATE = 5" not in text
    assert "1 / 0" not in text
    assert "return x * RATE" in text
    assert shell["pricing"].start().result() == 20
    said = shell.cell("import pricing_flow", "pricing_flow.pricing.start().result()")
    assert said.strip().endswith("]: 20")


def test_without_a_file_the_module_is_printed(shell):
    """One can look before one writes."""
    define(shell)
    assert "@nbflow.activity\ndef priced(x: int) -> int:" in shell.cell("%nbflow export")


def test_an_export_that_cannot_be_is_one_line(shell, tmp_path):
    """What there is is told; nothing is written."""
    define(shell)
    said = shell.cell("%nbflow export prices -o p.py")
    assert "no cell defines prices; there is" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("*.py"))


def test_cells_are_checked_by_the_numbers_beside_them(shell):
    """The cell is named as it is in the notebook, In[n]."""
    define(shell)
    shell.cell("%%activity wrong(x: int) -> int", "y = x", "y + 'a'")
    number = shell.number()
    shell.cell("%%workflow wronged() -> int", "wrong(1)")
    said = shell.cell("%nbflow check wronged")
    assert f"In[{number}]" in said
    assert "operator" in said


def test_a_module_is_loaded_into_the_next_cell(shell, tmp_path):
    """What was exported comes back as a cell that defines the same."""
    define(shell)
    shell.cell("%nbflow export pricing -o pricing_flow.py")
    said = shell.cell("%nbflow load pricing_flow:pricing")
    assert "%nbflow run pricing()" in said
    following = shell.ip.rl_next_input
    shell.ip.rl_next_input = None
    shell.cell(following)
    assert shell["pricing"].start(2).result() == 6


def test_a_module_that_is_not_there_is_one_line(shell):
    """No traceback, and the name."""
    said = shell.cell("%nbflow load no_such_module:flow")
    assert "there is no module 'no_such_module'" in said
    assert "Traceback" not in said


def test_verbs_of_the_command_work_on_runs_of_the_notebook(shell):
    """What the notebook has no form of its own for, the command does, with a variable as RUN."""
    define(shell)
    shell.cell("run = pricing.start()", "run.result()")
    assert "priced-1" in shell.cell("%nbflow calls run")
    assert "priced-1" in shell.cell("%nbflow calls run --format csv")
    assert "completed" in shell.cell("%nbflow show run")
    assert "no run 'nothing'" in shell.cell("%nbflow show nothing")


def test_a_flag_of_the_command_that_there_is_not_is_one_line(shell):
    """The error is the command's own; nothing else is printed."""
    said = shell.cell("%nbflow calls --no-such")
    assert "no-such" in said.lower()
    assert "Traceback" not in said


def test_every_verb_of_the_command_is_one_of_the_notebook(shell):
    """Each that ends by itself is listed, and has the command's own help."""
    listed = shell.cell("%nbflow help")
    ends_by_itself = set(app.commands) - {"decider", "emulator", "standalone", "worker"}
    for name in ends_by_itself:
        assert name in listed
    assert "Usage: %nbflow calls" in shell.cell("%nbflow help calls")
