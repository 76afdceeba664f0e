"""Blots secrets out of text: the values of those that are in use, and what looks like a key.

What activities print, the messages and source lines of errors, and what is shown of arguments
goes through `redact`. It knows a secret from the moment that its value is read in this process.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Final

_SHORTEST: Final = 4
_LINE: Final = 16
_known: dict[str, str] = {}
_values: re.Pattern[str] | None = None

HIDDEN: Final = "[secret]"
_PATTERNS: Final = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS access keys
    r"|\bLTAI[0-9A-Za-z]{12,30}\b"  # those of Alibaba Cloud
    r"|\bgh[pousr]_[0-9A-Za-z]{36,}\b"
    r"|(?<=[Bb]earer )[0-9A-Za-z._~+/-]{16,}=*"
)
_HINTS: Final = ("AKIA", "ASIA", "LTAI", "earer ", "ghp_", "gho_", "ghu_", "ghs_", "ghr_")


def learn(name: str, value: str) -> None:
    """Have a value blotted out from now on, as ``[secret NAME]``.

    Its usual other forms are as well: quoted for a URL, escaped in a string, and each line of a
    long one. Values of fewer than four characters are left alone, or text would be unreadable.
    """
    forms = {value, urllib.parse.quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1]}
    forms.update(line for line in value.splitlines() if len(line) >= _LINE)
    shown = f"[secret {name}]"
    fresh = {form for form in forms if len(form) >= _SHORTEST and _known.get(form) != shown}
    if fresh:
        _known.update(dict.fromkeys(fresh, shown))
        _compile()


def _compile() -> None:
    global _values  # noqa: PLW0603 - made of `_known`
    longest_first = sorted(_known, key=len, reverse=True)
    _values = re.compile("|".join(map(re.escape, longest_first)))


def redact(text: str) -> str:
    """Give text without the secrets that are known, and without what looks like one.

    Example:
        >>> redact("key AKIAIOSFODNN7EXAMPLE")
        'key [secret]'
    """
    if _values is not None:
        text = _values.sub(lambda found: _known.get(found[0], HIDDEN), text)
    if any(hint in text for hint in _HINTS):
        text = _PATTERNS.sub(HIDDEN, text)
    return text


def holds_secret(data: bytes) -> bool:
    """Whether bytes, such as a pickle, hold a secret in plain sight."""
    return any(form.encode("utf-8", "surrogatepass") in data for form in tuple(_known)) or (
        _PATTERNS.search(data.decode("latin-1")) is not None
    )
