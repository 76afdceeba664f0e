"""Finds what would make workflow code take another path when a run of it is resumed.

The code is read, not run. Names are looked up in its globals and closure, so that ``from time
import time as t`` is seen through, and a local variable called ``time`` is let alone. Plain
functions of the same module that the code calls are read as well; activities are not.

A comment ``# nbflow: ok`` silences a line.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import opcode
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from nbflow.core import place
from nbflow.core.lintnames import bind, bind_arguments
from nbflow.core.lintrules import ALWAYS, MODULES, SETS, advice_for, canonical
from nbflow.core.parsing import parsed

_OK: Final = re.compile(r"#\s*nbflow:\s*ok\b")
_SET: Final = "write sorted(...)"
_BUILD_SETS: Final = tuple(
    opcode.opmap[name] for name in ("BUILD_SET", "SET_ADD", "SET_UPDATE") if name in opcode.opmap
)
_IMPORT: Final = opcode.opmap["IMPORT_NAME"]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_ORDERED: Final = frozenset({"list", "tuple", "enumerate", "iter", "map", "filter", "zip"})
_WIDTH: Final = 48


class DeterminismWarning(UserWarning):
    """Workflow code uses what may be different when its run is resumed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in workflow code.

    Attributes:
        file: The file of the code, or what stands for one.
        line: The line in it.
        what: What is used there, as it is written.
        advice: What to write instead.
    """

    file: str
    line: int
    what: str
    advice: str

    @property
    def where(self) -> str:
        """Where it is: ``Cell In[3], line 4``."""
        return place.written(self.file, self.line)

    def __str__(self) -> str:
        """Write it, but for the place."""
        return f"{self.what} may differ when a run is resumed: {self.advice}"


reporters: list[Callable[[str, list[Finding]], object]] = []
"""The last one is told of a workflow's findings. Notebooks put one in; else they are warnings."""


def report(name: str, fn: object) -> None:
    """Tell what is found in a workflow that is being defined."""
    findings = check(fn)
    if not findings:
        return
    if reporters:
        reporters[-1](name, findings)
        return
    for found in findings:
        warnings.warn_explicit(
            f"workflow {name}: {found}", DeterminismWarning, found.file, found.line
        )


def check(fn: object) -> list[Finding]:
    """Find what may differ when a run is resumed.

    Args:
        fn: The workflow, or its function.

    Returns:
        What was found, by line; nothing if the source is not to be had.

    Example:
        >>> [found.what for found in check(nightly)]
        ['datetime.now()']
    """
    function = _function(fn)
    if function is None or not _suspicious(function, set()):
        return []
    found: dict[tuple[str, int, str], Finding] = {}
    todo, seen = [function], {function.__code__}
    while todo:
        reader = _Reader(todo.pop())
        for finding in reader.read():
            found.setdefault((finding.file, finding.line, finding.what), finding)
        for helper in reader.helpers:
            if helper.__code__ not in seen:
                seen.add(helper.__code__)
                todo.append(helper)
    return sorted(found.values(), key=lambda f: (f.file != function.__code__.co_filename, f.line))


def _function(fn: Any) -> FunctionType | None:
    """Give the function behind a workflow of either shape."""
    cls = fn if isinstance(fn, type) else getattr(fn, "cls", None)
    if cls is not None:
        fn = getattr(cls, "run", None)
    fn = getattr(fn, "fn", fn)
    if callable(fn):
        fn = inspect.unwrap(fn)
    return fn if isinstance(fn, FunctionType) else None


# ---------------------------------------------------------------- a quick look first


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _suspicious(fn: FunctionType, seen: set[CodeType]) -> bool:
    """Whether the compiled code has anything in it that is worth reading the source for."""
    if fn.__code__ in seen:
        return False
    seen.add(fn.__code__)
    space = fn.__globals__
    if any(_worth(value, fn, seen) for value in _closed(fn).values()):
        return True
    for code in _codes(fn.__code__):
        if not ALWAYS.isdisjoint(code.co_names) or _builds_set(code):
            return True
        imports = _IMPORT in code.co_code[::2]
        for name in code.co_names:
            if imports and name.partition(".")[0] in MODULES:
                return True
            if name in space and _worth(space[name], fn, seen):
                return True
    return False


def _builds_set(code: CodeType) -> bool:
    return any(op in code.co_code[::2] for op in _BUILD_SETS) or any(
        type(constant) is frozenset for constant in code.co_consts
    )


def _worth(value: object, fn: FunctionType, seen: set[CodeType]) -> bool:
    if isinstance(value, FunctionType) and value.__globals__ is fn.__globals__:
        return _suspicious(value, seen)
    return canonical(value).partition(".")[0] in MODULES


def _closed(fn: FunctionType) -> dict[str, Any]:
    """Give the values of a function's closure that have one."""
    found = {}
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue  # assigned later
    return found


# ---------------------------------------------------------------- reading the source


def _source(fn: FunctionType) -> tuple[ast.AST, list[str]] | None:
    """Give a function's tree, numbered as in its file, and the lines of that file."""
    code = fn.__code__
    lines = linecache.getlines(code.co_filename, fn.__globals__)
    first = code.co_firstlineno
    if not 0 < first <= len(lines):
        return None
    last = max(line for part in _codes(code) for *_, line in part.co_lines() if line is not None)
    indented = lines[first - 1][:1].isspace()
    try:
        tree = _parsed(lines[first - 1 : last], indented=indented)
    except SyntaxError:  # it ends with lines that hold brackets only
        try:
            tree = _parsed(inspect.getblock(lines[first - 1 :]), indented=indented)
        except (SyntaxError, ValueError):
            return None
    ast.increment_lineno(tree, first - 1 - indented)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return (node, lines) if node.name == code.co_name else None
    return None


def _parsed(block: list[str], *, indented: bool) -> ast.Module:
    return parsed("".join(["if 1:\n", *block] if indented else block))


class _Reader:
    """Reads the source of one function.

    Attributes:
        helpers: The plain functions of the same module that it calls.
    """

    def __init__(self, fn: FunctionType) -> None:
        self._fn = fn
        self._file = fn.__code__.co_filename
        self._closure = _closed(fn)
        self._scopes: list[dict[str, str]] = []
        self._lines: list[str] = []
        self._found: list[Finding] = []
        self._apart: set[str] = set()
        self.helpers: list[FunctionType] = []

    def read(self) -> list[Finding]:
        source = _source(self._fn)
        if source is not None:
            node, self._lines = source
            self._apart = set(self._side_effects(node))
            self._enter(node)
        return self._found

    def _side_effects(self, tree: ast.AST) -> Iterator[str]:
        """Give the names of functions that are handed to `side_effect`."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and self._is_side_effect(node):
                given = node.args[0]
                if isinstance(given, ast.Name):
                    yield given.id

    def _is_side_effect(self, node: ast.Call) -> bool:
        return self._dotted(node.func) == "nbflow.side_effect"

    # ------------------------------------------------------------ scopes and names

    def _enter(self, node: ast.AST) -> None:
        """Read the body of a function, with what is local to it."""
        scope: dict[str, str] = {}
        self._scopes.append(scope)
        if isinstance(node, ast.Lambda):
            bind_arguments(node.args, scope)
            self._visit(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            bind_arguments(node.args, scope)
            for statement in node.body:
                bind(statement, scope, self._kind)
            for statement in node.body:
                self._visit(statement)
        self._scopes.pop()

    def _kind(self, value: ast.expr) -> str:
        """Give what a local variable is known to hold: a set, a path, or nothing particular."""
        if self._is_set(value):
            return "set()"
        return f"{self._dotted(value.func)}()" if isinstance(value, ast.Call) else ""

    def _dotted(self, node: ast.expr) -> str:
        """Give the full name of what an expression refers to, "" if that is not known."""
        match node:
            case ast.Name():
                for scope in reversed(self._scopes):
                    if node.id in scope:
                        return scope[node.id]
                return canonical(self._global(node.id))
            case ast.Attribute():
                base = self._dotted(node.value)
                return f"{base}.{node.attr}" if base else ""
            case ast.Call():
                base = self._dotted(node.func)
                return f"{base}()" if base else ""
        return ""

    def _global(self, name: str) -> object:
        if name in self._closure:
            return self._closure[name]
        space = self._fn.__globals__
        if name in space:
            return space[name]
        known = space.get("__builtins__", {})
        known = vars(known) if isinstance(known, ModuleType) else known
        return known.get(name)

    # ------------------------------------------------------------ what it looks for

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, _FUNCTIONS):
            if not self._is_apart(node):
                self._enter(node)
            return
        if isinstance(node, ast.Call):
            self._call(node)
            if node.args and self._is_side_effect(node):
                self._visit_all(node.args[1:])  # the function itself is run once
                return
        else:
            self._look(node)
        self._visit_all(ast.iter_child_nodes(node))

    def _look(self, node: ast.AST) -> None:
        match node:
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._iterated(node.iter)
            case ast.Starred():
                self._iterated(node.value)
            case ast.Subscript() if isinstance(node.ctx, ast.Load):
                self._read_variable(node.value, node)
            case ast.Compare():
                for item in node.comparators:
                    self._read_variable(item, node)

    def _visit_all(self, nodes: Any) -> None:
        for node in nodes:
            self._visit(node)

    def _is_apart(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
        """Whether a function in the code is an activity, or one of a side effect."""
        if isinstance(node, ast.Lambda):
            return False
        if node.name in self._apart:
            return True
        names = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
        return any(self._dotted(name) == "nbflow.activity" for name in names)

    def _call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        advice = advice_for(name, given=bool(node.args or node.keywords)) if name else ""
        if advice:
            self._add(node, f"{ast.unparse(node.func)}()", advice)
        elif isinstance(node.func, ast.Name):
            if node.func.id in _ORDERED and name == node.func.id:
                for given in node.args:
                    self._iterated(given)
            elif not any(node.func.id in scope for scope in self._scopes):
                self._follow(self._global(node.func.id))

    def _follow(self, thing: object) -> None:
        if isinstance(thing, FunctionType) and thing.__globals__ is self._fn.__globals__:
            self.helpers.append(thing)

    def _read_variable(self, node: ast.expr, whole: ast.AST) -> None:
        if self._dotted(node) == "os.environ":
            self._add(whole, ast.unparse(node), advice_for("os.environ.get", given=True))

    def _iterated(self, node: ast.expr) -> None:
        if self._is_set(node):
            self._add(node, f"iteration over {ast.unparse(node)}", _SET)

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set():  # small integers come in the same order everywhere
                return not all(
                    isinstance(e, ast.Constant) and type(e.value) in {int, bool} for e in node.elts
                )
            case ast.SetComp():
                return True
            case ast.Call():
                return self._dotted(node.func) in SETS
            case ast.Name():
                return self._dotted(node) == "set()"
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.Sub() | ast.BitXor()):
                return self._is_set(node.left) or self._is_set(node.right)
        return False

    def _add(self, node: Any, what: str, advice: str) -> None:
        for line in {node.lineno, node.end_lineno}:
            if line <= len(self._lines) and _OK.search(self._lines[line - 1]):
                return
        if len(what) > _WIDTH:
            what = f"{what[: _WIDTH - 1]}…"
        self._found.append(Finding(self._file, node.lineno, what, advice))
