"""Makes a function of a cell: the first line is its signature, the rest its body.

What is compiled is a ``def`` with as many lines as the cell: the signature in the place of the
magic's line, the body indented. So line ``k`` of a traceback is line ``k`` of the cell, and the
text under the function's file name is a function that `inspect.getsource` finds.
"""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nbflow.core.parsing import undisturbed
from nbflow.magics.header import Header

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


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
        # An empty list of frames is what IPython itself gives for a cell.
        return self._shell.SyntaxTB.structured_traceback(
            SyntaxError,
            self.error,
            [],  # type: ignore[arg-type]
        )


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
            where = f"Cell In[{_number(shell)}]"
            raise BodyError(error, shell, where) from None

    def _define(self, shell: InteractiveShell, header: Header) -> Any:
        source = _python(shell, self.body)
        file = self._remember(shell, f"\n{source}")
        tree = _parsed(shell, f"\n{source}", file)
        if not tree.body:
            raise UsageError(f"%%{self.magic}: the cell has no code below its first line")
        if len(tree.body) == 1 and isinstance(tree.body[0], _FUNCTIONS):
            self._check_alone(header, tree.body[0])
            return _executed(shell, tree, file, tree.body[0].name)
        if not header.name:
            raise UsageError(
                f"%%{self.magic}: give a signature, as in %%{self.magic} fetch(region: str), "
                "or one def in the cell"
            )
        return self._composed(shell, header, source, tree)

    def _check_alone(self, header: Header, own: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if header.params or header.returns or header.name not in {"", own.name}:
            raise UsageError(
                f"%%{self.magic}: the cell is a def of {own.name} already: leave "
                f"{header.signature} out, or write the body without a def"
            )

    def _composed(
        self, shell: InteractiveShell, header: Header, source: str, tree: ast.Module
    ) -> Any:
        own = list(own_scope(tree))
        kind = "async def" if any(map(waits, own)) else "def"
        text = f"{kind} {header.signature}:\n{indented(source)}"
        file = self._remember(shell, text)
        whole = _parsed(shell, text, file)
        if not any(isinstance(node, ast.Return) for node in own):
            function = whole.body[0]
            assert isinstance(function, _FUNCTIONS)  # noqa: S101 - `text` begins with def
            _return_last(function.body)
        try:
            return _executed(shell, whole, file, header.name)
        except SyntaxError:
            raise
        except Exception as error:  # noqa: BLE001 - defaults and annotations are the user's code
            message = f"%%{self.magic} {header.signature}: {type(error).__name__}: {error}"
            raise UsageError(message) from None

    def _remember(self, shell: InteractiveShell, text: str) -> str:
        """Give the file name of this cell, with `text` as what tracebacks find under it."""
        # Just as the front end has the cell, for that is where its debugger sets breakpoints.
        raw = f"%%{self.magic} {self.line}\n{self.body}".removesuffix("\n")
        return shell.compile.cache(text, _number(shell), raw_code=raw)


def _number(shell: InteractiveShell) -> int:
    """Give the number of the cell that is running.

    Some versions of IPython count it at its end and some at its start, so it is not in
    `execution_count`; but the cell's own frame is on the stack.
    """
    frame = inspect.currentframe()
    while frame is not None:
        known = shell.compile.format_code_name(frame.f_code.co_filename)
        if known is not None:
            return int("".join(filter(str.isdigit, known[1])))
        frame = frame.f_back
    return shell.execution_count


def _parsed(shell: InteractiveShell, text: str, file: str) -> ast.Module:
    tree = undisturbed(lambda: shell.compile.ast_parse(text, file))
    assert isinstance(tree, ast.Module)  # noqa: S101 - what "exec" gives
    return tree


def _python(shell: InteractiveShell, body: str) -> str:
    """Translate IPython's own syntax, keeping each line where it is."""
    lines = body.splitlines(keepends=True)
    blank = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    rest = "".join(lines[blank:])
    if rest.startswith("%%"):
        raise UsageError("a cell has one cell magic: the second one would not be code of the body")
    code = shell.input_transformer_manager.transform_cell(rest) if rest else ""
    return "\n" * blank + code


def _executed(shell: InteractiveShell, tree: ast.Module, file: str, name: str) -> Any:
    space: dict[str, Any] = {}
    exec(shell.compile(tree, file, "exec"), shell.user_ns, space)  # type: ignore[arg-type]
    return space[name]


def indented(source: str) -> str:
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


def own_scope(tree: ast.Module) -> Iterator[ast.AST]:
    """Go through the nodes of the body itself, leaving out what functions in it contain."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def waits(node: ast.AST) -> bool:
    """Whether a function with this in its own scope has to be an ``async def``."""
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
