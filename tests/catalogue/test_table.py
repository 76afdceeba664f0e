"""The table of docs/reliability.md is that of the tests."""

from __future__ import annotations

import pytest

from tests.catalogue import cases


def test_every_case_has_a_row():
    """No case of the catalogue is left out, and there is none that nobody knows."""
    assert set(cases.rows()) == cases.KNOWN


def test_no_test_is_of_a_case_that_there_is_not():
    """A misspelt marker or name would otherwise show nothing."""
    assert set(cases.tests_by_case()) <= cases.KNOWN


@pytest.mark.parametrize("case", sorted(cases.KNOWN))
def test_a_case_is_shown_by_the_tests_that_its_row_names(case):
    """They are there, and are of that case; a case without a test has the reason there."""
    what, named, rest = cases.rows()[case]
    assert len(what) > 20, f"{case}: say what happens"
    assert named <= cases.tests_by_case().get(case, set())
    if not named:
        assert len(rest) > 20, f"{case}: say why there is no test"


def test_at_least_so_many_cases_are_shown_by_tests():
    """Cases without a test are the exception."""
    shown = [case for case, (_, named, _) in cases.rows().items() if named]
    assert len(shown) >= 120
