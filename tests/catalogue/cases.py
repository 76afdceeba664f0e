"""Which tests show which case: by their names, as ``test_u07_...``, or by a marker."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
TABLE: Final = TESTS.parent / "docs" / "reliability.md"
COUNTS: Final = {"U": 43, "G": 13, "S": 23, "C": 13, "W": 10, "X": 6, "R": 22}
"""How many cases there are under each letter."""
KNOWN: Final = {f"{letter}{n}" for letter, most in COUNTS.items() for n in range(1, most + 1)}

_NAMED: Final = re.compile(r"test_((?:[ugscwxr]\d+_)+)")
_ROW: Final = re.compile(r"^\| ([A-Z]\d+) \| (.*) \| (.*) \|$", re.MULTILINE)
_TEST: Final = re.compile(r"`(test_\w+)`")


@functools.cache
def tests_by_case() -> dict[str, set[str]]:
    """Give the names of the tests of each case, as the source of all tests has them."""
    found: dict[str, set[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for case in _cases(node):
                    found.setdefault(case, set()).add(node.name)
    return found


def _cases(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    named = _NAMED.match(node.name)
    for word in named[1].strip("_").split("_") if named else ():
        yield f"{word[0].upper()}{int(word[1:])}"
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.case":
            yield from (ast.literal_eval(name) for name in mark.args)


@functools.cache
def rows() -> dict[str, tuple[str, set[str], str]]:
    """Give what the table says of each case: what happens, its tests, and what else is there."""
    found: dict[str, tuple[str, set[str], str]] = {}
    for case, what, shown in _ROW.findall(TABLE.read_text("utf-8")):
        assert case not in found, f"{case} has two rows"
        found[case] = what, set(_TEST.findall(shown)), _TEST.sub("", shown).strip(" ,")
    return found
