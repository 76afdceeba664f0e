"""Source is read the same whatever other threads do."""

from __future__ import annotations

import ast
import gc
import sys
import threading
from pathlib import Path

import pytest

import nbflow
from nbflow.core.parsing import parsed, parsed_expression

SOURCE = "x = [" + ", ".join(f"(lambda a: a + {n})({n})" for n in range(100)) + "]\n"


class Garbage:
    """Runs code when it is collected, which may be while a tree is made."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        """Give other threads the time to begin a tree."""
        sum(range(200))


def test_threads_that_read_source_at_once_get_the_same_tree() -> None:
    """None of them is told of a depth that another thread's tree has."""
    wanted, found, interval = ast.dump(ast.parse(SOURCE)), [], sys.getswitchinterval()
    errors: list[BaseException] = []
    threshold = gc.get_threshold()

    def read() -> None:
        try:
            for _ in range(8):
                kept = [Garbage() for _ in range(100)]
                del kept
                found.append(ast.dump(parsed(SOURCE)) == wanted)
        except SystemError as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    gc.set_threshold(40)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
    assert errors == []
    assert found == [True] * 32


def test_nobody_reads_source_but_by_these_functions() -> None:
    """Whoever calls `ast.parse` itself may be disturbed by other threads."""
    root = Path(nbflow.__file__).parent
    named = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (ast.unparse(node) == "ast.parse" or node.attr in {"getsource", "getsourcelines"})
    ]
    assert {place.partition(":")[0] for place in named} == {"core/parsing.py"}, named


def test_an_expression_is_read_and_a_statement_is_not() -> None:
    """As with `ast.parse`."""
    assert isinstance(parsed_expression("f(1)").body, ast.Call)
    with pytest.raises(SyntaxError):
        parsed_expression("x = 1")


def test_what_is_no_source_is_said() -> None:
    """A syntax error is not tried again."""
    with pytest.raises(SyntaxError):
        parsed("x = (")
