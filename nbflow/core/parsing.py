"""Reads source text as a syntax tree, whatever other threads do meanwhile."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

TRIES: Final = 1_000
"""Far more than are needed: at each, two threads have to meet in the same few microseconds."""


def parsed(text: str) -> ast.Module:
    """Give the tree of source text, as `ast.parse`.

    Up to Python 3.12, threads that make trees count their depth in one place, so that where two
    do so at once, one of them or both may be told by a SystemError that the depth is wrong.
    Nothing is: another try gives the tree.

    Args:
        text: The source.

    Raises:
        SyntaxError: It is none.

    Example:
        >>> parsed("x = 1").body
        [<ast.Assign object at 0x7f...>]
    """
    return undisturbed(lambda: ast.parse(text))


def parsed_expression(text: str) -> ast.Expression:
    """Give the tree of an expression, as `ast.parse` with ``mode="eval"``.

    Raises:
        SyntaxError: It is none.

    Example:
        >>> parsed_expression("revenue(['eu'])").body
        <ast.Call object at 0x7f...>
    """
    return undisturbed(lambda: ast.parse(text, mode="eval"))


def source_of(thing: Any) -> str:
    """Give the source of a function or a class, as `inspect.getsource`, which parses, too.

    Raises:
        OSError: There is none.
        TypeError: It is nothing that has source.
    """
    return undisturbed(lambda: inspect.getsource(thing))


def undisturbed(parse: Callable[[], T]) -> T:
    """Do what makes a syntax tree, again as long as other threads disturb it."""
    for _ in range(TRIES):
        try:
            return parse()
        except SystemError:
            continue
    return parse()
