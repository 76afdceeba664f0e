"""The results that are kept for later runs: what there is, and how to get rid of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from nbflow.core.errors import StoreError
from nbflow.core.reasons import readable
from nbflow.running.config import settings
from nbflow.running.why import age
from nbflow.store.base import Store
from nbflow.store.cached import GRACE, CacheRow
from nbflow.viz.wording import clean, columns, duration, many

_MOST = 20


class CacheSize(NamedTuple):
    """How much is kept.

    Attributes:
        results: How many results.
        bytes: What they take in all, stored.
    """

    results: int
    bytes: int

    def __repr__(self) -> str:
        """Write it in words."""
        return f"{many(self.results, 'result')}, {readable(self.bytes)}"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed.

    Attributes:
        results: How many results are kept no longer.
        bytes: What they took.
        left: How many are still kept.
        blobs: How many files of large values were deleted.
        blob_bytes: What they took.
    """

    results: int
    bytes: int
    left: int
    blobs: int = 0
    blob_bytes: int = 0

    def __repr__(self) -> str:
        """Write it in words."""
        text = (
            f"removed {many(self.results, 'result')} ({readable(self.bytes)}), {self.left:,} left"
        )
        if self.blobs:
            text += f"; deleted {many(self.blobs, 'blob')} ({readable(self.blob_bytes)})"
        return text


class CacheList(list[CacheRow]):
    """Kept results, the latest first; shown as a table."""

    def __repr__(self) -> str:
        """Give a line a result, the first 20."""
        if not self:
            return "nothing is cached"
        now = time.time()
        rows = [("activity", "result of", "age", "took", "size")]
        rows += [_cells(row, now) for row in self[:_MOST]]
        widths = [max(columns(row[n]) for row in rows) for n in range(len(rows[0]))]
        lines = [
            "  ".join(t + " " * (w - columns(t)) for t, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        more = [f"and {len(self) - _MOST:,} more"] if len(self) > _MOST else []
        return "\n".join([*lines, *more])


def _cells(row: CacheRow, now: float) -> tuple[str, str, str, str, str]:
    return (
        clean(row.activity, 40),
        clean(f"{row.run}/{row.call}", 60),
        age(now - row.at),
        duration(row.run_ns * 1e-9),
        readable(row.size),
    )


class Cache:
    """The results of ``cache=True`` activities that the store keeps for later runs.

    Example:
        >>> nbflow.cache.list("fetch")
        >>> nbflow.cache.size()
        12 results, 3.4 MiB
        >>> nbflow.cache.clear(older_than=7 * 24 * 3600)
        removed 9 results (3.1 MiB), 3 left
    """

    def list(self, activity: str | None = None, store: Store | None = None) -> CacheList:
        """List what is kept, the latest first.

        Args:
            activity: Name of an activity, to see only its results.
            store: Which store; by default the configured one.
        """
        return CacheList((store or settings.open_store()).cache.rows(activity))

    def size(self, store: Store | None = None) -> CacheSize:
        """Tell how much is kept."""
        rows = self.list(store=store)
        return CacheSize(len(rows), sum(row.size for row in rows))

    def clear(
        self,
        activity: str | None = None,
        *,
        older_than: float | timedelta | None = None,
        larger_than: int | None = None,
        down_to: int | None = None,
        all: bool = False,  # noqa: A002 - the word that users expect
        blobs: bool = False,
        store: Store | None = None,
    ) -> Cleared:
        """Forget results; what several arguments say must all be true of them.

        The logs of runs keep theirs, so finished runs and their resumption are not touched.

        Args:
            activity: Those of one activity.
            older_than: Those computed more than so many seconds ago.
            larger_than: Those of more than so many bytes.
            down_to: The oldest ones, until the rest takes no more than so many bytes.
            all: Everything. Without any argument nothing is removed.
            blobs: Delete, too, the files of large values that no log of a run and no kept result
                refers to any more, but for those of the last hour.
            store: Which store; by default the configured one.

        Raises:
            ValueError: It does not say what to remove.
        """
        place = store or settings.open_store()
        if isinstance(older_than, timedelta):
            older_than = older_than.total_seconds()
        limits = (activity, older_than, larger_than, down_to)
        if not all and not blobs and _all_none(limits):
            message = (
                "clear what? Name an activity, older_than=seconds, larger_than=bytes, "
                "down_to=bytes, blobs=True, or all=True"
            )
            raise ValueError(message)
        rows = place.cache.rows(activity) if all or not _all_none(limits) else []
        end = None if older_than is None else time.time() - older_than
        chosen = [
            row
            for row in rows
            if (end is None or row.at < end) and (larger_than is None or row.size > larger_than)
        ]
        if down_to is not None:
            chosen = _oldest(chosen, sum(row.size for row in rows) - down_to)
        return _removed(place, chosen, blobs=blobs)

    def __repr__(self) -> str:
        """Say how much there is and where."""
        try:
            return f"<cache of {settings.open_store().path}: {self.size()!r}>"
        except StoreError as error:
            return f"<cache: {error}>"


def _removed(place: Store, rows: list[CacheRow], *, blobs: bool) -> Cleared:
    number = place.cache.remove([row.key for row in rows])
    deleted = place.cache.sweep(GRACE) if blobs else (0, 0)
    return Cleared(number, sum(row.size for row in rows), len(place.cache.rows()), *deleted)


def _all_none(values: tuple[object, ...]) -> bool:
    """Whether nothing was given."""
    return all(value is None for value in values)


def _oldest(rows: list[CacheRow], excess: int) -> list[CacheRow]:
    """Give the oldest rows that together take what is too much."""
    found: list[CacheRow] = []
    for row in reversed(rows):
        if excess <= 0:
            break
        found.append(row)
        excess -= row.size
    return found


cache = Cache()
"""That of the configured store."""
