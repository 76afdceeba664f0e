"""Takes the cells of a notebook apart, those with magics too."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import TransformerManager

from nbflow.core.parsing import parsed
from nbflow.magics.body import indented, own_scope, waits
from nbflow.magics.header import Header, parse
from nbflow.magics.source.decorators import decorator
from nbflow.magics.source.slicing import Part, names, parts

OURS: Final = ("activity", "workflow")
AROUND: Final = ("time", "capture", "timeit")
"""Magics of cells whose body is Python that the notebook goes on with."""
SHELL: Final = "get_ipython"
"""What IPython's own syntax comes to is a call of something that only IPython has."""


def parts_of(source: str, number: int) -> Iterator[Part]:
    """Take a cell apart.

    Args:
        source: The cell.
        number: Its number in the notebook.

    Raises:
        SyntaxError: It is no Python; the line is that of the cell.
    """
    blank = len(source) - len(source.lstrip("\n"))
    first, _, body = source[blank:].partition("\n")
    magic, _, line = first[2:].partition(" ") if first.startswith("%%") else ("", "", "")
    if magic in OURS:
        yield _ours(source, magic, line, body, number, blank)
    elif not magic:
        yield from parts(translated(source), number)
    elif magic in AROUND:
        yield from parts(translated("\n" * (blank + 1) + body), number)


def workflows(found: Iterable[Part]) -> Iterator[str]:
    """Give the names of the workflows among parts."""
    yield from _defined(found, "workflow", "Workflow")


def activities(found: Iterable[Part]) -> Iterator[str]:
    """Give the names of the activities among parts."""
    yield from _defined(found, "activity", "")


def _defined(found: Iterable[Part], decorated: str, base: str) -> Iterator[str]:
    for part in found:
        text = part.source.lstrip()
        by_decorator = text.startswith("@") and decorated in text.split("def ")[0]
        a_class = base and text.startswith("class ") and base in text.split(":")[0]
        if text.startswith(f"%%{decorated}") or by_decorator or a_class:
            yield from part.binds


def translated(source: str) -> str:
    """Translate IPython's own syntax, where there is any, keeping each line where it is."""
    try:
        parsed(source)
    except SyntaxError:
        body = source.lstrip("\n")
        blank = len(source) - len(body)
        return "\n" * blank + str(TransformerManager().transform_cell(body))  # type: ignore[no-untyped-call]
    return source


def _ours(source: str, magic: str, line: str, body: str, number: int, blank: int) -> Part:
    """Make one part of a cell that our magics make a function of."""
    try:
        header = parse(line)
        head = decorator(magic, header.flags)
    except UsageError as error:
        raise SyntaxError(f"%%{magic} {error}", ("", blank + 1, 0, line)) from None
    try:
        text, first = _function(header, translated(body))
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) + blank
        raise
    written = list(enumerate(text.rstrip().split("\n"), blank + 1))
    written = [*written[: first - 1], (blank + first, head), *written[first - 1 :]]
    while not written[0][1].strip():
        del written[0]
    plain = "\n".join(code for _, code in written)
    found = names(plain)
    places = tuple(place for place, _ in written)
    return Part(
        source, number, 1, found.binds, found.needs, frozenset(), plain, places, found.early
    )


def _function(header: Header, code: str) -> tuple[str, int]:
    """Give a function as text, line by line as the cell is, and the line that it begins at."""
    body = parsed(f"\n{code}").body
    if len(body) == 1 and isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        own = body[0]
        return f"\n{code}", min([own.lineno, *(d.lineno for d in own.decorator_list)])
    if not header.name or not body:
        message = "there is neither a signature nor one def" if body else "there is no code"
        raise SyntaxError(message, ("", 1, 0, ""))
    inner = list(own_scope(parsed(code)))
    kind = "async def" if any(map(waits, inner)) else "def"
    text = f"{kind} {header.signature}:\n{indented(code)}"
    (function,) = parsed(text).body
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101 - begins so
    if not any(isinstance(node, ast.Return) for node in inner):
        text = _returning(text, function.body[-1], only=len(function.body) == 1)
    return text, 1


def _returning(text: str, last: ast.stmt, *, only: bool) -> str:
    """Put ``return`` before the last expression, unless it is the docstring."""
    if not isinstance(last, ast.Expr):
        return text
    if only and isinstance(last.value, ast.Constant) and isinstance(last.value.value, str):
        return text
    lines = text.split("\n")
    line, at = lines[last.lineno - 1].encode(), last.col_offset
    lines[last.lineno - 1] = (line[:at] + b"return " + line[at:]).decode()
    return "\n".join(lines)
