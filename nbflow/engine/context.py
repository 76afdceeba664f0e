"""What an activity can ask of the attempt that runs it, and tell of how far it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from nbflow.core import classes
from nbflow.core.errors import ActivityCancelled
from nbflow.core.redact import redact
from nbflow.engine.job import Job, _context
from nbflow.engine.measuring import Block

_DETAILS: Final = 10_000
"""How many characters of what a heartbeat says are kept."""


class Beat(NamedTuple):
    """A sign of life of an attempt; the fields are those of `CallHeartbeat`."""

    details: str = ""
    done: float | None = None
    total: float | None = None


class Context(Mapping[str, Any]):
    """What an activity can know of the attempt that runs it. See `nbflow.context`.

    It is a mapping, too, with the keys that simpleflow has: ``name``, ``version``, ``run_id``,
    ``workflow_id``, ``activity_id``, ``attempt``, ``domain_name`` and ``tag_list``.

    Attributes:
        run: The run's id.
        call: The call's id.
        attempt: Which attempt, from 1.
        activity: The activity's name.
    """

    __slots__ = ("_job", "activity", "attempt", "call", "run")

    def __init__(self, job: Job) -> None:
        self.run = job.run
        self.call = job.call
        self.attempt = job.attempt
        self.activity = job.code.name
        self._job = job

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of the call, in this kernel or a later one."""
        return f"{self.run}/{self.call}"

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this attempt any more. Not known in pools of others."""
        return self._job.dropped

    def heartbeat(self, details: object = None) -> None:
        """Say that the activity is alive; also learn here that nobody waits for it any more.

        The log keeps the latest of a second, so that this may be called as often as it is handy.

        Args:
            details: How far it is: text, or anything that JSON has a form of.

        Raises:
            ActivityCancelled: The call was cancelled, took too long, or its run is over.
            TypeError: The details are neither.

        Example:
            >>> for row in rows:
            ...     nbflow.context().heartbeat({"row": row.id})
        """
        self._tell(Beat(_text(details)))

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Say how much is done, of how much, and in words; otherwise as `heartbeat`.

        Example:
            >>> nbflow.context().progress(3, 10, "reading orders")
        """
        self._tell(Beat(_text(text), _amount("done", done), _amount("total", total)))

    def step(self, name: str) -> Block:
        """Measure a part of the activity: how long it takes, what it reads and writes.

        What was measured is in the log with the report of the attempt, and in `run.profile`.

        Args:
            name: What the part is called.

        Raises:
            TypeError: The name is none.

        Example:
            >>> with nbflow.context().step("download") as step:
            ...     for part in parts:
            ...         step.read.add(len(part), records=1)
            ...     step.metadata["mirror"] = mirror
        """
        return Block(self._job, name)

    def _tell(self, beat: Beat) -> None:
        from nbflow.engine import streams  # noqa: PLC0415 - which knows `Job` in turn

        if self._job.dropped:
            message = f"nobody waits for {self.call} any more: it was cancelled, or its run is over"
            raise ActivityCancelled(message)
        tell = getattr(streams.sink_of(self._job), "beat", None)
        if tell is not None:
            tell(self._job, beat)

    def __getitem__(self, key: str) -> Any:
        known = {
            "name": self.activity,
            "version": "1.0",
            "run_id": self.run,
            "workflow_id": self.run,
            "activity_id": self.call,
            "attempt": self.attempt,
            "domain_name": "",
            "tag_list": [],
        }
        return known[key]

    def __iter__(self) -> Iterator[str]:
        yield from _KEYS

    def __len__(self) -> int:
        return len(_KEYS)

    def __repr__(self) -> str:
        """Give run, call and attempt."""
        return f"<context of {self.call}, attempt {self.attempt}, of run {self.run}>"


_KEYS: Final = (
    "name",
    "version",
    "run_id",
    "workflow_id",
    "activity_id",
    "attempt",
    "domain_name",
    "tag_list",
)


def context() -> Context:
    """Tell the running activity which call it is.

    Raises:
        RuntimeError: Not called by an activity that a run is executing.
    """
    job = _context.get()
    if job is None:
        message = "nbflow.context() is for code of an activity that a run is executing"
        raise RuntimeError(message)
    return Context(job)


def current_context() -> Context | None:
    """Give the same; None outside activities that a run is executing."""
    job = _context.get()
    return None if job is None else Context(job)


classes.provide(current_context)


def _text(details: object) -> str:
    if details is None:
        return ""
    if isinstance(details, str):
        text = details
    else:
        try:
            text = json.dumps(details, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            message = f"what a heartbeat says is text, or what JSON has a form of: {error}"
            raise TypeError(message) from None
    text = redact(text)
    return text if len(text) <= _DETAILS else f"{text[:_DETAILS]}… (cut)"


def _amount(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        message = f"{name} is a number, not {value!r:.60}"
        raise TypeError(message)
    return int(number) if number.is_integer() else number
