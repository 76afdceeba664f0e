"""What messages tell people to write in Python or in a notebook, as it is typed in a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Final

_RUN: Final = re.compile(r"\brun ([^\s/:,;]+/[^\s/:,;]+/[^\s/:,;]+|[\w.]+-[\w.-]*\w)")
"""A run that a message names: one of a service's by three parts, others by name and number."""
_ATTACHED: Final = re.compile(r"nbflow\.attach\((['\"])(?P<run>[^'\"]+)\1\)\.(?=rerun|resume)")
_CALL: Final = r"(?:call|\.\.\.|(['\"])(?P<call>[^'\"]+)\1)"
_VERBS: Final = tuple(
    (re.compile(rf"\brun\.{pattern}"), words)
    for pattern, words in (
        (rf"rerun\({_CALL}\)", "nbflow rerun {run} {call}"),
        (rf"settle\({_CALL}, value\)", "nbflow.attach({run!r}).settle({call!r}, value) in Python"),
        (r"resume\(force=True\)", "nbflow resume {run} --force"),
        (r"resume\(code='recorded'\)", "nbflow resume {run} --code recorded"),
        (r"resume\(workflow=(?P<name>[^)]+)\)", "nbflow resume {run} --target FILE:{name}"),
        (r"resume\(\)", "nbflow resume {run}"),
        (r"cancel\(\)", "nbflow cancel {run}"),
    )
)
_ON_SWF: Final = tuple(
    (re.compile(rf"\brun\.{pattern}"), words)
    for pattern, words in (
        (rf"rerun\({_CALL}\)", "nbflow swf repair {run} --force-activities {exactly}"),
        (rf"settle\({_CALL}, value\)", "nbflow swf settle {run} {call} VALUE"),
        (r"resume\(code='recorded'\)", "nbflow swf resume {run}"),
        (r"resume\(workflow=(?P<name>[^)]+)\)", "nbflow swf resume {run} --target FILE:{name}"),
        (r"resume\(\)", "nbflow swf resume {run}"),
        (r"cancel\(\)", "nbflow swf cancel {run}"),
    )
)


def spoken(text: str, run: str = "") -> str:
    """Name what a message tells to do as it is typed in a shell.

    Args:
        text: The message.
        run: Id of the run that it is about; by default the first one that it names.

    Example:
        >>> spoken("run sums-1f0c has completed: have calls run again with run.rerun(call)")
        'run sums-1f0c has completed: have calls run again with nbflow rerun sums-1f0c CALL'
    """
    return _said(text.replace("%nbflow ", "nbflow "), run, _VERBS)


def spoken_of_swf(text: str, run: str) -> str:
    """Do the same where the verbs are those of ``nbflow swf``.

    Args:
        text: The message.
        run: Id of the run that it is about, ``domain/workflow id/run id``.
    """
    return _said(text, run, _ON_SWF)


def _said(text: str, run: str, verbs: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    if attached := _ATTACHED.search(text):
        text, run = _ATTACHED.sub("run.", text), attached["run"]
    if "run." not in text:
        return text
    if not run:
        named = _RUN.search(text)
        run = named[1] if named else "RUN"
    for pattern, words in verbs:
        text = pattern.sub(_filling(words, run), text)
    return text


def _filling(words: str, run: str) -> Callable[[re.Match[str]], str]:
    def fill(found: re.Match[str]) -> str:
        given = found.groupdict()
        call = given.get("call") or "CALL"
        exactly = shlex.quote(re.escape(call).replace(r"\-", "-") + "$")
        exactly = exactly if given.get("call") else "REGEX"
        return words.format(run=run, call=call, exactly=exactly, name=given.get("name"))

    return fill
