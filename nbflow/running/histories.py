"""Histories as files: the log of one run as JSON lines, with the large values that it names.

The first line is an object that says what the file is. Each other line is an event, as
``[kind, [field, ...]]``, in the order of the log, or an object that holds a large value.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbflow.__about__ import __version__
from nbflow.core.digests import fits
from nbflow.core.errors import NbflowError, RunError, StoreError
from nbflow.core.events import Event, RunStarted
from nbflow.core.eventtext import decode, encode
from nbflow.core.payload import Blob, Fetch

if TYPE_CHECKING:
    from nbflow.core.seals import Seal

FORMAT: Final = 1
"""The version of the format that is written. Older ones can be read."""
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RunHistory:
    """The history of one run: its log, and a way to its large values. See `load_history`.

    Attributes:
        run: The run's id.
        events: Its log.
        fetch: Gives the bytes of a large value by its digest.
    """

    run: str
    events: tuple[Event, ...]
    fetch: Fetch

    @property
    def workflow(self) -> str:
        """Name of the workflow."""
        started = self.events[0]
        assert isinstance(started, RunStarted)  # noqa: S101 - `load_history` saw to it
        return started.workflow

    def __repr__(self) -> str:
        """Give the run and how long its log is."""
        return f"<RunHistory {self.run} {len(self.events)} events>"


def written(run: str, events: Iterable[Event], get: Fetch, seal: Seal | None = None) -> str:
    """Write a history as JSON lines.

    Args:
        run: The run's id.
        events: Its log.
        get: Gives the bytes of a large value.
        seal: Signs what is pickled in it.
    """
    lines = [json.dumps({"nbflow": __version__, "format": FORMAT, "run": run})]
    blobs: dict[str, None] = {}
    for event in events:
        lines.append(encode([event], run, seal)[1:-1])
        blobs.update((blob.digest, None) for blob in _blobs(event))
    for name in blobs:
        data = base64.b64encode(get(name)).decode("ascii")
        lines.append(json.dumps({"blob": name, "data": data}))
    return "\n".join([*lines, ""])


def _blobs(event: Any) -> Iterator[Blob]:
    for value in event:
        parts = value if type(value) is tuple else value.values() if type(value) is dict else ()
        yield from (part for part in (value, *parts) if type(part) is Blob)


def load_history(path: str | os.PathLike[str], *, trust: bool = False) -> RunHistory:
    """Read a history that `Run.export_history` wrote, with this version or an older one.

    Args:
        path: The file.
        trust: Whether what is pickled in it may be loaded even if it was not you who exported it
            on this machine. To load a pickle is to run whatever code it holds.

    Raises:
        OSError: The file cannot be read.
        StoreError: It is no history, is damaged, or was written by a newer nbflow; the message
            names the line.

    Example:
        >>> nbflow.replay(nbflow.load_history("nightly.jsonl"), nightly)
    """
    file = Path(path).expanduser()
    data = file.read_bytes()
    try:
        text = (gzip.decompress(data) if data.startswith(_GZIP) else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        message = f"{file.name} is no history of a run: {error}"
        raise StoreError(message) from None
    return _Lines(file, trust=trust).read(text)


class _Trusting:
    """Allows every pickle."""

    def sign(self, claim: bytes) -> str:  # noqa: ARG002
        return ""

    def refusal(self, claim: bytes, sig: str) -> str:  # noqa: ARG002
        return ""


class _Lines:
    """Reads the lines of a file."""

    def __init__(self, file: Path, *, trust: bool) -> None:
        self._file = file
        self._seal: Seal = _Trusting() if trust else seal_of(file)
        self._run = ""
        self._last = 0
        self._events: list[Event] = []
        self._blobs: dict[str, bytes] = {}

    def read(self, text: str) -> RunHistory:
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                self._take(json.loads(line), line)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                self._refuse(number, f"it cannot be read: {error}")
            except NbflowError as error:
                self._refuse(number, str(error))
        if not self._events:
            self._refuse(len(lines), "the file ends before the first event")
        return RunHistory(self._run, tuple(self._events), self._get)

    def _get(self, name: str) -> bytes:
        if name not in self._blobs:
            message = f"{self._file.name} does not have the large value {name} of run {self._run}"
            raise StoreError(message)
        return self._blobs[name]

    def _refuse(self, number: int, why: str) -> None:
        message = f"{self._file.name}, line {number}: {why}. Nothing was loaded"
        raise StoreError(message) from None

    def _take(self, found: Any, line: str) -> None:
        if not self._run:
            self._begin(found)
        elif isinstance(found, dict):
            data = base64.b64decode(found["data"], validate=True)
            if not fits(found["blob"], data):
                message = f"the bytes of value {found['blob']} are not what they were"
                raise StoreError(message)
            self._blobs[found["blob"]] = data
        else:
            self._event(found, line)

    def _begin(self, found: Any) -> None:
        if not isinstance(found, dict) or "run" not in found or "nbflow" not in found:
            message = "a history begins with a line that names nbflow and the run"
            raise StoreError(message)
        if found.get("format", 1) > FORMAT:
            message = f"it was written by a newer nbflow ({found['nbflow']}): install that one"
            raise StoreError(message)
        self._run = str(found["run"])

    def _event(self, found: Any, line: str) -> None:
        seq = found[1][0]
        if seq != self._last + 1:
            message = f"event {seq} follows event {self._last}: the history is not whole"
            raise StoreError(message)
        self._last = seq
        events = list(decode(f"[{line}]", self._run, self._seal))
        if seq == 1 and not (events and isinstance(events[0], RunStarted)):
            message = "the first event is not that the run was started"
            raise StoreError(message)
        self._events += events  # none, if it is of a kind that a newer nbflow knows


def seal_of(file: Path) -> Seal:
    """Give what signs for this user in a file."""
    from nbflow.store.seal import StoreSeal  # noqa: PLC0415 - needed for files alone

    return StoreSeal(file.parent, (file,) if file.exists() else ())


def export(
    path: str | os.PathLike[str], run: str, events: Callable[[], Iterable[Event]], get: Fetch
) -> Path:
    """Write the history of a run to a file; see `Run.export_history`."""
    from nbflow.viz.saving import save  # noqa: PLC0415 - for files only

    def made() -> str:
        found = list(events())
        if not found:
            message = f"run {run} has no history"
            raise RunError(message)
        return written(run, found, get, seal_of(Path(path).expanduser()))

    return save(path, {".jsonl": made}, f"the history of run {run}")
