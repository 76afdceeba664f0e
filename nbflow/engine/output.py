"""What attempts print and log, on its way into the log: put into lines, and kept up to a limit.

Text becomes events line by line: a line counts when it ends, or when the attempt does. So a
progress bar, which writes one line over and over, is kept as it looked last.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from nbflow.core.events import CallWrote
from nbflow.core.redact import redact
from nbflow.engine.clock import clock
from nbflow.engine.job import Job

Piece = tuple[str, str]
"""A channel (``stdout``, ``stderr``, ``log:WARNING``) and whole lines of text."""

_PATIENCE: Final = 0.1


class Rules(NamedTuple):
    """What becomes of what attempts write. See `nbflow.configure`.

    Attributes:
        log: Whether it is kept in the log.
        stream: Whether it goes to where it would go without nbflow: None stands for no, but for
            activities that run in the main thread, since that is busy with their cell.
        attempt: How many characters of an attempt are kept.
        run: How many characters of a run are kept.
    """

    log: bool = True
    stream: bool | None = True
    attempt: int = 64 * 1024
    run: int = 10_000_000

    def elsewhere(self) -> Rules:
        """Give the rules for another process, whose main thread is no cell's."""
        return self._replace(stream=bool(self.stream))


class _Line:
    """A line that has not ended, as a terminal would show it.

    Attributes:
        cut: How many characters there was no room for.
    """

    __slots__ = ("_at", "_parts", "_rewritten", "_size", "cut")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = self._at = self.cut = 0
        self._rewritten = False

    def put(self, text: str, room: int) -> None:
        """Write on; `room` is how long the line may be."""
        for n, piece in enumerate(text.split("\r")):
            if n:
                self._at = 0
            if not piece:
                continue
            if self._at == self._size:
                kept = piece[: max(0, room - self._size)]
                self.cut += len(piece) - len(kept)
                if kept:
                    self._parts.append(kept)
                self._size = self._at = self._size + len(kept)
            else:
                self._overwrite(piece)

    def _overwrite(self, piece: str) -> None:
        line, at = "".join(self._parts), self._at
        self._rewritten = True
        # With colours in it, places cannot be counted: then the new state is all there is.
        rest = "" if "\x1b" in piece or "\x1b" in line else line[at + len(piece) :]
        self._parts = [line[:at], piece, rest]
        self._at = at + len(piece)
        self._size = self._at + len(rest)

    def text(self) -> str:
        """Give the line as it stands."""
        line = "".join(self._parts)
        # Bars clear themselves by writing spaces over what was there.
        return line.rstrip(" ") if self._rewritten else line


class Transcript:
    r"""What one attempt writes. Any thread may write, also from within a write.

    Args:
        limit: How many characters are kept.

    Attributes:
        dropped: How many characters were not kept.
        cut_on: The channel of the first of them.

    Example:
        >>> words = Transcript(1000)
        >>> words.write("stdout", "10 %\r100 %\nmore")
        >>> words.take(), words.unfinished()
        ([('stdout', '100 %\n')], {'stdout': 'more'})
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self.cut_on = ""
        self._left = limit
        self._limit = limit
        self._raw: deque[Piece] = deque()
        self._lines: dict[str, _Line] = {}
        self._done: deque[Piece] = deque()
        self._lock = threading.Lock()

    def write(self, channel: str, text: str) -> None:
        """Take text."""
        self._raw.append((channel, text))
        while self._raw:
            # Whoever has the lock sees to this, too; it may be this very thread, further up.
            if not self._lock.acquire(blocking=False):
                return
            try:
                self._read()
            finally:
                self._lock.release()

    def lost(self, channel: str, count: int) -> None:
        """Count characters that were dropped on their way here."""
        if count:
            self.dropped += count
            self.cut_on = self.cut_on or channel

    def _read(self) -> None:
        while self._raw:
            channel, text = self._raw.popleft()
            if self._left <= 0:
                self.lost(channel, len(text))
                continue
            text = _plain(text)
            *whole, rest = text.split("\n")
            for line in whole:
                self._put(channel, line)
                self._end_line(channel, "\n")
            if rest:
                self._put(channel, rest)

    def _put(self, channel: str, text: str) -> None:
        line = self._lines.get(channel)
        if line is None:
            line = self._lines[channel] = _Line()
        line.put(text, self._left)

    def _end_line(self, channel: str, end: str) -> None:
        line = self._lines.pop(channel)
        text = line.text() + end
        if len(text) > self._left or line.cut:
            kept = text[: self._left]
            self.lost(channel, len(text) - len(kept) + line.cut)
            text = kept
        self._left -= len(text)
        if text:
            self._done.append((channel, text))

    def has_lines(self) -> bool:
        """Whether lines have ended since the last `take`."""
        return bool(self._done)

    def take(self) -> list[Piece]:
        """Give the lines that have ended since the last time, neighbours of a channel as one."""
        found: list[Piece] = []
        lines: list[str] = []
        last = ""
        while self._done:
            channel, text = self._done.popleft()
            if channel != last and lines:
                found.append((last, "".join(lines)))
                lines = []
            last = channel
            lines.append(text)
        if lines:
            found.append((last, "".join(lines)))
        return found

    def unfinished(self) -> dict[str, str]:
        """Give the lines that have not ended, as they stand, by channel."""
        return {channel: line.text() for channel, line in list(self._lines.items())}

    def rest(self) -> list[Piece]:
        """Give what is left, lines that have not ended included."""
        # Had it been called from within `write`, by a signal's handler, it would wait for itself.
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                self._read()
                for channel in list(self._lines):
                    self._end_line(channel, "")
            finally:
                self._lock.release()
        return self.take()

    def end(self) -> list[Piece]:
        """Give what is left, and a line about what was not kept."""
        found = self.rest()
        if self.dropped:
            found.append((self.cut_on, notice(self._limit, self.dropped)))
        return found


def _plain(text: str) -> str:
    """Make it text that any encoder takes: no lone surrogates, no class of a user's."""
    try:
        str.encode(text)
    except UnicodeEncodeError:
        return str.encode(text, "utf-8", "backslashreplace").decode()
    return str.__str__(text)


def notice(limit: int, dropped: int, where: str = "") -> str:
    """Say how much was not kept."""
    what = f"more than {_size(limit)}{where}"
    return f"… {what}: the rest is not kept ({dropped:,} characters dropped)\n"


def _size(limit: int) -> str:
    for unit, name in ((10**6, "MB"), (1024**2, "MiB"), (1024, "KiB")):
        if limit and limit % unit == 0:
            return f"{limit // unit} {name}"
    return f"{limit:,} characters"


class Scribe:
    """Collects what the open attempts of a run write. `write` is for any thread, the rest for
    the run's owner.

    Attributes:
        open: The transcripts of attempts that have written something, by call; empty, and so
            false, while nobody has.
    """  # noqa: D205 - one sentence

    def __init__(self, rules: Callable[[], Rules]) -> None:
        self.open: dict[str, tuple[Job, Transcript]] = {}
        self._rules = rules
        self._used = self._dropped = 0
        self._cut: tuple[Job, str] | None = None

    def write(self, job: Job, channel: str, text: str, dropped: int = 0) -> None:
        """Take what an attempt wrote; `dropped` characters were not kept where it runs."""
        entry = self.open.get(job.call)
        if entry is None or entry[0] is not job:
            fresh = (job, Transcript(self._rules().attempt))
            if entry is None:
                entry = self.open.setdefault(job.call, fresh)
            else:
                entry = self.open[job.call] = fresh
        words = entry[1]
        if text:
            words.write(channel, text)
        words.lost(channel, dropped)

    def due(self, wanted: Callable[[Job], bool]) -> Iterator[CallWrote]:
        """Give the lines that have ended, as events that have no number yet."""
        for call, (job, words) in list(self.open.items()):
            if wanted(job):
                yield from self._events(job, words.take())
            else:
                self.open.pop(call, None)  # written while the attempt was being settled

    def last(self, call: str) -> Iterator[CallWrote]:
        """Give what an attempt that is being settled has written since."""
        entry = self.open.pop(call, None)
        if entry is not None:
            yield from self._events(entry[0], entry[1].end())

    def close(self) -> Iterator[CallWrote]:
        """Say how much the whole run had to drop, if it had to."""
        if self._cut is not None:
            job, channel = self._cut
            text = notice(self._rules().run, self._dropped, " in one run")
            yield _event(job, channel, text)

    def _events(self, job: Job, pieces: list[Piece]) -> Iterator[CallWrote]:
        for channel, written in pieces:
            text = redact(written)
            kept = text[: max(0, self._rules().run - self._used)]
            self._used += len(kept)
            if len(kept) < len(text):
                self._dropped += len(text) - len(kept)
                self._cut = (job, channel)
            if kept:
                yield _event(job, channel, kept)


def _event(job: Job, channel: str, text: str) -> CallWrote:
    return CallWrote(0, clock.time(), job.call, job.attempt, channel, text)
