"""Makes a function of a cell: the first line is its signature, the rest its body.

What is compiled is a ``def`` with as many lines as the cell: the signature in the place of the
magic's line, the body indented. So line ``k`` of a traceback is line ``k`` of the cell, and the
text under the function's file name is a function that `inspect.getsource` finds.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbflow.magics.header import Header

_INDENT = "    "
_STRINGS = {
    tokenize.STRING,
    *(
        getattr(tokenize, name)
        for name in ("FSTRING_MIDDLE", "TSTRING_MIDDLE")
        if hasattr(tokenize, name)
    ),
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)


class BodyError(Exception):
    """The body of a cell is not Python.

    It is shown as IPython shows a syntax error in any other cell. It is no `SyntaxError` itself,
    because IPython prints those that a magic raises below the magic's own frames.
    """

    def __init__(self, error: SyntaxError, shell: InteractiveShell, where: str) -> None:
        super().__init__(f"{error.msg} ({where}, line {error.lineno})")
        self.error = error
        self._shell = shell

    def _render_traceback_(self) -> list[str]:
        return self._shell.SyntaxTB.structured_traceback(SyntaxError, self.error, [])


BodyError.__name__ = BodyError.__qualname__ = "SyntaxError"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell whose magic makes a function.

    Attributes:
        magic: Name of the magic.
        line: The rest of its line.
        body: All other lines.
    """

    magic: str
    line: str
    body: str

    def define(self, shell: InteractiveShell, header: Header) -> Any:
        """Compile and execute, and give the function, or what its decorators made of it.

        Raises:
            UsageError: The header and the body do not make one function.
            BodyError: The body is not Python.
        """
        try:
            return self._define(shell, header)
        except SyntaxError as error:
            where = f"Cell In[{shell.execution_count}]"
            raise BodyError(error, shell, where) from None

    def _define(self, shell: InteractiveShell, header: Header) -> Any:
        source = _python(shell, self.body)
        tree = shell.compile.ast_parse(f"\n{source}", self._remember(shell, f"\n{source}"))
        if not tree.body:
            raise UsageError(f"%%{self.magic}: the cell has no code below its first line")
        if len(tree.body) == 1 and isinstance(tree.body[0], _FUNCTIONS):
            return self._as_it_stands(shell, header, tree)
        if not header.name:
            raise UsageError(
                f"%%{self.magic}: give a signature, as in %%{self.magic} fetch(region: str), "
                "or one def in the cell"
            )
        return self._composed(shell, header, source, tree)

    def _as_it_stands(self, shell: InteractiveShell, header: Header, tree: ast.Module) -> Any:
        own = tree.body[0]
        assert isinstance(own, _FUNCTIONS)  # noqa: S101 - the caller looked
        if header.params or header.returns or header.name not in {"", own.name}:
            raise UsageError(
                f"%%{self.magic}: the cell is a def of {own.name} already: leave {header.signature} "
                "out, or write the body without a def"
            )
        file = self._remember(shell, _python(shell, self.body, prefix="\n"))
        return _executed(shell, tree, file, own.name)

    def _composed(
        self, shell: InteractiveShell, header: Header, source: str, tree: ast.Module
    ) -> Any:
        own = list(_own_scope(tree))
        kind = "async def" if any(map(_waits, own)) else "def"
        text = f"{kind} {header.signature}:\n{_indented(source)}"
        file = self._remember(shell, text)
        whole = shell.compile.ast_parse(text, file)
        if not any(isinstance(node, ast.Return) for node in own):
            _return_last(whole.body[0].body)
        try:
            return _executed(shell, whole, file, header.name)
        except SyntaxError:
            raise
        except Exception as error:
            message = f"%%{self.magic} {header.signature}: {type(error).__name__}: {error}"
            raise UsageError(message) from None

    def _remember(self, shell: InteractiveShell, text: str) -> str:
        """Give the file name of this cell, with `text` as what tracebacks find under it."""
        raw = f"%%{self.magic} {self.line}\n{self.body}"
        return shell.compile.cache(text, shell.execution_count, raw_code=raw)


def _python(shell: InteractiveShell, body: str, prefix: str = "") -> str:
    """Translate IPython's own syntax, keeping each line where it is."""
    lines = body.splitlines(keepends=True)
    blank = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    rest = "".join(lines[blank:])
    if rest.startswith("%%"):
        raise UsageError("a cell has one cell magic: the second one would not be code of the body")
    code = shell.input_transformer_manager.transform_cell(rest) if rest else ""
    return prefix + "\n" * blank + code


def _executed(shell: InteractiveShell, tree: ast.Module, file: str, name: str) -> Any:
    space: dict[str, Any] = {}
    exec(shell.compile(tree, file, "exec"), shell.user_ns, space)  # type: ignore[arg-type]
    return space[name]


def _indented(source: str) -> str:
    """Indent code, but for the lines that begin inside a string."""
    inside: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _STRINGS:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
    lines = source.splitlines(keepends=True)
    return "".join(
        line if number in inside or not line.strip() else _INDENT + line
        for number, line in enumerate(lines, 1)
    )


def _own_scope(tree: ast.Module) -> Iterator[ast.AST]:
    """Go through the nodes of the body itself, leaving out what functions in it contain."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def _waits(node: ast.AST) -> bool:
    return isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) or bool(
        isinstance(node, ast.comprehension) and node.is_async
    )


def _return_last(body: list[ast.stmt]) -> None:
    """Make the last expression the result, unless it is the docstring."""
    last = body[-1]
    if not isinstance(last, ast.Expr):
        return
    only = len(body) == 1 and isinstance(last.value, ast.Constant)
    if not (only and isinstance(last.value.value, str)):  # type: ignore[attr-defined]
        body[-1] = ast.copy_location(ast.Return(last.value), last)
