"""Reads source text as a syntax tree, whatever other threads do meanwhile."""

from __future__ import annotations

import ast
from typing import Final

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
    for _ in range(TRIES):
        try:
            return ast.parse(text)
        except SystemError:
            continue
    return ast.parse(text)
