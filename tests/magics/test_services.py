"""Runs on a service from a cell: the flags that name it."""

from __future__ import annotations

import re

import pytest
from IPython.core.error import UsageError

from nbflow.magics import options


def flags(*words: str):
    made = options.parser("%x")
    options.run_flags(made)
    return made.parse_args(list(words))


def test_a_service_is_named_with_its_options(shell):
    """--on swf, with --simulate or --domain, is the place that .on("swf", ...) makes."""
    place = options.run_place(shell, flags("--on", "swf", "--simulate", "--max-workers", "3"))
    assert (place.on, place.options) == ("swf", {"simulate": True, "max_workers": 3})
    place = options.run_place(shell, flags("--on", "swf", "--domain", "analytics"))
    assert (place.on, place.options) == ("swf", {"domain": "analytics"})


@pytest.mark.parametrize("words", [["--simulate"], ["--on", "threads", "--domain", "d"]], ids=str)
def test_options_of_a_service_are_for_services(shell, words):
    """Elsewhere they would mean nothing, so they are refused with what is missing."""
    with pytest.raises(UsageError, match=re.escape("add --on swf")):
        options.run_place(shell, flags(*words))


def test_a_run_that_cannot_start_is_one_line(shell):
    """No domain: the message says what to write, and no run was started."""
    shell.cell("%%workflow nothing()", "1")
    said = shell.cell("%nbflow run nothing --on swf")
    assert "simulate=True" in said
    assert "Traceback" not in said
    assert "add --run" in shell.cell("%%workflow other() --simulate", "1")
    assert "no option" in shell.cell("nbflow.configure(on='swf', simulated=True)")
