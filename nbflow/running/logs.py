"""Runs in Python's own logging: records of logger ``nbflow.run`` with the ids of run and call.

They say what the log of the run says, once it is written, and cost nothing where nobody asked for
them. ``LOG_LEVEL=INFO`` and ``NBFLOW_LOG_FORMAT=json`` do for the command line what
`logging.basicConfig` does in a program.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from nbflow.core.errors import DefinitionError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.viz.wording import clean

logger: Final = logging.getLogger("nbflow.run")
_IDS: Final = ("run", "call", "attempt", "event")
"""What records have beside their message; JSON lines have them, too."""
_LONGEST: Final = 2_000


class Told:
    """A follower of one run that logs what is written to the run's log.

    Args:
        run: The run's id.
    """

    __slots__ = ("__weakref__", "_run")

    def __init__(self, run: str) -> None:
        self._run = run

    def take(self, batch: list[Event]) -> None:
        """Log what was written."""
        for event in batch:
            level, text = _said(self._run, event)
            if logger.isEnabledFor(level):
                call = getattr(event, "call", "")
                given = (self._run, call, getattr(event, "attempt", 0), type(event).__name__)
                logger.log(
                    level, "%s", clean(text, _LONGEST), extra=dict(zip(_IDS, given, strict=True))
                )


def wanted() -> bool:
    """Whether anybody has asked for more than warnings."""
    return logger.isEnabledFor(logging.INFO)


def _said(run: str, event: Event) -> tuple[int, str]:
    """Give level and text of what an event says."""
    say = _SAYS.get(type(event))
    if say is not None:
        return say(run, event)
    return logging.DEBUG, f"{type(event).__name__} {getattr(event, 'call', '')}".rstrip()


def _closed(run: str, event: RunClosed) -> tuple[int, str]:
    if event.error is None:
        return logging.INFO, f"run {run} {event.status}"
    return logging.ERROR, f"run {run} {event.status}: {_error(event.error)}"


def _failed(_: str, event: CallFailed) -> tuple[int, str]:
    if event.retry_at is None:
        return logging.ERROR, f"{event.call} failed: {_error(event.error)}"
    wait = max(0.0, event.retry_at - event.at)
    return logging.WARNING, f"{event.call} failed, again in {wait:.1f} s: {_error(event.error)}"


def _error(failure: Failure) -> str:
    return f"{failure.kind}: {failure.message}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


_SAYS: Final[dict[type[Event], Callable[[str, Any], tuple[int, str]]]] = {
    RunStarted: lambda run, e: (logging.INFO, f"run {run} of {e.workflow} on {e.on}"),
    RunResumed: lambda run, e: (logging.INFO, f"run {run} goes on{_because(e.reason)}"),
    RunClosed: _closed,
    CallFailed: _failed,
    CallCancelled: lambda _, e: (logging.WARNING, f"{e.call} cancelled{_because(e.reason)}"),
    CallScheduled: lambda _, e: (logging.DEBUG, f"{e.call} asked for"),
    CallStarted: lambda _, e: (logging.DEBUG, f"{e.call} runs on {e.worker}"),
    CallSucceeded: lambda _, e: (
        logging.INFO,
        f"{e.call} done on {e.worker} in {e.run_ns / 1e9:.3f} s",
    ),
    CallReused: lambda _, e: (logging.INFO, f"{e.call} answered by an earlier result"),
}


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON, with the ids of run and call where there are any.

    Example:
        >>> handler.setFormatter(JsonLines())
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        found: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        found |= {name: given for name in _IDS if (given := getattr(record, name, None))}
        if record.exc_info:
            found["error"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str)


def use_environment(variables: Mapping[str, str] = os.environ) -> None:
    """Log to standard error as ``LOG_LEVEL`` and ``NBFLOW_LOG_FORMAT`` say; else do nothing.

    Raises:
        DefinitionError: One of them has a value that means nothing.
    """
    level = variables.get("LOG_LEVEL", "").strip().upper()
    form = variables.get("NBFLOW_LOG_FORMAT", "text").strip().lower() or "text"
    if form not in {"text", "json"}:
        message = f"NBFLOW_LOG_FORMAT is text or json, not {form!r:.60}"
        raise DefinitionError(message)
    if not level:
        return
    known = logging.getLevelNamesMapping()
    if level not in known and not level.isdigit():
        message = f"LOG_LEVEL is one of {', '.join(known)}, not {level!r:.60}"
        raise DefinitionError(message)
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    own = logging.getLogger("nbflow")
    own.handlers[:] = [handler]
    own.propagate = False
    own.setLevel(int(level) if level.isdigit() else known[level])
