"""What a piece of code is, as a digest that neither comments nor file names nor restarts change."""

from __future__ import annotations

import dis
import hashlib
import sys
from collections.abc import Iterable, Iterator
from types import CodeType

_HAS_DOCSTRING = 0x4000000  # CPython's CO_HAS_DOCSTRING, since 3.13


def digest(*parts: str) -> str:
    """Give the digest of texts, each told apart from its neighbours."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "big") + data)
    return hasher.hexdigest()


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


def global_names(code: CodeType) -> list[str]:
    """Give the global names that code reads, those of functions inside it included."""
    found: dict[str, None] = {}
    todo = [code]
    while todo:
        current = todo.pop()
        for instruction in dis.get_instructions(current):
            if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
                found[instruction.argval] = None
        todo.extend(c for c in current.co_consts if isinstance(c, CodeType))
    return list(found)
