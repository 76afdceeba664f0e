"""What docs/coverage.md says is there."""

from __future__ import annotations

import re
from pathlib import Path

import nbflow

ROOT = Path(__file__).parents[2]
LINES = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs/coverage.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_there_is_a_line_for_each_row() -> None:
    """Rows 1 to 42, in order, none left out."""
    assert [int(line[0]) for line in LINES] == list(range(1, 43))


def test_each_line_names_documents_and_tests_that_exist() -> None:
    """What shows a row is a file of the tests; where it is described, a document."""
    for number, _, _, described, shown in LINES:
        documents = re.findall(r"\(([\w-]+\.md)(?:#[\w-]+)?\)", described)
        tests = re.findall(r"`(tests/[\w/]+\.py)`", shown)
        assert documents, number
        assert tests, number
        for name in [*(f"docs/{one}" for one in documents), *tests]:
            assert (ROOT / name).exists(), f"row {number}: {name}"


def test_headings_that_are_linked_to_exist() -> None:
    """A link to a part of a document leads to a heading of it."""
    for number, _, _, described, _ in LINES:
        for name, anchor in re.findall(r"\(([\w-]+\.md)#([\w-]+)\)", described):
            text = (ROOT / "docs" / name).read_text()
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            found = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
            assert anchor in found, f"row {number}: {anchor}"


def test_public_names_of_the_lines_exist() -> None:
    """A capitalised name of ours in a line is one of the package."""
    for number, _, here, _, _ in LINES:
        for name in re.findall(r"`([A-Z]\w+)`", here):
            if not name.startswith("NBFLOW"):
                assert hasattr(nbflow, name), f"row {number}: {name}"
