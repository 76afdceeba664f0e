"""Words and numbers as pictures show them: safe, short and of a known width.

Names of activities, workers, arguments and errors come from users. In a terminal or in XML they
could do more than be read, so every one of them goes through `clean` first.
"""

from __future__ import annotations

import html
import unicodedata
from typing import Final

TIMES: Final = "×"  # noqa: RUF001 - the sign of "so many times", not the letter


def clean(text: str, limit: int = 300) -> str:
    r"""Make every control, bidi and other invisible character visible, and cut the text.

    Example:
        >>> clean("red \x1b[31m")
        'red \\x1b[31m'
    """
    text = text[:limit] + "…" if len(text) > limit else text
    return text if text.isprintable() else "".join(map(_visible, text))


def markup(text: str) -> str:
    """Make text safe within an element, or a quoted attribute, of HTML or SVG.

    All HTML and SVG that nbflow writes is made with this one function.

    Example:
        >>> markup('<b onclick="x">')
        '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return html.escape(text, quote=True)


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    if char in "\t\n\r":
        return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}[char]
    code = ord(char)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def columns(text: str) -> int:
    """Count the terminal columns that a clean text takes."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, room: int) -> str:
    """Shorten a clean text to so many columns, with "…" in the place of what is left out."""
    if columns(text) <= room:
        return text
    used, kept = 0, 0
    for char in text:
        used += _columns_of(char)
        if used > room - 1:
            break
        kept += 1
    return text[:kept].rstrip() + "…" if room > 0 else ""


def cut_start(text: str, room: int) -> str:
    """Shorten a clean text from its start: names of workers differ at their ends."""
    if columns(text) <= room:
        return text
    used, kept = 0, 0
    for char in reversed(text):
        used += _columns_of(char)
        if used > room - 1:
            break
        kept += 1
    return "…" + text[len(text) - kept :].lstrip() if room > 0 else ""


def cut_id(call: str, room: int) -> str:
    """Shorten a call's clean id so that its number stays: ``fetch-12`` becomes ``fe…12``."""
    if columns(call) <= room:
        return call
    name, _, number = call.rpartition("-")
    if not name or not number.isdecimal():
        return cut(call, room)
    if room >= len(number) + 3:
        return cut(name + "…", room - len(number)).rstrip("…") + "…" + number
    return number if room >= len(number) else ""


def fill(text: str, room: int) -> str:
    """Cut or pad a clean text to exactly so many columns."""
    text = cut(text, room)
    return text + " " * (room - columns(text))


def duration(seconds: float) -> str:
    """Write seconds for people.

    Example:
        >>> [duration(s) for s in (0.0123, 1.337, 75, 3700)]
        ['12 ms', '1.34 s', '1m 15s', '1h 02m']
    """
    if not seconds:
        return "0 s"
    if seconds < 0.0095:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600:,}h {whole % 3600 // 60:02d}m"


def many(count: int, noun: str) -> str:
    """Write a count with its noun, in the plural where there are more."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def no_bars(calls: int, answered: int, *, over: bool) -> str:
    """Say why a chart of a run has no bar.

    Args:
        calls: How many calls it made.
        answered: How many of them have a result.
        over: Whether it is over.

    Example:
        >>> no_bars(3, 3, over=True)
        'no call ran: all 3 results were there already'
    """
    if calls and answered == calls:
        found = "the one result was" if calls == 1 else f"all {calls:,} results were"
        return f"no call {'ran' if over else 'has run yet'}: {found} there already"
    if not over:
        return "no call has started yet"
    return "no call was started" if calls else "the workflow made no calls"
