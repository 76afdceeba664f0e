"""Expressions of both languages as trees, and the parser that makes them of text.

An expression is a path (``$Input.a[0]``), a literal, a call of a built-in function, a comparison,
or several joined by ``&&`` and ``||``; that is all, so nothing of Python is ever evaluated. The
old language writes ``$.a`` for its own input and ``[*]`` for every element.

Source: the descriptions of FDL on help.aliyun.com (documents 2402077, 2499097, 2579872).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from nbflow.services.cloudflow.errors import FdlError

MAX_NESTING: Final = 10
"""How deep calls of built-in functions may stand in one another."""

MAX_DEPTH: Final = 100
"""How deep parentheses, lists and calls together may go, so that a text cannot use up the stack."""

MAX_OPERATORS: Final = 100
"""How many operators an expression may have, for the same reason."""

MAX_DIGITS: Final = 300
"""How long a number may be written."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a string, ``true``, ``false`` or ``null``."""

    value: str | float | bool | None

    def __str__(self) -> str:
        return json.dumps(self.value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Path:
    """A variable and the way into it; None among the steps stands for ``[*]``."""

    root: str
    steps: tuple[str | int | None, ...] = ()

    def __str__(self) -> str:
        return self.root + "".join(map(_step, self.steps))


@dataclass(frozen=True, slots=True)
class Several:
    """A list of expressions in brackets."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Function:
    """A call of a built-in function."""

    name: str
    arguments: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Not:
    """``!`` before an expression."""

    operand: Expression

    def __str__(self) -> str:
        return f"!{_guarded(self.operand)}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and what is between them."""

    operator: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{_guarded(self.left)} {self.operator} {_guarded(self.right)}"


Expression = Literal | Path | Several | Function | Not | Binary

_BINDING: Final = {"||": 1, "&&": 2, "in": 3} | dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3)

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
    | (?P<root>\$[A-Za-z]*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<sign>\|\||&&|==|!=|<=|>=|[<>!()\[\],.*])
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_expression(text: str) -> Expression:
    """Make a tree of the text of an expression or condition.

    Raises:
        FdlError: It is not one; the message shows where.

    Example:
        >>> str(parse_expression("$Input.count>3&&!$Input.done"))
        '($Input.count > 3) && (!$Input.done)'
    """
    return _Parser(text).whole()


def _step(step: str | int | None) -> str:
    if step is None:
        return "[*]"
    if isinstance(step, str) and _WORD.match(step):
        return f".{step}"
    return f"[{json.dumps(step, ensure_ascii=False)}]"


def _guarded(part: Expression) -> str:
    return f"({part})" if isinstance(part, Binary | Not) else str(part)


class _Parser:
    """Reads tokens from left to right, and knows what binds tighter than what."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._split())
        self.next = 0
        self.depth = 0
        self.calls = 0
        self.operators = 0

    def _split(self) -> list[_Token]:
        found, at = [], 0
        end = len(self.text.rstrip())
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise self._fault("this is no part of an expression", at)
            kind = str(match.lastgroup)
            found.append(_Token(kind, match[kind], match.start(kind)))
            at = match.end()
        return [*found, _Token("end", "", end)]

    def _fault(self, what: str, at: int) -> FdlError:
        return FdlError(f"{what}, at column {at + 1} of the expression {self.text!r}")

    def whole(self) -> Expression:
        found = self._binary(0)
        if self._seen.kind != "end":
            raise self._fault(f"{self._seen.text!r} is not expected here", self._seen.at)
        return found

    @property
    def _seen(self) -> _Token:
        return self.tokens[self.next]

    def _take(self) -> _Token:
        token = self._seen
        self.next += 1
        return token

    def _takes(self, text: str) -> bool:
        found = self._seen.text == text and self._seen.kind == "sign"
        self.next += found
        return found

    def _must(self, text: str) -> None:
        if not self._takes(text):
            seen = self._seen.text or "the end"
            raise self._fault(f"{text!r} is expected, not {seen!r}", self._seen.at)

    def _binary(self, least: int) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._fault(f"it is nested deeper than {MAX_DEPTH}", self._seen.at)
        left = self._unary()
        while (power := self._power()) > least:
            operator = self._take().text
            self._count()
            left = Binary(operator, left, self._binary(power))
        self.depth -= 1
        return left

    def _count(self) -> None:
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            raise self._fault(f"it has more than {MAX_OPERATORS} operators", self._seen.at)

    def _power(self) -> int:
        token = self._seen
        return _BINDING.get(token.text, 0) if token.kind in {"sign", "word"} else 0

    def _unary(self) -> Expression:
        count = 0
        while self._takes("!"):
            self._count()
            count += 1
        found = self._primary()
        for _ in range(count):
            found = Not(found)
        return found

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind == "root":
            return Path(token.text, tuple(self._steps()))
        if token.kind == "number":
            return Literal(self._number(token))
        if token.kind == "string":
            return Literal(self._string(token))
        if token.kind == "word":
            return self._named(token)
        if token.text == "(":
            found = self._binary(0)
            self._must(")")
            return found
        if token.text == "[":
            return Several(self._items("]"))
        seen = token.text or "the end"
        raise self._fault(f"a value is expected, not {seen!r}", token.at)

    def _named(self, token: _Token) -> Expression:
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text])
        if not self._takes("("):
            raise self._fault(
                f"{token.text!r} is no value: write text in quotes, and variables with a $",
                token.at,
            )
        self.calls += 1
        if self.calls > MAX_NESTING:
            raise self._fault(f"functions are nested deeper than {MAX_NESTING}", token.at)
        found = Function(token.text, self._items(")"))
        self.calls -= 1
        return found

    def _items(self, end: str) -> tuple[Expression, ...]:
        if self._takes(end):
            return ()
        items = [self._binary(0)]
        while self._takes(","):
            items.append(self._binary(0))
        self._must(end)
        return tuple(items)

    def _steps(self) -> list[str | int | None]:
        steps: list[str | int | None] = []
        while True:
            if self._takes("."):
                steps.append(self._field())
            elif self._takes("["):
                steps.append(self._index())
                self._must("]")
            else:
                return steps

    def _field(self) -> str:
        token = self._take()
        if token.kind != "word":
            raise self._fault("a name is expected after the dot", token.at)
        return token.text

    def _index(self) -> str | int | None:
        token = self._take()
        if token.text == "*":
            return None
        if token.kind == "string":
            return self._string(token)
        if token.kind == "number" and token.text.isdecimal():
            return int(token.text)
        raise self._fault("an index is expected: [0], [*] or a key in quotes", token.at)

    def _string(self, token: _Token) -> str:
        if token.text.startswith("`"):
            return token.text[1:-1]
        try:
            return str(json.loads(token.text, strict=False))
        except ValueError as error:
            raise self._fault(f"the string cannot be read ({error})", token.at) from error

    def _number(self, token: _Token) -> float:
        """Read a number, also one with leading zeros, which JSON does not allow."""
        found: float = json.loads(re.sub(r"^(-?)0+(?=\d)", r"\1", token.text[:400]))
        if len(token.text) > MAX_DIGITS or math.isinf(found):
            raise self._fault("the number is too large", token.at)
        return found
