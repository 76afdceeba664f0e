"""What a run's attempts wrote, line by line, as far back as a panel can show it."""

from __future__ import annotations

import re
from collections import deque
from itertools import islice
from typing import Any, Final

from nbflow.core.events import CallWrote
from nbflow.viz.wording import clean

LINES: Final = 5_000
"""So many lines are kept..."""
BYTES: Final = 1_000_000
"""...but no more than so many bytes of them."""
LONGEST: Final = 2_000
"""A longer line is cut."""

Line = list[Any]

_SIZE: Final = 40
"""What a line takes in a message besides its text."""
_PAINT: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Terminal sequences: colours, cursor movements, window titles."""


class Lines:
    """The last lines of a run. Lines are numbered from 0, those that are gone included.

    Attributes:
        count: How many lines there have been in all.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: deque[tuple[Line, int]] = deque()
        self._bytes = 0

    @property
    def cut(self) -> int:
        """How many of the first lines are not kept any more."""
        return self.count - len(self._kept)

    def add(self, event: CallWrote, at: float, row: int) -> None:
        """Take what an attempt wrote.

        Args:
            event: The event that says so.
            at: When, in seconds since the run began.
            row: The row of its call.
        """
        texts = event.text.split("\n")
        if texts[-1] == "" and len(texts) > 1:
            texts.pop()
        channel = clean(event.channel, 40)
        for skipped in range(len(texts) - LINES):  # they would be gone at once
            texts[skipped] = ""
        for text in texts:
            shown = _shown(text)
            size = len(shown.encode("utf-8", "replace")) + _SIZE
            self._kept.append(([round(at, 3), row, event.attempt, channel, shown], size))
            self._bytes += size
            self.count += 1
        while len(self._kept) > LINES or self._bytes > BYTES:
            self._bytes -= self._kept.popleft()[1]

    def since(self, begin: int, most: int) -> dict[str, Any]:
        """Give the lines from number `begin` on, about `most` bytes of them, ready to be sent.

        The next ones are had from ``from + len(lines)`` on.
        """
        start = min(max(begin, self.cut), self.count)
        found: list[Line] = []
        size = 0
        for line, bytes_ in islice(self._kept, start - self.cut, None):
            size += bytes_
            if found and size > most:
                break
            found.append(line)
        return {"from": start, "lines": found, "cut": self.cut}


def _shown(text: str) -> str:
    """Make a line fit to be read: what a terminal would show in the end, and nothing that acts."""
    text = text[: 8 * LONGEST].rstrip("\r")
    # A progress bar writes itself anew after every carriage return.
    text = _PAINT.sub("", text.rpartition("\r")[2])
    return clean(text.expandtabs(4), LONGEST)
