"""Blocks of activities that measure themselves: see `Context.step`."""

from __future__ import annotations

import json
import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from nbflow.core.metrology import Measured
from nbflow.core.redact import redact

if TYPE_CHECKING:
    from nbflow.engine.job import Job

_MOST: Final = 200
"""Blocks of an attempt that are kept one by one; later ones are added to those of their name."""
_NAME: Final = 200
_METADATA: Final = 10_000
_REST: Final = "(others)"


class Amount:
    """How much was read or written.

    Attributes:
        bytes: Bytes.
        records: Records: rows, lines, files, whatever is counted.
    """

    __slots__ = ("bytes", "records")

    def __init__(self) -> None:
        self.bytes = 0
        self.records = 0

    def add(self, size: int, records: int = 1) -> None:
        """Count so many bytes more, in so many records."""
        self.bytes += size
        self.records += records


class Block:
    """A named part of an attempt. See `Context.step`.

    Attributes:
        name: What it is called.
        read: What it read.
        write: What it wrote.
        metadata: Anything worth noting, plain data.
    """

    __slots__ = ("_clock", "_job", "_started", "metadata", "name", "read", "write")

    def __init__(self, job: Job, name: str) -> None:
        given: Any = name
        if not isinstance(given, str) or not 0 < len(given) <= _NAME:
            message = f"a step is named by a text of 1 to {_NAME} characters, not {name!r:.60}"
            raise TypeError(message)
        self._job = job
        self.name = redact(name)
        self.read = Amount()
        self.write = Amount()
        self.metadata: dict[str, Any] = {}
        self._started = self._clock = 0.0

    def __enter__(self) -> Self:
        """Begin to measure."""
        self._started, self._clock = time.time(), time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was measured, whichever way the block was left.

        Raises:
            TypeError: A figure is no whole number from 0, or the metadata are no plain data. Not
                where the block was left by an error: that one is to be seen.
        """
        seconds = time.perf_counter() - self._clock
        block = Measured(self.name, self._started, seconds, failed=error is not None)
        try:
            _keep(self._job, self._filled(block))
        except TypeError:
            if error is None:
                raise
            _keep(self._job, block)

    def _filled(self, block: Measured) -> Measured:
        return block._replace(
            read_bytes=_whole(f"{self.name}: read.bytes", self.read.bytes),
            read_records=_whole(f"{self.name}: read.records", self.read.records),
            wrote_bytes=_whole(f"{self.name}: write.bytes", self.write.bytes),
            wrote_records=_whole(f"{self.name}: write.records", self.write.records),
            metadata=_plain(self.name, self.metadata),
        )


def _keep(job: Job, block: Measured) -> None:
    """Add a block to those of an attempt, whose number is bounded."""
    blocks = job.blocks
    if blocks is None:
        blocks = job.blocks = []
    if len(blocks) < _MOST:
        blocks.append(block)
        return
    for index in range(len(blocks) - 1, -1, -1):
        if blocks[index].name == block.name:
            blocks[index] = blocks[index].plus(block)
            return
    _keep(job, block._replace(name=_REST)) if block.name != _REST else blocks.append(block)


def _whole(what: str, value: Any) -> int:
    number = value.__index__() if hasattr(value, "__index__") else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if type(number) is not int or number < 0 or not math.isfinite(number):
        message = f"{what} is a whole number from 0, not {value!r:.60}"
        raise TypeError(message)
    return number


def _plain(name: str, metadata: Any) -> dict[str, Any]:
    """Give metadata as they are kept, secrets taken out."""
    try:
        text = json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"the metadata of step {name} are plain data, of which JSON has a form: {error}"
        raise TypeError(message) from None
    if not isinstance(metadata, dict) or len(text) > _METADATA:
        message = (
            f"the metadata of step {name} are a dict of at most {_METADATA:,} characters as JSON, "
            f"not a {type(metadata).__name__} of {len(text):,}: keep a result for the rest"
        )
        raise TypeError(message)
    kept = redact(text)
    try:
        found = json.loads(kept)
    except ValueError:
        found = {"redacted": kept}
    return found if isinstance(found, dict) else {"redacted": kept}
