"""What activities measure of themselves: named blocks, and what each read and wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


class Measured(NamedTuple):
    """One block that an attempt measured.

    Attributes:
        name: What the activity called it.
        started: When it began (seconds since the epoch, by the worker's clock).
        seconds: How long it took, all blocks of it together.
        read_bytes: What it read.
        read_records: How many records that were.
        wrote_bytes: What it wrote.
        wrote_records: How many records that were.
        failed: Whether it was left by an error.
        times: How many blocks these are: of one name, beyond a number of blocks, they are
            added up.
        metadata: What the activity noted, plain data.
    """

    name: str
    started: float
    seconds: float
    read_bytes: int = 0
    read_records: int = 0
    wrote_bytes: int = 0
    wrote_records: int = 0
    failed: bool = False
    times: int = 1
    metadata: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def plus(self, other: Measured) -> Self:
        """Add another block of the same name."""
        return self._replace(
            seconds=self.seconds + other.seconds,
            read_bytes=self.read_bytes + other.read_bytes,
            read_records=self.read_records + other.read_records,
            wrote_bytes=self.wrote_bytes + other.wrote_bytes,
            wrote_records=self.wrote_records + other.wrote_records,
            failed=self.failed or other.failed,
            times=self.times + other.times,
            metadata={**self.metadata, **other.metadata},
        )

    @property
    def read_rate(self) -> float | None:
        """Bytes read in a second; None where nothing was, or no time passed."""
        return _rate(self.read_bytes, self.seconds)

    @property
    def write_rate(self) -> float | None:
        """Bytes written in a second; None where nothing was, or no time passed."""
        return _rate(self.wrote_bytes, self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, with the two rates."""
        return {**self._asdict(), "read_rate": self.read_rate, "write_rate": self.write_rate}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSummary:
    """All blocks of one name of one activity in a run. See `Measured` for the figures."""

    activity: str
    name: str
    times: int
    failed: int
    seconds: float
    read_bytes: int
    read_records: int
    wrote_bytes: int
    wrote_records: int
    read_rate: float | None
    write_rate: float | None


def write(blocks: Iterable[Measured]) -> str:
    """Write blocks as the text that a report keeps."""
    return json.dumps([tuple(block) for block in blocks], separators=(",", ":"))


def read(text: str) -> tuple[Measured, ...]:
    """Read what `write` wrote; what is no such text is nothing, since a picture must not fail."""
    if not text:
        return ()
    try:
        return tuple(Measured(*fields[: len(Measured._fields)]) for fields in json.loads(text))
    except (ValueError, TypeError):
        return ()


def sum_up(measured: Iterable[tuple[str, Measured]]) -> list[MeasureSummary]:
    """Sum up blocks of activities by name, the one with the most time first."""
    sums: dict[tuple[str, str], Measured] = {}
    failed: dict[tuple[str, str], int] = {}
    for activity, block in measured:
        key = (activity, block.name)
        sums[key] = sums[key].plus(block) if key in sums else block
        failed[key] = failed.get(key, 0) + block.failed
    found = [_summary(key, block, failed[key]) for key, block in sums.items()]
    return sorted(found, key=lambda s: (-s.seconds, s.activity, s.name))


def _summary(key: tuple[str, str], block: Measured, failed: int) -> MeasureSummary:
    return MeasureSummary(
        activity=key[0],
        name=key[1],
        times=block.times,
        failed=failed,
        seconds=block.seconds,
        read_bytes=block.read_bytes,
        read_records=block.read_records,
        wrote_bytes=block.wrote_bytes,
        wrote_records=block.wrote_records,
        read_rate=block.read_rate,
        write_rate=block.write_rate,
    )


def _rate(amount: int, seconds: float) -> float | None:
    return amount / seconds if amount and seconds > 0 else None
