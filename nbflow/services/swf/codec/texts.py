"""How nbflow's events travel in SWF's texts.

What a decider or a worker of ours writes into an input, a control, a result or details are events
of nbflow as its logs have them, without number and time: those are the history's. In front of them
stands a line of words that says what they are, ``call 1`` for the first attempt of a call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from nbflow.core.errors import NbflowError
from nbflow.core.events import Event
from nbflow.core.eventtext import decode, encode
from nbflow.core.seals import Seal
from nbflow.services.swf.blobs import LIMIT, BlobMissing, Blobs, digest_of, fetched, stowed

_MARK: Final = "nbflow"
_FORBIDDEN: Final = re.compile(r"[^\w.@+-]")
_SEQUEL: Final = re.compile(r"\+\d+$")
_LONGEST: Final = 200
BROKEN: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What comes of texts that somebody else wrote."""


class Note(NamedTuple):
    """What stands in a text of ours.

    Attributes:
        words: What it is.
        events: The events that it holds.
    """

    words: tuple[str, ...]
    events: Sequence[Event] = ()


class Texts:
    """Writes and reads what a run has in SWF's texts.

    Args:
        run: The run's id; signatures of pickles are good for it alone.
        blobs: Where texts go that are too long for SWF.
        seal: Signs pickles, and tells its own signatures from others. Without it no pickle that
            is read will be loaded.
    """

    def __init__(self, run: str, blobs: Blobs | None = None, seal: Seal | None = None) -> None:
        self.run, self.blobs, self.seal = run, blobs, seal

    def write(self, words: str, *events: Event, most: int = LIMIT, timed: bool = False) -> str:
        """Write a text.

        Args:
            words: What it is.
            events: What it holds.
            most: How many characters SWF takes there.
            timed: Whether the events keep their times: those of a log that goes on.

        Raises:
            Invalid: It is too long, and there is nowhere to keep it.
        """
        if not events:
            return stowed(f"{_MARK} {words}", self.blobs, most)
        plain = [event._replace(seq=0, at=event.at if timed else 0.0) for event in events]
        text = f"{_MARK} {words}\n{encode(plain, self._scope(words), self.seal)}"
        return stowed(text, self.blobs, most)

    def read(self, text: str | None) -> Note | None:
        """Read a text; None if it is none of ours.

        Raises:
            BlobMissing: It is kept elsewhere, and not there.
            NbflowError: It is ours, and broken.
        """
        whole = fetched(text or "", self.blobs)
        head, _, body = whole.partition("\n")
        mark, *words = head.split(" ")
        if mark != _MARK:
            return None
        try:
            scope = self._scope(" ".join(words))
            events = tuple(decode(body, scope, self.seal)) if body else ()
        except BROKEN as error:
            raise NbflowError(f"a text of run {self.run} is broken: {head!r}: {error}") from error
        return Note(tuple(words), events)

    def _scope(self, words: str) -> str:
        """Give what signatures are for: a pickle that is copied to another text is refused."""
        return f"{self.run} {words}"


def task_id(call: str, attempt: int) -> str:
    """Give the activity id of an attempt: SWF forbids some letters that calls may have.

    Example:
        >>> task_id("fetch-1", 1), task_id("fetch-1", 2), task_id("a/b", 1)[:4]
        ('fetch-1', 'fetch-1~2', 'a_b~')
    """
    made = _FORBIDDEN.sub("_", call)[:_LONGEST]
    if made != call or made == "arn":
        made = f"{made}~{digest_of(call.encode())[:16]}"
    return made if attempt == 1 else f"{made}~{attempt}"


def execution_id(run: str) -> str:
    """Give the workflow id of a run: a child's has letters that SWF forbids.

    What a run goes on in, as new, has the workflow id of the first one.

    Example:
        >>> execution_id("flow-1"), execution_id("flow-1+3")
        ('flow-1', 'flow-1')
        >>> execution_id("flow-1/part-2")[:14]
        'flow-1.part-2~'
    """
    first = _SEQUEL.sub("", run)
    if "/" not in first:
        return first
    made = _FORBIDDEN.sub("_", first.replace("/", "."))[:_LONGEST]
    return f"{made}~{digest_of(first.encode())[:12]}"


__all__ = ["BROKEN", "BlobMissing", "Note", "Texts", "execution_id", "task_id"]
