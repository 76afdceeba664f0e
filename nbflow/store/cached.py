"""Results that later calls may be answered by: what a cache of a store has to do."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.scanner import make_scanner
from typing import Any, Final, NamedTuple, Protocol

from nbflow.core.events import Event
from nbflow.core.eventtext import encode
from nbflow.core.payload import Blob, Stored, from_json, to_json

GRACE: Final = 3600.0
"""Seconds for which a blob is kept even if nothing refers to it: a run may be about to."""
_BLOB = re.compile(r'"\$blob":\s*\["\w+",\s*"(\w+)"')


class CacheRow(NamedTuple):
    """A result that is kept for other runs. A tuple, since a reading makes one for each call.

    Attributes:
        key: What the call was, see `nbflow.core.reasons.Key`.
        activity: Name of its activity.
        code: Digest of the activity's code and all that it reaches.
        inputs: Digest of what it was given.
        run: The run that computed it.
        call: The call of that run.
        at: When (seconds, epoch).
        run_ns: How long that took, in nanoseconds.
        size: Length of the stored result, in bytes.
        result: The result, stored.
        parts: What the key was made of, see `Key.to_json`.
    """

    key: str
    activity: str
    code: str
    inputs: str
    run: str
    call: str
    at: float
    run_ns: int
    size: int
    result: Stored
    parts: str


class Earlier(NamedTuple):
    """An earlier call of an activity, as far as it is needed to compare with; see `CacheRow`."""

    run: str
    call: str
    at: float
    inputs: str
    parts: str


class ResultCache(Protocol):
    """Keeps results by key. Every method may be called from any thread and process.

    Every method may raise `StoreError`.
    """

    def get(self, key: str) -> CacheRow | None:
        """Give what is kept under a key."""

    def find(self, keys: Sequence[str]) -> dict[str, CacheRow]:
        """Give what is kept under any of these keys, in one reading."""

    def add(self, row: CacheRow, *, replace: bool = False) -> bool:
        """Keep a result; unless `replace`, the one that is there already stays.

        Returns:
            Whether this one is the one that is kept.
        """

    def extend(self, rows: Sequence[CacheRow]) -> None:
        """Keep results in one writing; those that are there already stay."""

    def alike(
        self, activity: str, inputs: Sequence[str], besides: str, limit: int
    ) -> list[Earlier]:
        """Give the latest calls of an activity with these inputs, to compare with.

        Args:
            activity: Its name.
            inputs: Digests of inputs.
            besides: The run to leave out.
            limit: How many at most for each digest; of each the latest comes first.
        """

    def latest(self, activity: str, besides: str, limit: int) -> list[Earlier]:
        """Give the latest calls of an activity whatever their inputs; see `alike`.

        What the run itself has kept is gone through, so this is asked before it has kept much.
        """

    def rows(self, activity: str | None = None) -> list[CacheRow]:
        """Give all results, or those of one activity, the latest first."""

    def remove(self, keys: Iterable[str]) -> int:
        """Forget results; give how many there were. The logs of runs keep theirs."""

    def sweep(self, grace: float = GRACE) -> tuple[int, int]:
        """Delete the blobs that no log and no result refers to.

        Args:
            grace: Blobs younger than so many seconds stay.

        Returns:
            How many there were, and their bytes in all.
        """


def write_stored(stored: Stored) -> str:
    """Write a stored value as text."""
    return json.dumps(stored, default=to_json, separators=(",", ":"))


def read_stored(text: str) -> Any:
    """Read what `write_stored` wrote.

    Raises:
        ValueError: It is something else.
    """
    try:
        found, end = _scan(text, 0)  # `decode` takes thrice as long over a number
    except StopIteration:
        end = -1
    return found if end == len(text) else _DECODER.decode(text)


_DECODER: Final = json.JSONDecoder(object_hook=from_json)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = make_scanner(_DECODER)  # type: ignore[arg-type] # its stub asks for one of itself


def blobs_in(text: str) -> Iterator[str]:
    """Give the digests of all blobs that a text of events or of a stored value refers to."""
    return (found.group(1) for found in _BLOB.finditer(text))


def _earlier(rows: Iterable[CacheRow], besides: str, limit: int) -> list[Earlier]:
    """Give the latest of these, of those that came at one time the last one first."""
    found = [row for row in rows if row.run != besides]
    found.reverse()
    found.sort(key=lambda row: -row.at)
    return [Earlier(r.run, r.call, r.at, r.inputs, r.parts) for r in found[:limit]]


class MemoryCache:
    """Keeps results as long as the process lives.

    Args:
        blobs: The store's blobs by digest.
        put_at: When each was put there last (seconds, epoch).
        logs: Gives the events of each run.
    """

    def __init__(
        self,
        blobs: dict[str, bytes],
        put_at: dict[str, float],
        logs: Callable[[], Iterable[Iterable[Event]]],
    ) -> None:
        self._rows: dict[str, CacheRow] = {}
        self._alike: dict[tuple[str, str], dict[str, CacheRow]] = {}
        self._blobs = blobs
        self._put_at = put_at
        self._logs = logs
        self._lock = threading.Lock()

    def get(self, key: str) -> CacheRow | None:
        """See `ResultCache.get`."""
        return self._rows.get(key)

    def find(self, keys: Sequence[str]) -> dict[str, CacheRow]:
        """See `ResultCache.find`."""
        found = ((key, self._rows.get(key)) for key in keys)
        return {key: row for key, row in found if row is not None}

    def add(self, row: CacheRow, *, replace: bool = False) -> bool:
        """See `ResultCache.add`."""
        with self._lock:
            if row.key in self._rows and not replace:
                return False
            self._forget(row.key)  # the latest comes last
            self._rows[row.key] = row
            self._alike.setdefault((row.activity, row.inputs), {})[row.key] = row
            return True

    def extend(self, rows: Sequence[CacheRow]) -> None:
        """See `ResultCache.extend`."""
        for row in rows:
            self.add(row)

    def alike(
        self, activity: str, inputs: Sequence[str], besides: str, limit: int
    ) -> list[Earlier]:
        """See `ResultCache.alike`."""
        with self._lock:
            found = [list(self._alike.get((activity, each), {}).values()) for each in inputs]
        return [row for rows in found for row in _earlier(rows, besides, limit)]

    def latest(self, activity: str, besides: str, limit: int) -> list[Earlier]:
        """See `ResultCache.latest`."""
        with self._lock:
            rows = [row for row in self._rows.values() if row.activity == activity]
        return _earlier(rows, besides, limit)

    def _forget(self, key: str) -> bool:
        row = self._rows.pop(key, None)
        if row is None:
            return False
        self._alike[row.activity, row.inputs].pop(key)
        return True

    def rows(self, activity: str | None = None) -> list[CacheRow]:
        """See `ResultCache.rows`."""
        with self._lock:
            found = [r for r in self._rows.values() if activity is None or r.activity == activity]
        found.reverse()  # what came last is first among those of one time
        return sorted(found, key=lambda row: -row.at)

    def remove(self, keys: Iterable[str]) -> int:
        """See `ResultCache.remove`."""
        with self._lock:
            return sum(map(self._forget, keys))

    def sweep(self, grace: float = GRACE) -> tuple[int, int]:
        """See `ResultCache.sweep`."""
        with self._lock:
            results = [row.result for row in self._rows.values()]
        used = {result.digest for result in results if isinstance(result, Blob)}
        for log in self._logs():
            used.update(blobs_in(encode(log)))
        old, put_at = time.time() - grace, self._put_at
        gone = [name for name in list(self._blobs) if name not in used and put_at[name] <= old]
        return len(gone), sum(len(self._blobs.pop(name)) for name in gone)
