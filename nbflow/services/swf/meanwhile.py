"""What attempts say while they run, for whoever looks on from the same machine.

SWF shows nothing of an attempt before its end: what a heartbeat says is seen by nobody until the
attempt has timed out. So the worker of a crew also appends what the activity writes, and how far
it says it is, to a file of the attempt's own; who reads the history of the run from this machine
reads these files, too. The end of the attempt brings all of it, to every machine, and for good.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from nbflow.core.events import CallHeartbeat, CallWrote
from nbflow.core.redact import redact
from nbflow.engine.context import Beat
from nbflow.engine.job import Job
from nbflow.engine.output import Piece
from nbflow.engine.streams import Recorder
from nbflow.services.swf.blobs import digest_of

_log = logging.getLogger(__name__)
_EVERY: Final = 0.2
_NAME: Final = 32
_MOST: Final = 1 << 20
_WEEK: Final = 7 * 86_400
_WROTE, _BEAT = "wrote", "beat"
Said = CallWrote | CallHeartbeat
"""Something that an attempt said."""


def _named(text: str) -> str:
    return digest_of(text.encode())[:_NAME]


def place_of(root: str | Path, run_id: str, task: str) -> Path:
    """Give the file of an attempt.

    Args:
        root: The directory of all of them.
        run_id: The run id of its execution.
        task: Its activity id.
    """
    return Path(root) / _named(run_id) / f"{_named(task)}.jsonl"


class Speaker:
    """Takes what one attempt says, and passes it on a few times a second while it runs.

    Args:
        recorder: Has what it writes.
        path: The file that it goes to; None: nowhere.
        sign: Tells the service that the activity is alive; None: nobody is told.
        pace: Seconds between two such signs, at the least.
    """

    def __init__(
        self,
        recorder: Recorder,
        path: Path | None = None,
        sign: Callable[[str], object] | None = None,
        pace: float = 1.0,
    ) -> None:
        self._recorder, self._path, self._sign, self._pace = recorder, path, sign, pace
        self._pieces: list[Piece] = []
        self._beat: tuple[float, Beat] | None = None
        self._unsaid: str | None = None
        self._mute = path is None
        self._signed = time.monotonic()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        if path is not None:
            self._listen()

    def beat(self, job: Job, beat: Beat) -> None:  # noqa: ARG002 - it is of one attempt
        """Take a sign of life that the activity's own code gives."""
        self._beat = time.time(), beat
        self._unsaid = _line(beat)
        self._listen()

    def end(self) -> list[Piece]:
        """Give all that the attempt wrote, neighbours of a channel as one; nothing follows."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        words = self._recorder.words
        if words is not None:
            self._pieces += [(channel, redact(text)) for channel, text in words.end()]
        return list(_joined(self._pieces))

    def drop(self) -> None:
        """Remove the file: the service has all of it."""
        if self._path is not None:
            remove(self._path)

    def _listen(self) -> None:
        with self._lock:
            if self._thread is None and not self._over.is_set():
                name = "what an activity says"
                self._thread = threading.Thread(target=self._speak, name=name, daemon=True)
                self._thread.start()

    def _speak(self) -> None:
        while not self._over.wait(_EVERY):
            self._write()
            self._give_sign()

    def _write(self) -> None:
        """Append what is new to the file; without one it stays where it is."""
        if self._mute or self._path is None:
            return
        words, lines = self._recorder.words, []
        for channel, text in words.take() if words is not None else ():
            piece = channel, redact(text)
            self._pieces.append(piece)
            lines.append([_WROTE, time.time(), *piece])
        told, self._beat = self._beat, None
        if told is not None:
            lines.append([_BEAT, told[0], *told[1]])
        if lines:
            try:
                append(self._path, lines)
            except OSError as error:
                _log.warning("what an activity says is shown at its end only: %s", error)
                self._mute = True

    def _give_sign(self) -> None:
        """Tell the service of the latest sign, if it is time for it."""
        said = self._unsaid
        if self._sign is None or said is None or time.monotonic() - self._signed < self._pace:
            return
        self._unsaid, self._signed = None, time.monotonic()
        self._sign(said)


def _line(beat: Beat) -> str:
    """Give a sign of life as details of a heartbeat."""
    if beat.done is None:
        return beat.details
    of = "" if beat.total is None else f" of {beat.total:g}"
    return f"{beat.done:g}{of} {beat.details}".rstrip()


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Make neighbours of a channel one."""
    at = 0
    while at < len(pieces):
        channel, end = pieces[at][0], at
        while end < len(pieces) and pieces[end][0] == channel:
            end += 1
        yield channel, "".join(text for _, text in pieces[at:end])
        at = end


def append(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    """Append lines at once.

    Raises:
        OSError: It cannot be written.
    """
    data = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    out = os.open(path, flags, 0o600)
    try:
        if os.write(out, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(out)


def remove(path: Path) -> None:
    """Remove the file of an attempt, and the directory of its execution once that is empty."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()


class Heard:
    """Reads what the attempts of one execution say.

    Args:
        root: The directory of all such files.
        run_id: The run id of the execution.

    Attributes:
        told: How many characters of what each attempt wrote were given so far, by activity id.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self._root, self._run_id = root, run_id
        self.told: dict[str, int] = {}
        self._read: dict[str, int] = {}

    def news(self, task: str, call: str, number: int) -> list[Said]:
        """Give what an attempt has said since the last time.

        Args:
            task: Its activity id.
            call: The id of its call.
            number: Which attempt of that it is.
        """
        found: list[Said] = []
        for line in self._lines(task):
            said = _parsed(line, call, number)
            if said is None:
                continue
            if isinstance(said, CallWrote):
                self.told[task] = self.told.get(task, 0) + len(said.text)
            found.append(said)
        return found

    def forget(self) -> None:
        """Remove all of it, for the execution is over, and what others left behind long ago."""
        shutil.rmtree(self._root / _named(self._run_id), ignore_errors=True)
        with contextlib.suppress(OSError):
            for each in list(self._root.iterdir()):
                if _stale(each):
                    shutil.rmtree(each, ignore_errors=True)

    def _lines(self, task: str) -> list[bytes]:
        """Give the lines that are whole, from where was read last."""
        at = self._read.get(task, 0)
        try:
            with place_of(self._root, self._run_id, task).open("rb") as file:
                file.seek(at)
                whole, end, _ = file.read(_MOST).rpartition(b"\n")
        except OSError:
            return []
        self._read[task] = at + len(whole) + len(end)
        return whole.split(b"\n") if end else []


def _stale(directory: Path) -> bool:
    """Whether nobody has written there for a week."""
    latest = max(path.stat().st_mtime for path in (directory, *directory.iterdir()))
    return time.time() - latest > _WEEK


def _parsed(line: bytes, call: str, number: int) -> Said | None:
    """Read a line; None if it is none of ours."""
    try:
        kind, at, *rest = json.loads(line)
        if kind == _WROTE:
            channel, text = rest
            return CallWrote(0, float(at), call, number, str(channel), str(text))
        details, done, total = rest
        return CallHeartbeat(
            0, float(at), call, number, str(details), _amount(done), _amount(total)
        )
    except (ValueError, TypeError):
        return None


def _amount(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def left(root: str, run_id: str, task: str) -> list[CallWrote]:
    """Give what an attempt wrote whose process is gone."""
    said = Heard(Path(root), run_id).news(task, task, 1)
    return [each for each in said if isinstance(each, CallWrote)]


def beyond(wrote: Sequence[CallWrote], told: int) -> Iterator[CallWrote]:
    """Give the part of what was written that is behind so many characters."""
    for each in wrote:
        if told < len(each.text):
            yield each._replace(text=each.text[told:])
        told = max(0, told - len(each.text))
