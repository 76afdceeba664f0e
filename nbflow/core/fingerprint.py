"""What a piece of code is, as a digest that neither comments nor file names nor restarts change.

There are two: of the compiled code, which is always to be had, and of the source in a normal
form, which formatting does not change either. The second is used only where the source proves to
be that of the code: a file may have been edited since it was imported.
"""

from __future__ import annotations
import __future__

import ast
import copy
import dis
import hashlib
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from types import CodeType
from typing import Final, NamedTuple

from nbflow.core.parsing import parsed

_HAS_DOCSTRING = 0x4000000  # CPython's CO_HAS_DOCSTRING, since 3.13
_FUTURES: Final = sum(getattr(__future__, n).compiler_flag for n in __future__.all_feature_names)
_ASYNC_CELL: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def digest(*parts: str) -> str:
    """Give the digest of texts, each told apart from its neighbours."""
    return hashlib.blake2b(_joined(parts), digest_size=16).hexdigest()


def _joined(parts: Iterable[str]) -> bytes:
    pieces: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces += (len(data).to_bytes(8, "big"), data)
    return b"".join(pieces)


def digest_after(*parts: str) -> Callable[[str], str]:
    """Give a function that gives the digest of these texts and one more.

    Example:
        >>> digest_after("a", "b")("c") == digest("a", "b", "c")
        True
    """
    begun = hashlib.blake2b(_joined(parts), digest_size=16)

    def after(part: str) -> str:
        found, data = begun.copy(), part.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "big") + data)
        return found.hexdigest()

    return after


def fingerprint(fn: object, reached: Iterable[str] = ()) -> str:
    """Give the digest of a function's own code, and of what it reaches if that is told.

    Args:
        fn: The function. One without Python code is known by its name.
        reached: Digests of the helpers and values that its code uses.
    """
    code = getattr(fn, "__code__", None)
    if not isinstance(code, CodeType):
        own = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', type(fn).__name__)}"
        return digest("name", own, *reached)
    return digest("code", *_code(code), *reached)


def _code(code: CodeType) -> Iterator[str]:
    """Give what decides how code behaves: no file name, no line numbers, no docstring."""
    flags = code.co_flags & ~_HAS_DOCSTRING
    yield f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {flags}"
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    for index, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            yield from _code(constant)
        elif isinstance(constant, frozenset):
            # The order of a set of strings differs from process to process.
            yield f"frozenset {sorted(map(repr, constant))}"
        elif index or not _docstring(code):
            yield f"{type(constant).__name__} {constant!r}"


def _docstring(code: CodeType) -> bool:
    """Whether the first constant is there for a docstring only, be there one or none."""
    first = code.co_consts[0]
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & _HAS_DOCSTRING)
    return first is None or isinstance(first, str)


class Form(NamedTuple):
    """What a function's own code is.

    Attributes:
        digest: Of it.
        source: Whether it was made of the source; else of the compiled code.
    """

    digest: str
    source: bool


_forms: dict[CodeType, str] = {}
"""The source forms that were found. What has none yet may have one later."""
_MANY_FORMS: Final = 4096


def normal_form(code: CodeType) -> Form:
    """Give what a function's code is, whatever comments, docstrings and formatting it has.

    Neither its decorators count, which show in what they made of it, nor what it reaches.

    Example:
        >>> normal_form(area.__code__).source
        True
    """
    found = _forms.get(code) or source_form(code)
    if found is not None:
        if len(_forms) >= _MANY_FORMS:
            _forms.clear()
        _forms[code] = found
        return Form(found, source=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Form(digest("compiled", version, *_code(code)), source=False)


def normal_text(source: str) -> str:
    """Give the digest of the source of a whole module, in normal form.

    Raises:
        SyntaxError: It is not Python.
    """
    return digest("module", _dumped(parsed(source)))


def source_form(code: CodeType) -> str | None:
    """Give the digest of the source as it is now; None if there is none that is this code's."""
    try:
        text = _found(code)
    except (SyntaxError, ValueError, RecursionError, OSError):
        return None
    return text and digest("source", text)


def _found(code: CodeType) -> str | None:
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename))
    body = _parsed(text).body if text else []
    for place, statement in enumerate(body):
        if _first_line(statement) <= code.co_firstlineno <= (statement.end_lineno or 0):
            for reading in _readings(statement):
                # A module is compiled as a whole, a cell statement by statement: that an import
                # is beside it changes how a function calls what was imported.
                whole = [*body[:place], reading, *body[place + 1 :]]
                found = _proved(reading, [reading], code) or _proved(reading, whole, code)
                if found is not None:
                    return found
    return None


@lru_cache(maxsize=16)
def _parsed(text: str) -> ast.Module:
    return parsed(text)


def _readings(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Give a statement as it stands, and as a magic reads it: its last expression is returned."""
    yield statement
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        last = statement.body[-1]
        if isinstance(last, ast.Expr):
            other = copy.copy(statement)
            returned = ast.copy_location(ast.Return(last.value), last)
            other.body = [*statement.body[:-1], returned]
            yield other


def _proved(statement: ast.stmt, around: list[ast.stmt], code: CodeType) -> str | None:
    """Give the normal form of the function in a statement that compiles to this very code."""
    named = [node for node in ast.walk(statement) if _is_named(node, code)]
    if len(named) != 1:
        return None  # two lambdas on one line: which is it?
    flags = code.co_flags & _FUTURES | _ASYNC_CELL
    module = ast.Module(around, [])
    compiled = compile(module, code.co_filename, "exec", flags=flags, dont_inherit=True)
    wanted = list(_code(code))
    for found in _nested(compiled):
        if found.co_name == code.co_name and found.co_firstlineno == code.co_firstlineno:
            return _dumped(named[0]) if list(_code(found)) == wanted else None
    return None


def _is_named(node: ast.AST, code: CodeType) -> bool:
    if not isinstance(node, _Function):
        return False
    return (
        getattr(node, "name", "<lambda>") == code.co_name
        and _first_line(node) == code.co_firstlineno
    )


def _first_line(node: ast.stmt | ast.Lambda) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _nested(code: CodeType) -> Iterator[CodeType]:
    todo = [code]
    while todo:
        current = todo.pop()
        yield current
        todo.extend(c for c in current.co_consts if isinstance(c, CodeType))


def _dumped(node: ast.AST) -> str:
    node = copy.deepcopy(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.decorator_list = []
    if isinstance(node, _Function):  # what its defaults are is seen in the function that was made
        node.args.defaults = [ast.Constant(...) for _ in node.args.defaults]
        node.args.kw_defaults = [d and ast.Constant(...) for d in node.args.kw_defaults]
    for found in ast.walk(node):
        if isinstance(found, ast.Constant):
            found.kind = None
        body = getattr(found, "body", None)
        if isinstance(body, list):
            found.body = _without_docstring(body)  # type: ignore[attr-defined]
    return ast.dump(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Leave out a constant at the head of a block: it is a docstring, or does nothing at all."""
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[1:] or [ast.Pass()]
    return body


def global_names(code: CodeType) -> list[str]:
    """Give the global names that code reads, those of functions inside it included."""
    found: dict[str, None] = {}
    for current in _nested(code):
        for instruction in dis.get_instructions(current):
            if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
                found[instruction.argval] = None
    return list(found)


def global_chains(code: CodeType) -> list[tuple[str, ...]]:
    """Give the global names that code reads, each with the attributes read of it at once.

    ``config.RATE * K`` gives ``("config", "RATE")`` and ``("K",)``.
    """
    found: dict[tuple[str, ...], None] = {}
    for current in _nested(code):
        chain: tuple[str, ...] = ()
        for instruction in dis.get_instructions(current):
            if chain and instruction.opname in {"LOAD_ATTR", "LOAD_METHOD"}:
                chain = (*chain, instruction.argval)
            elif instruction.opname not in {"EXTENDED_ARG", "NOP", "PUSH_NULL"}:
                if chain:
                    found[chain] = None
                named = instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
                chain = (instruction.argval,) if named else ()
        if chain:
            found[chain] = None
    return list(found)


def imports(code: CodeType) -> list[tuple[str, int, tuple[str, ...]]]:
    """Give what code imports when it runs: module, level, and the names taken from it."""
    found: dict[tuple[str, int, tuple[str, ...]], None] = {}
    for current in _nested(code):
        before: list[dis.Instruction] = []
        for instruction in dis.get_instructions(current):
            if instruction.opname == "IMPORT_NAME":
                level, names = (i.argval for i in before[-2:])
                found[instruction.argval, int(level), tuple(names or ())] = None
            if instruction.opname != "EXTENDED_ARG":
                before = [*before[-1:], instruction]
    return list(found)
