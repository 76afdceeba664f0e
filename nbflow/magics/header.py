"""Reads the first line of a magic: ``NAME(params) -> annotation --flags``.

The signature is Python, so it is read by Python's own tokenizer: brackets, quotes and dashes in
defaults and annotations are as safe there as in a ``def``.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from IPython.core.error import UsageError

from nbflow.core.parsing import parsed

_NAME = re.compile(r"(?:(?!->)[^\s(])*")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands on the first line.

    Attributes:
        name: Of the function; "" where none is given.
        params: With their brackets, as ``(region: str, rows: int = 5)``; "" where none are given.
        returns: The annotation after the arrow, or "".
        flags: The rest, from the first dash.
    """

    name: str
    params: str
    returns: str
    flags: str

    @property
    def signature(self) -> str:
        """Name, parameters and annotation, as after ``def``."""
        return f"{self.name}{self.params or '()'}{self.returns and f' -> {self.returns}'}"


def parse(line: str) -> Header:
    """Read a header.

    Raises:
        UsageError: It cannot be read; the message says what is wrong, on one line.
    """
    line = line.strip()
    if line.startswith("-"):
        return Header("", "", "", line)
    found = _NAME.match(line)
    word = found.group() if found else ""
    name = _checked_name(word, line)
    rest = line[len(word) :].lstrip()
    params = returns = ""
    if rest.startswith("("):
        end = _closing(rest)
        params, rest = rest[:end], rest[end:].lstrip()
    if rest.startswith("->"):
        returns, rest = split_flags(rest[2:])
        if not returns:
            raise UsageError(f"{name}: an annotation is missing after ->")
    if rest and not rest.startswith("-"):
        raise UsageError(f"{name}: {rest!r} is neither a signature nor a flag")
    header = Header(name, params, returns, rest)
    _check(header)
    return header


def split_flags(text: str) -> tuple[str, str]:
    """Split at the first flag: a dash after a space and before none, outside brackets and quotes.

    Example:
        >>> split_flags("a - b -o run")
        ('a - b', '-o run')
    """
    text = text.strip()
    depth = 0
    for token in _tokens(text):
        if token.type != tokenize.OP:
            continue
        depth += (token.string in "([{") - (token.string in ")]}")
        start = token.start[1]
        if depth == 0 and token.string[0] == "-" and _is_flag(text, start):
            return text[:start].rstrip(), text[start:]
    return text, ""


def _is_flag(text: str, start: int) -> bool:
    before, after = text[:start], text[start:].lstrip("-")
    return (not before or before[-1].isspace()) and after[:1].isalpha()


def _checked_name(word: str, line: str) -> str:
    name = unicodedata.normalize("NFKC", word)
    if not word and line:
        raise UsageError(
            f"a name is missing before {line[:30]!r}: write NAME(params) -> annotation"
        )
    if word and not name.isidentifier():
        raise UsageError(f"{word!r} is no Python name: use letters, digits and underscores")
    if keyword.iskeyword(name):
        raise UsageError(f"{word!r} is a keyword of Python: use another name")
    return name


def _closing(text: str) -> int:
    """Give the place behind the bracket that closes the first one."""
    depth = 0
    for token in _tokens(text):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if depth == 0:
                return token.end[1]
    raise UsageError(f"a bracket or a quote is not closed: {text}")


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Give tokens as far as there are any: what follows the signature need not be Python."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError):
        return


def _check(header: Header) -> None:
    """Let Python itself read the signature."""
    if not header.name:
        return
    try:
        found = parsed(f"def {header.signature}: pass")
        compile(found, "<header>", "exec")  # two parameters of one name are found only here
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{header.signature}: {getattr(error, 'msg', error)}") from None
    if len(found.body) != 1:
        raise UsageError(f"{header.signature}: that is more than a signature")
