"""What of a notebook's code a name depends on, by reading it, without running any of it."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from nbflow.core.parsing import parsed

CHANGES: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "remove"),
        *("reverse", "setdefault", "sort", "update"),
        *("basicConfig", "configure", "filterwarnings", "register", "seed", "set_option"),
        *("set_theme", "simplefilter", "use", "load_dotenv"),
    }
)
"""Methods and functions of modules that are called for what they change, not for what they give."""
STAR: Final = "*"
_BUILTINS: Final = frozenset(vars(builtins))


class Names(NamedTuple):
    """Names at the top of some code.

    Attributes:
        binds: Those that it gives a value.
        needs: Those that it reads.
        early: Those among them that it reads when it is run, not only in functions.
    """

    binds: frozenset[str]
    needs: frozenset[str]
    early: frozenset[str]


@dataclass(frozen=True, slots=True)
class Part:
    """Some code of a notebook: one statement, or a whole cell that a magic makes something of.

    Attributes:
        source: The code, as it is to be run.
        cell: The number of the cell in the notebook, from 1.
        line: Its first line in the cell, from 1.
        binds: The names that it gives a value.
        needs: The names that it reads, now or in the functions that it defines.
        changes: The names whose values it changes.
        plain: The code as a module has it: a cell of ours as a decorated function; "" where that
            is `source` itself.
        lines: For each line of that, the line of the cell that it comes from.
        early: The names among `needs` that it reads at once, and not in functions only.
    """

    source: str
    cell: int
    line: int
    binds: frozenset[str]
    needs: frozenset[str]
    changes: frozenset[str]
    plain: str = ""
    lines: tuple[int, ...] = ()
    early: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The code as a module has it."""
        return self.plain or self.source


def parts(source: str, cell: int) -> Iterator[Part]:
    """Take a cell of plain Python apart.

    Raises:
        SyntaxError: It is no Python.
    """
    lines = source.splitlines(keepends=True)
    for statement in parsed(source).body:
        first = min(
            [statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))]
        )
        text = "".join(lines[first - 1 : statement.end_lineno])
        places = tuple(range(first, (statement.end_lineno or first) + 1))
        if text[: _offset(statement, first)].strip() or ";" in text.split("\n")[0]:
            text = ast.unparse(statement)  # several statements on one line
            places = (first,) * (text.count("\n") + 1)
        found = names(ast.unparse(statement))
        binds = found.binds
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            binds |= {STAR}
        changed = frozenset(_changed(statement))
        about = _comments(lines, first)
        plain = "".join(lines[about - 1 : first - 1]) + text
        places = (*range(about, first), *places)
        yield Part(text, cell, first, binds, found.needs, changed, plain, places, found.early)


def _comments(lines: Sequence[str], first: int) -> int:
    """Give the first line of the comment that stands right above a statement."""
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    return first


def _offset(statement: ast.stmt, first: int) -> int:
    return statement.col_offset if statement.lineno == first else 0


def names(source: str) -> Names:
    """Give the names that code binds at its top, and those that it reads from there.

    Raises:
        SyntaxError: It is no Python.
    """
    table = symtable.symtable(source, "<cell>", "exec")
    binds = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    binds |= {child.get_name() for child in table.get_children() if _is_definition(child, table)}
    early = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    needs = set(early)
    for child in _below(table):
        needs |= {s.get_name() for s in child.get_symbols() if s.is_global() and s.is_referenced()}
        binds |= {
            s.get_name() for s in child.get_symbols() if s.is_declared_global() and s.is_assigned()
        }
    return Names(frozenset(binds), frozenset(needs - _BUILTINS), frozenset(early - _BUILTINS))


def _is_definition(child: symtable.SymbolTable, table: symtable.SymbolTable) -> bool:
    try:
        return table.lookup(child.get_name()).is_namespace()
    except KeyError:
        return False


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Give the names whose values a statement changes where it stands."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from _root(node)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr in CHANGES:
                yield from _root(called)
        stack.extend(ast.iter_child_nodes(node))


def _root(node: ast.AST) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def reached(found: Sequence[Part], names: Iterable[str]) -> list[Part]:
    r"""Give what has to be run so that the names are there, in the order of the notebook.

    Example:
        >>> cells = list(parts("K = 2\nprint(K)\ndef f(x): return x * K", 1))
        >>> [part.line for part in reached(cells, ["f"])]
        [1, 3]
    """
    wanted = set(names)
    kept: set[int] = set()
    grown = True
    while grown:
        grown = False
        for number, part in enumerate(found):
            if number not in kept and (wanted & (part.binds | part.changes) or STAR in part.binds):
                kept.add(number)
                wanted |= part.needs
                grown = True
    return [found[number] for number in sorted(kept)]
